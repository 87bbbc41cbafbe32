// SPDX-License-Identifier: GPL-2.0

//! What an interface keeps for this family.

use super::{
    schema::group,
    stream::Stream,
    unknown::UnknownInitiators, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    context::Bh,
    net::addr::SocketAddr,
    new_spinlock,
    sync::lock::SpinLock, //
};
use wg_proto::{
    key::PublicKey,
    prefix::Address, //
};

/// What was dropped last, where that belongs to no peer.
#[derive(Clone, Copy)]
pub(super) struct Last {
    /// A destination that no peer has.
    pub(super) destination: Option<Address>,
    /// The key of an initiation that is no peer's, and where it came from.
    pub(super) initiator: Option<(PublicKey, Option<SocketAddr>)>,
    /// Where a handshake message came from that has a wrong mac1.
    pub(super) remote: Option<SocketAddr>,
}

/// What an interface keeps for this family.
#[pin_data]
pub(crate) struct InterfaceDiag {
    is_readable: Atomic<bool>,
    #[pin]
    last: SpinLock<Last>,
    #[pin]
    peers: SpinLock<Stream>,
    #[pin]
    config: SpinLock<Stream>,
    #[pin]
    unknown: SpinLock<Stream>,
    #[pin]
    unknown_initiators: UnknownInitiators,
}

impl InterfaceDiag {
    /// Creates the state of a new interface.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            is_readable: Atomic::new(false),
            last <- new_spinlock!(Last {
                destination: None,
                initiator: None,
                remote: None,
            }),
            peers <- new_spinlock!(Stream::new()),
            config <- new_spinlock!(Stream::new()),
            unknown <- new_spinlock!(Stream::new()),
            unknown_initiators <- UnknownInitiators::new(),
        })
    }

    /// Returns whether everybody may read.
    pub(super) fn is_readable(&self) -> bool {
        self.is_readable.load(Relaxed)
    }

    /// Sets whether everybody may read.
    pub(super) fn set_readable(&self, is_readable: bool) {
        self.is_readable.store(is_readable, Relaxed);
    }

    /// Returns what was dropped last.
    pub(super) fn last(&self, bh: &Bh<'_>) -> Last {
        *self.last.lock(bh)
    }

    /// Returns the events of a group.
    pub(super) fn stream(&self, group: usize) -> &SpinLock<Stream> {
        match group {
            group::PEERS => &self.peers,
            group::CONFIG => &self.config,
            _ => &self.unknown,
        }
    }

    /// Returns the initiations by keys that no peer has.
    pub(crate) fn unknown_initiators(&self) -> &UnknownInitiators {
        &self.unknown_initiators
    }

    /// Notes a drop, unless another CPU is noting one: one is enough.
    fn note(&self, bh: &Bh<'_>, change: impl FnOnce(&mut Last)) {
        if let Some(mut last) = self.last.try_lock(bh) {
            change(&mut last);
        }
    }

    /// Notes a destination that no peer has.
    pub(crate) fn note_destination(&self, destination: Address, bh: &Bh<'_>) {
        self.note(bh, |last| last.destination = Some(destination));
    }

    /// Notes an initiation by a key that is no peer's.
    pub(crate) fn note_initiator(&self, key: &PublicKey, remote: Option<SocketAddr>, bh: &Bh<'_>) {
        self.note(bh, |last| last.initiator = Some((*key, remote)));
    }

    /// Notes where a handshake message came from that has a wrong mac1.
    pub(crate) fn note_remote(&self, remote: Option<SocketAddr>, bh: &Bh<'_>) {
        self.note(bh, |last| last.remote = remote);
    }
}
