// SPDX-License-Identifier: GPL-2.0

//! A session: its keys, its counters and its age.

use crate::peer::Peer;
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    context::Bh,
    debug_ratelimited,
    new_spinlock,
    sync::{
        lock::SpinLock,
        rcu::RcuArc,
        CacheAligned,
        ReadOnce, //
    },
    time, //
};
use wg_proto::{
    handshake::{
        Role,
        SessionKeys, //
    },
    message::Index,
    replay::Window,
    session::{
        Lifetime,
        REJECT_AFTER_MESSAGES, //
    },
    DropReason, //
};

/// A session.
///
/// Fields that a direction writes lie on cache lines of their own, apart from fields that every CPU
/// reads.
#[pin_data]
pub(crate) struct Keypair {
    keys: KBox<SessionKeys>,
    may_send: Atomic<bool>,
    may_receive: Atomic<bool>,
    /// Which of the preshared keys that were set is in it.
    psk_generation: u32,
    #[pin]
    sent: CacheAligned<Atomic<u64>>,
    #[pin]
    window: CacheAligned<SpinLock<Window>>,
    owner: KeypairOwner,
}

/// Numbers of sessions in the log, over all interfaces.
static KEYPAIRS: Atomic<u64> = Atomic::new(0);

/// The peer of a session; logs the end of the session.
struct KeypairOwner {
    id: u64,
    /// The peer's slots and the index table hold the session, so retiring the session breaks this
    /// cycle.
    peer: RcuArc<Peer>,
}

impl Drop for KeypairOwner {
    fn drop(&mut self) {
        debug_ratelimited!(
            "{}: Keypair {} destroyed for peer {}\n",
            self.peer.device().name(),
            self.id,
            self.peer.number()
        );
    }
}

impl Keypair {
    /// Prepares a session from derived keys.
    pub(crate) fn new(
        peer: RcuArc<Peer>,
        keys: KBox<SessionKeys>,
        psk_generation: u32,
    ) -> impl PinInit<Self> {
        let id = KEYPAIRS.fetch_add(1, Relaxed).wrapping_add(1);
        pin_init!(Self {
            keys,
            may_send: Atomic::new(true),
            may_receive: Atomic::new(true),
            psk_generation,
            sent <- CacheAligned::new(Atomic::new(0)),
            window <- CacheAligned::new(new_spinlock!(Window::new())),
            owner: KeypairOwner { id, peer },
        })
    }

    /// Returns the number that names the session in the log.
    pub(crate) fn id(&self) -> u64 {
        self.owner.id
    }

    /// Returns which of the preshared keys that were set is in it.
    pub(crate) fn psk_generation(&self) -> u32 {
        self.psk_generation
    }

    /// Returns the peer of the session.
    #[inline]
    pub(crate) fn peer(&self) -> &RcuArc<Peer> {
        &self.owner.peer
    }

    /// Returns the keys.
    #[inline]
    pub(crate) fn keys(&self) -> &SessionKeys {
        &self.keys
    }

    /// Returns the index under which packets for this session arrive.
    #[inline]
    pub(crate) fn index(&self) -> Index {
        self.keys.local
    }

    /// Returns the birth and role of the session, on which its limits depend.
    #[inline]
    pub(crate) fn lifetime(&self) -> Lifetime {
        self.keys.lifetime()
    }

    /// Returns whether we were the initiator.
    pub(crate) fn is_initiator(&self) -> bool {
        self.keys.role == Role::Initiator
    }

    /// Stops sending under this session. Received packets are still accepted.
    pub(crate) fn stop_sending(&self) {
        self.may_send.store(false, Relaxed);
    }

    /// Returns whether the session may still be used for sending, its age aside.
    #[inline]
    pub(crate) fn may_send(&self) -> bool {
        self.may_send.read_once()
    }

    /// Returns whether packets can be sent under the session now.
    pub(crate) fn is_live(&self) -> bool {
        self.may_send() && !self.lifetime().is_expired(time::boottime_coarse())
    }

    /// Reserves nonces for `n` packets and returns the first. [`None`] if the session must not be
    /// used any more.
    ///
    /// No nonce is reserved twice, as the counter only grows.
    #[inline]
    pub(crate) fn reserve(&self, n: u64, now: u64) -> Option<u64> {
        if !self.may_send() {
            return None;
        }
        if self.lifetime().is_expired(now) {
            self.stop_sending();
            return None;
        }
        let first = self.sent.fetch_add(n, Relaxed);
        if first
            .checked_add(n)
            .is_none_or(|end| end > REJECT_AFTER_MESSAGES)
        {
            self.stop_sending();
            return None;
        }
        Some(first)
    }

    /// Returns whether the sender should ask for a new session.
    pub(crate) fn rekeys_on_send(&self, now: u64) -> bool {
        self.may_send() && self.lifetime().rekeys_on_send(self.sent.read_once(), now)
    }

    /// Checks, before decryption, whether packets of this session are still accepted.
    #[inline]
    pub(crate) fn check_receive(&self, now: u64, bh: &Bh<'_>) -> Result<(), DropReason> {
        if !self.may_receive.read_once() {
            return Err(DropReason::ExpiredSession);
        }
        let reason = if self.lifetime().is_expired(now) {
            DropReason::ExpiredSession
        } else if self.window.lock(bh).is_exhausted() {
            DropReason::CounterLimit
        } else {
            return Ok(());
        };
        self.may_receive.store(false, Relaxed);
        Err(reason)
    }

    /// Returns the window of received counters.
    #[inline]
    pub(crate) fn window(&self) -> &SpinLock<Window> {
        &self.window
    }
}
