// SPDX-License-Identifier: GPL-2.0

//! State of one execution, and memory that is not handed out again before it ends.

use crate::run::number;
use std::{
    alloc::{alloc, Layout},
    cell::UnsafeCell,
    sync::Mutex,
};

/// Something that each execution makes anew when it is first used, also in a `static`.
pub struct PerRun<T> {
    value: UnsafeCell<Option<(u64, T)>>,
}

// SAFETY: The threads of an execution take turns on one thread of the host, `explore` lets one
// execution run at a time, and references are not kept beyond it.
unsafe impl<T> Send for PerRun<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for PerRun<T> {}

impl<T> PerRun<T> {
    /// Makes it without a value.
    pub const fn new() -> Self {
        Self {
            value: UnsafeCell::new(None),
        }
    }

    /// Returns the value of this execution.
    pub fn get(&self, make: impl FnOnce() -> T) -> &T {
        // SAFETY: No reference to an older value is left, and threads do not switch here.
        let value = unsafe { &mut *self.value.get() };
        if value.as_ref().is_none_or(|(run, _)| *run != number()) {
            *value = Some((number(), make()));
        }
        // SAFETY: Written above; it stays for this execution.
        let value = unsafe { &*self.value.get() };
        value.as_ref().map(|(_, value)| value).expect("just made")
    }

    /// Takes the value of this execution, if it was made.
    pub fn take(&mut self) -> Option<T> {
        match self.value.get_mut().take() {
            Some((run, value)) if run == number() => Some(value),
            _ => None,
        }
    }
}

/// What was given back: kept until the execution ends, so that a late access finds the marks of
/// [`Tracked`](crate::Tracked).
static GIVEN_BACK: Mutex<Vec<(usize, Layout)>> = Mutex::new(Vec::new());

/// Returns memory.
pub fn allocate(layout: Layout) -> *mut u8 {
    // SAFETY: What is allocated here is never empty.
    unsafe { alloc(layout) }
}

/// Gives memory back.
pub fn release(memory: *mut u8, layout: Layout) {
    let mut list = GIVEN_BACK.lock().expect("held for moments only");
    list.push((memory as usize, layout));
}

pub(crate) fn sweep() {
    let mut list = GIVEN_BACK.lock().expect("held for moments only");
    for (memory, layout) in list.drain(..) {
        // SAFETY: From `allocate` with this layout; the execution that used it is over.
        unsafe { std::alloc::dealloc(memory as *mut u8, layout) };
    }
}
