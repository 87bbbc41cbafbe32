// SPDX-License-Identifier: GPL-2.0

//! What a caller of [`RxQueue`](super::queue::RxQueue) or [`Rx`](super::rx::Rx) does next.

use crate::keypair::Keypair;
use kext::sync::rcu::RcuArc;
use wg_proto::DropReason;

/// What the caller does after adding packets to the queue.
pub(crate) enum AfterPush {
    /// Schedule the poll.
    Poll,
    /// Start the timer that ends coalescing.
    Coalesce,
    /// Nothing: the timer or the work item schedules the poll.
    Nothing,
}

/// What the caller does with a run of packets.
pub(super) enum RxNext {
    /// It is decrypted and delivered at once: nothing is ahead of it.
    Inline,
    /// It becomes the batch with this sequence number.
    Queued { seq: u64, keypair: RcuArc<Keypair> },
    /// It is dropped.
    Drop(DropReason),
}

/// The state of a pause that the watchdog looks at.
pub(crate) enum Pause {
    /// There is none.
    No,
    /// It is too short to be ended.
    GoesOn,
    /// It is ended, and the caller schedules the poll.
    Ended,
}
