// SPDX-License-Identifier: GPL-2.0

//! Packets: a control block and a number.

use engine::Tracked;
use std::{any, collections::VecDeque, marker::PhantomData};

/// A packet.
pub struct SkBuff {
    /// What tells packets apart.
    pub number: u32,
    cb: Box<dyn any::Any + Send>,
    tracked: Tracked,
}

impl SkBuff {
    /// Makes one.
    pub fn make<C: Send + 'static>(number: u32, cb: C) -> Self {
        let tracked = Tracked::new();
        tracked.write();
        Self {
            number,
            cb: Box::new(cb),
            tracked,
        }
    }

    /// Returns the control block.
    pub fn cb<C: 'static>(&self) -> &C {
        self.tracked.read();
        self.cb.downcast_ref().expect("of this type")
    }

    /// Notes that what is in it changes.
    pub fn touch(&self) {
        self.tracked.write();
    }
}

/// A packet on a list.
pub type Listed<'a> = &'a SkBuff;

/// What packets of a list are, if nothing is said.
pub struct Any;
/// Segments of one packet.
pub struct Segmented;

/// Packets in a row.
pub struct SkbList<K = Any>(VecDeque<SkBuff>, PhantomData<fn() -> K>);

impl<K> Default for SkbList<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K> SkbList<K> {
    /// Makes an empty one.
    pub const fn new() -> Self {
        Self(VecDeque::new(), PhantomData)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves all of another list to the end.
    pub fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }

    /// Takes the first `n`.
    pub fn split_front(&mut self, n: usize) -> Self {
        let rest = self.0.split_off(n);
        Self(std::mem::replace(&mut self.0, rest), PhantomData)
    }

    /// Adds a packet.
    pub fn push_back(&mut self, skb: SkBuff) {
        self.0.push_back(skb);
    }

    /// Takes the first one.
    pub fn pop_front(&mut self) -> Option<SkBuff> {
        self.0.pop_front()
    }

    /// Returns the first one.
    pub fn front(&self) -> Option<Listed<'_>> {
        self.0.front()
    }

    /// Returns the last one.
    pub fn back(&self) -> Option<Listed<'_>> {
        self.0.back()
    }

    /// Notes that what is in the packets changes.
    pub fn touch(&self) {
        for skb in &self.0 {
            skb.touch();
        }
    }
}
