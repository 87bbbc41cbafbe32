// SPDX-License-Identifier: GPL-2.0

//! Initiations by keys that no peer has: told to those who listen, and kept for a moment.
//!
//! A daemon that listens may add the peer. Its initiation is answered then.

use crate::drops::refuse;
use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    context::Bh,
    net::skb::SkBuff,
    new_spinlock,
    sync::lock::SpinLock,
    time, //
};
use wg_proto::{
    key::PublicKey,
    session,
    DropReason, //
};

/// Initiations that an interface keeps at once.
const MAX_KEPT: usize = 64;

/// An initiation by a key that no peer has.
struct Kept {
    /// The key, which the sender has proved to hold.
    key: PublicKey,
    /// When the message came, in nanoseconds since boot.
    at: u64,
    /// The message with its outer headers, until it is taken out.
    message: Option<SkBuff>,
}

impl Kept {
    /// Returns whether the sender has not yet sent another initiation instead.
    fn is_awaited(&self, now: u64) -> bool {
        !session::has_expired(self.at, session::REKEY_TIMEOUT, now)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            // Counted when it was refused.
            let _ = refuse(message, DropReason::UnknownPeer);
        }
    }
}

/// Memory for [`MAX_KEPT`] initiations.
pub(super) struct Room(KVec<Kept>);

impl Room {
    /// Allocates it, or none where nothing is to be kept.
    pub(super) fn new(is_announced: bool) -> Result<Self> {
        if is_announced {
            Ok(Self(KVec::with_capacity(MAX_KEPT, GFP_KERNEL)?))
        } else {
            Ok(Self(KVec::new()))
        }
    }
}

/// The initiations by keys that no peer has, in the order in which they came.
#[pin_data]
pub(crate) struct Strangers {
    is_announced: Atomic<bool>,
    /// Never grows: it has room for [`MAX_KEPT`], or none.
    #[pin]
    kept: SpinLock<KVec<Kept>>,
}

impl Strangers {
    /// Creates the list of an interface that tells of nobody.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            is_announced: Atomic::new(false),
            kept <- new_spinlock!(KVec::new()),
        })
    }

    /// Returns whether the interface tells of them and keeps what they send.
    pub(crate) fn is_announced(&self) -> bool {
        self.is_announced.load(Relaxed)
    }

    /// Sets whether the interface tells of them. What was kept is dropped.
    pub(super) fn announce(&self, is_announced: bool, room: Room, bh: &Bh<'_>) {
        let old = core::mem::replace(&mut *self.kept.lock(bh), room.0);
        self.is_announced.store(is_announced, Relaxed);
        drop(old);
    }

    /// Keeps an initiation, instead of an earlier one by the same key, or of the oldest if there
    /// are too many.
    pub(crate) fn keep(&self, key: PublicKey, message: SkBuff, bh: &Bh<'_>) {
        let at = time::boottime_coarse();
        let mut kept = self.kept.lock(bh);
        kept.retain(|old| old.key != key && old.is_awaited(at));
        if kept.len() >= MAX_KEPT {
            let _ = kept.remove(0);
        }
        let _ = kept.push_within_capacity(Kept {
            key,
            at,
            message: Some(message),
        });
    }

    /// Takes the first initiation out whose key `is_known` by now.
    pub(crate) fn take_known(
        &self,
        is_known: impl Fn(&PublicKey) -> bool,
        bh: &Bh<'_>,
    ) -> Option<SkBuff> {
        let now = time::boottime_coarse();
        let mut kept = self.kept.lock(bh);
        kept.retain(|entry| entry.is_awaited(now));
        let at = kept.iter().position(|entry| is_known(&entry.key))?;
        kept.remove(at).ok()?.message.take()
    }

    /// Drops what is kept.
    pub(crate) fn purge(&self, bh: &Bh<'_>) {
        self.kept.lock(bh).clear();
    }
}
