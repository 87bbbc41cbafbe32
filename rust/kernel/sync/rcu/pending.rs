// SPDX-License-Identifier: GPL-2.0

//! The pointers from timers and work items to the values that contain them.

use super::RcuArc;
use crate::sync::atomic::{
    AtomicPtr,
    Ordering, //
};
use core::ptr::null_mut;

/// The count of the containing value that a timer or work item owns while it is pending.
///
/// [`acquire`](Self::acquire) takes the count, and [`release`](Self::release) gives it back.
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
    pub(crate) fn acquire<I>(&self, owner: &RcuArc<T>, item: &I) -> bool {
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

    /// Gives back a count from [`acquire`](Self::acquire).
    ///
    /// # Safety
    ///
    /// There must be such a count, which the caller then owns.
    #[inline]
    pub(crate) unsafe fn release(&self) -> RcuArc<T> {
        // SAFETY: By the type invariant and the requirements.
        unsafe { RcuArc::from_raw(self.as_ptr()) }
    }
}
