# SPDX-License-Identifier: GPL-2.0
"""What the tests in Python share: checks that say what they saw and where, steps as KTAP lines,
processes."""

import linecache
import os
import pathlib
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[2]

# Whether the C module is under test.
ON_C = os.environ.get("WG_MODULE") == "c"

# The factor for time limits.
PATIENCE = float(os.environ.get("WG_PATIENCE") or 1)

failures = 0

# Lines for the log, and places in the source as (file, line, function). Writing and reading files
# at once would take guest time where that is counted in instructions.
_lines = []


class Skip(Exception):
    """A step that cannot run here; the text says why."""


def note(text):
    """Notes something for the log."""
    _lines.append(f"    {text}")


def _place(path, number, function):
    """One line "at FILE:LINE in FUNCTION: CODE"."""
    path = pathlib.Path(path).resolve()
    name = path.relative_to(TOP) if path.is_relative_to(TOP) else path
    return f"    at {name}:{number} in {function}: {linecache.getline(str(path), number).strip()}"


def _outside(path):
    return HERE not in pathlib.Path(path).resolve().parents


def _caller():
    """The place in the test that called into this package."""
    frame = sys._getframe(1)  # pylint: disable=protected-access
    while frame and not _outside(frame.f_code.co_filename):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name


def _fail(text, *places):
    global failures  # pylint: disable=global-statement
    failures += 1
    _lines.append(f"FAIL: {text}")
    _lines.extend(places)


def problem(text):
    """Notes a failure, with the line of the test that found it, and goes on."""
    _fail(text, _caller())


def raised(error):
    """Notes an exception as a failure: its text, and the places in the test and below that led to
    it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _outside(frame.filename)]
    last = frames[-1:] if frames and frames[-1] not in own else []
    _fail("".join(traceback.format_exception_only(error)).strip(),
          *((frame.filename, frame.lineno, frame.name) for frame in reversed(own + last)))


def flush():
    """Writes what was noted."""
    for line in _lines:
        print(line if isinstance(line, str) else _place(*line), flush=True)
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
    """The first true value of `condition`, or the last false one after that time; a slow machine
    gets more of it."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


@contextmanager
def at_once():
    """With one CPU: what is sent in this block lies in the module's queue before the module handles
    any of it."""
    # A real-time task leaves 50 ms of each second to others.
    shares = {pathlib.Path(name): text for name, text in (
        ("/proc/sys/kernel/sched_rt_runtime_us", "-1"),
        ("/sys/kernel/debug/sched/fair_server/cpu0/runtime", "0"))}
    before = {path: path.read_text(encoding="ascii") for path in shares if path.exists()}
    for path in before:
        path.write_text(shares[path], encoding="ascii")
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        for path, text in before.items():
            path.write_text(text, encoding="ascii")


def _hook(_, error, __):
    raised(error)
    flush()


# A script without steps ends in the same few lines.
sys.excepthook = _hook


def _number(name):
    """The number of a subtest: those of Python and of the shell are counted together (see
    lib.sh)."""
    with open(os.environ.get("WG_KTAP", "/dev/null"), "a+", encoding="ascii") as file:
        file.write(f"{name}\n")
        file.seek(0)
        return max(1, sum(1 for _ in file))


def _run_step(step):
    """Runs a step; the KTAP line without its number."""
    begin, before = time.monotonic(), failures
    reason = None
    try:
        step()
    except Skip as why:
        reason = str(why)
    except Exception as error:  # pylint: disable=broad-except
        raised(error)
    flush()
    took = f"{time.monotonic() - begin:.1f} s"
    if failures != before:
        return "not ok", f"{step.__name__} # {took}"
    return "ok", f"{step.__name__} # SKIP {reason}" if reason else f"{step.__name__} # {took}"


def main(*steps):
    """Runs the steps, each a KTAP subtest; ends the process with status 1 if anything failed.

    Words on the command line choose steps by their names.
    """
    for step in steps:
        if len(sys.argv) > 1 and step.__name__ not in sys.argv[1:]:
            continue
        verdict, text = _run_step(step)
        print(f"    {verdict} {_number(step.__name__)} {text}", flush=True)
    sys.exit(1 if failures else 0)
