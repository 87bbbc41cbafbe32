# SPDX-License-Identifier: GPL-2.0
"""tools/ is in order: a folder has scripts of one language, each script has a caller, and
docs/CONTRIBUTING.md has a line for each folder.

A caller is another script, the Makefile, continuous integration, or a document that names the
script by its whole path as a command. Only in its own subject is a script known by its bare name.
Tests in Python are found by unittest, Rust by cargo, and what is in debian/ by the packaging.
"""

import posixpath
import re

TABLE = "docs/CONTRIBUTING.md"
ROW = re.compile(r"^\| `(tools/[\w-]+)` \| .*\S \|$", re.MULTILINE)
ENDINGS = {".sh": "shell", ".py": "Python", ".rs": "Rust", ".c": "C", ".h": "C", ".S": "C", ".bt": "bpftrace"}
SHEBANGS = {re.compile(r"#!\s*\S*(/|\s)(ba|da)?sh\b"): "shell", re.compile(r"#!.*\bpython3?\b"): "Python"}
FOUND = re.compile(r"\.rs$|/debian/|/test_\w+\.py$|/__(main|init)__\.py$")
# These cite scripts and do not call them.
CITES = ("docs/CHANGELOG.md", "docs/glossary.md")
COMMENT = re.compile(r"^\s*#(?!!).*$", re.MULTILINE)


def language(tree, path):
    """That of a script or program; None for data, tables and configuration."""
    ending = posixpath.splitext(path)[1]
    if ending:
        return ENDINGS.get(ending)
    head = tree.read(path)[:100]
    return next((name for shebang, name in SHEBANGS.items() if shebang.match(head)), None)


def subject(path):
    """The folder of tools that a path is in; of what lies at the top, that itself."""
    return "/".join(path.split("/")[:2])


def calls(caller, text, script):
    """Whether the text of the file `caller` names that script as one that it calls."""
    folder, name = posixpath.split(script)
    stem = posixpath.splitext(name)[0]
    if caller.endswith(".md"):
        return re.search(rf"(?<![\w./-]){re.escape(script)}(?![\w-])", text)
    near = subject(caller) == subject(script)
    wanted = [rf"(?:{posixpath.basename(folder)}{r'|[.][.]' if folder == 'tools' else ''})/{re.escape(name)}"]
    if near and folder != "tools" and name != "run":
        wanted.append(re.escape(name))
    if name.endswith(".py") and (near or folder in text):
        wanted += [rf"^\s*(?:import|from) (?:\w+\.)*{stem}", rf"^from \w+ import (?:\w+, )*{stem}", f'"{stem}"']
    return any(re.search(rf"(?<![\w-]){one}(?![\w-])", text, re.MULTILINE) for one in wanted)


def check_languages(scripts):
    folders = {}
    for path, name in scripts.items():
        folders.setdefault(posixpath.dirname(path), {}).setdefault(name, path)
    for folder, names in sorted(folders.items()):
        if len(names) > 1:
            yield f"{folder}: scripts in {' and '.join(f'{name} ({path})' for name, path in sorted(names.items()))}"


def check_callers(tree, scripts):
    texts = {}
    for path in tree.files(name=r"\.md$|\.mk$|^Makefile$|^\.ci/|^(tools|selftests)/"):
        if path not in CITES and (path.endswith(".md") or not path.endswith(tuple(ENDINGS)) or path in scripts
                                  or path.startswith("selftests")):
            text = tree.read(path)
            texts[path] = text if path.endswith(".md") else COMMENT.sub("", text)
    for script in scripts:
        if not FOUND.search(script) and not any(calls(caller, text, script) for caller, text in texts.items()
                                                if caller != script):
            yield f"{script}: no script and no document calls it"


def check_table(tree, scripts):
    rows = ROW.findall(tree.read(TABLE)) if (tree.root / TABLE).exists() else []
    folders = {subject(path) for path in tree.files("tools") if path.count("/") > 1}
    for folder in sorted(folders - set(rows)):
        yield f"{folder}: {TABLE} has no line for it"
    for row in sorted(set(rows) - folders) + sorted({row for row in rows if rows.count(row) > 1}):
        yield f"{TABLE}: {row} is not there, or twice in the table"


def check(tree):
    scripts = {path: name for path in tree.files("tools") if (name := language(tree, path))}
    return [*check_languages(scripts), *check_callers(tree, scripts), *check_table(tree, scripts)]


def row(*folders):
    return "".join(f"| `tools/{folder}` | what it is for |\n" for folder in folders)


RUN = "#!/usr/bin/env bash\n"
MAKE = {"Makefile": "a:\n\t@tools/a/run\n"}
SAMPLES = [
    ("two languages", {**MAKE, TABLE: row("a"), "tools/a/run": RUN + "python3 a.py\n", "tools/a/a.py": ""},
     "tools/a: scripts in Python (tools/a/a.py) and shell (tools/a/run)"),
    ("a script without a caller", {**MAKE, TABLE: row("a"), "tools/a/run": RUN, "tools/a/b.sh": ""},
     "tools/a/b.sh: no script"),
    ("only a comment names it", {**MAKE, TABLE: row("a"), "tools/a/run": RUN + "# See b.sh.\n", "tools/a/b.sh": ""},
     "tools/a/b.sh: no script"),
    ("only another subject's script of this name",
     {**MAKE, TABLE: row("a", "b"), "tools/a/run": RUN + "$here/b.sh\n", "tools/a/b.sh": "", "tools/b/b.sh": ""},
     "tools/b/b.sh: no script"),
    ("a module that nobody imports", {**MAKE, TABLE: row("a"), "tools/a/run": RUN + "py/a.py\n", "tools/a/py/a.py": "",
                                      "tools/a/py/b.py": ""}, "tools/a/py/b.py: no script"),
    ("cited in the changelog", {TABLE: row("a"), "docs/CHANGELOG.md": "`tools/a/run`", "tools/a/run": RUN}, "tools/a/run: no"),
    ("a folder without a line", {**MAKE, "tools/a/run": RUN}, "tools/a: docs/CONTRIBUTING.md has no line"),
    ("a line without a folder", {TABLE: row("a")}, "tools/a is not there"),
    ("clean", {
        **MAKE, TABLE: row("a") + "`tools/b.sh`\n", "tools/b.sh": '. "$(dirname "$0")/lib.sh"\n', "tools/lib.sh": "",
        "tools/a/run": RUN + '. "$here/../lib.sh"\npython3 "$here/py/a.py"\ngcc "$here/c/d.c"\n', "tools/a/py/a.py": "import b\n",
        "tools/a/py/b.py": "", "tools/a/py/test_b.py": "import b\n", "tools/a/c/d.c": "", "tools/a/table": "x\n",
    }, None),
]
