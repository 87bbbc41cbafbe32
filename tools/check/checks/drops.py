# SPDX-License-Identifier: GPL-2.0
"""Packets that are dropped without a reason: by a plain drop, as Rust has no linear types.

A plain drop of a packet is counted when it happens (rust/kernel/net/skb/reason.rs). This finds
those that can happen, in the MIR of the driver, and of what rust/kernel does with packets. The
packet types are those that implement `Free`; what contains one is looked for as well, unless its
own `Drop` drops the packets for a reason or consumes them.

It does not see what is behind counted references, so not what the last reference to a peer drops,
nor what the type of an associated type owns. tools/check/drops.allow lists `function | type |
reason` of those that drop nothing.
"""

import re
from concurrent.futures import ThreadPoolExecutor

from lib import flow, kcmd, mir
from lib.rustlex import code, group_end, head_end
from lib.rusttypes import PARAMETER, Type, Types, parse
from lib.tree import Allowed

CRATES = {"kernel": "kext", "driver": "wireguard", "proto": "wg_proto"}
OBJECTS = (kcmd.DRIVER, "rust/kernel/lib.o")
# The types and traits of packets are in its folder.
REASONS = "rust/kernel/net/skb/reason.rs"
SAMPLE = "rust/driver/wireguard.rs"
# Calls in a `Drop` that free its packets for a reason.
FREES = re.compile(r"\bdrop_for \(|\. consume \( \)|\. drop \( \w")
CLOSURE = re.compile(r"_\d+ = (\{closure@.*?\}) \{ (.*) \}$")


def module_of(path):
    """The path of a file's module, or nothing for files of the kernel."""
    if match := re.match(r"rust/(kernel|driver|proto)/(.*)\.rs$", path):
        words = match[2].split("/")
        return (CRATES[match[1]], *(word for word in words if word not in ("lib", "wireguard")))
    return ()


def title(body):
    """The path of a function: that of its file, and its own name."""
    file = re.search(r"<impl at (\S+?):", body.name)
    lines = (line for lines in body.blocks.values() for line in lines)
    modules = [module_of(file[1])] if file else (module_of(line.file or "") for line in lines)
    # A closure keeps the name of its function.
    return "::".join([*next(filter(None, modules), ()), re.search(r"\w+(?:::\{closure#\d+\})*$", body.name)[0]])


def takes_packets(body):
    """Says whether a type parameter of a function may stand for a packet."""
    return not title(body).startswith("kext::") or title(body).startswith("::".join(module_of(REASONS)[:-1]))


def impls(tokens, trait):
    """The pairs of name and body (a text) of the types that implement a trait."""
    for at, token in enumerate(tokens):
        if token.text == "impl":
            brace = head_end(tokens, at)
            head = [t.text for t in tokens[at:brace]]
            if trait in head and head[head.index(trait) + 1:][:1] == ["for"]:
                yield head[head.index("for") + 1], " ".join(t.text for t in tokens[brace:group_end(tokens, brace)])


def traits_of(tokens):
    return {after.text for token, after in zip(tokens, tokens[1:]) if token.text == "trait"}


def read_types(trees):
    """The types of these checkouts; the first one has the packets."""
    files = {module_of(path): code(tree.read(path)) for tree in trees
             for path in tree.rust(*(f"rust/{top}" for top in CRATES))}
    reasons = module_of(REASONS)
    ours = [module for module in files if module[:3] == reasons[:3]]
    packets = {name for name, _ in impls(files[reasons], "Free")}
    stands_for = packets.union(*(traits_of(files[module]) for module in ours))

    def is_packet(text):
        """Says whether `T` or `impl Trait` stands for packets."""
        if PARAMETER.fullmatch(text):
            return types.parameters
        return not text.startswith("impl Fn") and not stands_for.isdisjoint(re.findall(r"\w+", text))

    types, dropped = Types(is_packet), set()
    for module, tokens in files.items():
        types.add(module, tokens)
        types.traits |= traits_of(tokens)
        dropped |= {(module, name) for name, body in impls(tokens, "Drop") if FREES.search(body)}
    # A `Drop` may lie in another file of the crate than its type.
    types.settled = {(d.module, name) for module, name in dropped for d in types.defs.get(name, ())
                     if d.module[:1] == module[:1]}
    types.owned = {(d.module, name) for name in packets for d in types.defs.get(name, ()) if d.module in ours}
    if not types.owned:
        raise RuntimeError(f"no type implements Free in {REASONS}")
    return types


