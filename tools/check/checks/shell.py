# SPDX-License-Identifier: GPL-2.0
"""Shell scripts: bash must be able to read them, shellcheck must like them."""

import re
import shutil
import subprocess

SHEBANG = re.compile(r"#!\s*\S*(/|\s)(bash|sh|dash)\b")


def scripts(tree):
    for path in tree.files():
        try:
            with open(tree.root / path, encoding="utf-8") as file:
                head = file.read(400)
        except (UnicodeDecodeError, OSError):
            continue
        if SHEBANG.match(head) or (path.endswith(".sh") and not head.startswith("#!")):
            yield path


def check(tree):
    paths, findings = list(scripts(tree)), []
    for path in paths:
        run = subprocess.run(["bash", "-n", path], cwd=tree.root, capture_output=True, text=True, check=False)
        findings += run.stderr.splitlines()
    if not shutil.which("shellcheck"):
        return findings + ["warning: shellcheck is not here; only the syntax was looked at"]
    if paths:
        # -x: follow `. lib.sh`, so that what it sets is known.
        run = subprocess.run(["shellcheck", "-x", "--source-path=SCRIPTDIR", "--format=gcc", *paths],
                             cwd=tree.root, capture_output=True, text=True, check=False)
        findings += run.stdout.splitlines() + run.stderr.splitlines()
    return findings


SAMPLES = [
    ("what bash cannot read", {"tools/a.sh": "#!/bin/bash\nif true; then\n"}, "tools/a.sh"),
    ("without an ending in its name", {"selftests/a": "#!/usr/bin/env bash\nfor\n"}, "selftests/a"),
    ("clean", {"tools/a.sh": "#!/bin/bash\necho \"$1\"\n", "tools/b.py": "#!/usr/bin/env python3\nif x:\n  y\n"}, None),
]
if shutil.which("shellcheck"):
    SAMPLES.append(("a missing quote", {"tools/a.sh": "#!/bin/bash\nrm $1\n"}, "SC2086"))
