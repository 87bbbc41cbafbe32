// SPDX-License-Identifier: GPL-2.0

//! Slots that publish a value with a single owner.

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

/// A place for at most one value with a single owner, which readers may look at at any time.
///
/// # Invariants
///
/// `ptr` is null or comes from [`KBox::into_raw`] of a pinned box that the slot owns.
pub struct Owned<T> {
    ptr: AtomicPtr<T>,
    _value: PhantomData<KBox<T>>,
}

// SAFETY: Owns a `KBox<T>`; lets others look at the value only if `T` is `Sync`.
unsafe impl<T: Send> Send for Owned<T> {}
// SAFETY: Hands out `&T` and, by `replace`, the box itself; all accesses are atomic.
unsafe impl<T: Send + Sync> Sync for Owned<T> {}

impl<T> Owned<T> {
    /// Makes a slot with nothing in it.
    #[inline]
    pub const fn empty() -> Self {
        Self {
            // INVARIANT: Null.
            ptr: AtomicPtr::new(ptr::null_mut()),
            _value: PhantomData,
        }
    }

    /// Makes a slot.
    #[inline]
    pub fn new(value: Option<Pin<KBox<T>>>) -> Self {
        Self {
            // INVARIANT: The box goes over.
            ptr: AtomicPtr::new(Self::give(value)),
            _value: PhantomData,
        }
    }

    /// Turns a box into what is stored.
    #[inline]
    fn give(value: Option<Pin<KBox<T>>>) -> *mut T {
        value.map_or(ptr::null_mut(), |value| {
            // SAFETY: The value is not moved while it is stored, and pinned again by `take`.
            KBox::into_raw(unsafe { Pin::into_inner_unchecked(value) })
        })
    }

    /// Turns what was stored into a box.
    ///
    /// # Safety
    ///
    /// `stored` must have been taken out of a slot, and no reader may be left.
    #[inline]
    unsafe fn take(stored: *mut T) -> Option<Pin<KBox<T>>> {
        // SAFETY: By the type invariant, and nobody else has it by the requirements.
        (!stored.is_null()).then(|| KBox::into_pin(unsafe { KBox::from_raw(stored) }))
    }

    /// Looks at the value.
    #[inline]
    pub fn load<'g>(&'g self, _bh: &'g Bh<'_>) -> Option<&'g T> {
        let ptr = self.ptr.load(Ordering::Acquire);
        // SAFETY: By the type invariant `ptr` is null or was alive when it was loaded. `replace`
        // waits for the section of `_bh` before it gives the value back, and the drop of the slot
        // for the borrow of `self`.
        unsafe { ptr.as_ref() }
    }

    /// Exchanges the value, waits until no reader looks at the old one, and gives that back.
    pub fn replace(
        &self,
        value: Option<Pin<KBox<T>>>,
        process: &mut Process,
    ) -> Option<Pin<KBox<T>>> {
        // INVARIANT: One box goes in, the other comes out.
        let old = self.ptr.swap(Self::give(value), Ordering::AcqRel);
        if !old.is_null() {
            synchronize(process);
        }
        // SAFETY: Taken out by this call alone. Readers that saw it are through: no section of
        // this thread is open, as `process` proves, and those of others were waited for.
        unsafe { Self::take(old) }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: The slot goes away, and no borrow of it is left.
        drop(unsafe { Self::take(*self.ptr.get_mut()) });
    }
}

impl<T> Default for Owned<T> {
    #[inline]
    fn default() -> Self {
        Self::empty()
    }
}