def owners(types):
    """Matches the names of all types that own packets, and of type parameters."""
    types.parameters = True
    types.known.clear()
    any_type = Type("parameter", ("T",))
    names = {name for name, defs in types.defs.items() for d in defs
             if types.owns(Type("path", (*d.module, name), tuple(any_type for _ in d.generics)))}
    return re.compile(rf"\b({'|'.join(sorted(names))}|[A-Z]\d?)\b|: impl ")


def note_closures(types, bodies):
    """Notes what closures own. Returns the names of the functions that are called with such a
    closure."""
    called = set()
    for body in bodies:
        for line in (line for lines in body.blocks.values() for line in lines):
            if match := CLOSURE.match(line.text):
                operands = [flow.OPERAND.match(part.partition(": ")[2]) for part in mir.cut(match[2])]
                places = [mir.place(operand[1]) if operand else ("", None) for operand in operands]
                types.closures[match[1]] = tuple(parse(kind or body.locals.get(place, "()")) for place, kind in places)
    for body in bodies:
        for lines in body.blocks.values():
            if (call := mir.call(lines[-1].text)) and "{closure@" in call[1]:
                if any(types.owns(parse(closure)) for closure in re.findall(r"\{closure@[^}]*\}", call[1])):
                    called.add(mir.path(call[1])[-1])
    return called


def look(text, types):
    """Yields (function, type, line, variable) of each packet that is dropped."""
    bodies = sorted(mir.bodies(text, owners(types)), key=takes_packets)
    called = note_closures(types, bodies)
    looked_at = 0
    for body in bodies:
        if types.parameters != takes_packets(body):
            types.parameters = not types.parameters
            types.known.clear()
        walk = flow.Walk(body, types, mir.path(body.name)[-1] in called)
        if not walk.is_relevant():
            continue
        looked_at += 1
        for kind, line in walk.run():
            dropped = re.match(r"drop\((_\d+)\)", line.text)
            inside = [str(ty) for ty in types.closures.get(kind.path[:1] and kind.path[0], ()) if types.owns(ty)]
            what = f"closure with {', '.join(inside)}" if inside else str(kind)
            yield title(body), what, line, body.variables.get(dropped[1]) if dropped else None
    if not looked_at:
        raise RuntimeError("no function has packets: this compiler seems to print MIR in another way")


def check(tree):
    # In the self-test the crates are those of the real checkout.
    built = getattr(tree, "built", tree)
    jobs = [(obj, None) for obj in OBJECTS] if built is tree else [(kcmd.DRIVER, tree.root.resolve() / SAMPLE)]
    with ThreadPoolExecutor() as pool:
        texts = [pool.submit(kcmd.mir, built, *job) for job in jobs]
        types = read_types([built, tree] if built is not tree else [tree])
        texts = [text.result().replace(f"{tree.root.resolve()}/", "") for text in texts]
    allowed, findings = Allowed(tree, "drops.allow"), set()
    for text in texts:
        for function, kind, line, variable in look(text, types):
            if not allowed.covers(lambda *entry, found=(function, kind): entry == found):
                findings.add(f"{line.file}:{line.line}: {function} drops {variable or 'a value'} of type {kind}")
    return sorted(findings) + allowed.findings()


def sample(text):
    return {SAMPLE: "//! Sample.\n#![forbid(unsafe_code)]\nuse kext::net::skb::{Buffer, SkbList, Reason, SkBuff};\n"
                    "/// R.\npub const R: Reason = Reason::NOMEM;\n/// C.\npub fn c(skb: SkBuff) { skb.consume() }\n" + text}


