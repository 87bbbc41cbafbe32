# SPDX-License-Identifier: GPL-2.0
"""A person sets few variables, and docs/testing.md has them all.

A variable that a script takes from outside, with something to do when it is not set, is in the
table of docs/testing.md, or another script gives it a value, or it is one that every system knows.
The table has at most twelve.
"""

import re

DOCUMENT = "docs/testing.md"
MOST = 12
NAME = r"[A-Z][A-Z0-9_]*"
# With a default, or with an error: ${NAME:-…}, ${NAME:?…}, environ.get("NAME"…), $(NAME) in make.
READ = re.compile(rf"\$\{{({NAME}):?[-=+?]|environ\.get\(\"({NAME})\"|getenv\(\"({NAME})\""
                  rf"|^ifdef ({NAME})|\$\(({NAME})\)", re.MULTILINE)
# A value of its own: not NAME=${NAME:-…}, nor NAME=; alone in the middle of a sentence.
SET = re.compile(rf"(?<![\w$\"'{{-])({NAME})\+?=(?!\"?\$\{{\1[:}}-])|\bread (?:-\w+ )*({NAME})\b|\bfor ({NAME}) in\b"
                 rf"|environ\[\"({NAME})\"\] = ")
COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
# The system's, os-release's, continuous integration's, cargo's, make's, the kernel's; and one that
# is refused.
KNOWN = {"HOME", "PATH", "PYTHONPATH", "XDG_CACHE_HOME", "ID", "VERSION_ID", "VERSION_CODENAME", "CI",
         "CARGO_HOME", "CARGO_TARGET_DIR", "MAKEFILE_LIST", "ARCH", "CC", "RUSTC", "BINDGEN", "INSTALL_MOD_PATH",
         "MODULE"}


def table(tree):
    """The variables of the first table below "Variables"."""
    text = tree.read(DOCUMENT) if (tree.root / DOCUMENT).exists() else ""
    section = text.partition("\n## Variables\n")[2].partition("\n## ")[0]
    return [name for line in section.splitlines() if line.startswith("| `")
            for name in re.findall(rf"`({NAME})`", line.split("|")[1])]


def check(tree):
    documented, read, given = table(tree), {}, set()
    for path in tree.files(name=r"^(tools|selftests|\.ci)/.*(\.(sh|py|c)|(?<=/)[^./]+)$|^Makefile$"):
        if path.startswith("tools/check/checks/"):
            continue
        text = COMMENT.sub("", tree.read(path))
        given |= {name for match in SET.finditer(text) for name in match.groups() if name}
        for match in READ.finditer(text):
            read.setdefault(next(filter(None, match.groups())), path)
    findings = [f"{path}: {name} comes from outside, and {DOCUMENT} does not have it"
                for name, path in sorted(read.items()) if name not in given | KNOWN and name not in documented]
    findings += [f"{DOCUMENT}: nothing reads {name}" for name in documented if name not in read]
    if len(documented) > MOST:
        findings.append(f"{DOCUMENT}: {len(documented)} variables, more than {MOST}")
    return findings


def rows(*names):
    return "# Testing\n\n## Variables\n\n| variable | meaning |\n|---|---|\n" + "".join(
        f"| `{name}` | a meaning |\n" for name in names) + "\n## Other\n\n| `OTHER` | x |\n"


SAMPLES = [
    ("a default", {DOCUMENT: rows("WG_B"), "tools/a.sh": "f ${WG_A:-1} ${WG_B:-1}\n"}, "tools/a.sh: WG_A comes"),
    ("its own default is no value", {"tools/a.sh": "export WG_A=${WG_A:-1}\n"}, "WG_A comes"),
    ("quoted", {"tools/a.sh": 'export WG_A="${WG_A:-1}"\n'}, "WG_A comes"),
    ("Python", {"tools/a.py": 'os.environ.get("WG_A", "1")\n'}, "tools/a.py: WG_A comes"),
    ("C", {"selftests/a.c": 'getenv("WG_A");\n'}, "WG_A comes"),
    ("make", {"Makefile": "a:\n\t@f $(PART)\n"}, "Makefile: PART comes"),
    ("in another table", {DOCUMENT: rows("WG_B"), "tools/a/run": "f ${OTHER+x}\n"}, "OTHER comes"),
    ("only a comment sets it", {"tools/a.sh": "# WG_A=1\n[[ ${WG_A:-} ]]\n"}, "WG_A comes"),
    ("without a reader", {DOCUMENT: rows("WG_A")}, "nothing reads WG_A"),
    ("more than twelve", {DOCUMENT: rows(*(f"WG_{number}" for number in range(13)))}, "13 variables"),
    ("clean", {DOCUMENT: rows("WG_A", "WG_B` and `WG_C"), "tools/a.sh": "f ${WG_A:-1} ${WG_B?} ${WG_C-} ${HOME:-/} $WG_Z\n",
               "tools/b.sh": "export WG_D=1 WG_E=${WG_F:-$1}\nWG_G=2 tools/c.sh\n",
               ".ci/run": "export WG_F=1\n",
               "tools/c.sh": "f ${WG_D:-} ${WG_E:+x} ${WG_G:?}\n"}, None),
]
