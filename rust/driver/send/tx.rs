// SPDX-License-Identifier: GPL-2.0

//! The sending state of a peer: a state machine under one lock.

use super::{
    next::{
        AfterRelease,
        AfterStaging,
        Overdue,
        TxHead,
        TxMode,
        TxNext, //
    },
    packets::Packets,
    tx_cpu::TxCpu, //
};
use crate::{
    batch::{
        TxBatch,
        Workers, //
    },
    drops::drop_for,
    jiffies::JiffyStamp,
    keypair::Keypair,
    parallel::{
        reorder::{
            Outcome,
            ReorderQueue, //
        },
        stream::StreamDetector,
        worker::{
            STALL_TIMEOUT,
            WATCHDOG_TIMEOUT, //
        }, //
    },
    peer::Peer, //
};
use kext::{
    compat::casts::u32_as_usize,
    context::Bh,
    sync::rcu::Ref,
    time, //
};
use wg_proto::DropReason;

/// Datagrams that stay staged without a session. Staging more first drops the oldest down to this
/// number.
const MAX_STAGED_PACKETS: u32 = 128;

/// Bytes dropped from one backlog at a time, at least, when the budget is used up.
const MIN_LOSS: u32 = 16 << 10;

/// The sending state of a peer.
pub(crate) struct Tx {
    /// Packets without nonces, charged to the interface's memory.
    staged: Packets,
    /// Key of this peer in `Backlogs`; 0 if it is not there.
    backlog_key: u32,
    /// The work item that is queued to send staged packets.
    deferred: Option<Deferred>,
    /// Whether staged packets wait for a batch in flight to be sent.
    is_blocked: bool,
    reorder: ReorderQueue<TxBatch>,
    /// Since when a ready batch waits for the work item of the CPU that packets leave from.
    ready_since: Option<JiffyStamp>,
    tx_cpu: TxCpu,
    stream: StreamDetector,
}

/// Where and since when a work item is queued to send staged packets.
#[derive(Clone, Copy)]
struct Deferred {
    cpu: u32,
    /// When it was queued, or sent last.
    since: JiffyStamp,
}

impl Deferred {
    /// Returns this CPU and now.
    fn here(bh: &Bh<'_>) -> Self {
        Self {
            cpu: bh.cpu(),
            since: JiffyStamp::now(),
        }
    }
}

impl Tx {
    /// Creates the empty state.
    pub(crate) const fn new() -> Self {
        Self {
            staged: Packets::new(),
            backlog_key: 0,
            deferred: None,
            is_blocked: false,
            reorder: ReorderQueue::new(),
            ready_since: None,
            tx_cpu: TxCpu::new(),
            stream: StreamDetector::new(),
        }
    }

    /// Returns how many datagrams are staged.
    pub(crate) fn staged_datagrams(&self) -> u32 {
        self.staged.datagrams()
    }

    /// Returns whether to defer packets to the work item.
    pub(super) fn should_defer(
        &mut self,
        peer: Ref<'_, Peer>,
        packets: &Packets,
        is_answer: bool,
        bh: &Bh<'_>,
    ) -> bool {
        let workers = peer.device().data().workers();
        let waiting = self.staged.datagrams().saturating_add(packets.datagrams());
        let is_long = u32_as_usize(waiting) > workers.softirq_budget(bh);
        let is_single = packets.datagrams() == 1;
        is_long || is_single && self.stream.is_stream(is_answer) && workers.is_responsive(bh.cpu())
    }

    /// Reserves nonces for packets that need not wait for anything, and starts draining.
    ///
    /// Returns the first nonce.
    pub(super) fn begin_inline(
        &mut self,
        peer: Ref<'_, Peer>,
        keypair: &Keypair,
        datagrams: u32,
        bh: &Bh<'_>,
    ) -> Option<u64> {
        if self.deferred.is_some()
            || !self.staged.is_empty()
            || peer.device().data().workers().has_offload_target(bh)
            || !self.tx_cpu.claim(bh.cpu())
            || !self.reorder.start_draining_if_empty()
        {
            return None;
        }
        let first = keypair.reserve(u64::from(datagrams), time::boottime_coarse());
        if first.is_none() {
            self.reorder.stop_draining();
        }
        first
    }

    /// Stages packets, and returns what the caller does next.
    ///
    /// Also returns the oldest packets beyond the limit, which holds without a session, for the
    /// caller to drop.
    pub(super) fn stage(
        &mut self,
        peer: Ref<'_, Peer>,
        packets: Packets,
        has_session: bool,
        defers: bool,
        bh: &Bh<'_>,
    ) -> (AfterStaging, Packets) {
        // Before adding, so that all segments of a super-packet stay together.
        let old = if has_session || self.deferred.is_some() {
            Packets::new()
        } else {
            self.staged.take_beyond(MAX_STAGED_PACKETS)
        };
        self.add(peer, packets, bh);
        let next = if self.deferred.is_some() {
            AfterStaging::Nothing
        } else if defers {
            self.deferred = Some(Deferred::here(bh));
            AfterStaging::Defer
        } else {
            AfterStaging::Send
        };
        (next, old)
    }

