// SPDX-License-Identifier: GPL-2.0

//! Counted values that are dropped after a grace period.

use super::{
    reclaim,
    ModuleRef, //
};
use crate::bindings;
use crate::bindings::callback_head;
use crate::compat::raw_try_init;
use crate::context::Process;
use core::{
    convert::Infallible,
    marker::PhantomData,
    mem::{
        needs_drop,
        ManuallyDrop,
        MaybeUninit, //
    },
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    container_of,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Refcount, //
    },
    types::Opaque, //
};

/// The allocation that an [`RcuArc`] points to.
#[repr(C)]
pub(in crate::sync) struct Inner<T> {
    /// Used by the thread that brings `refs` to zero, then by RCU.
    head: Opaque<callback_head>,
    refs: Refcount,
    value: T,
    /// Dropped after the value.
    _module: ModuleRef,
}

impl<T> Inner<T> {
    /// Returns the `Inner` that contains `value`.
    ///
    /// # Safety
    ///
    /// `value` must come from [`RcuArc::into_raw`] or [`RcuArc::as_ptr`], and the value be alive.
    #[inline]
    unsafe fn of(value: *const T) -> NonNull<Self> {
        // SAFETY: By the requirements of this function `value` lies in an `Inner`.
        let inner = unsafe { container_of!(value, Self, value) };
        // SAFETY: Part of an allocation, so not null.
        unsafe { NonNull::new_unchecked(inner.cast_mut()) }
    }

    /// Drops and frees the value behind `head`: at once if it has no destructor, and otherwise in a
    /// work item, where the destructor may sleep.
    ///
    /// # Safety
    ///
    /// Only for `call_rcu()`, by the drop of the last [`RcuArc`].
    unsafe extern "C" fn retire(head: *mut callback_head) {
        if needs_drop::<T>() {
            // SAFETY: RCU does not use the head any more. The creation of the [`Barrier`]
            // initialised the work item, and the value's module reference, which `free` drops,
            // makes the barrier wait.
            unsafe { reclaim::defer(head, Self::free) };
        } else {
            // SAFETY: By the requirements of this function.
            unsafe { Self::free(head) };
        }
    }

    /// Drops and frees the value behind `head`.
    ///
    /// # Safety
    ///
    /// Only for [`Self::retire`]. If the value needs a drop, the caller must be allowed to sleep.
    unsafe extern "C" fn free(head: *mut callback_head) {
        let head: *mut Opaque<callback_head> = head.cast();
        // SAFETY: `head` is that of an `Inner<T>`, by the requirements of this function.
        let inner = unsafe { container_of!(head, Self, head) };
        // SAFETY: Comes from `KBox::into_raw` in `RcuArc::pin_init_in`. There is no reference left:
        // no counted one, as the count was zero, and no `Ref`, as a grace period has passed.
        // The value is pinned, and stays where it is while it is dropped.
        drop(unsafe { KBox::from_raw(inner) });
    }
}

/// A counted pointer; the value is dropped a grace period after the last put.
///
/// Readers under RCU may use the value until then. A work item drops it, so the drop may sleep. It
/// must not call [`barrier`](super::barrier), which waits for that. Memory without a
/// destructor is freed by RCU's callback. The value is pinned.
///
/// # Invariants
///
/// `ptr` comes from [`KBox::into_raw`], the value is initialised, and this owns one count of
/// `refs`. `T` is `Send`, `Sync` and `'static` (by the constructors).
pub struct RcuArc<T> {
    ptr: NonNull<Inner<T>>,
    _value: PhantomData<Inner<T>>,
}

// SAFETY: Other threads get shared access to the value, and may drop it.
unsafe impl<T: Send + Sync> Send for RcuArc<T> {}
// SAFETY: As above: `&RcuArc` can be cloned.
unsafe impl<T: Send + Sync> Sync for RcuArc<T> {}

