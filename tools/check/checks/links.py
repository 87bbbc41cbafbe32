# SPDX-License-Identifier: GPL-2.0
"""Documents cite what exists: relative links, their anchors, and paths in backticks.

A path counts as one of the repository if it begins with rust/, tools/, selftests/ or docs/. What
stands for any name has angle brackets (`selftests/<name>.sh`) and is passed over. What shell
scripts name below $WG_TOP exists as well. Besides, README keeps to a length, and lines outside of
tables, code and images to a width.
"""

import posixpath
import re

LONGEST_README = 100
WIDEST = 100

LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?\)")
SPAN = re.compile(r"`([^`]+)`")
PATH = re.compile(r"(?:rust|tools|selftests|docs)/[\w./-]*$")
# Whole: neither a pattern nor the start of a name that is put together.
IN_SCRIPT = re.compile(r"\$\{?WG_TOP\}?\"?/((?:rust|tools|selftests|docs)/[\w./-]*\w)(?![\w.*?{}$/-])")
SCRIPTS = r"(^|/)[^./][^/]*\.sh$|^(tools|selftests)/([^/]+/)*[^./]+$"
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")


def prose(text):
    """Yields (line number, line) of what is neither fenced nor indented code."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield number, line


def anchors(text):
    """The names that headings can be linked by."""
    return {re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-")
            for _, line in prose(text) if line.startswith("#")}


def exists(tree, path):
    return not path.startswith("..") and (tree.root / path).exists()


def check_link(tree, path, target):
    """Says what is wrong with a link, or nothing."""
    if ELSEWHERE.match(target):
        return None
    file, _, anchor = target.partition("#")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
    if not exists(tree, file):
        return f"links to {target}, which does not exist"
    if anchor and file.endswith(".md") and anchor not in anchors(tree.read(file)):
        return f"links to {target}, but there is no such heading"
    return None


def check_file(tree, path):
    text = tree.read(path)
    for number, line in prose(text):
        where = f"{path}:{number}"
        for match in LINK.finditer(SPAN.sub("", line)):
            wrong = check_link(tree, path, match[1])
            if wrong:
                yield f"{where}: {wrong}"
        for match in SPAN.finditer(line):
            name = match[1].split()[0] if match[1].split() else ""
            if PATH.match(name) and not exists(tree, posixpath.normpath(name)):
                yield f"{where}: names {name}, which does not exist"
        if len(line) > WIDEST and not line.startswith(("|", "![")):
            yield f"{where}: {len(line)} columns, more than {WIDEST}"
    length = len(text.splitlines())
    if path == "README.md" and length > LONGEST_README:
        yield f"{path}: {length} lines, more than {LONGEST_README}"


def check_script(tree, path):
    for number, line in enumerate(tree.read(path).splitlines(), 1):
        for match in IN_SCRIPT.finditer(line):
            if not exists(tree, match[1]):
                yield f"{path}:{number}: names {match[1]}, which does not exist"


def check(tree):
    found = [finding for path in tree.files(name=r"\.md$") for finding in check_file(tree, path)]
    for path in tree.files(name=SCRIPTS):
        found += check_script(tree, path)
    return found


R = "README.md"
SAMPLES = [
    ("a link to nothing", {R: "See [this](docs/a.md).\n"}, "README.md:1: links to docs/a.md"),
    ("from its own folder", {"docs/a.md": "[b](docs/b.md)\n", "docs/b.md": ""}, "links to docs/b.md"),
    ("out of the checkout", {"docs/a.md": "[b](../../b.md)\n"}, "links to ../../b.md"),
    ("an image", {R: "![chart](tools/a.svg)\n"}, "links to tools/a.svg"),
    ("in a table", {R: "| a |\n|---|\n| [b](b.md) |\n"}, "README.md:3: links to b.md"),
    ("a heading", {R: "[b](docs/b.md#none)\n", "docs/b.md": "# Some\n"}, "no such heading"),
    ("a path", {"docs/a.md": "a\n\n`rust/a.rs` does.\n"}, "docs/a.md:3: names rust/a.rs"),
    ("a path with words", {"selftests/a.md": "`tools/a.sh --all`\n"}, "names tools/a.sh"),
    ("a folder", {R: "`selftests/none/`\n"}, "names selftests/none/"),
    ("a long README", {R: "a\n" * 101}, "101 lines"),
    ("a wide line", {"docs/a.md": "a " * 51}, "docs/a.md:1: 102 columns"),
    ("a script", {"tools/a.sh": 'f\n"$WG_TOP/selftests/a.sh" b\n'}, "tools/a.sh:2: names selftests/a.sh"),
    ("a script without an ending", {"tools/a": "$WG_TOP/tools/b\n"}, "tools/a:1: names tools/b"),
    ("clean", {
        "tools/c.sh": '"$WG_TOP"/tools/x "$WG_TOP"/tools/none*.sh "$WG_TOP/tools/none$1" "$WG_TOP/out/none"\n',
        R: "# A heading: one\n[b](docs/b.md) [c](https://example.org/c) [d](#a-heading-one)\n"
           "`rust/a.rs` `tools/` `selftests/<name>.sh` `drivers/net/wireguard` `make rust-analyzer`\n"
           "```\n[no](none.md) `rust/none.rs`\n" + "a " * 60 + "\n```\n    `rust/none.rs`\n"
           "| " + "a " * 60 + "|\n",
        "docs/b.md": "# Two words\n" + "a\n" * 200 + "[up](../README.md) [same](b.md#two-words)\n",
        "rust/a.rs": "", "tools/x": "", "out/a.md": "[no](none.md)\n",
    }, None),
]
