// SPDX-License-Identifier: GPL-2.0

//! What a peer keeps for this family. A peer that was never used has three empty slots.

use super::{
    event::{
        self,
        Event, //
    },
    facts::{
        Ended,
        Facts,
        Learnt, //
    },
    settings::{
        EndpointPin,
        Label,
        Settings, //
    },
    trace::{
        self,
        HandshakeStep,
        Session, //
    }, //
};
use crate::{
    device::Device,
    drops::DropCounters,
    peer::Peer, //
};
use kernel::prelude::*;
use kext::{
    context::Bh,
    net::{
        addr::SocketAddr,
        device::NetDevice, //
    },
    new_spinlock,
    sync::{
        lock::SpinLock,
        rcu::{
            RcuArc,
            Ref,
            Slot, //
        }, //
    }, //
};
use wg_proto::{
    prefix::Address,
    DropReason, //
};

/// What a peer keeps for this family.
#[pin_data]
pub(crate) struct PeerDiag {
    settings: Slot<Settings>,
    facts: Slot<Facts>,
    drop_counters: Slot<DropCounters>,
    /// Held while an empty slot is filled.
    #[pin]
    filling: SpinLock<()>,
}

impl PeerDiag {
    /// Creates the state of a peer that was never used.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            settings: Slot::empty(),
            facts: Slot::empty(),
            drop_counters: Slot::empty(),
            filling <- new_spinlock!(()),
        })
    }

    /// Returns what is in a slot, after making it if there is nothing. Without memory for it,
    /// [`None`]: then this one thing is not noted.
    fn filled<'g, T>(
        &'g self,
        slot: &'g Slot<T>,
        make: impl FnOnce() -> Result<RcuArc<T>>,
        bh: &'g Bh<'_>,
    ) -> Option<Ref<'g, T>> {
        if let Some(found) = slot.load(bh) {
            return Some(found);
        }
        let _filling = self.filling.lock(bh);
        if slot.is_empty() {
            let _ = slot.swap(Some(make().ok()?));
        }
        slot.load(bh)
    }

    fn facts_or_make<'g>(&'g self, bh: &'g Bh<'_>) -> Option<Ref<'g, Facts>> {
        self.filled(&self.facts, || RcuArc::new_atomic(Facts::new()), bh)
    }

    fn drop_counters_or_make<'g>(&'g self, bh: &'g Bh<'_>) -> Option<Ref<'g, DropCounters>> {
        let make = || RcuArc::pin_init_atomic(DropCounters::new());
        self.filled(&self.drop_counters, make, bh)
    }

    /// Returns what is known of handshakes, if there were any.
    pub(super) fn facts<'g>(&'g self, bh: &'g Bh<'_>) -> Option<Ref<'g, Facts>> {
        self.facts.load(bh)
    }

    /// Returns the counters of drops, if anything was dropped.
    pub(super) fn drop_counters<'g>(&'g self, bh: &'g Bh<'_>) -> Option<Ref<'g, DropCounters>> {
        self.drop_counters.load(bh)
    }

    /// Returns what was set, if anything was.
    pub(super) fn settings<'g>(&'g self, bh: &'g Bh<'_>) -> Option<Ref<'g, Settings>> {
        self.settings.load(bh)
    }

    /// Replaces the settings.
    pub(super) fn set(&self, settings: RcuArc<Settings>) {
        drop(self.settings.swap(Some(settings)));
    }

    /// Returns which messages may move the endpoint.
    pub(crate) fn endpoint_pin(&self, bh: &Bh<'_>) -> EndpointPin {
        self.settings(bh).map_or(EndpointPin::Moves, |set| set.pin)
    }

    /// Returns mark and priority of packets that leave the tunnel, if any are set.
    #[inline]
    pub(crate) fn inner(&self, bh: &Bh<'_>) -> Option<Label> {
        self.settings(bh).map(|set| set.inner)
    }

    /// Returns mark and priority of datagrams to the peer, if any are set.
    #[inline]
    pub(crate) fn outer(&self, bh: &Bh<'_>) -> Option<Label> {
        self.settings(bh).map(|set| set.outer)
    }
}

/// Counts dropped packets that belong to no peer, and came from `remote` if that is known.
pub(crate) fn count_drops(
    dev: &NetDevice<Device>,
    reason: DropReason,
    n: u64,
    remote: Option<SocketAddr>,
) {
    dev.data().drops().add(reason, n);
    trace::dropped(dev, None, reason, n, remote);
}

impl Peer {
    /// Counts dropped packets from or to the peer, for the interface too.
    pub(crate) fn count_drops(&self, reason: DropReason, n: u64, bh: &Bh<'_>) {
        self.count_drops_from(None, reason, n, bh);
    }

