// SPDX-License-Identifier: GPL-2.0

//! The traffic of a peer, by direction.

use super::Peer;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::sync::lock::SpinLock;

/// The state of one direction. Sending CPUs write one of these for each batch, receiving CPUs the
/// other.
#[pin_data]
pub(super) struct Direction<T> {
    #[pin]
    pub(super) state: SpinLock<T>,
    /// Authentic messages.
    packets: Atomic<u64>,
    /// Their bytes.
    bytes: Atomic<u64>,
}

impl<T> Direction<T> {
    /// Creates a direction in which nothing was received or sent.
    pub(super) fn new(state: impl PinInit<SpinLock<T>>) -> impl PinInit<Self> {
        pin_init!(Self {
            state <- state,
            packets: Atomic::new(0),
            bytes: Atomic::new(0),
        })
    }
}

impl Peer {
    /// Counts authentic messages received.
    #[inline]
    pub(crate) fn add_rx(&self, packets: u64, bytes: u64) {
        self.rx.packets.fetch_add(packets, Relaxed);
        self.rx.bytes.fetch_add(bytes, Relaxed);
    }

    /// Counts messages sent.
    #[inline]
    pub(crate) fn add_tx(&self, packets: u64, bytes: u64) {
        self.tx.packets.fetch_add(packets, Relaxed);
        self.tx.bytes.fetch_add(bytes, Relaxed);
    }

    /// Returns the messages received and sent.
    pub(crate) fn packets(&self) -> (u64, u64) {
        (self.rx.packets.load(Relaxed), self.tx.packets.load(Relaxed))
    }

    /// Returns the bytes received and sent.
    pub(crate) fn transfer(&self) -> (u64, u64) {
        (self.rx.bytes.load(Relaxed), self.tx.bytes.load(Relaxed))
    }
}
