// SPDX-License-Identifier: GPL-2.0

//! The way of datagrams into the interface: the driver's poll and batches. Decryption does nothing,
//! delivery notes the packets' numbers.

#[path = "../../../rust/driver/receive/decrypt.rs"]
mod decrypt;
#[path = "../../../rust/driver/receive/next.rs"]
pub(crate) mod next;
#[path = "../../../rust/driver/receive/overdue.rs"]
mod overdue;
#[path = "../../../rust/driver/receive/poll.rs"]
mod poll;
#[path = "../../../rust/driver/receive/queue.rs"]
pub(crate) mod queue;
#[path = "../../../rust/driver/receive/release.rs"]
mod release;
#[path = "../../../rust/driver/receive/rx.rs"]
pub(crate) mod rx;

pub(crate) use overdue::do_overdue;
pub(crate) use poll::poll;

use crate::{batch::RxBatch, parallel::reorder::Job, peer::Peer};
use kext::{
    context::{Bh, Process},
    net::skb::SkbList,
    sync::rcu::RcuArc,
};

/// A batch of packets of the peer's current session, with its number, as `decrypt` makes it for
/// a worker.
pub(crate) fn batch(peer: &RcuArc<Peer>, packets: SkbList) -> Job<RxBatch> {
    // SAFETY: A model.
    let mut process = unsafe { Process::new() };
    let bh = process.bh();
    let keypair = peer.current(&bh).expect("there is one");
    let taken = packets.len();
    let next = peer.rx().lock(&bh).admit(keypair, taken, true);
    let next::RxNext::Queued { seq, keypair } = next else {
        unreachable!("there is room");
    };
    Job {
        seq,
        batch: RxBatch {
            keypair,
            packets,
            taken,
        },
    }
}

mod deliver {
    use crate::{device::Device, keypair::Keypair};
    use kext::{
        context::Bh,
        net::{napi::Gro, skb::SkbList},
    };

    pub(super) fn deliver(
        keypair: &Keypair,
        mut packets: SkbList,
        _gro: &mut Gro<'_, Device>,
        _bh: &Bh<'_>,
    ) {
        let device = keypair.peer().device().data();
        while let Some(packet) = packets.pop_front() {
            packet.touch();
            device.delivered.borrow_mut().push(packet.number);
        }
    }
}

mod aead {
    use crate::keypair::Keypair;
    use kext::{context::Bh, net::skb::SkbList};

    pub(super) fn open_all(_keypair: &Keypair, packets: SkbList, _bh: &Bh<'_>) -> SkbList {
        packets.touch();
        packets
    }
}
