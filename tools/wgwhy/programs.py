# SPDX-License-Identifier: GPL-2.0
"""The programs of this host that are called, and which of them failed."""

import json
import os
import shutil
import subprocess

# The programs that are called, and what cannot be seen without them.
PROGRAMS = {"ip": "routes and addresses", "ss": "sockets", "nft": "rules of the firewall",
            "tc": "drops of queues"}

# Those of them that took too long, and what others wrote when they failed: {words: text}.
SLOW, FAILED = set(), {}

# How much of that is printed.
SAID = 100

# What they write where only the thing that was asked for is not there.
NOTHING_THERE = ("does not exist", "Cannot find device", "No such", "not supported", "Operation not permitted",
                 "Cannot open network namespace")


def widen_path():
    """Adds where these programs lie: su and cron leave it out."""
    known = os.environ.get("PATH", os.defpath).split(":")
    os.environ["PATH"] = ":".join([*known, *(one for one in ("/usr/sbin", "/sbin") if one not in known)])


def run(*words):
    """What a program prints, or nothing where it fails or is not there."""
    try:
        return subprocess.run(words, capture_output=True, text=True, errors="replace", check=True,
                              timeout=10).stdout
    except subprocess.TimeoutExpired:
        SLOW.add(words[0])
        return ""
    except subprocess.CalledProcessError as error:
        note_failure(words, error.stderr)
        return ""
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""


def note_failure(words, text):
    lines = [line for line in (text or "").splitlines() if line.strip()] or ["it says nothing"]
    if words[0] in PROGRAMS and not any(part in line for line in lines for part in NOTHING_THERE):
        FAILED[words] = lines[0].strip()[:SAID]


def printed(*words):
    """What a program prints as JSON; None where it fails or prints something else."""
    text = run(*words)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if text.strip():
            note_failure(words, text)
        return None


def listed(*words):
    """The entries of a list that a program prints; None where it fails or prints something else."""
    found = printed(*words)
    is_list = isinstance(found, list) and all(isinstance(entry, dict) for entry in found)
    return found if is_list else None


def has_program(name):
    return shutil.which(name) is not None
