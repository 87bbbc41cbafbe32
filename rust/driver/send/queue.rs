// SPDX-License-Identifier: GPL-2.0

//! What waits for transmission to a peer, and what becomes of it when there is too much.

use super::{
    batch::TxBatch,
    staged::Packets, //
};
use crate::{
    device::Device,
    keypair::Keypair,
    parallel::{
        reorder::ReorderQueue,
        stream::{
            JiffyStamp,
            StreamDetector, //
        },
        tx_cpu::TxCpu,
        worker::is_nested, //
    },
    peer::Peer, //
};
use kext::{
    context::Bh,
    sync::rcu::Ref,
    time, //
};
use wg_proto::DropReason;

/// Datagrams that wait for a session; before more are added, the oldest make room down to this.
pub(super) const MAX_STAGED_PACKETS: u32 = 128;

/// Bytes that a peer loses at least when others need room.
const MIN_LOSS: u32 = 16 << 10;

/// What waits for transmission to a peer.
pub(crate) struct Tx {
    /// What has no nonces yet; charged to the interface's memory.
    pub(super) staged: Packets,
    /// How much of it the interface has noted.
    noted: u32,
    /// The worker that is about to send what is staged, if that is so.
    pub(super) deferred: Option<Deferred>,
    /// Whether what is staged goes on when one of the batches on their way has been sent.
    pub(super) is_blocked: bool,
    pub(super) reorder: ReorderQueue<TxBatch>,
    /// Since when a ready batch waits for the work item of the CPU that packets leave from.
    pub(super) ready_since: Option<JiffyStamp>,
    pub(super) tx_cpu: TxCpu,
    pub(super) stream: StreamDetector,
}

/// What is to be done after packets were staged.
pub(super) enum Staged {
    /// Send them.
    Send,
    /// Have a worker send them.
    Defer,
    /// Nothing: a worker is about to.
    Deferred,
}

/// Whether the oldest batch on its way to a peer can be sent.
pub(super) enum Head {
    /// The caller sends it now, unless it failed. The number is how many packets may leave from this
    /// CPU.
    Ready(Option<TxBatch>, usize),
    /// It is ready, but the work item has to send it.
    Deferred,
    /// It is not encrypted, somebody else drains the queue, or there is none.
    NotReady,
}

/// A worker that is to send what is staged.
#[derive(Clone, Copy)]
pub(super) struct Deferred {
    pub(super) cpu: u32,
    /// Since when it has not.
    pub(super) since: JiffyStamp,
}

impl Deferred {
    /// The worker of this CPU, from now on.
    pub(super) fn here(bh: &Bh<'_>) -> Self {
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
            noted: 0,
            deferred: None,
            is_blocked: false,
            reorder: ReorderQueue::new(),
            ready_since: None,
            tx_cpu: TxCpu::new(),
            stream: StreamDetector::new(),
        }
    }

    /// Returns whether to defer packets to a worker.
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
        let is_long = waiting as usize > workers.tx_budget(bh);
        let is_single = packets.datagrams() == 1;
        is_nested(bh)
            || is_long
            || is_single && self.stream.is_stream(is_answer) && workers.is_responsive(bh.cpu())
    }

    /// Reserves nonces for packets that need not wait for anything, and starts draining.
    ///
    /// Returns the first nonce.
    pub(super) fn begin_inline(
        &mut self,
        device: &Device,
        keypair: &Keypair,
        datagrams: u32,
        bh: &Bh<'_>,
    ) -> Option<u64> {
        if self.deferred.is_some()
            || !self.staged.is_empty()
            || device.workers().has_offload_target(bh)
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

    /// Adds packets to those that wait; without a session, at the cost of the oldest, which are
    /// returned.
    pub(super) fn stage(
        &mut self,
        peer: Ref<'_, Peer>,
        packets: Packets,
        has_session: bool,
        is_for_worker: bool,
        bh: &Bh<'_>,
    ) -> (Staged, Packets) {
        // Before adding, so that all segments of one big packet stay together.
        let old = if has_session || self.deferred.is_some() {
            Packets::new()
        } else {
            self.staged.take_beyond(MAX_STAGED_PACKETS)
        };
        self.staged.append(packets);
        self.note(peer, bh);
        let next = if self.deferred.is_some() {
            Staged::Deferred
        } else if is_for_worker {
            self.deferred = Some(Deferred::here(bh));
            Staged::Defer
        } else {
            Staged::Send
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

    /// Takes the oldest batch if it is ready and `budget` lets packets leave.
    ///
    /// The caller then drains the queue, and calls [`head_sent`](Self::head_sent) after sending.
    pub(super) fn take_ready(&mut self, budget: impl FnOnce() -> usize) -> Head {
        if !self.reorder.head_ready() {
            return Head::NotReady;
        }
        let budget = budget();
        if budget == 0 {
            self.ready_since.get_or_insert_with(JiffyStamp::now);
            return Head::Deferred;
        }
        self.ready_since = None;
        self.reorder
            .take_head()
            .map_or(Head::NotReady, |batch| Head::Ready(batch, budget))
    }

    /// Notes that the oldest batch was sent, and takes the next one if `budget` packets may leave.
    ///
    /// Also returns whether the caller has to defer what is staged to a worker.
    pub(super) fn head_sent(&mut self, budget: usize, bh: &Bh<'_>) -> (Head, bool) {
        self.reorder.head_released();
        let was_blocked = core::mem::replace(&mut self.is_blocked, false);
        let goes_on = was_blocked && self.deferred.is_none() && !self.staged.is_empty();
        if goes_on {
            self.deferred = Some(Deferred::here(bh));
        }
        (self.take_ready(|| budget), goes_on)
    }

    /// Leaves what is staged to the next sender.
    ///
    /// Returns whether a worker was to send it, or batches ahead of it were to leave first: then any
    /// amount may be staged.
    pub(super) fn clear_deferral(&mut self) -> bool {
        let was_blocked = core::mem::replace(&mut self.is_blocked, false);
        self.deferred.take().is_some() || was_blocked
    }
}

/// Charges `bytes` to the interface's memory, and drops packets of the peers with most staged if it is
/// used up. Returns whether the bytes are charged.
pub(super) fn make_room(device: &Device, bytes: u32, bh: &Bh<'_>) -> bool {
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
            tx.note(peer.borrow(), bh);
            old
        };
        if old.is_empty() {
            break;
        }
        freed = freed.saturating_add(old.bytes());
        count_dropped(&peer, &old, DropReason::TxQueueFull);
    }
    let Some(more) = freed.checked_sub(bytes) else {
        tx_memory.uncharge(freed, bh);
        return false;
    };
    tx_memory.uncharge(more, bh);
    true
}

/// Drops packets that were staged, which the interface's own counters tell.
pub(super) fn dropped(peer: &Peer, packets: Packets, reason: DropReason, bh: &Bh<'_>) {
    if !packets.is_empty() {
        peer.device()
            .data()
            .tx_memory()
            .uncharge(packets.bytes(), bh);
        count_dropped(peer, &packets, reason);
    }
}

fn count_dropped(peer: &Peer, packets: &Packets, reason: DropReason) {
    // CAST: From small to large.
    let n = packets.datagrams() as usize;
    peer.device().count_tx_dropped(n);
    discarded(peer, packets, reason);
}

/// Counts packets that are dropped before they were staged. As in the C driver only ours know.
pub(super) fn discarded(peer: &Peer, packets: &Packets, reason: DropReason) {
    let n = u64::from(packets.datagrams());
    peer.device().data().drops().add(reason, n);
}
