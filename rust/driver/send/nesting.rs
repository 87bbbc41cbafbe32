// SPDX-License-Identifier: GPL-2.0

//! Whether packets may leave within the call that hands them to the interface.
//!
//! The C driver sends datagrams from a work item: on an empty stack, and without the locks of
//! whatever transmits. This driver sends them within that call, unless one of these could be
//! missing. (Both send the ICMP error for a packet without a peer within the call.)

use kext::{
    context::Bh,
    net::{
        device::{
            in_mirred,
            xmit_depth, //
        },
        skb::Redirected, //
    }, //
};

/// Transmissions nested on this CPU, the current one included, from which packets go to the work
/// item: each takes its share of the stack. A tunnel in a tunnel is the second one.
const MAX_DEPTH: u32 = 2;

/// Returns whether transmissions on this CPU are nested so deep that another one must not begin, or
/// may hold the lock of a queue that it would need.
pub(super) fn is_nested(bh: &Bh<'_>) -> bool {
    xmit_depth(bh) >= MAX_DEPTH || in_mirred(bh)
}

/// Returns whether a packet has to go to the work item.
///
/// A filter of a queue may redirect packets to the interface. It runs under the lock of that queue,
/// which the datagram may have to pass.
pub(super) fn must_defer(redirected: Option<Redirected>, bh: &Bh<'_>) -> bool {
    match redirected {
        None => is_nested(bh),
        Some(Redirected::Egress) => true,
        // `bpf_redirect()` counts as a transmission, but runs early on the stack and holds no lock.
        Some(Redirected::Ingress) => xmit_depth(bh) > MAX_DEPTH || in_mirred(bh),
    }
}
