// SPDX-License-Identifier: GPL-2.0

//! A session: keys, counters and age.

use crate::{
    peer::Peer,
    peerlookup::Entry, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    debug_ratelimited,
    sync::{
        new_spinlock,
        rcu::RcuArc,
        SpinLock, //
    }, //
};
use wg_proto::{
    handshake::SessionKeys,
    replay::Window,
    session::{
        self,
        Age, //
    }, //
};

/// Keys of one direction each, and what has been done with them.
///
/// The keys lie in an allocation of their own, so the lines that every CPU reads are not those that the counters dirty.
#[pin_data]
pub(crate) struct Keypair {
    /// Number for the log.
    pub(crate) id: u64,
    /// Whose session it is. The peer's slots hold the session, so this cycle is cut when it is retired.
    pub(crate) peer: RcuArc<Peer>,
    keys: KBox<SessionKeys>,
    /// The index table's entry under which packets for this session arrive.
    pub(crate) index: u32,
    send_valid: Atomic<bool>,
    receive_valid: Atomic<bool>,
    send_counter: Atomic<u64>,
    #[pin]
    window: SpinLock<Window>,
}

impl Keypair {
    /// Prepares a session from derived keys.
    pub(crate) fn new(
        peer: RcuArc<Peer>,
        keys: KBox<SessionKeys>,
        index: u32,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            id: peer.device().next_keypair_id(),
            peer,
            keys,
            index,
            send_valid: Atomic::new(true),
            receive_valid: Atomic::new(true),
            send_counter: Atomic::new(0),
            window <- new_spinlock!(Window::new()),
        })
    }
}
