// SPDX-License-Identifier: GPL-2.0

//! A lock.

use crate::{
    atomic::{AtomicBool, Ordering},
    block_until, wake,
};
use std::cell::Cell;

/// A lock: an acquire when it is taken, a release when it is given back.
///
/// A thread that has to wait for it is woken and does not spin, as loom would try each round.
pub struct Lock(AtomicBool);

impl Default for Lock {
    fn default() -> Self {
        Self::new()
    }
}

impl Lock {
    /// Makes one that is free.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Takes it.
    #[track_caller]
    pub fn acquire(&self) {
        // Exchanged rather than compared, so that it is the latest value that is seen.
        let was_held = Cell::new(true);
        block_until(
            || was_held.set(self.0.swap(true, Ordering::Acquire)),
            || !was_held.get(),
        );
    }

    /// Gives it back.
    #[track_caller]
    pub fn release(&self) {
        // Exchanged as well: loom may put a store after an exchange that came later.
        self.0.swap(false, Ordering::Release);
        wake();
    }
}