BATCH = "/// B.\npub struct Batch { _n: u32, packets: SkbList }\n/// S.\npub enum Spot { /// E.\nEmpty, /// F.\nFull(Batch) }\n"
# Bad ones, with what is said of them.
BAD = {
    "fn plain(skb: SkBuff) { if skb.is_empty() { return } skb.consume() }": "plain drops skb of type SkBuff",
    "fn early(mut list: SkbList) { while let Some(skb) = list.pop_front() { if skb.is_empty() { return c(skb) } c(skb) } }":
        "early drops list of type SkbList",
    "fn field(batch: Batch) -> bool { batch.packets.is_empty() }": "field drops batch of type Batch",
    "fn stored(to: &mut Spot, batch: Batch) { *to = Spot::Full(batch) }": "stored drops a value of type Spot",
    "fn function(skb: SkBuff) { core::mem::drop(skb) }": "function drops a value of type SkBuff",
    "fn ok(result: Result<(), SkBuff>) -> Option<()> { result.ok() }": "ok drops a value of type Result<(), SkBuff>",
    "fn insert(to: &mut Option<SkBuff>, skb: SkBuff) { let _ = to.insert(skb); }":
        "insert drops a value of type Option<SkBuff>",
    "fn generic<T>(to: &mut Option<T>, value: T) { *to = Some(value) }": "generic drops a value of type Option<T>",
    "fn buffer(packets: impl Buffer) { let _kept = packets; }": "buffer drops _kept of type impl Buffer",
    "fn call(f: impl FnOnce(), go: bool) { if go { f() } }\n/// G.\npub fn g(skb: SkBuff, go: bool) "
    "{ call(move || c(skb), go) }": "call drops f of type T",
    "fn closure(mut list: SkbList) { let mut f = move || { let _ = list.len(); c(fresh()) }; f() }":
        "closure drops f of type closure with SkbList",
    "fn again(mut list: SkbList, skb: SkBuff) { c(skb); c2(core::mem::take(&mut list)); list.push_back(fresh()) }\n"
    "fn c2(list: SkbList) { list.drop(R) }\nfn fresh() -> SkBuff { loop {} }": "again drops list of type SkbList",
    "fn n(n: Own) { core::mem::drop(n) }\n/// O.\npub struct Own(SkbList);\nimpl Drop for Own { fn drop(&mut self) {} }":
        "n drops a value of type Own",
}
GOOD = """
/// Own.
pub struct Own(SkbList);
impl Drop for Own { fn drop(&mut self) { core::mem::take(&mut self.0).drop(R) } }
/// O.
pub fn own(_own: Own) {}
/// A.
pub fn all(mut list: SkbList) { while let Some(skb) = list.pop_front() { c(skb) } }
/// T.
pub fn taken(mut batch: Batch) { core::mem::take(&mut batch.packets).consume() }
/// A.
pub fn appended(to: &mut SkbList, mut from: SkbList) { to.append(&mut from); }
/// E.
pub fn empty(list: SkbList) { if list.is_empty() { return } list.consume() }
/// S.
pub fn slot(to: &mut Spot, batch: Batch) -> Option<Batch> {
    match to { Spot::Empty => { *to = Spot::Full(batch); None } Spot::Full(_) => Some(batch) }
}
/// F.
pub fn flags(skb: SkBuff, keep: bool) -> Option<SkBuff> {
    if !keep { skb.consume(); return None }
    Some(skb)
}
/// M.
pub fn mapped(result: Result<u32, SkBuff>) -> Option<u32> { result.map_err(|skb| skb.drop(R)).ok() }
/// L.
pub fn listed(_skb: SkBuff) {}
"""
SAMPLES = [
    ("plain drops, and an entry that nothing needs",
     {**sample(BATCH + "".join(f"/// X.\npub {text}\n" for text in BAD)), "drops.allow": "wireguard::f | SkBuff | why\n"},
     [*BAD.values(), "nothing needs this entry: wireguard::f"]),
    ("clean", {**sample(BATCH + GOOD), "drops.allow": "wireguard::listed | SkBuff | it is a sample\n"}, None),
]