    /// Counts dropped packets of the peer for its interface alone, where no [`Bh`] is at hand.
    pub(crate) fn count_drops_of_device(&self, reason: DropReason, n: u64) {
        count_drops(self.device(), reason, n, None);
    }

    /// Counts dropped packets of the peer that came from `remote`, for the interface too.
    pub(crate) fn count_drops_from(
        &self,
        remote: Option<SocketAddr>,
        reason: DropReason,
        n: u64,
        bh: &Bh<'_>,
    ) {
        self.device().data().drops().add(reason, n);
        if let Some(counters) = self.diag().drop_counters_or_make(bh) {
            counters.add(reason, n);
        }
        trace::dropped(self.device(), Some(self), reason, n, remote);
    }

    /// Counts a packet that was dropped because its source is not in the allowed IPs.
    pub(crate) fn note_source(&self, source: Address, bh: &Bh<'_>) {
        if let Some(counters) = self.diag().drop_counters_or_make(bh) {
            counters.note_source(source, bh);
        }
    }

    /// Notes that an initiation is sent.
    pub(crate) fn note_initiated(&self, bh: &Bh<'_>) {
        let facts = self.diag().facts_or_make(bh);
        let tries = facts.map_or(1, |facts| facts.note_initiated());
        trace::handshake(self, HandshakeStep::Begun(tries), bh);
    }

    /// Notes that a response is sent.
    pub(crate) fn note_answered(&self, bh: &Bh<'_>) {
        if let Some(facts) = self.diag().facts_or_make(bh) {
            facts.note_answered();
        }
        trace::handshake(self, HandshakeStep::Answered, bh);
    }

    /// Notes that the response to the last initiation has come.
    pub(crate) fn note_response(&self, bh: &Bh<'_>) {
        if let Some(facts) = self.diag().facts_or_make(bh) {
            facts.note_response();
        }
        trace::handshake(self, HandshakeStep::Response, bh);
    }

    /// Notes that a cookie has come instead.
    pub(crate) fn note_cookie(&self, bh: &Bh<'_>) {
        if let Some(facts) = self.diag().facts(bh) {
            facts.note_cookie();
        }
        trace::handshake(self, HandshakeStep::Cookie, bh);
    }

    /// Notes that a session can be used in both directions.
    pub(crate) fn note_session(&self, bh: &Bh<'_>) {
        if let Some(facts) = self.diag().facts_or_make(bh) {
            facts.note_completed();
        }
        trace::handshake(self, HandshakeStep::Completed, bh);
        let current = self.current(bh);
        trace::session(self, Session::Up, current.as_deref());
        event::of_peer(self, Event::SessionUp, bh);
    }

    /// Notes that no response came to `attempts` initiations in a row.
    pub(crate) fn note_given_up(&self, attempts: u32, bh: &Bh<'_>) {
        let facts = self.diag().facts_or_make(bh);
        let tries = facts.map_or(attempts, |facts| facts.note_given_up());
        trace::handshake(self, HandshakeStep::GivenUp(tries), bh);
        event::of_peer(self, Event::GivenUp, bh);
    }

    /// Notes that the keys of sessions are wiped, because they are too old.
    pub(crate) fn note_expired(&self, bh: &Bh<'_>) {
        if let Some(facts) = self.diag().facts(bh) {
            if facts.ended() != Ended::GaveUp {
                facts.end(Ended::Expired);
            }
        }
        trace::session(self, Session::Expired, None);
        event::of_peer(self, Event::SessionExpired, bh);
    }

    /// Notes that the sessions there are, if any, are dropped by something else than their age.
    pub(crate) fn note_reset(&self, bh: &Bh<'_>) {
        if let Some(facts) = self.diag().facts(bh) {
            facts.forget_tries();
            // What has expired already did so for another reason.
            if facts.had_session() && facts.ended() == Ended::No {
                facts.end(Ended::Reset);
            }
        }
        if self.current(bh).is_some() || self.next(bh).is_some() {
            trace::session(self, Session::Reset, None);
        }
    }

    /// Records the new endpoint, and how it was learnt.
    pub(crate) fn note_moved(
        &self,
        how: Learnt,
        old: Option<SocketAddr>,
        new: Option<SocketAddr>,
        bh: &Bh<'_>,
    ) {
        trace::moved(self, how, old, new);
        if how == Learnt::Configuration {
            // Nothing was sent to this one yet.
            if let Some(facts) = self.diag().facts(bh) {
                facts.forget_tries();
            }
            return;
        }
        // Only moves by authentic messages are events.
        let (Some(old), Some(new)) = (old, new) else {
            return;
        };
        if let Some(facts) = self.diag().facts_or_make(bh) {
            facts.note_moved();
        }
        event::of_peer(self, Event::EndpointChanged { old, new }, bh);
    }
}
