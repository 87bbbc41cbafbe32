// SPDX-License-Identifier: GPL-2.0

//! What waits for transmission to a peer, and what becomes of it when there is too much.

use super::{
    batch::Batch,
    staged::Packets, //
};
use crate::{
    device::Device,
    keypair::Keypair,
    pace::{
        Moment,
        Pace, //
    },
    parallel::tx_cpu::Outlet,
    peer::Peer,
    queueing::Order,
    worker::is_nested, //
};
use kext::{
    context::Bh,
    sync::rcu::Ref,
    time, //
};
use wg_proto::Reject;

/// Datagrams that wait for a session; before more are added, the oldest make room down to this.
pub(super) const MAX_STAGED_PACKETS: u32 = 128;

/// Bytes that a peer loses at least when others need room.
const MIN_LOSS: u32 = 16 << 10;

/// What waits for transmission to a peer.
pub(crate) struct Tx {
    /// What has no nonces yet; it has its share of the interface's budget.
    pub(super) staged: Packets,
    /// How much of it the interface has noted.
    noted: u32,
    /// The worker that is about to send what is staged, if that is so.
    pub(super) deferred: Option<Deferred>,
    /// Whether what is staged goes on when one of the batches on their way has been sent.
    pub(super) is_blocked: bool,
    pub(super) order: Order<Batch>,
    /// Since when batches wait for the worker of the CPU that packets leave from, if they do.
    pub(super) due_since: Option<Moment>,
    pub(super) outlet: Outlet,
    pub(super) pace: Pace,
}

/// What is to be done after packets were staged.
pub(super) enum Next {
    /// Send them.
    Send,
    /// Have a worker send them.
    Defer,
    /// Nothing: a worker is about to.
    Deferred,
}

/// The oldest batch on its way to a peer.
pub(super) enum Due {
    /// The caller sends it now, unless it failed. The number is how many packets may leave before
    /// others go on.
    Now(Option<Batch>, usize),
    /// It could be sent, but others go on first.
    Later,
    /// It is not encrypted yet, somebody else sends it, or there is none.
    Nothing,
}

/// A worker that is to send what is staged.
#[derive(Clone, Copy)]
pub(super) struct Deferred {
    pub(super) cpu: u32,
    /// Since when it has not.
    pub(super) since: Moment,
}

impl Deferred {
    /// The worker of this CPU, from now on.
    pub(super) fn here(bh: &Bh<'_>) -> Self {
        Self {
            cpu: bh.cpu(),
            since: Moment::now(),
        }
    }
}

impl Tx {
    /// Creates the empty state.
    pub(crate) const fn new() -> Self {
        Self {
            staged: Packets::new(),
            noted: 0,
            deferred: None,
            is_blocked: false,
            order: Order::new(),
            due_since: None,
            outlet: Outlet::new(),
            pace: Pace::new(),
        }
    }

    /// Returns whether packets that come now are rather sent by a worker.
    pub(super) fn is_for_worker(
        &mut self,
        device: &Device,
        packets: &Packets,
        is_answer: bool,
        bh: &Bh<'_>,
    ) -> bool {
        let workers = device.workers();
        let waiting = self.staged.datagrams().saturating_add(packets.datagrams());
        // CAST: From small to large.
        let is_long = waiting as usize > workers.room(bh);
        let is_single = packets.datagrams() == 1;
        is_nested(bh)
            || is_long
            || is_single && self.pace.is_stream(is_answer) && workers.is_present(bh.cpu())
    }

    /// Takes nonces and the turn for packets that need not wait for anything. Returns the first
    /// one.
    pub(super) fn begin_at_once(
        &mut self,
        device: &Device,
        keypair: &Keypair,
        datagrams: u32,
        bh: &Bh<'_>,
    ) -> Option<u64> {
        if self.deferred.is_some()
            || !self.staged.is_empty()
            || device.workers().has_helper(bh)
            || !self.outlet.is(bh.cpu())
            || !self.order.take_turn_if_idle()
        {
            return None;
        }
        let first = keypair.reserve(u64::from(datagrams), time::boottime_coarse());
        if first.is_none() {
            self.order.end_turn();
        }
        first
    }

