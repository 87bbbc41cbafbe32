// SPDX-License-Identifier: GPL-2.0

//! What a caller of [`Tx`](super::tx::Tx) does next.

use super::packets::Packets;
use crate::{
    batch::{
        LessBusyWorker,
        TxBatch, //
    },
    parallel::reorder::Outcome, //
};

/// What the caller does after staging packets.
pub(super) enum AfterStaging {
    /// Send them.
    Send,
    /// Queue the work item, which sends them.
    Defer,
    /// Nothing: the work item is queued.
    Nothing,
}

/// Where packets that have nonces are encrypted, and whether older batches leave first.
pub(super) enum TxMode<'w> {
    /// Here, to be sent at once: packets leave from this CPU, and nothing is ahead of these.
    Inline,
    /// Here, to be sent in order: others are ahead, or packets leave from another CPU.
    Queued { seq: u64 },
    /// On another CPU, as this one is busy.
    Offload {
        seq: u64,
        worker: LessBusyWorker<'w>,
        /// Whether packets leave from this CPU.
        is_tx_cpu: bool,
    },
}

/// What a sender does next with staged packets.
pub(super) enum TxNext<'w> {
    /// Encrypt these packets, whose nonces start at `first`.
    Encrypt {
        first: u64,
        packets: Packets,
        mode: TxMode<'w>,
    },
    /// Drop these packets, as there is no memory for a sequence number.
    Drop(Packets),
    /// Begin a handshake: the session is used up.
    WaitForSession,
    /// Nothing is staged, or batches in flight have to leave first.
    Nothing,
}

/// What the caller does with the oldest batch.
pub(super) enum TxHead {
    /// The caller sends it now, unless it failed; up to `budget` packets may leave from this CPU.
    Ready {
        outcome: Outcome<TxBatch>,
        budget: usize,
    },
    /// It is ready, but the work item has to send it.
    ForWorkItem,
    /// It is not encrypted, another CPU drains the queue, or there is none.
    NotReady,
}

/// What the caller does after it has sent the oldest batch.
pub(super) struct AfterRelease {
    pub(super) next: TxHead,
    /// Whether the caller has to queue the work item for staged packets.
    pub(super) defers: bool,
}

/// What work items have not done in time.
pub(super) struct Overdue {
    /// To send staged packets.
    pub(super) staged: bool,
    /// To send ready batches.
    pub(super) ready: bool,
}
