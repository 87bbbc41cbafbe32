// SPDX-License-Identifier: GPL-2.0

//! Slots that publish a counted value.

use super::{
    arc::Inner,
    RcuArc,
    Ref, //
};
use crate::{
    context::Bh,
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::sync::rcu;

/// A slot for at most one [`RcuArc`]. Readers may load it at any time.
///
/// # Invariants
///
/// `0` is null or comes from an [`RcuArc`] whose count the slot owns.
pub struct Slot<T>(AtomicPtr<Inner<T>>, PhantomData<RcuArc<T>>);

// SAFETY: Owns an `RcuArc<T>`.
unsafe impl<T: Send + Sync> Send for Slot<T> {}
// SAFETY: Hands out `&T` and `RcuArc<T>` to other threads; all accesses are atomic.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// Makes an empty slot.
    #[inline]
    pub const fn empty() -> Self {
        // INVARIANT: Null.
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// Makes a slot that holds `value`.
    #[inline]
    pub fn new(value: Option<RcuArc<T>>) -> Self {
        // INVARIANT: The slot takes over the count.
        Self(AtomicPtr::new(Self::give(value)), PhantomData)
    }

    /// Turns an [`RcuArc`] into the pointer that the slot stores.
    #[inline]
    fn give(value: Option<RcuArc<T>>) -> *mut Inner<T> {
        value.map_or(ptr::null_mut(), |arc| RcuArc::into_stored(arc).as_ptr())
    }

    /// Turns a pointer that the slot stored into the [`RcuArc`].
    ///
    /// # Safety
    ///
    /// `stored` must have been taken out of a slot, together with its count.
    #[inline]
    unsafe fn take(stored: *mut Inner<T>) -> Option<RcuArc<T>> {
        // SAFETY: By the type invariant and the requirements of this function.
        NonNull::new(stored).map(|ptr| unsafe { RcuArc::from_stored(ptr) })
    }

    /// Returns whether the slot is empty at this moment.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Borrows the value for as long as the section and the borrow of the slot last.
    #[inline]
    pub fn load<'g>(&'g self, _bh: &'g Bh<'_>) -> Option<Ref<'g, T>> {
        let ptr = NonNull::new(self.0.load(Ordering::Acquire))?;
        // SAFETY: By the type invariant the value had a count when `ptr` was loaded. `_bh` is a
        // read-side section that began before and lasts for `'g`, see the top of `rcu.rs`.
        Some(unsafe { Ref::new(ptr) })
    }

    /// Takes a count of the value and returns it. Any context.
    pub fn get(&self) -> Option<RcuArc<T>> {
        let _section = rcu::read_lock();
        loop {
            let ptr = NonNull::new(self.0.load(Ordering::Acquire))?;
            // SAFETY: As in `load`, with `_section` for the section.
            let seen = unsafe { Ref::new(ptr) };
            // The slot owned a count when it was loaded. If the count is zero now, another CPU has
            // swapped the slot since, so the next round loads another value.
            if let Some(arc) = seen.upgrade() {
                return Some(arc);
            }
        }
    }

    /// Exchanges the content of the slot, and returns the old one.
    #[inline]
    pub fn swap(&self, value: Option<RcuArc<T>>) -> Option<RcuArc<T>> {
        // INVARIANT: The slot takes over the count of `value`, and gives that of the old value
        // away.
        let old = self.0.swap(Self::give(value), Ordering::AcqRel);
        // SAFETY: It was just taken out.
        unsafe { Self::take(old) }
    }
}

// As for `RcuArc`.
impl<T> Unpin for Slot<T> {}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        // SAFETY: The slot is being dropped, and owns the count. A `Ref` that was loaded from it
        // borrows it, so none is left; one that was copied ended with the same borrow.
        drop(unsafe { Self::take(*self.0.get_mut()) });
    }
}

impl<T> Default for Slot<T> {
    #[inline]
    fn default() -> Self {
        Self::empty()
    }
}
