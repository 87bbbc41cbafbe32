// SPDX-License-Identifier: GPL-2.0

//! Batches that CPUs process in parallel and release in order.
//!
//! The [`ReorderQueue`] of a peer and direction assigns each batch a sequence number. Any CPU may
//! process the batch, and hands it back with [`ReorderQueue::complete`]. One context at a time
//! *drains* the queue: it releases completed batches by rising sequence number. A failed batch is
//! completed as well, so no number is lost. So a batch waits only for older ones, each of which
//! some CPU is processing, and never for a packet that is yet to come.
//!
//! Padata (`kernel/padata.c`) calls these `seq_nr`, `reorder_list` and `padata_reorder()`.

use kernel::{
    alloc::flags::{
        GFP_ATOMIC,
        __GFP_NOWARN, //
    },
    prelude::*, //
};
use kext::compat::casts::u32_as_usize;

/// Batches of one peer and direction that may be in flight at once.
const MAX_JOBS: usize = 1024;

/// Capacity that a queue starts with, and the most that it keeps once nothing is in flight.
const MIN_CAPACITY: usize = 8;
const KEPT_CAPACITY: usize = 16;

/// A batch with its sequence number.
pub(crate) struct Job<B> {
    pub(crate) seq: u64,
    pub(crate) batch: B,
}

/// The result of processing a batch.
pub(crate) enum Outcome<B> {
    /// It is processed.
    Done(B),
    /// Processing failed, and there is nothing to release.
    Failed,
}

/// What the queue knows about a sequence number.
enum JobState<B> {
    /// The batch is in flight, or the number is not assigned.
    Pending,
    /// The batch was handed back.
    Completed(Outcome<B>),
}

/// Releases the batches of one peer and direction in order.
///
/// # Invariants
///
/// The capacity is a power of two, and not less than `in_flight`: so each number in flight has an
/// entry of its own, the one at its remainder by the capacity.
pub(crate) struct ReorderQueue<B> {
    /// The oldest sequence number that is not released.
    head: u64,
    /// How many numbers are assigned and not released.
    in_flight: u32,
    /// Whether a CPU is releasing batches.
    draining: bool,
    jobs: KVec<JobState<B>>,
}

impl<B> ReorderQueue<B> {
    /// Creates an empty queue.
    pub(crate) const fn new() -> Self {
        Self {
            head: 0,
            in_flight: 0,
            draining: false,
            jobs: KVec::new(),
        }
    }

    /// Returns how many batches have a sequence number and are not released.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Makes sure that the next sequence number has an entry.
    ///
    /// Fails if too many are in flight, or without memory.
    pub(crate) fn reserve(&mut self) -> Result {
        let len = self.jobs.len();
        if u32_as_usize(self.in_flight) < len {
            return Ok(());
        }
        let len = len.saturating_mul(2).max(MIN_CAPACITY);
        if len > MAX_JOBS {
            return Err(EBUSY);
        }
        let mut jobs = KVec::with_capacity(len, GFP_ATOMIC | __GFP_NOWARN)?;
        for _ in 0..len {
            jobs.push_within_capacity(JobState::Pending)?;
        }
        for nth in 0..self.in_flight {
            let seq = self.head.wrapping_add(u64::from(nth));
            let old = Self::entry(&mut self.jobs, seq);
            if let Some((new, old)) = Self::entry(&mut jobs, seq).zip(old) {
                core::mem::swap(new, old);
            }
        }
        self.jobs = jobs;
        Ok(())
    }

    /// Assigns the next sequence number, for which [`reserve`](Self::reserve) has made an entry.
    pub(crate) fn assign_seq(&mut self) -> u64 {
        // 2^64 batches are never reached.
        let seq = self.head.wrapping_add(u64::from(self.in_flight));
        self.in_flight = self.in_flight.saturating_add(1);
        seq
    }

    /// Starts draining if nothing is in flight and no CPU drains. Returns whether it did.
    ///
    /// The caller may then release packets that have no sequence number, and calls
    /// [`stop_draining`](Self::stop_draining).
    pub(crate) fn start_draining_if_empty(&mut self) -> bool {
        if self.draining || self.in_flight != 0 {
            return false;
        }
        self.draining = true;
        true
    }

    /// Hands a batch back.
    ///
    /// Returns a batch from before a [`reset`](Self::reset) to the caller, as well as one that was
    /// completed before.
    pub(crate) fn complete(&mut self, seq: u64, outcome: Outcome<B>) -> Result<(), Outcome<B>> {
        if seq < self.head {
            return Err(outcome);
        }
        match Self::entry(&mut self.jobs, seq) {
            Some(job @ JobState::Pending) => {
                *job = JobState::Completed(outcome);
                Ok(())
            }
            _ => Err(outcome),
        }
    }

    /// Returns whether the oldest batch is complete and no CPU drains.
    pub(crate) fn head_ready(&self) -> bool {
        !self.draining && self.is_head_complete()
    }

    /// Takes the oldest batch and starts draining, if the batch is complete and no CPU drains.
    ///
    /// [`head_released`](Self::head_released) must follow.
    pub(crate) fn take_head(&mut self) -> Option<Outcome<B>> {
        if self.draining {
            return None;
        }
        let JobState::Completed(outcome) = self.take(self.head) else {
            return None;
        };
        self.draining = true;
        Some(outcome)
    }

    /// Notes that the batch from [`take_head`](Self::take_head) is released, and stops draining.
    pub(crate) fn head_released(&mut self) {
        self.draining = false;
        if self.in_flight != 0 {
            self.head = self.head.wrapping_add(1);
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        if self.in_flight == 0 && self.jobs.len() > KEPT_CAPACITY {
            self.jobs = KVec::new();
        }
    }

    /// Stops draining.
    pub(crate) fn stop_draining(&mut self) {
        self.draining = false;
    }

    /// Forgets all batches; those in flight are dropped when they come back.
    ///
    /// Returns the completed ones, which the caller drops after it has released the lock.
    pub(crate) fn reset(&mut self) -> impl Sized + use<B> {
        self.head = self.head.wrapping_add(u64::from(self.in_flight));
        self.in_flight = 0;
        self.draining = false;
        core::mem::take(&mut self.jobs)
    }

    fn is_head_complete(&self) -> bool {
        Self::index(&self.jobs, self.head)
            .and_then(|index| self.jobs.get(index))
            .is_some_and(|job| !matches!(job, JobState::Pending))
    }

    fn index(jobs: &[JobState<B>], seq: u64) -> Option<usize> {
        // CAST: The mask is that of a length.
        Some(seq as usize & jobs.len().checked_sub(1)?)
    }

    fn entry(jobs: &mut [JobState<B>], seq: u64) -> Option<&mut JobState<B>> {
        Self::index(jobs, seq).and_then(|index| jobs.get_mut(index))
    }

    fn take(&mut self, seq: u64) -> JobState<B> {
        Self::entry(&mut self.jobs, seq).map_or(JobState::Pending, |job| {
            core::mem::replace(job, JobState::Pending)
        })
    }
}
