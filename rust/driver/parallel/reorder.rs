// SPDX-License-Identifier: GPL-2.0

//! Batches that are worked on in parallel and released in order.
//!
//! A batch takes a ticket from the [`Order`] of its peer and direction. Any CPU may then work on
//! it. It comes back through [`Order::put`], and whoever holds the *turn* releases batches by rising
//! ticket. A ticket is never lost: one whose batch failed comes back without it. So each batch
//! waits only for older ones, and each of those is being worked on by somebody: nothing waits for a
//! packet
//! that is yet to come.

use kernel::{
    alloc::flags::{
        GFP_ATOMIC,
        __GFP_NOWARN, //
    },
    prelude::*, //
};

/// Batches of one peer and direction that may be on their way at once.
const MAX_BATCHES: usize = 1024;

/// Places that an order has first, and how many it keeps when nothing is on its way any more.
const MIN_PLACES: usize = 8;
const KEPT_PLACES: usize = 16;

/// A batch and its place in the order.
pub(crate) struct Job<B> {
    pub(crate) ticket: u64,
    pub(crate) batch: B,
}

/// A queue with room for `N`.
pub(crate) struct Fifo<T, const N: usize> {
    items: [Option<T>; N],
    first: usize,
    len: usize,
}

impl<T, const N: usize> Fifo<T, N> {
    /// Creates an empty queue.
    pub(crate) const fn new() -> Self {
        Self {
            items: [const { None }; N],
            first: 0,
            len: 0,
        }
    }

    /// Adds an item at the end; gives it back if there is no room.
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        let end = self.first.wrapping_add(self.len).checked_rem(N);
        match end.and_then(|end| self.items.get_mut(end)) {
            Some(place) if self.len < N => {
                *place = Some(item);
                self.len = self.len.wrapping_add(1);
                Ok(())
            }
            _ => Err(item),
        }
    }

    /// Takes the item at the front.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let item = self.items.get_mut(self.first)?.take()?;
        self.first = self
            .first
            .wrapping_add(1)
            .checked_rem(N)
            .unwrap_or_default();
        self.len = self.len.saturating_sub(1);
        Some(item)
    }
}

/// What lies at the place of a ticket.
enum Place<B> {
    /// Nothing: its batch is on its way, or the ticket is not issued.
    Empty,
    /// The batch came back.
    Ready(B),
    /// It failed.
    Failed,
}

/// The order in which batches of one peer and direction are released.
///
/// # Invariants
///
/// Each ticket in flight has a place of its own: its number modulo their count, which is a power of
/// two.
pub(crate) struct Order<B> {
    /// The oldest ticket that is not released yet, and how many there are.
    released: u64,
    in_flight: u32,
    turn_taken: bool,
    places: KVec<Place<B>>,
}

impl<B> Order<B> {
    /// Creates an order without batches.
    pub(crate) const fn new() -> Self {
        Self {
            released: 0,
            in_flight: 0,
            turn_taken: false,
            places: KVec::new(),
        }
    }

    /// Returns how many batches have a ticket and are not yet released.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Sees to it that the next ticket has a place. Fails if there are too many, or no memory.
    pub(crate) fn prepare(&mut self) -> Result {
        let len = self.places.len();
        // CAST: From small to large.
        if (self.in_flight as usize) < len {
            return Ok(());
        }
        let len = len.saturating_mul(2).max(MIN_PLACES);
        if len > MAX_BATCHES {
            return Err(EBUSY);
        }
        let mut places = KVec::with_capacity(len, GFP_ATOMIC | __GFP_NOWARN)?;
        for _ in 0..len {
            places.push_within_capacity(Place::Empty)?;
        }
        for nth in 0..self.in_flight {
            let ticket = self.released.wrapping_add(u64::from(nth));
            let old = self.take(ticket);
            if let Some(place) = Self::place(&mut places, ticket) {
                *place = old;
            }
        }
        self.places = places;
        Ok(())
    }

    /// Issues the next ticket, after [`prepare`](Self::prepare).
    pub(crate) fn ticket(&mut self) -> u64 {
        // 2^64 batches are never reached.
        let ticket = self.released.wrapping_add(u64::from(self.in_flight));
        self.in_flight = self.in_flight.saturating_add(1);
        ticket
    }

    /// Takes the turn if nobody has it and nothing is ahead of a batch that is not yet issued.
    pub(crate) fn take_turn_if_idle(&mut self) -> bool {
        if self.turn_taken || self.in_flight != 0 {
            return false;
        }
        self.turn_taken = true;
        true
    }

    /// Takes back the batch of a ticket, none if it has failed. One from before a
    /// [`reset`](Self::reset) is given back.
    pub(crate) fn put(&mut self, ticket: u64, batch: Option<B>) -> Result<(), Option<B>> {
        if ticket < self.released {
            return Err(batch);
        }
        match Self::place(&mut self.places, ticket) {
            Some(place) => *place = batch.map_or(Place::Failed, Place::Ready),
            None => return Err(batch),
        }
        Ok(())
    }

    /// Returns whether the oldest batch is ready and nobody has the turn.
    pub(crate) fn is_due(&self) -> bool {
        !self.turn_taken && self.is_next_ready()
    }

    /// Takes the oldest batch and the turn, if that batch is ready and nobody has the turn. The
    /// batch is [`None`] if it failed. [`release`](Self::release) must follow.
    pub(crate) fn take_due(&mut self) -> Option<Option<B>> {
        if self.turn_taken {
            return None;
        }
        let batch = match self.take(self.released) {
            Place::Ready(batch) => Some(batch),
            Place::Failed => None,
            Place::Empty => return None,
        };
        self.turn_taken = true;
        Some(batch)
    }

    /// Notes that the batch from [`take_due`](Self::take_due) was released, and gives the turn back.
    pub(crate) fn release(&mut self) {
        self.turn_taken = false;
        if self.in_flight != 0 {
            self.released = self.released.wrapping_add(1);
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        if self.in_flight == 0 && self.places.len() > KEPT_PLACES {
            self.places = KVec::new();
        }
    }

    fn is_next_ready(&self) -> bool {
        Self::index(&self.places, self.released)
            .and_then(|index| self.places.get(index))
            .is_some_and(|place| !matches!(place, Place::Empty))
    }

    fn index(places: &[Place<B>], ticket: u64) -> Option<usize> {
        // CAST: The mask is that of a length.
        Some(ticket as usize & places.len().checked_sub(1)?)
    }

    fn place(places: &mut [Place<B>], ticket: u64) -> Option<&mut Place<B>> {
        Self::index(places, ticket).and_then(|index| places.get_mut(index))
    }

    fn take(&mut self, ticket: u64) -> Place<B> {
        Self::place(&mut self.places, ticket).map_or(Place::Empty, |place| {
            core::mem::replace(place, Place::Empty)
        })
    }

    /// Gives the turn back.
    pub(crate) fn end_turn(&mut self) {
        self.turn_taken = false;
    }

    /// Forgets all batches; those still on their way are discarded when they come back.
    ///
    /// Returns what was waiting, to be dropped outside of the lock.
    pub(crate) fn reset(&mut self) -> impl Sized + use<B> {
        self.released = self.released.wrapping_add(u64::from(self.in_flight));
        self.in_flight = 0;
        self.turn_taken = false;
        core::mem::take(&mut self.places)
    }
}
