// SPDX-License-Identifier: GPL-2.0

//! Key pairs: rotation while others send and receive by them, and the end of a peer
//! (`rust/proto/keypairs.rs`, `rust/driver/peer/sessions.rs`, `rust/driver/keypair.rs`,
//! `rust/driver/peerlookup.rs`).

use super::{bounds, process, session, try_session, World};
use crate::{device::Device, peer::Peer};
use engine::explore_with;
use kernel::model::machine::Machine;
use kext::{
    net::device::DeviceRef,
    sync::rcu::{self, RcuArc},
    time,
};
use std::sync::{Arc, Mutex};
use wg_proto::handshake::Role;

/// The index under which a session of the peer is found, if any is.
fn finds(dev: &DeviceRef<Device>, index: u32) -> bool {
    let mut ctx = process();
    let bh = ctx.bh();
    let entry = dev.data().index_table().find(index, &bh);
    entry.is_some_and(|entry| entry.session(&bh).is_some())
}

/// Takes nonces of whatever session is current, and notes session and nonce.
fn send(peer: &RcuArc<Peer>, used: &Mutex<Vec<(u32, u64)>>) {
    let mut ctx = process();
    let bh = ctx.bh();
    let Some(keypair) = peer.current(&bh) else {
        return;
    };
    if let Some(first) = keypair.reserve(2, time::boottime_coarse()) {
        let index = keypair.index().get();
        let mut used = used.lock().expect("held for moments only");
        used.extend([(index, first), (index, first + 1)]);
    }
}

/// Two CPUs send while a session takes the place of the current one: no nonce is used twice, and
/// what left its slot left the table.
#[test]
fn no_nonce_is_used_twice() {
    explore_with(bounds(2), || {
        let world = World::new();
        let used = Arc::new(Mutex::new(Vec::new()));
        let mut machine = Machine::new();
        for _ in 0..2 {
            let (peer, used) = (world.peer.clone(), used.clone());
            machine = machine.cpu(move || send(&peer, &used));
        }
        let peer = world.peer.clone();
        machine
            .cpu(move || {
                session(&peer, Role::Initiator);
            })
            .finish();
        let mut used = used.lock().expect("held for moments only").clone();
        let count = used.len();
        used.sort_unstable();
        used.dedup();
        assert_eq!(used.len(), count);
        // It is the previous one.
        assert!(finds(&world.dev, world.index));
    });
}

/// The first packet of a session that waits for one comes on two CPUs, while a third makes another
/// session: one of the two confirms it at most, and each session is in a slot and in the table, or
/// in neither.
#[test]
fn a_session_is_confirmed_once() {
    explore_with(bounds(2), || {
        let world = World::new();
        let next = session(&world.peer, Role::Responder);
        let confirmed = Arc::new(Mutex::new(0));
        let mut machine = Machine::new();
        for _ in 0..2 {
            let (peer, next, confirmed) = (world.peer.clone(), next.clone(), confirmed.clone());
            machine = machine.cpu(move || {
                let mut ctx = process();
                let bh = ctx.bh();
                if peer.is_next(&next, &bh) && peer.confirm(&next, &bh) {
                    *confirmed.lock().expect("held for moments only") += 1;
                }
            });
        }
        machine.finish();
        assert_eq!(*confirmed.lock().expect("held for moments only"), 1);
        let mut ctx = process();
        let bh = ctx.bh();
        let current = world.peer.current(&bh).expect("there is one");
        assert!(current.ptr_eq(&next));
    });
}

/// A new session replaces one that is being confirmed.
#[test]
fn what_leaves_the_slots_leaves_the_table() {
    explore_with(bounds(2), || {
        let world = World::new();
        let next = session(&world.peer, Role::Responder);
        let index = next.index().get();
        let (peer, confirmed) = (world.peer.clone(), next.clone());
        let new = world.peer.clone();
        Machine::new()
            .cpu(move || {
                let mut ctx = process();
                let bh = ctx.bh();
                if peer.is_next(&confirmed, &bh) {
                    peer.confirm(&confirmed, &bh);
                }
            })
            .cpu(move || {
                session(&new, Role::Responder);
            })
            .finish();
        let is_current = {
            let mut ctx = process();
            let bh = ctx.bh();
            let current = world.peer.current(&bh).expect("there is one");
            current.ptr_eq(&next)
        };
        assert_eq!(finds(&world.dev, index), is_current);
    });
}

/// A peer is removed while a handshake with it ends, and a packet of its session comes. Nothing of
/// it is left, and it is freed.
#[test]
fn nothing_is_left_of_a_removed_peer() {
    explore_with(bounds(1), || {
        let world = World::new();
        let (dev, index) = (world.dev.clone(), world.index);
        let peer = world.peer.clone();
        let reader = dev.clone();
        let made: Arc<Mutex<Option<u32>>> = Arc::default();
        let makes = {
            let (peer, made) = (world.peer.clone(), made.clone());
            move || {
                if let Some(keypair) = try_session(&peer, Role::Responder) {
                    let index = keypair.index().get();
                    *made.lock().expect("held for moments only") = Some(index);
                }
            }
        };
        drop(world.peer);
        Machine::new()
            .with_worker()
            .cpu(makes)
            .cpu(move || {
                let mut ctx = process();
                peer.mark_dead();
                rcu::synchronize(&mut ctx);
                peer.clear_keypairs(&ctx.bh());
            })
            .finish();
        assert!(!finds(&reader, index));
        if let Some(index) = *made.lock().expect("held for moments only") {
            assert!(
                !finds(&reader, index),
                "a session of a removed peer is left"
            );
        }
        assert_eq!(Peer::ended(), 1, "the peer is not freed");
    });
}

/// The keys of a session that leaves its slot wait for one grace period only: nothing counts them
/// any more, although removed entries before its own may keep that for longer.
#[test]
fn a_removed_session_is_counted_by_nobody() {
    explore_with(bounds(1), || {
        let world = World::new();
        let mut ctx = process();
        let bh = ctx.bh();
        let current = world.peer.current(&bh).expect("there is one");
        let table = world.dev.data().index_table();
        let entry = table.find(world.index, &bh).expect("it is in the table");
        world.peer.clear_keypairs(&bh);
        assert!(entry.session(&bh).is_none());
        assert!(current.upgrade().is_none(), "the session has a count");
    });
}
