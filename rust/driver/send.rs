// SPDX-License-Identifier: GPL-2.0

//! The way of packets out of the interface.

use crate::{
    device::Device,
    keypair::Keypair,
    packet::PacketCb,
    peer::Peer,
    queueing::{
        Job,
        Order, //
    }, //
};
use kernel::prelude::*;
use kext::{
    context::Bh,
    net::skb::{
        self,
        SkBuff, //
    },
    sync::rcu::{
        RcuArc,
        Ref, //
    }, //
};
use wg_proto::{
    limits,
    message::DataHeader,
    padding,
    reject::Reject, //
};

/// Packets that wait for a session; before more are added, older ones make room down to this.
const MAX_STAGED_PACKETS: usize = 128;

/// Batches of one peer that may be on their way at once.
const MAX_BATCHES_IN_FLIGHT: u64 = 1024;

/// Head room of a data packet: UDP/IPv6/message headers and the stack's own reserve, aligned to 4.
pub(crate) const DATA_PACKET_HEAD_ROOM: usize = 128;

/// Packets that have left the staged queue: they own nonces of a key pair.
pub(crate) struct Numbered {
    keypair: RcuArc<Keypair>,
    first_nonce: u64,
    packets: skb::List,
}

/// Encrypted packets.
pub(crate) struct Sealed {
    keypair: RcuArc<Keypair>,
    packets: skb::List,
}

/// What waits for transmission to one peer.
pub(crate) struct Tx {
    staged: skb::List,
    order: Order<Sealed>,
}

impl Tx {
    /// Creates the empty state.
    pub(crate) const fn new() -> Self {
        Self {
            staged: skb::List::new(),
            order: Order::new(),
        }
    }
}
