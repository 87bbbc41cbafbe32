// SPDX-License-Identifier: GPL-2.0

//! The pointers from timers and work items to the values that contain them.

use super::RcuArc;
use crate::sync::atomic::{
    AtomicPtr,
    Ordering, //
};
use core::ptr::null_mut;

/// A pointer from a timer or work item to the value that contains it.
///
/// While the item is pending, it owns one count of the value: [`put_aside`](Self::put_aside) gives
/// it that count, and [`take`](Self::take) takes it back.
///
/// # Invariants
///
/// `0` is null, or the address of the value of the [`RcuArc`] that the item lies in.
pub(crate) struct PendingOwner<T>(AtomicPtr<T>);

impl<T> PendingOwner<T> {
    /// Creates the pointer of an item that was never pending.
    pub(crate) const fn new() -> Self {
        // INVARIANT: Null.
        Self(AtomicPtr::new(null_mut()))
    }

    /// Returns the address of the value, or null if the item was never pending.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *const T {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes a count of `owner` for `item`, which is about to become pending.
    ///
    /// Does nothing, with a warning, and returns `false`, if `item` does not lie in `owner`.
    #[inline]
    pub(crate) fn put_aside<I>(&self, owner: &RcuArc<T>, item: &I) -> bool {
        if kernel::warn_on!(!RcuArc::contains(owner, item)) {
            return false;
        }
        let value = RcuArc::into_raw(owner.clone());
        // INVARIANT: `owner` contains the item, as just checked. The item is pinned and stays
        // there. Relaxed: C makes the item pending under a lock, through which the callback sees
        // this store.
        self.0.store(value.cast_mut(), Ordering::Relaxed);
        true
    }

    /// Takes back a count from `put_aside`.
    ///
    /// # Safety
    ///
    /// There must be such a count, which this takes.
    #[inline]
    pub(crate) unsafe fn take(&self) -> RcuArc<T> {
        // SAFETY: By the type invariant and the requirements.
        unsafe { RcuArc::from_raw(self.as_ptr()) }
    }
}
