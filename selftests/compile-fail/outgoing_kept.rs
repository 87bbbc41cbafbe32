// E0597: a packet keeps its route only within the section of ndo_start_xmit
// SPDX-License-Identifier: GPL-2.0

//! A packet with its route, kept for longer than bottom halves are off.

#![forbid(unsafe_code)]

use kext::{
    context::{
        Bh,
        Process, //
    },
    net::skb::Outgoing, //
};

/// `next` stands for C, which hands over packets.
pub fn keeps(ctx: &mut Process, next: impl for<'g> Fn(&'g Bh<'g>) -> Outgoing<'g>) {
    let mut without_route = None;
    let mut with_route: Option<Outgoing<'_>> = None;
    {
        let bh = ctx.bh();
        without_route.replace(next(&bh).into_skb());
        with_route.replace(next(&bh)); //~
    }
    drop(without_route);
    drop(with_route);
}
