// SPDX-License-Identifier: GPL-2.0

//! Initiations by keys that no peer has: announced to listeners, and kept for a moment.
//!
//! A daemon that listens may add the peer. Its initiation is answered then.

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
    net::skb::UdpSource,
    new_spinlock,
    sync::lock::SpinLock,
    time, //
};
use wg_proto::{
    bucket::Bucket,
    key::PublicKey,
    message::Initiation,
    session, //
};

/// Initiations that an interface keeps at once.
const MAX_KEPT: usize = 64;

/// Initiations that may be looked at at once.
const BURST: u64 = 128;

/// Nanoseconds in which another one may be looked at.
const INTERVAL: u64 = 5_000_000;

/// An initiation by a key that no peer has.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    /// The key, which the sender has proved to hold.
    key: PublicKey,
    /// When the message came, in nanoseconds since boot.
    at: u64,
    /// Where it came from.
    pub(crate) source: UdpSource,
    /// The message.
    pub(crate) message: Initiation,
}

impl Kept {
    /// Returns whether the sender has not yet sent another initiation instead.
    fn is_awaited(&self, now: u64) -> bool {
        !session::has_expired(self.at, session::REKEY_TIMEOUT, now)
    }
}

/// Memory for [`MAX_KEPT`] initiations.
pub(super) struct KeptSlots(KVec<Option<Kept>>);

impl KeptSlots {
    /// Allocates it, or none where nothing is to be kept.
    pub(super) fn new(is_announced: bool) -> Result<Self> {
        if is_announced {
            Ok(Self(KVec::from_elem(None, MAX_KEPT, GFP_KERNEL)?))
        } else {
            Ok(Self(KVec::new()))
        }
    }
}

/// What is kept, and how many more may be looked at.
struct KeptState {
    /// [`MAX_KEPT`] places, or none where nothing is to be kept.
    kept: KVec<Option<Kept>>,
    /// Each look costs a multiplication on the curve, for senders whose addresses may be forged.
    bucket: Bucket<BURST, INTERVAL>,
}

/// The initiations by keys that no peer has.
#[pin_data]
pub(crate) struct UnknownInitiators {
    is_announced: Atomic<bool>,
    #[pin]
    state: SpinLock<KeptState>,
}

impl UnknownInitiators {
    /// Creates the list of an interface that tells of nobody.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            is_announced: Atomic::new(false),
            state <- new_spinlock!(KeptState {
                kept: KVec::new(),
                bucket: Bucket::new(),
            }),
        })
    }

    /// Returns whether the interface tells of them and keeps what they send.
    pub(crate) fn is_announced(&self) -> bool {
        self.is_announced.load(Relaxed)
    }

    /// Sets whether the interface tells of them. What was kept is forgotten.
    pub(super) fn announce(&self, is_announced: bool, room: KeptSlots, bh: &Bh<'_>) {
        let old = core::mem::replace(&mut self.state.lock(bh).kept, room.0);
        self.is_announced.store(is_announced, Relaxed);
        drop(old);
    }

    /// Returns whether an initiation that just came is to be looked at.
    pub(crate) fn admit(&self, bh: &Bh<'_>) -> bool {
        self.is_announced() && self.state.lock(bh).bucket.take(time::boottime_coarse())
    }

    /// Keeps an initiation, instead of an earlier one by the same key, or of the oldest if there
    /// are too many.
    pub(crate) fn keep(
        &self,
        key: PublicKey,
        source: &UdpSource,
        message: &Initiation,
        bh: &Bh<'_>,
    ) {
        let at = time::boottime_coarse();
        let mut state = self.state.lock(bh);
        let place = state.kept.iter_mut().min_by_key(|place| match place {
            Some(old) if old.key == key => 0,
            Some(old) if old.is_awaited(at) => old.at,
            _ => 1,
        });
        // There is none if the interface no longer tells of unknown initiators.
        if let Some(place) = place {
            *place = Some(Kept {
                key,
                at,
                source: *source,
                message: *message,
            });
        }
    }

    /// Takes out an initiation whose key `is_known` by now.
    pub(crate) fn take_known(
        &self,
        is_known: impl Fn(&PublicKey) -> bool,
        bh: &Bh<'_>,
    ) -> Option<Kept> {
        let now = time::boottime_coarse();
        let mut state = self.state.lock(bh);
        let is_wanted = |kept: &Kept| kept.is_awaited(now) && is_known(&kept.key);
        let mut places = state.kept.iter_mut();
        let place = places.find(|place| place.as_ref().is_some_and(is_wanted));
        place?.take()
    }

    /// Forgets what is kept.
    pub(crate) fn purge(&self, bh: &Bh<'_>) {
        self.state
            .lock(bh)
            .kept
            .iter_mut()
            .for_each(|place| *place = None);
    }
}
