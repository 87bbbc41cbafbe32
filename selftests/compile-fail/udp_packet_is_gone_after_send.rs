// E0382: a packet that was sent belongs to the stack
// SPDX-License-Identifier: GPL-2.0

//! A packet sent twice.

#![forbid(unsafe_code)]

use kext::{
    context::Bh,
    net::{
        addr::Ipv4Addr,
        device::{
            Operations,
            Running, //
        },
        route::Route4,
        skb::SkBuff,
        udp::{
            EncapRcv,
            Tunnel, //
        },
    },
};

/// Sends a packet.
pub fn twice<H: EncapRcv, T: Operations>(
    tunnel: &Tunnel<H>,
    running: &Running<'_, T>,
    skb: SkBuff,
    route: &Route4,
    bh: &Bh<'_>,
) {
    let to = Ipv4Addr([192, 0, 2, 1]);
    let _ = tunnel.send4(running, skb, route, to, 1, 0, 0, bh);
    let _ = tunnel.send4(running, skb, route, to, 1, 0, 0, bh); //~
}
