# SPDX-License-Identifier: GPL-2.0
"""What must not compile: selftests/compile-fail/*.rs, each a small driver.

Each is compiled against the built crates, as the real driver is. Its first line says what
is expected:

    // E0505: a packet cannot be used after it was handed on
    // unsafe_code: the name of a lint, where one stops it
    // ok: this one must compile

A snippet has to fail with that code and no other. A wrong name or a missing import fails
too, so a snippet should mark the lines that are to blame, by a comment `//~` at their ends:
without those lines it must compile.
"""

import json
import pathlib
import re
import tempfile

from lib import kcmd
from lib.tree import Skip

PLACE = "selftests/compile-fail"
EXPECTATION = re.compile(r"//\s*(E\d{4}|[a-z][a-z_:]*):\s+\S")


def compile_errors(tree, source, folder):
    """Returns (code, message, line) of each error; none if it compiles."""
    # In the self-test the crates are those of the real checkout.
    run = kcmd.rustc(getattr(tree, "built", tree), source, pathlib.Path(folder) / "snippet.o", "--crate-name", "snippet", "--error-format=json")
    errors = []
    for line in run.stderr.splitlines():
        if not line.startswith("{"):
            continue
        message = json.loads(line)
        # The last ones only count the others.
        if message.get("level") == "error" and (message["code"] or message["spans"]):
            at = message["spans"][0]["line_start"] if message["spans"] else 0
            errors.append(((message["code"] or {}).get("code", "no code"), message["message"], at))
    if run.returncode and not errors:
        raise RuntimeError(run.stderr[-2000:])
    return errors


def check_snippet(tree, path, folder):
    text = tree.read(path)
    expected = EXPECTATION.match(text)
    if not expected:
        yield f"{path}:1: the first line does not say what is expected"
        return
    errors = compile_errors(tree, tree.root.resolve() / path, folder)
    listed = "; ".join(f"line {line}: {code}: {message}" for code, message, line in errors)
    if expected[1] == "ok":
        if errors:
            yield f"{path}: must compile: {listed}"
        return
    if not errors:
        yield f"{path}: compiles, but {expected[1]} was expected"
    elif {code for code, *_ in errors} != {expected[1]}:
        yield f"{path}: {expected[1]} was expected: {listed}"
    if "//~" in text:
        control = pathlib.Path(folder) / "control.rs"
        control.write_text("".join("\n" if re.search(r"//~\s*$", line) else line
                                   for line in text.splitlines(keepends=True)))
        if errors := compile_errors(tree, control, folder):
            yield (f"{path}: does not compile without the marked lines either: "
                   + "; ".join(f"line {line}: {message}" for _, message, line in errors))
    else:
        yield f"warning: {path}: no line is marked by //~"


def check(tree):
    snippets = [p for p in tree.rust(PLACE) if p.count("/") == 2]
    if not snippets:
        raise Skip(f"no {PLACE}/*.rs yet")
    findings = []
    with tempfile.TemporaryDirectory(prefix="wg-snippet-") as folder:
        for path in snippets:
            findings += check_snippet(tree, path, folder)
    controls = sum(tree.read(p).startswith("// ok:") for p in snippets)
    if controls == len(snippets):
        findings.append(f"{PLACE}: nothing there that must not compile")
    if not controls:
        findings.append(f"{PLACE}: needs a snippet that must compile (// ok: …), else a broken set-up would pass for success")
    return findings


S = f"{PLACE}/a.rs"
OK = {f"{PLACE}/ok.rs": "// ok: compiles\n//! O.\n#![forbid(unsafe_code)]\nuse kext as _;\n"}
MOVE = "//! M.\n/// F.\npub fn f(x: &'static mut u8) {\n    drop_it(x);\n    drop_it(x);%s\n}\nfn drop_it(_: impl Sized) {}\n"
SAMPLES = [
    ("it compiles", {S: "// E0382: x\n//! X.\n", **OK}, "a.rs: compiles"),
    ("another error", {S: "// E0382: x\n//! X.\nuse kext::nothing;\n", **OK}, "E0382 was expected: line 3: E0432"),
    ("one error too many", {S: "// E0382: x\n" + MOVE % "" + "fn g() -> u8 { nothing }\n", **OK}, "was expected"),
    ("broken without the marked line", {S: "// E0432: x\n//! X.\nuse kext::nothing;\nuse kext::nothing as b; //~\n", **OK}, "either"),
    ("nothing expected", {S: "//! X.\n", **OK}, "first line"),
    ("no control", {S: "// E0382: x\n" + MOVE % " //~"}, "must compile"),
    ("a control that fails", {S: "// ok: x\n//! X.\nuse nothing;\n"}, "must compile: line 3"),
    ("clean", {S: "// E0382: x\n" + MOVE % " //~",
               f"{PLACE}/b.rs": "// unsafe_code: x\n//! X.\n#![forbid(unsafe_code)]\n/// F.\npub fn f() {\n    unsafe {} //~\n}\n",
               **OK}, None),
]
