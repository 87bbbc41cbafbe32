#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs litmus tests against the kernel's memory model, where there is no herd7.

usage: lkmm.py [--known] FILE.litmus...   (--known: leave out what cannot be parsed, and say so)

The axioms are those of tools/memory-model/linux-kernel.cat for marked accesses without
dependencies, transcribed; only what the tests here use can be parsed. The order by dependencies,
which is left out, would only forbid more outcomes, so that a "Never" holds with it as well. Each
test says in a line "Result:" what must come out, as in the kernel's tree, whose tests are a test of
this program.
"""

import itertools
import re
import sys

FULL = ""


class Unknown(Exception):
    """Something cannot be parsed."""


class Event:
    """An access or a fence. `order` is "acquire", "release" or "once", or the kind of the fence."""

    def __init__(self, thread, kind, order, place=None, value=None):
        self.thread, self.kind, self.order, self.place, self.value = thread, kind, order, place, value
        self.register = None
        # Of a read that succeeds only with one value: which.
        self.expects = None
        self.is_lock = False


class Test:
    """A parsed file."""

    def __init__(self, path):
        text = open(path, encoding="utf-8").read()
        result = re.search(r"Result: (Never|Sometimes|Always)", text)
        text = re.sub(r"\(\*.*?\*\)|//[^\n]*", "", text, flags=re.S)
        init = re.search(r"\{(.*?)\}", text, re.S)[1]
        self.init = {name: int(value) for name, value in re.findall(r"(\w+)\s*=\s*(-?\d+)", init)}
        self.bodies = re.findall(r"^P\d+\([^)]*\)\s*\n\{\n(.*?)^\}", text, re.S | re.M)
        condition = re.search(r"exists\s*\((.*)\)", text, re.S)
        if not self.bodies or not result or not condition:
            raise Unknown("'Result:', 'exists' or the threads ('P0(...)', '{' and '}' on lines of their own)")
        self.result, self.condition = result[1], condition[1]

    def holds(self, registers, memory):
        """Whether a final state is the one that is asked for."""
        for term in self.condition.split("/\\"):
            term = re.fullmatch(r"\s*(?:(\d+):)?(\w+)=(-?\d+)\s*", term) or unknown(term)
            thread, name, value = term.groups()
            found = memory[name] if thread is None else registers[int(thread), name]
            if found != int(value):
                return False
        return True


def unknown(what):
    """Says what is not known."""
    raise Unknown(f"'{what.strip()}'")


def read_modify_write(thread, place, order, expects, new, succeeds):
    """The events of an atomic that returns a value; `new` makes it of the old one."""
    read = Event(thread, "R", "acquire" if succeeds and order == "_acquire" else "once", place)
    read.expects = expects if succeeds else None
    if not succeeds:
        read.refuses = expects
        return [read]
    write = Event(thread, "W", "release" if order == "_release" else "once", place, new)
    write.of = read
    fences = [Event(thread, "F", "mb")] if order == FULL else []
    return fences + [read, write] + [Event(thread, "F", "mb") for _ in fences]


def parse(thread, body):
    """Returns the lists of events that a thread may execute: a cmpxchg succeeds or fails."""
    runs, locks = [[]], set()
    for line in filter(None, (line.strip() for line in body.splitlines())):
        if re.fullmatch(r"int \w+;", line):
            continue
        call = re.fullmatch(r"(?:(\w+) = )?(\w+)\(([\w*, -]*)\);", line) or unknown(line)
        register, call, arguments = call.groups()
        words = [word.strip().lstrip("*") for word in arguments.split(",")] if arguments else []
        name, order = re.fullmatch(r"(xchg|cmpxchg|atomic_fetch_add|\w+?)(_acquire|_release|_relaxed)?",
                                   call).groups()
        order = order or FULL
        choices = None
        if call in ("WRITE_ONCE", "smp_store_release"):
            how = "release" if "release" in call else "once"
            choices = [lambda: [Event(thread, "W", how, words[0], int(words[1]))]]
        elif call in ("READ_ONCE", "smp_load_acquire", "atomic_read_acquire"):
            how = "acquire" if "acquire" in call else "once"
            choices = [lambda: [Event(thread, "R", how, words[0])]]
        elif name == "xchg":
            value = int(words[1])
            choices = [lambda: read_modify_write(thread, words[0], order, None, lambda _: value, True)]
        elif name == "cmpxchg":
            old, new = int(words[1]), int(words[2])
            choices = [lambda ok=ok: read_modify_write(thread, words[0], order, old, lambda _: new, ok)
                       for ok in (True, False)]
        elif name == "atomic_fetch_add":
            more = int(words[0])
            choices = [lambda: read_modify_write(thread, words[1], order, None,
                                                 lambda old: old + more, True)]
        elif call in ("smp_mb", "smp_rmb", "smp_wmb"):
            choices = [lambda: [Event(thread, "F", call[4:])]]
        elif call in ("rcu_read_lock", "rcu_read_unlock", "synchronize_rcu"):
            choices = [lambda: [Event(thread, "F", call)]]
        elif call == "spin_lock":
            choices = [lambda: read_modify_write(thread, words[0], "_acquire", 0, lambda _: 1, True)]
            locks.add(words[0])
        elif call == "spin_unlock":
            choices = [lambda: [Event(thread, "W", "release", words[0], 0)]]
        else:
            unknown(line)
        longer = []
        for run, choice in itertools.product(runs, choices):
            events = choice()
            for event in events:
                if event.kind == "R":
                    event.register = register
            longer.append(run + events)
        runs = longer
    for event in itertools.chain(*runs):
        event.is_lock = event.place in locks
    return runs


def seq(*relations):
    """Relations one after the other."""
    result = relations[0]
    for relation in relations[1:]:
        by = {}
        for a, b in relation:
            by.setdefault(a, set()).add(b)
        result = {(a, c) for a, b in result for c in by.get(b, ())}
    return result


def plus(relation):
    """The transitive closure."""
    result = set(relation)
    while True:
        more = seq(result, relation) - result
        if not more:
            return result
        result |= more


def is_acyclic(relation):
    """Whether there is no way back."""
    return all(a != b for a, b in plus(relation))


class Execution:
    """Events with their order, and where each read reads from."""

    def __init__(self, events, rf, co):
        self.events, self.all = events, range(len(events))
        self.identity = {(n, n) for n in self.all}
        number = {id(event): n for n, event in enumerate(events)}
        self.po = {(a, b) for a in self.all for b in self.all
                   if a < b and events[a].thread == events[b].thread >= 0}
        self.rf = {(w, r) for r, w in rf.items()}
        self.co = {(a, b) for order in co for a, b in itertools.combinations(order, 2)}
        self.rmw = {(number[id(event.of)], n) for n, event in enumerate(events) if hasattr(event, "of")}

    def only(self, condition):
        """The identity of those events."""
        return {(n, n) for n in self.all if condition(self.events[n])}

    def is_ext(self, pair):
        """Whether the events are of different threads."""
        first, second = (self.events[n].thread for n in pair)
        return first != second or first < 0

    def maybe(self, relation):
        """The relation, or nothing."""
        return self.identity | relation

    def star(self, relation):
        """The relation, any number of times."""
        return self.identity | plus(relation)

    def fence(self, kind):
        """The events around a fence."""
        return seq(self.po, self.only(lambda e: e.kind == "F" and e.order == kind), self.po)

    def is_allowed(self):
        """Whether the memory model allows it."""
        po, rf, co = self.po, self.rf, self.co
        fr = {(a, b) for a, b in seq({(r, w) for w, r in rf}, co) if a != b}
        same = {(a, b) for a, b in po if self.events[a].place == self.events[b].place is not None}
        if not is_acyclic(same | rf | co | fr):
            return False
        fre, coe = set(filter(self.is_ext, fr)), set(filter(self.is_ext, co))
        if self.rmw & seq(fre, coe):
            return False
        reads, writes = (self.only(lambda e, k=k: e.kind == k) for k in "RW")
        marked = reads | writes
        rfe = set(filter(self.is_ext, rf))
        overwrite = co | fr

        acq_po = seq(self.only(lambda e: e.kind == "R" and e.order == "acquire"), po, marked)
        po_rel = seq(marked, po, self.only(lambda e: e.kind == "W" and e.order == "release"))
        rmb, wmb = seq(reads, self.fence("rmb"), reads), seq(writes, self.fence("wmb"), writes)
        sync = self.only(lambda e: e.kind == "F" and e.order == "synchronize_rcu")
        strong = seq(marked, self.fence("mb"), marked) | seq(po, sync, self.maybe(po))
        unlocks, locks = (self.only(lambda e, k=k: e.is_lock and e.kind == k) for k in "WR")
        unlocks -= {(w, w) for _, w in self.rmw}
        handed_on = seq(self.maybe(po), unlocks, po | rf, locks, po)
        ppo = {pair for pair in overwrite | handed_on if not self.is_ext(pair)}
        ppo |= strong | po_rel | acq_po | wmb | rmb

        rmw_sequence = self.star(seq(rf, self.rmw))
        cumul = seq(marked, seq(self.maybe(rfe), strong | po_rel) | wmb | handed_on, marked,
                    rmw_sequence)
        ext = set(filter(self.is_ext, overwrite))
        prop = seq(marked, self.maybe(ext), self.star(cumul), marked, self.maybe(rfe), marked)
        inner = {(a, b) for a, b in prop - self.identity if not self.is_ext((a, b))}
        hb = seq(marked, ppo | rfe | inner, marked)
        if not is_acyclic(hb):
            return False
        pb = seq(prop, strong, self.star(hb), marked)
        if not is_acyclic(pb):
            return False

        link = seq(self.maybe(po), self.star(hb), self.star(pb), prop, po)
        sections = set()
        for unlock in self.all:
            if self.events[unlock].order == "rcu_read_unlock":
                lock = max(n for n in range(unlock) if self.events[n].order == "rcu_read_lock"
                           and self.events[n].thread == self.events[unlock].thread)
                sections.add((unlock, lock))
        order = set(sync)
        while True:
            more = (seq(sync, link, sections) | seq(sections, link, sync)
                    | seq(sync, link, order, link, sections) | seq(sections, link, order, link, sync)
                    | seq(order, link, order)) - order
            if not more:
                break
            order |= more
        rcu_fence = seq(po, order, self.maybe(po))
        rb = seq(prop, rcu_fence, self.star(hb), self.star(pb), marked)
        return all(a != b for a, b in rb)


def outcomes(test):
    """The final states that the model allows."""
    threads = [parse(n, body) for n, body in enumerate(test.bodies)]
    for run in itertools.product(*threads):
        events = [event for thread in run for event in thread]
        places = sorted({event.place for event in events if event.place})
        start = [Event(-1, "W", "once", place, test.init.get(place, 0)) for place in places]
        events = start + events
        reads = [n for n, event in enumerate(events) if event.kind == "R"]
        at = {place: [n for n, event in enumerate(events) if event.kind == "W" and event.place == place]
              for place in places}
        for choice in itertools.product(*(at[events[n].place] for n in reads)):
            rf = dict(zip(reads, choice))
            values = solve(events, rf)
            if values is None:
                continue
            orders = ([[at[place][0], *rest] for rest in itertools.permutations(at[place][1:])]
                      for place in places)
            for co in itertools.product(*orders):
                if Execution(events, rf, co).is_allowed():
                    registers = {(event.thread, event.register): values[n]
                                 for n, event in enumerate(events) if event.kind == "R"}
                    yield registers, {place: values[order[-1]] for place, order in zip(places, co)}


def solve(events, rf):
    """Returns the value of each access, or None if these reads cannot be."""
    values = {n: event.value for n, event in enumerate(events)
              if event.kind == "W" and not hasattr(event, "of")}
    number = {id(event): n for n, event in enumerate(events)}
    for _ in events:
        for read, write in rf.items():
            if write in values:
                values[read] = values[write]
        for n, event in enumerate(events):
            if hasattr(event, "of") and number[id(event.of)] in values:
                values[n] = event.value(values[number[id(event.of)]])
    for read in rf:
        event = events[read]
        if read not in values or event.expects not in (None, values[read]):
            return None
        if getattr(event, "refuses", None) == values[read]:
            return None
    return values


def main():
    """Runs the tests that are named."""
    paths = sys.argv[1:]
    if not paths:
        sys.exit(__doc__)
    leaves_out = paths[0] == "--known"
    failed, skipped = 0, []
    for path in paths[leaves_out:]:
        name = path.rpartition("/")[2]
        try:
            test = Test(path)
            states = [test.holds(*state) for state in outcomes(test)]
        except Unknown as what:
            if not leaves_out:
                sys.exit(f"{path}: {what} is not known here; write it in another way, or use herd7")
            skipped.append(name)
            continue
        result = "Always" if all(states) else "Sometimes" if any(states) else "Never"
        if not states:
            result = "no execution at all"
        is_right = result == test.result
        failed += not is_right
        print(f"{name}: {result}{'' if is_right else ', but it says ' + test.result}")
    if skipped:
        print(f"left out, as they use what is not known here: {' '.join(skipped)}")
    print(f"{len(paths) - leaves_out - len(skipped) - failed} passed, {failed} failed, {len(skipped)} skipped")
    sys.exit(failed != 0)


main()
