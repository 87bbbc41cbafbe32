// SPDX-License-Identifier: GPL-2.0

//! Relaxed reads, which the scheduler sees.

use kernel::sync::atomic::{Atomic, AtomicType, Relaxed};

/// Stands for the trait of the same name.
pub trait ReadOnce {
    /// The type of the value.
    type Value;

    /// Reads it.
    fn read_once(&self) -> Self::Value;
}

impl<T: AtomicType> ReadOnce for Atomic<T> {
    type Value = T;

    #[track_caller]
    fn read_once(&self) -> T {
        self.load(Relaxed)
    }
}
