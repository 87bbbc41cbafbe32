// SPDX-License-Identifier: GPL-2.0

//! Slots that own the value that they publish.

use super::synchronize;
use crate::{
    context::{
        Bh,
        Process, //
    },
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    }, //
};
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::prelude::*;

/// A slot that publishes at most one value, which the slot owns. Readers may load the value at any
/// time.
///
/// # Invariants
///
/// `ptr` is null or comes from [`KBox::into_raw`] of a pinned box that the slot owns.
pub struct OwnedSlot<T> {
    ptr: AtomicPtr<T>,
    _value: PhantomData<KBox<T>>,
}

// SAFETY: Owns a `KBox<T>`; other threads get shared access to the value only if `T` is `Sync`.
unsafe impl<T: Send> Send for OwnedSlot<T> {}
// SAFETY: Hands out `&T` and, by `replace`, the box itself; all accesses are atomic.
unsafe impl<T: Send + Sync> Sync for OwnedSlot<T> {}

impl<T> OwnedSlot<T> {
    /// Makes an empty slot.
    #[inline]
    pub const fn empty() -> Self {
        Self {
            // INVARIANT: Null.
            ptr: AtomicPtr::new(ptr::null_mut()),
            _value: PhantomData,
        }
    }

    /// Makes a slot that holds `value`.
    #[inline]
    pub fn new(value: Option<Pin<KBox<T>>>) -> Self {
        Self {
            // INVARIANT: The slot takes over the box.
            ptr: AtomicPtr::new(Self::give(value)),
            _value: PhantomData,
        }
    }

    /// Turns a box into the pointer that the slot stores.
    #[inline]
    fn give(value: Option<Pin<KBox<T>>>) -> *mut T {
        value.map_or(ptr::null_mut(), |value| {
            // SAFETY: The value is not moved while it is stored, and pinned again by `take`.
            KBox::into_raw(unsafe { Pin::into_inner_unchecked(value) })
        })
    }

    /// Turns a pointer that the slot stored into the box.
    ///
    /// # Safety
    ///
    /// `stored` must have been taken out of a slot, and no reader may still use it.
    #[inline]
    unsafe fn take(stored: *mut T) -> Option<Pin<KBox<T>>> {
        // SAFETY: By the type invariant; by the requirements no other code has the pointer.
        (!stored.is_null()).then(|| KBox::into_pin(unsafe { KBox::from_raw(stored) }))
    }

    /// Borrows the value for as long as the section and the borrow of the slot last.
    #[inline]
    pub fn load<'g>(&'g self, _bh: &'g Bh<'_>) -> Option<&'g T> {
        let ptr = self.ptr.load(Ordering::Acquire);
        // SAFETY: By the type invariant `ptr` is null, or pointed to a value when it was loaded.
        // `replace` waits for the section of `_bh` before it returns that value, and the slot is
        // not dropped while it is borrowed.
        unsafe { ptr.as_ref() }
    }

    /// Exchanges the value, waits until no reader uses the old one, and returns that.
    pub fn replace(
        &self,
        value: Option<Pin<KBox<T>>>,
        process: &mut Process,
    ) -> Option<Pin<KBox<T>>> {
        // INVARIANT: The slot takes over the new box, and gives the old one away.
        let old = self.ptr.swap(Self::give(value), Ordering::AcqRel);
        if !old.is_null() {
            synchronize(process);
        }
        // SAFETY: Only this call took it out. No reader uses it any more: `process` proves that
        // nothing can use a section of this thread, though a forgotten one may be open, and
        // `synchronize` waited for those of other threads.
        unsafe { Self::take(old) }
    }
}

impl<T> Drop for OwnedSlot<T> {
    fn drop(&mut self) {
        // SAFETY: The slot is being dropped, and no borrow of it is left.
        drop(unsafe { Self::take(*self.ptr.get_mut()) });
    }
}

impl<T> Default for OwnedSlot<T> {
    #[inline]
    fn default() -> Self {
        Self::empty()
    }
}
