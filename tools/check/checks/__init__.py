# SPDX-License-Identifier: GPL-2.0
"""One checker a file: `check(tree)` returns findings, `SAMPLES` is for the self-test."""
