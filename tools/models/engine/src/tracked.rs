// SPDX-License-Identifier: GPL-2.0

//! Values that notice a use after their drop, and one that is not ordered against it.

use std::cell::Cell;

/// A part of values under test.
pub struct Tracked {
    is_alive: Cell<bool>,
    order: loom::cell::UnsafeCell<()>,
}

// SAFETY: Threads take turns.
unsafe impl Send for Tracked {}
// SAFETY: As above.
unsafe impl Sync for Tracked {}

impl Default for Tracked {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracked {
    /// Makes a living one.
    pub fn new() -> Self {
        Self {
            is_alive: Cell::new(true),
            order: loom::cell::UnsafeCell::new(()),
        }
    }

    /// Notes a read.
    #[track_caller]
    pub fn read(&self) {
        assert!(self.is_alive.get(), "used after its drop");
        self.order.with(|_| ());
    }

    /// Notes a write.
    #[track_caller]
    pub fn write(&self) {
        assert!(self.is_alive.get(), "used after its drop");
        self.order.with_mut(|_| ());
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert!(self.is_alive.replace(false), "dropped twice");
        self.order.with_mut(|_| ());
    }
}
