// SPDX-License-Identifier: GPL-2.0

//! Batches that are worked on in parallel and released in order.
//!
//! A batch takes a ticket from the [`Order`] of its peer and direction. Any CPU may then work on
//! it. It comes back through [`Order::put`], and whoever holds the *turn* releases batches by rising
//! ticket. A ticket is never lost: a batch that failed comes back empty. So each batch waits only
//! for older ones, and each of those is being worked on by somebody: nothing waits for a packet
//! that is yet to come.

use kernel::{
    alloc::flags::GFP_ATOMIC,
    prelude::*, //
};

/// A batch on its way through another CPU, or waiting for its turn.
pub(crate) struct Job<B> {
    ticket: u64,
    /// The batch; none if it has failed.
    pub(crate) batch: Option<B>,
    next: Option<KBox<Job<B>>>,
}

impl<B> Job<B> {
    /// Allocates an empty job. Any context.
    pub(crate) fn new() -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                ticket: 0,
                batch: None,
                next: None,
            },
            GFP_ATOMIC,
        )?)
    }

    /// Gives the job its place in the order.
    pub(crate) fn set_ticket(&mut self, ticket: u64) {
        self.ticket = ticket;
    }
}

/// A linked list of jobs.
///
/// Its drop walks the list, because dropping it link by link would recurse.
pub(crate) struct Chain<B>(Option<KBox<Job<B>>>);

impl<B> Chain<B> {
    /// Creates an empty list.
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Returns whether the list is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Adds a job at the front.
    pub(crate) fn push(&mut self, mut job: KBox<Job<B>>) {
        job.next = self.0.take();
        self.0 = Some(job);
    }

    /// Takes the job at the front.
    pub(crate) fn pop(&mut self) -> Option<KBox<Job<B>>> {
        let mut job = self.0.take()?;
        self.0 = job.next.take();
        Some(job)
    }

    /// Takes all jobs, the one that was pushed first in front.
    pub(crate) fn take_in_order(&mut self) -> Self {
        let mut all = Self(self.0.take());
        let mut reversed = Self::new();
        while let Some(job) = all.pop() {
            reversed.push(job);
        }
        reversed
    }

    /// Inserts a job before the first one with a higher ticket.
    fn insert(&mut self, mut job: KBox<Job<B>>) {
        let mut link = &mut self.0;
        while link.as_ref().is_some_and(|other| other.ticket < job.ticket) {
            match link {
                Some(other) => link = &mut other.next,
                None => break,
            }
        }
        job.next = link.take();
        *link = Some(job);
    }
}

impl<B> Drop for Chain<B> {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// The order in which batches of one peer and direction are released.
///
/// # Invariants
///
/// `released <= issued`, and each ticket in between is held by exactly one batch that is being
/// worked on or lies in `waiting`.
pub(crate) struct Order<B> {
    issued: u64,
    released: u64,
    turn_taken: bool,
    waiting: Chain<B>,
}

impl<B> Order<B> {
    /// Creates an order without batches.
    pub(crate) const fn new() -> Self {
        Self {
            issued: 0,
            released: 0,
            turn_taken: false,
            waiting: Chain::new(),
        }
    }

    /// Returns how many batches have a ticket and are not yet released.
    pub(crate) fn in_flight(&self) -> u64 {
        self.issued.wrapping_sub(self.released)
    }

    /// Issues the next ticket.
    pub(crate) fn ticket(&mut self) -> u64 {
        let ticket = self.issued;
        // 2^64 batches are never reached.
        self.issued = self.issued.wrapping_add(1);
        ticket
    }

    /// Takes the turn if nobody has it and nothing is ahead of a batch that is not yet issued.
    pub(crate) fn take_turn_if_idle(&mut self) -> bool {
        if self.turn_taken || self.in_flight() != 0 {
            return false;
        }
        self.turn_taken = true;
        true
    }

    /// Takes back a batch. One from before a [`reset`](Self::reset) is given back.
    pub(crate) fn put(&mut self, job: KBox<Job<B>>) -> Result<(), KBox<Job<B>>> {
        if job.ticket < self.released {
            return Err(job);
        }
        self.waiting.insert(job);
        Ok(())
    }

    /// Returns whether the next batch is ready and nobody has the turn.
    pub(crate) fn is_due(&self) -> bool {
        !self.turn_taken && self.is_next_ready()
    }

    /// Takes the turn if the next batch is ready and nobody has it; then the caller must release.
    pub(crate) fn take_turn_if_due(&mut self) -> bool {
        let is_due = self.is_due();
        self.turn_taken |= is_due;
        is_due
    }

    /// Marks the oldest batch as released. Only for the holder of the turn.
    pub(crate) fn release(&mut self) {
        self.released = self.released.wrapping_add(1).min(self.issued);
    }

    /// Takes the next batch that may be released, or gives up the turn.
    pub(crate) fn next_or_end(&mut self) -> Option<KBox<Job<B>>> {
        if self.is_next_ready() {
            return self.waiting.pop();
        }
        self.turn_taken = false;
        None
    }

    fn is_next_ready(&self) -> bool {
        let next = self.waiting.0.as_ref();
        next.is_some_and(|job| job.ticket == self.released)
    }

    /// Gives the turn back.
    pub(crate) fn end_turn(&mut self) {
        self.turn_taken = false;
    }

    /// Forgets all batches; those still on their way are discarded when they come back.
    ///
    /// Returns what was waiting, to be dropped outside of the lock.
    pub(crate) fn reset(&mut self) -> Chain<B> {
        self.released = self.issued;
        self.turn_taken = false;
        core::mem::replace(&mut self.waiting, Chain::new())
    }
}
