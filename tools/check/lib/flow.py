# SPDX-License-Identifier: GPL-2.0
"""Walks a function's MIR along all paths, and finds where a value is dropped that owns something.

The compiler drops an `Option` also where that is `None`, and a list that was emptied. So each path
carries facts: what is in drop flags, which variants an enum can have, what references point to, and
which lists are empty. Borrows keep them true: while a fact about a place is used, nobody else
changes that place.
"""

import re

from lib import mir
from lib.rusttypes import NONE, Type, parse

# Paths with different facts in one block. With more, only what all of them have in common is kept.
MOST = 128
OPERAND = re.compile(r"^(?:move|copy) (.+)$")
MOVED = re.compile(r"(?:move|copy) (_\d+)")
BORROW = re.compile(r"^&(raw mut |raw const |mut |)([(_].*)$")
FOREIGN = {"core", "alloc", "kernel", "pin_init", "zerocopy"}
# Functions of other crates that hand on what they get, to their result or to a function of ours.
HAND_ON = {
    "branch", "from_residual", "from_output", "map", "map_err", "map_or", "map_or_else", "and_then", "or_else",
    "inspect", "inspect_err", "ok_or", "ok_or_else", "unwrap_or", "unwrap_or_else", "into", "try_into", "from",
    "try_from", "into_iter", "call_once", "call_mut", "call", "replace", "swap", "push_within_capacity", "zip",
    "init", "write",
}
# Those of them that drop what else they get, if they do not need it.
DROP_OTHER = {"map_or", "ok_or", "unwrap_or", "zip"}
# They drop one of the two variants.
DROP_VARIANT = {"ok": "Err", "err": "Ok"}
# They drop what their first argument refers to.
OVERWRITE = {"insert", "clear", "truncate", "retain"}


def _mentions(text, place):
    return re.search(re.escape(place) + r"(?!\w)", text) is not None


def _overlap(one, other):
    return _mentions(one, other) or _mentions(other, one)


