// SPDX-License-Identifier: GPL-2.0

//! The receiving state of a peer: a state machine under one lock.

use super::next::RxNext;
use crate::{
    batch::RxBatch,
    endpoint::Endpoint,
    keypair::Keypair,
    parallel::{
        reorder::{
            Job,
            Outcome,
            ReorderQueue, //
        },
        stream::StreamDetector, //
    }, //
};
use kext::{
    context::Bh,
    sync::{
        lock::SpinLock,
        rcu::Ref, //
    }, //
};
use wg_proto::DropReason;

/// Packets of one peer that may be with workers, or wait for those, at once. (A test fills this up
/// a thousand times.)
const MAX_OFFLOADED_PACKETS: u32 = if cfg!(wg_faults) { 1024 } else { 4096 };

/// The receiving state of a peer.
pub(crate) struct Rx {
    reorder: ReorderQueue<RxBatch>,
    /// How many packets the batches in `reorder` have, before decryption.
    packets: u32,
    stream: StreamDetector,
    /// Where the peer's datagrams came from last, and the number of the change of its endpoint that
    /// this was.
    seen: Option<(Endpoint, u32)>,
}

impl Rx {
    /// Creates the empty state.
    pub(crate) const fn new() -> Self {
        Self {
            reorder: ReorderQueue::new(),
            packets: 0,
            stream: StreamDetector::new(),
            seen: None,
        }
    }

    /// Returns whether a single packet belongs to a stream.
    pub(super) fn is_stream(&mut self, is_answer: bool) -> bool {
        self.stream.is_stream(is_answer)
    }

    /// Forgets a stream: nothing followed the last packet.
    pub(super) fn end_stream(&mut self) {
        self.stream = StreamDetector::new();
    }

    /// Admits a run of `n` packets of a session: it is decrypted at once, becomes a batch with a
    /// sequence number, or is dropped. `offload` says whether a worker was found to decrypt it.
    pub(super) fn admit(&mut self, keypair: Ref<'_, Keypair>, n: usize, offload: bool) -> RxNext {
        if !offload && self.reorder.in_flight() == 0 {
            return RxNext::Inline;
        }
        // Before decryption, so that a flood of packets is dropped at no cost.
        if self.packets >= MAX_OFFLOADED_PACKETS || self.reorder.reserve().is_err() {
            return RxNext::Drop(DropReason::RxQueueFull);
        }
        // Only a batch outlives this poll, so only a batch counts its session.
        let Some(keypair) = keypair.upgrade() else {
            return RxNext::Drop(DropReason::UnknownSession);
        };
        // CAST: At most what a poll takes.
        self.packets = self.packets.saturating_add(n as u32);
        RxNext::Queued {
            seq: self.reorder.assign_seq(),
            keypair,
        }
    }

    /// Hands a decrypted batch back, and takes the oldest one if it is ready.
    ///
    /// Also returns a batch from before a reset, which the caller drops without the lock.
    pub(super) fn complete(
        &mut self,
        job: Job<RxBatch>,
    ) -> (Option<Outcome<RxBatch>>, impl Sized + use<>) {
        let stale = self.reorder.complete(job.seq, Outcome::Done(job.batch));
        (self.reorder.take_head(), stale)
    }

    /// Notes that the oldest batch, of `n` packets, was delivered, and takes the next one if it is
    /// ready.
    pub(super) fn head_released(&mut self, n: usize) -> Option<Outcome<RxBatch>> {
        // CAST: As in `admit`.
        self.packets = self.packets.saturating_sub(n as u32);
        self.reorder.head_released();
        self.reorder.take_head()
    }

    /// Returns whether the last datagram came from `endpoint`, and the endpoint is at its change
    /// number `change` since then.
    pub(crate) fn is_seen_at(&self, endpoint: &Endpoint, change: u32) -> bool {
        let is_same = |&(seen, nth): &(Endpoint, u32)| nth == change && seen.is_same(endpoint);
        self.seen.as_ref().is_some_and(is_same)
    }

    /// Notes where the last datagram came from.
    pub(crate) fn set_seen(&mut self, endpoint: Endpoint, change: u32) {
        self.seen = Some((endpoint, change));
    }

    /// Forgets all batches; those in flight are dropped when they come back.
    ///
    /// Returns the completed ones, which the caller drops after it has released the lock.
    fn reset(&mut self) -> impl Sized + use<> {
        self.packets = 0;
        self.reorder.reset()
    }
}

/// Forgets the batches of a peer that are in flight. Its queue must be stopped.
pub(crate) fn forget_batches(rx: &SpinLock<Rx>, bh: &Bh<'_>) {
    let old = rx.lock(bh).reset();
    drop(old);
}
