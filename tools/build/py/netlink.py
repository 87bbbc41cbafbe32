#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Makes the tables of wgwhy's client from the schema of the family "wireguard-diag".

usage: netlink.py           writes tools/wgwhy/schema.py
       netlink.py --check   says whether it is as it would be written
"""

import pathlib
import pprint
import sys

import yaml

TOP = pathlib.Path(__file__).resolve().parents[3]
SCHEMA = TOP / "docs/netlink/wireguard-diag.yaml"
TABLES = TOP / "tools/wgwhy/schema.py"


def enum(definition):
    return [entry if isinstance(entry, str) else entry["name"] for entry in definition["entries"]]


def attribute(entry):
    extra = entry.get("nested-attributes") or entry.get("enum") or ""
    return entry["name"], entry["type"], extra, entry.get("multi-attr", False)


def table(name, value):
    return f"{name} = {pprint.pformat(value, width=95, sort_dicts=False, compact=True)}\n"


def tables(spec):
    sets = {entry["name"]: {number: attribute(one) for number, one in enumerate(entry["attributes"], 1)}
            for entry in spec["attribute-sets"]}
    enums = {entry["name"]: enum(entry) for entry in spec["definitions"] if entry["type"] == "enum"}
    docs = {entry["name"]: {one["name"]: " ".join(one["doc"].split()) for one in entry["entries"]
                            if not isinstance(one, str) and "doc" in one}
            for entry in spec["definitions"] if entry["name"] == "reason"}
    commands = {entry["name"]: number
                for number, entry in enumerate(spec["operations"]["list"], 1)}
    return ('# SPDX-License-Identifier: GPL-2.0\n'
            '"""Made by tools/build/py/netlink.py from docs/netlink/wireguard-diag.yaml."""\n\n'
            + table("NAME", spec["name"]) + table("TOP", spec["attribute-sets"][0]["name"])
            + table("COMMANDS", commands) + "\n" + table("ENUMS", enums) + "\n"
            + table("SETS", sets) + "\n" + table("REASONS", docs["reason"]))


def main(words):
    text = tables(yaml.safe_load(SCHEMA.read_text()))
    if words == ["--check"]:
        if TABLES.read_text() != text:
            raise SystemExit(f"{TABLES.relative_to(TOP)} is not what {SCHEMA.relative_to(TOP)} "
                             "says: tools/build/netlink.sh makes it anew")
    elif words:
        raise SystemExit(__doc__)
    else:
        TABLES.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