    /// Returns whether nothing is staged.
    pub(super) fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }

    /// Adds packets to the staged ones, for the next sender.
    pub(super) fn add(&mut self, peer: Ref<'_, Peer>, packets: Packets, bh: &Bh<'_>) {
        self.staged.append(packets);
        self.update_backlog(peer, bh);
    }

    /// Takes up to `max` staged datagrams, reserves their nonces, and chooses where to encrypt
    /// them.
    pub(super) fn take_staged<'g>(
        &mut self,
        peer: Ref<'g, Peer>,
        keypair: &Keypair,
        max: u32,
        bh: &'g Bh<'_>,
    ) -> TxNext<'g> {
        if self.staged.is_empty() {
            self.clear_deferral();
            return TxNext::Nothing;
        }
        if let Some(deferred) = &mut self.deferred {
            deferred.since = JiffyStamp::now();
        }
        let target = peer.target().device().data().workers().offload_target(bh);
        let is_tx_cpu = self.tx_cpu.claim(bh.cpu());
        let is_inline = target.is_none() && is_tx_cpu && self.reorder.start_draining_if_empty();
        if !is_inline && self.reorder.reserve().is_err() {
            if self.reorder.in_flight() != 0 {
                self.deferred = None;
                self.is_blocked = true;
                return TxNext::Nothing;
            }
            let packets = self.staged.take(max);
            self.update_backlog(peer, bh);
            return TxNext::Drop(packets);
        }
        let packets = self.staged.take(max);
        let n = u64::from(packets.datagrams());
        let Some(first) = keypair.reserve(n, time::boottime_coarse()) else {
            if is_inline {
                self.reorder.stop_draining();
            }
            self.staged.prepend(packets);
            return TxNext::WaitForSession;
        };
        self.update_backlog(peer, bh);
        let mode = match target {
            _ if is_inline => TxMode::Inline,
            Some(worker) => TxMode::Offload {
                seq: self.reorder.assign_seq(),
                worker,
                is_tx_cpu,
            },
            None => TxMode::Queued {
                seq: self.reorder.assign_seq(),
            },
        };
        TxNext::Encrypt {
            first,
            packets,
            mode,
        }
    }

    /// Keeps staged packets until there is a session.
    ///
    /// Returns packets that are too many without a session, or [`None`] if nothing is staged.
    pub(super) fn wait_for_session(&mut self, peer: Ref<'_, Peer>, bh: &Bh<'_>) -> Option<Packets> {
        let was_unlimited = self.clear_deferral();
        if self.staged.is_empty() {
            return None;
        }
        // `stage()` applies the limit only if there is neither a session nor a deferral. Apply it
        // now.
        let old = if was_unlimited {
            self.staged.take_beyond(MAX_STAGED_PACKETS)
        } else {
            Packets::new()
        };
        self.update_backlog(peer, bh);
        // Packets must not hold up their sockets while they wait.
        self.staged.orphan(bh);
        Some(old)
    }

    /// Defers staged packets to the work item, unless they are deferred or there are none.
    ///
    /// Returns whether the caller has to queue it.
    pub(super) fn defer_staged(&mut self, bh: &Bh<'_>) -> bool {
        let defers = self.deferred.is_none() && !self.staged.is_empty();
        if defers {
            self.deferred = Some(Deferred::here(bh));
        }
        defers
    }

    /// Cancels a deferral.
    ///
    /// Returns whether there was one, or packets waited for batches in flight; more than the limit
    /// may be staged then.
    pub(super) fn clear_deferral(&mut self) -> bool {
        let was_blocked = core::mem::replace(&mut self.is_blocked, false);
        self.deferred.take().is_some() || was_blocked
    }

    /// Claims what work items have not done in time, for the caller to do.
    pub(super) fn claim_overdue(&mut self, workers: &Workers, bh: &Bh<'_>) -> Overdue {
        let late = self
            .deferred
            .filter(|deferred| deferred.since.age() >= WATCHDOG_TIMEOUT);
        if let Some(deferred) = late {
            workers.note_late(deferred.cpu);
            self.deferred = Some(Deferred::here(bh));
        }
        // Only after a stall: these batches may overtake packets that left from the other CPU just
        // before. A sender with new packets takes over sooner.
        let releases = self.reorder.head_ready()
            && self
                .ready_since
                .is_some_and(|since| since.age() >= STALL_TIMEOUT);
        if releases {
            workers.note_late(self.tx_cpu.cpu());
            self.tx_cpu.set(bh.cpu());
        }
        Overdue {
            staged: late.is_some(),
            ready: releases,
        }
    }

    /// Returns whether a work item still has to send something.
    pub(super) fn waits_for_work_item(&self) -> bool {
        self.deferred.is_some() || self.ready_since.is_some()
    }

    /// Hands a batch back, and takes the oldest one if it is ready.
    ///
    /// `budget` returns how many packets may leave, given whether they leave from this CPU. Also
    /// returns the CPU that they leave from.
    pub(super) fn complete(
        &mut self,
        seq: u64,
        outcome: Outcome<TxBatch>,
        budget: impl FnOnce(bool) -> usize,
        bh: &Bh<'_>,
    ) -> (TxHead, u32) {
        // Nothing resets this queue, so no batch comes back.
        let _ = self.reorder.complete(seq, outcome);
        let cpu = self.tx_cpu.cpu();
        (self.take_ready(|| budget(cpu == bh.cpu())), cpu)
    }

    /// Ends draining after packets were sent inline, and takes the oldest batch if it is ready.
    pub(super) fn finish_inline(&mut self, budget: impl FnOnce() -> usize) -> TxHead {
        self.reorder.stop_draining();
        self.take_ready(budget)
    }

    /// Takes the oldest batch if it is ready and `budget` lets packets leave.
    ///
    /// The caller then drains the queue, and calls [`head_released`](Self::head_released) after
    /// sending.
    pub(super) fn take_ready(&mut self, budget: impl FnOnce() -> usize) -> TxHead {
        if !self.reorder.head_ready() {
            return TxHead::NotReady;
        }
        let budget = budget();
        if budget == 0 {
            self.ready_since.get_or_insert_with(JiffyStamp::now);
            return TxHead::ForWorkItem;
        }
        self.ready_since = None;
        self.reorder
            .take_head()
            .map_or(TxHead::NotReady, |outcome| TxHead::Ready {
                outcome,
                budget,
            })
    }

    /// Notes that the oldest batch was sent, and takes the next one if `budget` packets may leave.
    pub(super) fn head_released(&mut self, budget: usize, bh: &Bh<'_>) -> AfterRelease {
        self.reorder.head_released();
        let was_blocked = core::mem::replace(&mut self.is_blocked, false);
        let defers = was_blocked && self.defer_staged(bh);
        AfterRelease {
            next: self.take_ready(|| budget),
            defers,
        }
    }

    /// Updates the table of backlogs. Called after each change of `staged`.
    fn update_backlog(&mut self, peer: Ref<'_, Peer>, bh: &Bh<'_>) {
        let backlogs = peer.device().data().backlogs();
        self.backlog_key = backlogs.note(peer, self.backlog_key, self.staged.bytes(), bh);
    }

    /// Takes all staged packets.
    fn take_all(&mut self, peer: &Peer, bh: &Bh<'_>) -> Packets {
        let backlogs = peer.device().data().backlogs();
        self.backlog_key = backlogs.forget(peer, self.backlog_key, bh);
        core::mem::take(&mut self.staged)
    }
}

