// SPDX-License-Identifier: GPL-2.0

//! A bounded queue.

/// A first-in, first-out queue of at most `N` items.
pub(super) struct Fifo<T, const N: usize> {
    items: [Option<T>; N],
    first: usize,
    len: usize,
}

impl<T, const N: usize> Fifo<T, N> {
    /// Creates an empty queue.
    pub(super) const fn new() -> Self {
        Self {
            items: [const { None }; N],
            first: 0,
            len: 0,
        }
    }

    /// Adds an item at the end. A full queue gives it back.
    pub(super) fn push(&mut self, item: T) -> Result<(), T> {
        let end = self.first.wrapping_add(self.len).checked_rem(N);
        match end.and_then(|end| self.items.get_mut(end)) {
            // A queue that is not full has no item at its end.
            Some(slot @ None) => {
                *slot = Some(item);
                self.len = self.len.wrapping_add(1);
                Ok(())
            }
            _ => Err(item),
        }
    }

    /// Takes the item at the front.
    pub(super) fn pop(&mut self) -> Option<T> {
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