    /// Adds packets to those that wait; without a session, at the cost of the oldest, which are
    /// returned.
    pub(super) fn stage(
        &mut self,
        peer: Ref<'_, Peer>,
        packets: Packets,
        has_session: bool,
        is_for_worker: bool,
        bh: &Bh<'_>,
    ) -> (Next, Packets) {
        // Before adding, so that all segments of one big packet stay together.
        let old = if has_session || self.deferred.is_some() {
            Packets::new()
        } else {
            self.staged.take_beyond(MAX_STAGED_PACKETS)
        };
        self.staged.append(packets);
        self.note(peer, bh);
        let next = if self.deferred.is_some() {
            Next::Deferred
        } else if is_for_worker {
            self.deferred = Some(Deferred::here(bh));
            Next::Defer
        } else {
            Next::Send
        };
        (next, old)
    }

    /// Tells the interface how much is staged. After each change.
    pub(super) fn note(&mut self, peer: Ref<'_, Peer>, bh: &Bh<'_>) {
        let backlogs = peer.device().data().backlogs();
        self.noted = backlogs.note(peer, self.noted, self.staged.bytes(), bh);
    }

    /// Takes all that is staged.
    pub(super) fn take_staged(&mut self, peer: &Peer, bh: &Bh<'_>) -> Packets {
        let backlogs = peer.device().data().backlogs();
        self.noted = backlogs.forget(peer, self.noted, bh);
        core::mem::take(&mut self.staged)
    }

    /// Takes the oldest batch if it can be sent and `room` lets packets leave; then the caller has
    /// the turn, and calls [`released`](Self::released) when it is sent.
    pub(super) fn due(&mut self, room: impl FnOnce() -> usize) -> Due {
        if !self.order.is_due() {
            return Due::Nothing;
        }
        let room = room();
        if room == 0 {
            self.due_since.get_or_insert_with(Moment::now);
            return Due::Later;
        }
        self.due_since = None;
        self.order
            .take_due()
            .map_or(Due::Nothing, |batch| Due::Now(batch, room))
    }

    /// Notes that the oldest batch was sent, and takes the next one if `room` packets may leave.
    /// Returns also whether the caller has to have a worker send what is staged.
    pub(super) fn released(&mut self, room: usize, bh: &Bh<'_>) -> (Due, bool) {
        self.order.release();
        let was_blocked = core::mem::replace(&mut self.is_blocked, false);
        let goes_on = was_blocked && self.deferred.is_none() && !self.staged.is_empty();
        if goes_on {
            self.deferred = Some(Deferred::here(bh));
        }
        (self.due(|| room), goes_on)
    }

    /// Leaves what is staged to whoever comes next, and returns whether a worker was to send it, or
    /// batches ahead of it were to leave first: then there may be any amount of it.
    pub(super) fn is_left(&mut self) -> bool {
        let was_blocked = core::mem::replace(&mut self.is_blocked, false);
        self.deferred.take().is_some() || was_blocked
    }
}

/// Takes `bytes` from the interface's budget, at the cost of the peers for which most is staged if
/// need be. Returns whether they are the caller's.
pub(super) fn make_room(device: &Device, bytes: u32, bh: &Bh<'_>) -> bool {
    let budget = device.budget();
    if budget.take(bytes, bh) {
        return true;
    }
    let mut freed: u32 = 0;
    while freed < bytes {
        let Some(peer) = device.backlogs().fullest(bh) else {
            break;
        };
        let old = {
            let mut tx = peer.tx().lock(bh);
            let old = tx
                .staged
                .take_bytes(bytes.saturating_sub(freed).max(MIN_LOSS));
            tx.note(peer.borrow(), bh);
            old
        };
        if old.is_empty() {
            break;
        }
        freed = freed.saturating_add(old.bytes());
        count_dropped(&peer, &old, Reject::TxQueueFull);
    }
    let Some(more) = freed.checked_sub(bytes) else {
        budget.give(freed, bh);
        return false;
    };
    budget.give(more, bh);
    true
}

/// Drops packets that were staged, which the interface's own counters tell.
pub(super) fn dropped(peer: &Peer, packets: Packets, reason: Reject, bh: &Bh<'_>) {
    if !packets.is_empty() {
        peer.device().data().budget().give(packets.bytes(), bh);
        count_dropped(peer, &packets, reason);
    }
}

fn count_dropped(peer: &Peer, packets: &Packets, reason: Reject) {
    // CAST: From small to large.
    let n = packets.datagrams() as usize;
    peer.device().count_tx_dropped(n);
    discarded(peer, packets, reason);
}

/// Counts packets that are dropped before they were staged. As in the C driver only ours know.
pub(super) fn discarded(peer: &Peer, packets: &Packets, reason: Reject) {
    let n = u64::from(packets.datagrams());
    peer.device().data().drops().add(reason, n);
}