impl<T: Send + Sync + 'static> RcuArc<T> {
    /// Allocates memory and moves `value` there, with a count of one. May sleep.
    pub fn new(value: T, ctx: &mut Process) -> Result<Self> {
        Self::pin_init::<Infallible>(value, ctx)
    }

    /// As [`RcuArc::new`], from the reserve for those that cannot sleep (`GFP_ATOMIC`).
    pub fn new_atomic(value: T) -> Result<Self> {
        Self::pin_init_atomic::<Infallible>(value)
    }

    /// Allocates memory and initialises a value there, with a count of one. May sleep.
    pub fn pin_init<E>(init: impl PinInit<T, E>, _ctx: &mut Process) -> Result<Self>
    where
        Error: From<E>,
    {
        let module = ModuleRef::get()?;
        Self::pin_init_in(module, KBox::new_uninit(GFP_KERNEL)?, init)
    }

    /// As [`RcuArc::pin_init`], from the reserve for those that cannot sleep (`GFP_ATOMIC`).
    pub fn pin_init_atomic<E>(init: impl PinInit<T, E>) -> Result<Self>
    where
        Error: From<E>,
    {
        let module = ModuleRef::get()?;
        Self::pin_init_in(module, KBox::new_uninit(GFP_ATOMIC)?, init)
    }

    /// Initialises a value in `memory`, with a count of one.
    pub(in crate::sync) fn pin_init_in<E>(
        // Dropped last: a value's memory is freed before its reference is dropped.
        module: ModuleRef,
        mut memory: KBox<MaybeUninit<Inner<T>>>,
        init: impl PinInit<T, E>,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        let inner = memory.as_mut_ptr();
        // SAFETY: In bounds of the allocation.
        let value = unsafe { &raw mut (*inner).value };
        // SAFETY: `value` is valid for writes, and the memory stays where it is from now on. After
        // a failure it is freed without being looked at.
        unsafe { raw_try_init(value, init) }?;
        // SAFETY: In bounds of the allocation.
        let head = unsafe { &raw mut (*inner).head };
        // SAFETY: Valid for writes.
        unsafe { head.write(Opaque::uninit()) };
        // SAFETY: In bounds of the allocation.
        let refs = unsafe { &raw mut (*inner).refs };
        // SAFETY: Valid for writes.
        unsafe { refs.write(Refcount::new(1)) };
        // SAFETY: In bounds of the allocation.
        let owner = unsafe { &raw mut (*inner)._module };
        // SAFETY: Valid for writes.
        unsafe { owner.write(module) };
        let ptr = KBox::into_raw(memory).cast::<Inner<T>>();
        Ok(Self {
            // INVARIANT: All four fields were written just now, and the one count is ours.
            // SAFETY: An allocation is never at null.
            ptr: unsafe { NonNull::new_unchecked(ptr) },
            _value: PhantomData,
        })
    }
}

impl<T> RcuArc<T> {
    /// Turns the pointer into a raw one, which keeps the count until [`RcuArc::from_stored`].
    #[inline]
    pub(super) fn into_stored(this: Self) -> NonNull<Inner<T>> {
        ManuallyDrop::new(this).ptr
    }

    /// Takes back a raw pointer and its count.
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`RcuArc::into_stored`], whose count this takes.
    #[inline]
    pub(super) unsafe fn from_stored(ptr: NonNull<Inner<T>>) -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            ptr,
            _value: PhantomData,
        }
    }

    #[inline]
    fn inner(&self) -> &Inner<T> {
        // SAFETY: By the type invariant the count of `self` keeps the value.
        unsafe { self.ptr.as_ref() }
    }

    /// Returns whether both point to the same value.
    #[inline]
    pub fn ptr_eq(a: &Self, b: &Self) -> bool {
        a.ptr == b.ptr
    }

    /// Borrows the value as a reader does.
    #[inline]
    pub fn borrow(&self) -> Ref<'_, T> {
        // INVARIANT: The count of `self` is borrowed for `'_`.
        Ref(self.ptr, PhantomData)
    }

    /// Returns the address of the value.
    #[inline]
    pub(crate) fn as_ptr(this: &Self) -> *const T {
        // SAFETY: In bounds, by the type invariant.
        unsafe { &raw const (*this.ptr.as_ptr()).value }
    }

    /// Returns whether `part` lies within the value.
    ///
    /// Both are alive, so the addresses prove that `part` belongs to the value itself, and not to
    /// an object that the value only points to.
    #[inline]
    pub(crate) fn contains<P>(this: &Self, part: &P) -> bool {
        let start = Self::as_ptr(this).addr();
        let offset = ptr::from_ref(part).addr().checked_sub(start);
        let end = offset.and_then(|offset| offset.checked_add(size_of::<P>()));
        size_of::<P>() > 0 && end.is_some_and(|end| end <= size_of::<T>())
    }

    /// Returns whether the count is zero: the value is being dropped, or will be after a grace
    /// period.
    ///
    /// # Safety
    ///
    /// `value` must come from [`RcuArc::into_raw`] or [`RcuArc::as_ptr`], and not have been freed.
    #[inline]
    pub(crate) unsafe fn is_dying(value: *const T) -> bool {
        // SAFETY: By the requirements.
        let inner = unsafe { Inner::of(value) };
        // SAFETY: In bounds of the allocation, and the count has no drop.
        unsafe { &(*inner.as_ptr()).refs }.as_atomic().load(Relaxed) == 0
    }

    /// Turns the pointer into a raw one, which keeps the count until [`RcuArc::from_raw`].
    #[inline]
    pub(crate) fn into_raw(this: Self) -> *const T {
        Self::as_ptr(&ManuallyDrop::new(this))
    }

    /// Takes back a raw pointer and its count.
    ///
    /// # Safety
    ///
    /// `value` must come from [`RcuArc::into_raw`] or [`RcuArc::as_ptr`]. A count that the former
    /// gave away must be left; this takes it.
    #[inline]
    pub(crate) unsafe fn from_raw(value: *const T) -> Self {
        Self {
            // INVARIANT: By the requirements of this function.
            // SAFETY: As above; the count keeps the value alive.
            ptr: unsafe { Inner::of(value) },
            _value: PhantomData,
        }
    }
}

