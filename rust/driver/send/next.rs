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

/// Where packets are encrypted once they have nonces.
pub(super) enum SealMode<'w> {
    /// Here, to be sent at once: packets leave from this CPU, and nothing is ahead of these.
    Inline,
    /// Here, to be sent in order: others are ahead, or packets leave from another CPU.
    InlineQueued(u64),
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
        mode: SealMode<'w>,
    },
    /// Drop these packets, as there is no memory for a sequence number.
    Drop(Packets),
    /// Begin a handshake: the session is used up.
    WaitForSession,
    /// Nothing is staged, or batches in flight have to leave first.
    Nothing,
}

/// Whether the oldest batch on its way to a peer can be sent.
pub(super) enum Head {
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

/// What goes on after the oldest batch was sent.
pub(super) struct HeadSent {
    pub(super) next: Head,
    /// Whether the caller has to queue the work item for staged packets.
    pub(super) defers: bool,
}

/// What work items have not done in time.
pub(crate) struct Overdue {
    /// To send staged packets.
    pub(crate) staged: bool,
    /// To send ready batches.
    pub(crate) ready: bool,
}