/// Charges `bytes` to the interface's memory, and drops packets of the peers with most staged if it
/// is used up. Returns whether the bytes are charged.
pub(super) fn make_room(peer: Ref<'_, Peer>, bytes: u32, bh: &Bh<'_>) -> bool {
    let device = peer.device().data();
    let tx_memory = device.tx_memory();
    if tx_memory.try_charge(bytes, bh) {
        return true;
    }
    let mut freed: u32 = 0;
    while freed < bytes {
        let Some(peer) = device.backlogs().fattest(bh) else {
            break;
        };
        let old = {
            let mut tx = peer.tx().lock(bh);
            let old = tx
                .staged
                .take_bytes(bytes.saturating_sub(freed).max(MIN_LOSS));
            tx.update_backlog(peer.borrow(), bh);
            old
        };
        if old.is_empty() {
            break;
        }
        freed = freed.saturating_add(old.bytes());
        drop_keeping_charge(&peer, old, DropReason::TxQueueFull, bh);
    }
    let Some(more) = freed.checked_sub(bytes) else {
        tx_memory.uncharge(freed, bh);
        return false;
    };
    tx_memory.uncharge(more, bh);
    true
}

/// Drops staged packets and gives back their charge.
pub(super) fn drop_staged(peer: &Peer, packets: Packets, reason: DropReason, bh: &Bh<'_>) {
    if !packets.is_empty() {
        peer.device()
            .data()
            .tx_memory()
            .uncharge(packets.bytes(), bh);
        drop_keeping_charge(peer, packets, reason, bh);
    }
}

/// Drops staged packets, whose charge the caller takes over.
fn drop_keeping_charge(peer: &Peer, packets: Packets, reason: DropReason, bh: &Bh<'_>) {
    let n = u32_as_usize(packets.datagrams());
    peer.device().count_tx_dropped(n);
    drop_uncharged(peer, packets, reason, bh);
}

/// Drops packets and counts them by reason. Gives back no charge, and leaves the statistics of the
/// interface alone.
pub(super) fn drop_uncharged(peer: &Peer, packets: Packets, reason: DropReason, bh: &Bh<'_>) {
    let n = u64::from(packets.datagrams());
    peer.count_drops(drop_for(packets.into_list(), reason), n, bh);
}

/// Drops all packets that wait for a session.
pub(crate) fn purge_staged(peer: &Peer, reason: DropReason, bh: &Bh<'_>) {
    let old = peer.tx().lock(bh).take_all(peer, bh);
    drop_staged(peer, old, reason, bh);
}
