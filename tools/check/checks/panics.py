# SPDX-License-Identifier: GPL-2.0
"""What can still panic in the module: a panic is an oops of the whole machine.

`nm -u` says that a panic is left in an object, but not where: the compiler inlines, across
crates as well. So the calls are looked up in the disassembly, and the debug information
says which lines they come from. Functions of core that were instantiated here and may
panic count for their callers.
"""

import os
import re

from lib import kcmd, objdump
from lib.tree import Allowed, Skip

SINK = re.compile(
    # core::panicking::…, and the cold functions of core: slice_end_index_len_fail, unwrap_failed …
    r"::(\w*panic\w*|\w+_fail|\w+_failed)\b|^rust_begin_unwind$|^rust_build_error$|^rust_helper_BUG$")
# No entry of the list may excuse these: what a packet, a timer or a peer's message reaches.
DRIVER = (r"send|receive|handshake|parallel(?:/|::)(?:reorder|fifo|stream)|socket|timers"
          r"|allowedips|keypairs|peerlookup|cookie|ratelimiter|crypto")
NEVER_FILES = re.compile(
    rf"^rust/proto/|^rust/driver/({DRIVER})(\.rs|/)"
    r"|^rust/kernel/(crypto|siphash|random|time|sync|net/(skb|napi|udp|route|icmp|addr))(\.rs|/)")
NEVER_FUNCTIONS = re.compile(r"::(start_)?xmit\b|::poll\b|::receive\b|::expired\b")
# Where there is no debug information, the name is all there is.
NEVER_NAMES = re.compile(rf"wg_proto::|wireguard::({DRIVER})::|kext::(crypto|siphash|random|time|sync|net::(skb|napi|udp|route))::")
MODULE = "wireguard.o"


def glob(pattern, text):
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None


def find(refs, defined, frames_of, root):
    """Yields (sink, frames of ours, innermost first) for each reference that can panic."""
    todo = [(sink, sink) for sink in sorted(refs) if SINK.search(sink) and sink not in defined]
    seen = set()
    while todo:
        sink, via = todo.pop()
        for site in refs.get(via, ()):
            if (sink, site) in seen:
                continue
            seen.add((sink, site))
            frames = [f._replace(file=os.path.relpath(f.file, root) if f.file.startswith(root + "/") else f.file)
                      for f in frames_of(site)]
            ours = [f for f in frames if f.file.startswith("rust/")]
            if ours:
                yield sink, ours, site
            elif refs.get(site.function):
                todo.append((sink, site.function))
            else:
                # Only reachable by a pointer, or without debug information: name what there is.
                yield sink, [objdump.Frame(site.function, "?", "?")], site


def forbidden(frames, site):
    names = [site.function, *(f.function for f in frames)]
    return (any(NEVER_FILES.search(f.file) for f in frames)
            # Without the innermost generic arguments, whose modules may be called like functions.
            or any(NEVER_FUNCTIONS.search(re.sub(r"<[^<>]*>", "", name)) for name in names)
            or (frames[0].file == "?" and any(NEVER_NAMES.search(name) for name in names)))


def judge(tree, found):
    """Turns panics into findings, one for each place, minus what the list excuses."""
    allowed, findings = Allowed(tree, "panics.allow"), set()
    for sink, frames, site in found:
        names = {site.function, *(f.function for f in frames)}
        never = forbidden(frames, site)
        if not never and allowed.covers(lambda function, what: glob(what, sink)
                                        and any(glob(function, name) for name in names)):
            continue
        where = f"{frames[0].file}:{frames[0].line}: {frames[0].function}: {sink}"
        outer = "" if site.function == frames[0].function else f" (in {site.function})"
        findings.add(where + outer + (" [data path: never allowed]" if never else ""))
    return sorted(findings) + allowed.findings()


def check(tree):
    path = tree.root / MODULE
    if path.exists():
        text, root = objdump.disassemble(path), str(tree.root.resolve())
    else:
        path, text, root = sample_object(tree)
    refs = objdump.references(text)
    defined = {m[1] for line in objdump.HASH.sub("", text).splitlines() if (m := objdump.FUNCTION.match(line))}
    return judge(tree, find(refs, defined, lambda site: objdump.frames(path, site), root))


def sample_object(tree):
    """Compiles the sample as the driver is, since it has no Kbuild of its own."""
    if not hasattr(tree, "built"):
        raise Skip(f"{MODULE} is not built (run make first)")
    root, output = tree.root.resolve(), tree.root / "sample.o"
    run = kcmd.rustc(tree.built, root / "rust/driver/wireguard.rs", output, "--crate-name", "wireguard")
    if run.returncode:
        raise RuntimeError(run.stderr)
    return output, objdump.disassemble(output), str(root)


D = "rust/driver/wireguard.rs"
INDEX = "#[inline(never)]\npub fn get(x: &[u8], i: usize) -> u8 {\n    x[i]\n}\n"
OPTION = "pub fn get(x: Option<u8>) -> u8 {\n    x.unwrap()\n}\n"
# The instantiated copy_from_slice is a function of core, or inlined: it counts for its caller.
GENERIC = "pub fn copy(x: &mut [u8], y: &[u8]) {\n    x.copy_from_slice(y)\n}\n"
ADD = "#[inline]\npub fn add(x: u32) -> u32 {\n    x + 1\n}\n"
SAMPLES = [
    ("an index", {D: INDEX}, "rust/driver/wireguard.rs:3: wireguard::get: core::panicking::panic_bounds_check"),
    ("unwrap", {D: OPTION}, "wireguard.rs:2: wireguard::get: core::option::unwrap_failed"),
    ("through core", {D: GENERIC}, "wireguard.rs:2: wireguard::copy: "),
    ("the data path", {D: "pub mod send;", "rust/driver/send.rs": INDEX,
                       "panics.allow": "wireguard::send::* | * | no reason counts"}, "never allowed"),
    ("inlined from it", {D: "pub mod send;\npub fn f(x: u32) -> u32 { send::add(x) }\n",
                         "rust/driver/send.rs": ADD}, "rust/driver/send.rs:3: wireguard::send::add: core::panicking"),
    ("an entry nobody needs", {D: "", "panics.allow": "a::b | * | reason"}, "nothing needs"),
    ("clean", {D: "pub fn get(x: &[u8], i: usize) -> Option<u8> {\n    x.get(i).copied()\n}\n" +
               INDEX.replace("get", "listed"),
               "panics.allow": "wireguard::listed | core::panicking::panic_bounds_check | a sample"}, None),
]