// The pointer may move; the value does not.
impl<T> Unpin for RcuArc<T> {}

impl<T> Clone for RcuArc<T> {
    #[inline]
    fn clone(&self) -> Self {
        // Saturates, so that any number of forgotten clones leaks the value rather than frees it.
        self.inner().refs.inc();
        Self {
            // INVARIANT: The count was just taken.
            ptr: self.ptr,
            _value: PhantomData,
        }
    }
}

impl<T> Deref for RcuArc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Drop for RcuArc<T> {
    #[inline]
    fn drop(&mut self) {
        if self.inner().refs.dec_and_test() {
            // The count never leaves zero again (see `Ref::upgrade`), so this runs once.
            // SAFETY: In bounds, by the type invariant.
            let head = unsafe { &raw mut (*self.ptr.as_ptr()).head };
            // SAFETY: `head` lies in the allocation, which `free` frees after the grace period. It
            // is in no other list, as no other thread brought the count to zero. `ModuleRef` keeps
            // the text of both functions. The drop may run on any thread, as `T` is `Send` and
            // `'static`.
            unsafe { bindings::call_rcu_hurry(head.cast(), Some(Inner::<T>::retire)) };
        }
    }
}

/// A reader's borrow of a counted value, valid for `'g` without a count.
///
/// # Invariants
///
/// The value is initialised for all of `'g`: either a count is borrowed for `'g`, or a grace period
/// that ends after `'g` lies between the removal of the value from its last slot and its drop.
pub struct Ref<'g, T>(NonNull<Inner<T>>, PhantomData<&'g Inner<T>>);

impl<T> Clone for Ref<'_, T> {
    #[inline]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<'_, T> {}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.target()
    }
}

impl<'g, T> Ref<'g, T> {
    /// Borrows a value.
    ///
    /// # Safety
    ///
    /// `ptr` must come from [`RcuArc::into_stored`], and for all of `'g` the value must be kept by
    /// a count or by a read-side section that began when the value had one.
    #[inline]
    pub(super) unsafe fn new(ptr: NonNull<Inner<T>>) -> Self {
        // INVARIANT: By the requirements of this function.
        Self(ptr, PhantomData)
    }

    /// Returns the value for the whole of the section.
    #[inline]
    pub fn target(self) -> &'g T {
        // SAFETY: By the type invariant.
        &unsafe { self.0.as_ref() }.value
    }

    /// Takes a count, unless the last one has been put already.
    #[inline]
    pub fn upgrade(self) -> Option<RcuArc<T>> {
        // SAFETY: In bounds, by the type invariant.
        let refs = unsafe { &raw mut (*self.0.as_ptr()).refs };
        // SAFETY: `Refcount` is a transparent `refcount_t`, which C changes atomically.
        let counted = unsafe { bindings::refcount_inc_not_zero(refs.cast()) };
        counted.then(|| RcuArc {
            // INVARIANT: The count was just taken.
            ptr: self.0,
            _value: PhantomData,
        })
    }

    /// Returns whether `other` points to the same value.
    #[inline]
    pub fn ptr_eq(self, other: &RcuArc<T>) -> bool {
        self.0 == other.ptr
    }

    /// Returns whether both borrow the same value.
    #[inline]
    pub fn same(self, other: Ref<'_, T>) -> bool {
        self.0 == other.0
    }
}
