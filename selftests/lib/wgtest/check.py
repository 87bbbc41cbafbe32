# SPDX-License-Identifier: GPL-2.0
"""What the tests in Python share: checks that say what they saw, processes, the module."""

import os
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager

STOCK = os.environ.get("WG_MODULE") == "--stock"

failures = 0

# Lines for the log. Writing them at once would take guest time where that is counted in instructions.
_lines = []


def note(text):
    """Notes something for the log."""
    _lines.append(f"    {text}")


def problem(text):
    """Notes a failure and goes on."""
    global failures  # pylint: disable=global-statement
    failures += 1
    _lines.append(f"FAIL: {text}")


def flush():
    """Writes what was noted."""
    for line in _lines:
        print(line, flush=True)
    _lines.clear()


def equal(what, seen, expected):
    if seen == expected:
        return True
    problem(f"{what}:\n    expected {expected!r}\n    seen     {seen!r}")
    return False


def holds(what, value):
    if not value:
        problem(what)
    return bool(value)


def run(command, **more):
    """Runs a command line, without a shell; its output."""
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False, **more)
    if done.returncode:
        raise RuntimeError(f"'{command}' failed: {done.stderr.strip()}")
    return done.stdout


def eventually(seconds, condition):
    """The first true value of `condition`, or the last false one after that time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


@contextmanager
def at_once():
    """With one CPU: what is sent in this block lies in the module's queue before the module handles any of it."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def main(*steps):
    """Runs the steps, each with its time; ends the process with status 1 if anything failed.

    Words on the command line choose steps by their names.
    """
    for step in steps:
        if len(sys.argv) > 1 and step.__name__ not in sys.argv[1:]:
            continue
        begin, before = time.monotonic(), failures
        try:
            step()
        except Exception:  # pylint: disable=broad-except
            problem(traceback.format_exc())
        flush()
        word = "ok" if failures == before else "FAILED"
        print(f"{step.__name__.replace('_', ' ')}: {word} ({time.monotonic() - begin:.1f} s)", flush=True)
    sys.exit(1 if failures else 0)
