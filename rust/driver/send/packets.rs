// SPDX-License-Identifier: GPL-2.0

//! A list of packets with its sums.

use core::mem::take;
use kext::{
    context::Bh,
    net::skb::{
        Segmented,
        SkbList, //
    }, //
};

/// Packets, oldest first, with the sum of their memory.
#[derive(Default)]
pub(super) struct Packets {
    list: SkbList<Segmented>,
    bytes: u32,
}

impl Packets {
    /// Returns an empty list.
    pub(super) const fn new() -> Self {
        Self {
            list: SkbList::new(),
            bytes: 0,
        }
    }

    /// Sums up a list.
    pub(super) fn of(list: SkbList<Segmented>) -> Self {
        let mut bytes = 0_u32;
        for packet in &list {
            bytes = bytes.saturating_add(packet.as_skb().truesize());
        }
        Self { list, bytes }
    }

    /// Returns how many datagrams the packets make.
    pub(super) fn datagrams(&self) -> u32 {
        // CAST: A packet stands for at most 64, and the budget bounds the packets.
        self.list.segs() as u32
    }

    /// Returns how many bytes of memory the packets take.
    pub(super) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Returns whether there are no packets.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the packets alone.
    pub(super) fn into_list(self) -> SkbList<Segmented> {
        self.list
    }

    /// Moves all packets of `other` to the end.
    pub(super) fn append(&mut self, mut other: Self) {
        self.list.append(&mut other.list);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// Moves all packets of `other` to the front.
    pub(super) fn prepend(&mut self, other: Self) {
        let younger = core::mem::replace(self, other);
        self.append(younger);
    }

    /// Takes the oldest packets while `goes_on`, which gets the packets taken and those left.
    fn take_while(&mut self, goes_on: impl Fn(&Self, &Self) -> bool) -> Self {
        let mut taken = Self::new();
        while goes_on(&taken, self) {
            let Some(packet) = self.pop() else {
                break;
            };
            let bytes = packet.as_skb().truesize();
            taken.list.push_back(packet);
            taken.bytes = taken.bytes.saturating_add(bytes);
        }
        taken
    }

    fn pop(&mut self) -> Option<Segmented> {
        let packet = self.list.pop_front()?;
        self.bytes = self.bytes.saturating_sub(packet.as_skb().truesize());
        Some(packet)
    }

    /// Takes the oldest packets until they make `max` datagrams, or all.
    pub(super) fn take(&mut self, max: u32) -> Self {
        if self.datagrams() <= max {
            return take(self);
        }
        self.take_while(|taken, _| taken.datagrams() < max)
    }

    /// Takes the oldest packets, down to `max` datagrams.
    pub(super) fn take_beyond(&mut self, max: u32) -> Self {
        self.take_while(|_, left| left.datagrams() > max)
    }

    /// Takes the oldest packets until they have at least `bytes` bytes, or all.
    pub(super) fn take_bytes(&mut self, bytes: u32) -> Self {
        self.take_while(|taken, _| taken.bytes < bytes)
    }

    /// Releases the packets' share of the buffers of the sockets that sent them.
    pub(super) fn orphan(&mut self, bh: &Bh<'_>) {
        for mut packet in self.list.iter_mut() {
            packet.orphan(bh);
        }
    }
}