class Walk:
    """One function. Its parameters of type `impl Fn…` own something if `takes_owner`."""

    def __init__(self, body, types, takes_owner=False):
        self.body, self.types = body, types
        self.kinds, self.found = {}, set()
        for local, text in body.locals.items():
            self.kinds[local] = parse(text)
            if text.startswith("impl Fn") and takes_owner:
                self.kinds[local] = Type("parameter", ("T",))
            if text.startswith("&"):
                self.kinds[f"(*{local})"] = parse(re.sub(r"^&(?:'\w+ )?(?:mut )?", "", text))
        # Drop flags, and variables that are set in the same way.
        self.flags = {line.text.partition(" = ")[0] for lines in body.blocks.values() for line in lines
                      if line.text.endswith((" = const true", " = const false"))}

    def is_relevant(self):
        """Says whether a value that the function drops or hands on can own something."""
        for lines in self.body.blocks.values():
            text, places = lines[-1].text, []
            if text.startswith("drop("):
                places = [text[5:text.rindex(") ->")]]
            elif call := mir.call(text):
                places = [match[1] for match in map(OPERAND.match, call[2]) if match]
            if any(self.types.owns(self.kind(self.place({}, place))) for place in places):
                return True
        return False

    # --- places

    def place(self, state, text):
        """The short form of a place, seen through references of which it is known what they point
        to."""
        short, kind = mir.place(text)
        while match := re.search(r"\(\*([^()]+)\)", short):
            target = state.get(("ref", match[1]))
            # Square brackets hide it from the next round.
            short = short.replace(match[0], target[0] if target else f"[*{match[1]}]")
        short = short.replace("[*", "(*").replace("]", ")").replace("[)", "[]")
        if kind:
            self.kinds.setdefault(short, parse(kind))
        return short

    def kind(self, place):
        return self.kinds.get(place, NONE)

    # --- facts: pairs of kind and place, with a value

    def forget(self, state, place):
        """The place gets another value, or none."""
        for key, value in list(state.items()):
            fact, where = key
            if (_mentions(where, place)
                    or fact == "ref" and _mentions(value[0], f"(*{place}")
                    or fact in ("discr", "popped", "is_empty") and _overlap(value[0], place)
                    or fact in ("empty", "popped") and _mentions(place, where)):
                del state[key]

    def touch(self, state, place):
        """The place may be changed through a reference."""
        for key, value in list(state.items()):
            fact, where = key
            if (fact in ("empty", "popped", "variant") and _overlap(where, place)
                    or fact in ("discr", "popped", "is_empty") and _overlap(value[0], place)):
                del state[key]

    def touch_all(self, state, operands):
        """Does so for what mutable references among these locals point to."""
        for operand in operands:
            target = state.get(("ref", operand))
            if target and target[1]:
                self.touch(state, target[0])

    @staticmethod
    def moved(state, source, target):
        """What is known of a value that gets another place; the facts for there."""
        return {(fact, target + where[len(source):]): value for (fact, where), value in state.items()
                if where == source or where.startswith((source + ".", source + "@"))}

    def holds(self, state, place, kind):
        """Says whether the value may still own something on this path."""
        if not self.types.owns(kind) or ("empty", place) in state:
            return False
        variants = None if self.types.is_one_of(kind, self.types.owned) else self.types.variants(kind)
        if variants is None:
            return True
        possible = state.get(("variant", place), [name for name, _ in variants])
        for name, fields in variants:
            inside = f"{place}@{name}" if self.types.is_enum(kind) else place
            if name in possible and any(self.holds(state, f"{inside}.{n}", ty) for n, ty in enumerate(fields)):
                return True
        return False

    # --- statements

    def run_statement(self, state, text):
        if text.startswith("StorageDead("):
            self.forget(state, text[len("StorageDead("):-1])
        if " = " not in text:
            return
        left, _, right = text.partition(" = ")
        if left.startswith("discriminant("):
            self.forget(state, self.place(state, left[len("discriminant("):-1]))
            return
        target = self.place(state, left)
        facts = self.value(state, target, right)
        self.forget(state, target)
        state.update(facts)

    def value(self, state, target, right):
        """The facts about `target` when it has this value."""
        if right in ("const true", "const false"):
            return {("flag", target): right == "const true"}
        if match := OPERAND.match(right):
            source = self.place(state, match[1])
            if ("ref", source) not in state and self.body.locals.get(target, "").startswith("&"):
                # Another name for what an unknown reference points to.
                return {("ref", target): (f"(*{source})", True)}
            return self.moved(state, source, target)
        if match := BORROW.match(right):
            return {("ref", target): (self.place(state, match[2]), "mut" in match[1])}
        if right.startswith("discriminant("):
            return {("discr", target): (self.place(state, right[len("discriminant("):-1]),)}
        if match := re.match(r"Not\((?:move|copy) (_\d+)\)$", right):
            place, negated = state.get(("is_empty", match[1]), (None, None))
            return {("is_empty", target): (place, not negated)} if place else {}
        # A reference that becomes part of something can be used later.
        self.touch_all(state, MOVED.findall(right))
        return self.aggregate(state, target, right)

    def aggregate(self, state, target, right):
        """The facts about a new struct, tuple, enum or closure."""
        kind = self.kind(target)
        variants = self.types.variants(kind) if self.types.owns(kind) else None
        if not variants:
            return {}
        head, fields = right, []
        if right.endswith(" }"):
            head, _, inner = right[:-2].rpartition("} { ") if right.startswith("{") else right[:-2].partition(" { ")
            fields = [part.partition(": ")[2] for part in mir.cut(inner)]
        elif right.endswith(")"):
            head, inner = mir.last_group(right)
            fields = mir.cut(inner)
        facts, inside = {}, target
        if self.types.is_enum(kind):
            name = mir.cut(head, "::")[-1]
            if name not in [variant for variant, _ in variants]:
                return {}
            facts["variant", target] = frozenset([name])
            inside = f"{target}@{name}"
        for n, field in enumerate(fields):
            if match := OPERAND.match(field):
                facts.update(self.moved(state, self.place(state, match[1]), f"{inside}.{n}"))
        return facts

    # --- calls

    def is_foreign(self, function):
        """Says whether the function is of a crate whose MIR is not looked at."""
        words = mir.path(function)
        if words[0].startswith("<") and " as " in words[0]:
            return parse(mir.cut(words[0][1:-1], " as ")[1]).path[-1] not in self.types.traits
        if words[0] in FOREIGN or len(words) < 2:
            return words[0] in FOREIGN
        return words[-2][0].isupper() and words[-2] not in self.types.defs

    def drops(self, state, function, args, places, refs):
        """Yields the types of what a call drops out of our sight."""
        name = mir.path(function)[-1]
        if "ManuallyDrop" in function or not self.is_foreign(function):
            return
        if name in OVERWRITE and refs[0] and self.holds(state, refs[0][0], self.kind(refs[0][0])):
            yield self.kind(refs[0][0])
        for n, place in enumerate(places):
            kind = self.kind(place)
            if name in DROP_VARIANT and self.types.is_enum(kind):
                state = {**state, ("variant", place): frozenset([DROP_VARIANT[name]])}
            if self.holds(state, place, kind) and (name not in HAND_ON | OVERWRITE or n and name in DROP_OTHER):
                yield kind

    def run_call(self, state, line, target, function, args):
        places = [self.place(state, match[1]) if match else "" for match in map(OPERAND.match, args)]
        refs = [state.get(("ref", place)) for place in places]
        for kind in self.drops(state, function, args, places, refs):
            self.found.add((kind, line))
        self.touch_all(state, places)
        facts = self.effects(state, self.place(state, target), function, [ref and ref[0] for ref in refs])
        self.forget(state, self.place(state, target))
        state.update(facts)

    def effects(self, state, target, function, refs):
        """What is known after the call of a function with a well-known name."""
        name = mir.path(function)[-1]
        first = refs[0] if refs else None
        is_list = re.search(r"\bSkbList\b", function)
        if name in ("new", "default") and not refs and is_list:
            return {("empty", target): True}
        # A packet is empty that has no data, but there is one.
        if name == "is_empty" and first and (is_list or not self.types.is_one_of(self.kind(first), self.types.owned)):
            return {("is_empty", target): (first, False)}
        if name == "pop_front" and first and is_list:
            return {("popped", target): (first,)}
        if name == "take" and first and len(refs) == 1:
            if self.kind(first).path[-1:] == ("Option",):
                state["variant", first] = frozenset(["None"])
            elif re.search(r"\bmem::take\b", function):
                state["empty", first] = True
        if name in ("append", "prepend") and is_list and len(refs) == 2 and refs[1]:
            state["empty", refs[1]] = True
        return {}

    # --- paths

    def branch(self, state, text, edges):
        """Yields the states and blocks that a `switchInt` leads to."""
        match = OPERAND.match(mir.last_group(text.rpartition(" -> ")[0])[1])
        place = self.place(state, match[1]) if match else ""
        flag, discr, empty = (state.get((fact, place)) for fact in ("flag", "discr", "is_empty"))
        labels = [label for label, _ in edges]
        for label, block in edges:
            after = dict(state)
            if discr:
                if not self.narrow(after, discr[0], label, labels):
                    continue
            elif flag is not None and flag != (label != "0"):
                continue
            elif empty and (label != "0") != empty[1]:
                after["empty", empty[0]] = True
            elif place in self.flags:
                after["flag", place] = label != "0"
            yield after, block

    def narrow(self, state, place, label, labels):
        """Notes which variants an enum can have on an edge. Says whether there is one."""
        kind = self.kind(place)
        variants = self.types.variants(kind) if self.types.is_enum(kind) and self.types.owns(kind) else None
        if not variants:
            return True
        names = {str(n): name for n, (name, _) in enumerate(variants)}
        here = {name for n, name in names.items() if (n == label or label == "otherwise" and n not in labels)}
        here &= state.get(("variant", place), here)
        state["variant", place] = frozenset(here)
        if here == {"None"} and ("popped", place) in state:
            state["empty", state["popped", place][0]] = True
        return bool(here)

    def step(self, state, lines):
        """Runs a block. Returns the states and blocks that follow."""
        for line in lines[:-1]:
            self.run_statement(state, line.text)
        line = lines[-1]
        edges = mir.edges(line.text)
        if line.text.startswith("switchInt("):
            return list(self.branch(state, line.text, edges))
        if line.text.startswith("drop("):
            place = self.place(state, line.text[5:line.text.rindex(") ->")])
            if self.holds(state, place, self.kind(place)):
                self.found.add((self.kind(place), line))
            self.forget(state, place)
        elif call := mir.call(line.text):
            self.run_call(state, line, *call)
        return [(dict(state), block) for _, block in edges]

    def run(self):
        """Returns the pairs of type and line of what the function may drop."""
        seen, todo = {}, [({}, 0)]
        while todo:
            state, block = todo.pop()
            known = seen.setdefault(block, [])
            if len(known) >= MOST:
                state = dict(set(state.items()).intersection(*(other.items() for other in known)))
            if any(other.items() <= state.items() for other in known):
                continue
            known.append(dict(state))
            todo += self.step(state, self.body.blocks[block])
        return self.found
