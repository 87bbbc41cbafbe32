// SPDX-License-Identifier: GPL-2.0

//! The models.

mod deadlines;
mod handshake;
mod order;
mod pause;
mod sessions;
mod worker;

use crate::{device::Device, keypair::Keypair, packet::PacketCb, peer::Peer};
use engine::Bounds;
use kernel::{alloc::flags::GFP_KERNEL, alloc::KBox};
use kext::{
    context::Process,
    net::{
        device::DeviceRef,
        skb::{SkBuff, SkbList},
    },
    random::Seeded,
    sync::rcu::RcuArc,
    time,
};
use wg_proto::{
    handshake::{Role, SessionKeys},
    message::Index,
};

fn process() -> Process {
    // SAFETY: A model.
    unsafe { Process::new() }
}

fn bounds(preemptions: usize) -> Bounds {
    Bounds {
        preemptions: Some(preemptions),
    }
}

/// An interface with one peer that has one session.
struct World {
    dev: DeviceRef<Device>,
    peer: RcuArc<Peer>,
    /// The index of the session.
    index: u32,
}

impl World {
    fn new() -> Self {
        kext::begin();
        let dev = Device::make();
        let peer = Peer::make(&dev);
        let index = session(&peer, Role::Initiator).index().get();
        Self { dev, peer, index }
    }

    /// Returns packets of the session with these numbers.
    fn packets(index: u32, numbers: &[u32]) -> SkbList {
        let mut list = SkbList::new();
        for number in numbers {
            list.push_back(SkBuff::make(
                *number,
                PacketCb {
                    counter: u64::from(*number),
                    index,
                },
            ));
        }
        list
    }
}

/// Gives a peer a session.
fn session(peer: &RcuArc<Peer>, role: Role) -> RcuArc<Keypair> {
    try_session(peer, role).expect("the peer is not removed")
}

/// As `attempt` and `begin_session` of `rust/driver/handshake.rs` do, when the peer is seen to be
/// alive.
fn try_session(peer: &RcuArc<Peer>, role: Role) -> Option<RcuArc<Keypair>> {
    let mut ctx = process();
    if peer.is_dead() {
        return None;
    }
    let table = peer.device().data().index_table();
    let entry = table.add_handshake(peer, Seeded, &mut ctx).expect("memory");
    let mut keys = SessionKeys::zeroed();
    (keys.local, keys.role) = (Index::new(entry.index()), role);
    keys.birth = time::boottime_coarse();
    let keys = KBox::new(keys, GFP_KERNEL).expect("memory");
    let keypair = RcuArc::pin_init(Keypair::new(peer.clone(), keys, 0), &mut ctx).expect("memory");
    assert!(table.replace(&entry, &keypair, &mut ctx).expect("memory"));
    let bh = ctx.bh();
    if !peer.add_keypair(keypair.clone(), &bh) {
        table.remove_session(&keypair, &bh);
        return None;
    }
    Some(keypair)
}
