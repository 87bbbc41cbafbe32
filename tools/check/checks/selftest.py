# SPDX-License-Identifier: GPL-2.0
"""Plants violations: a checker that finds nothing in its bad samples is worth nothing."""

import importlib
import pathlib
import pkgutil
import tempfile

from lib.tree import Skip, Tree

import checks


def try_sample(module, tree, files, expected):
    """Returns what is wrong with the checker's answer, or nothing."""
    with tempfile.TemporaryDirectory(prefix="wg-check-") as folder:
        for name, text in files.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        sample = Tree(folder, tree.kdir, lists=folder)
        # Samples that need a compiler take the flags of the real module.
        sample.built = tree
        findings = module.check(sample)
    hard = [f for f in findings if not f.startswith("warning: ")]
    if expected is None:
        return f"found something in a clean sample: {hard}" if hard else None
    # One text, or several that must all be found.
    missing = [text for text in ([expected] if isinstance(expected, str) else expected)
               if not any(text in f for f in findings)]
    return f"did not find {missing}: {findings}" if missing else None


def check(tree):
    findings = []
    for entry in pkgutil.iter_modules(checks.__path__):
        if entry.name == "selftest":
            continue
        module = importlib.import_module(f"checks.{entry.name}")
        samples = module.SAMPLES
        if not {True, False} <= {expected is None for *_, expected in samples}:
            findings.append(f"{entry.name}: needs a bad and a good sample")
        for title, files, expected in samples:
            try:
                wrong = try_sample(module, tree, files, expected)
            except Skip as why:
                findings.append(f"warning: {entry.name}: {title}: skipped, {why}")
                continue
            if wrong:
                findings.append(f"{entry.name}: {title}: {wrong}")
    return findings
