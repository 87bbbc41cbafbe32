// SPDX-License-Identifier: GPL-2.0

//! Read-copy-update: counted values that die after a grace period, and slots that publish them.
//!
//! [`RcuArc`] counts, [`Slot`] holds at most one `RcuArc` that readers may look at without counting,
//! [`Ref`] is what such a reader gets. [`Owned`] is the slot for a value with a single owner, taken
//! back by waiting. [`Barrier`] keeps the module's text until the last callback is through.
//!
//! # Why a [`Ref`] never dangles
//!
//! A reader loads the pointer from a [`Slot`] inside a section of a [`Bh`], which RCU's grace
//! periods wait for. The slot owned one count at that moment. To drop the value, that count must go
//! first, hence the slot must be swapped after the load, hence the `call_rcu()` that the last put
//! does comes after the load, hence its grace period waits for the reader's section. The lifetime
//! `'g` ends with the borrow of that [`Bh`].
//!
//! The slot itself lives for `'g`, because the load borrows it for `'g`; if it lies in a value that
//! the reader got as a [`Ref`] of the same section, that is the same argument once more.
//!
//! # Memory order
//!
//! * Publishing: `swap` has release semantics, `load` acquire semantics, so a reader sees the value
//!   as it was before it was published. (Acquire in place of the weaker consume, which neither
//!   language can express.)
//! * Taking out: `swap` has acquire semantics too, so the one who gets the old pointer sees the
//!   value as it was when published.
//! * The count: an increment needs no order, because the caller already has a right to the value;
//!   the decrement that finds zero is ordered after all other decrements (`refcount_dec_and_test()`
//!   gives release for each and acquire for the last). `call_rcu()` and the grace period order the
//!   readers' accesses before the drop.
//!
//! The slots use the language's own atomics. The kernel's are calls to functions of the kernel on
//! builds with GCC, one for each step of a walk through a tree of slots. For one word that only Rust
//! code accesses, release and acquire of the two models come to the same instructions; nothing here
//! needs an order between several words.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::{
    bindings,
    context::{
        may_sleep,
        Bh,
        Process, //
    },
};
use core::{
    convert::Infallible,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    },
};
use kernel::{
    alloc::Flags,
    bindings::callback_head,
    container_of,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        rcu,
        Refcount, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque, //
};
use pin_init::raw_try_init;

/// How many [`Lease`]s there are, plus one if there is a [`Barrier`].
static LEASES: Atomic<isize> = Atomic::new(0);

/// A claim on the text of this module.
///
/// Whatever makes C call into this module later on, or makes it drop something later on, holds one.
/// [`Barrier`] waits for all of them.
pub(crate) struct Lease(());

impl Lease {
    /// Takes a claim.
    ///
    /// # Errors
    ///
    /// [`ESHUTDOWN`] if there is no [`Barrier`] that would wait for it.
    pub(crate) fn take() -> Result<Self> {
        let mut old = LEASES.load(Relaxed);
        loop {
            if old == 0 {
                return Err(ESHUTDOWN);
            }
            // Each lease takes up memory, so there cannot be that many of them.
            let new = old.checked_add(1).ok_or(EOVERFLOW)?;
            match LEASES.cmpxchg(old, new, Relaxed) {
                Ok(_) => return Ok(Self(())),
                Err(now) => old = now,
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Release: what was done under the lease comes before the end of the wait for it.
        LEASES.fetch_sub(1, Release);
    }
}

/// Keeps the module's text until nothing is left that could call it.
///
/// Without one no [`RcuArc`] and no registration of this crate can be made. A module has one, as
/// the **last** field of its state (dropped last), and creates it first. It must not be leaked.
///
/// # Why this suffices
///
/// A lease is given back in one of two places. In the RCU callback that drops a value: once the
/// count has been seen at zero, every such callback has at least been started, so one more
/// `rcu_barrier()` waits for its return. Or by a destructor, after C was told not to call any more;
/// the code that runs the destructor is itself waited for by whoever runs it.
pub struct Barrier(());

impl Barrier {
    /// Makes the barrier.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if there is one already.
    pub fn new() -> Result<Self> {
        match LEASES.cmpxchg(0, 1, Relaxed) {
            Ok(_) => Ok(Self(())),
            Err(_) => Err(EBUSY),
        }
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        if kernel::warn_on!(!may_sleep()) {
            // Nobody can wait here. Then the text stays forever.
            // SAFETY: The module is alive, for it runs this code.
            unsafe { bindings::module_get() };
            return;
        }
        LEASES.fetch_sub(1, Relaxed);
        let mut rounds = 0u32;
        while LEASES.load(Acquire) != 0 {
            rcu::rcu_barrier();
            if LEASES.load(Acquire) == 0 {
                break;
            }
            rounds = rounds.saturating_add(1);
            if rounds == 1000 {
                pr_warn!("unloading waits for objects that are still in use\n");
            }
            fsleep(Delta::from_millis(10));
        }
        rcu::rcu_barrier();
    }
}

/// What an [`RcuArc`] points to.
#[repr(C)]
struct Inner<T> {
    /// Belongs to whoever brought `refs` to zero, then to RCU.
    head: Opaque<callback_head>,
    refs: Refcount,
    value: T,
    /// Dropped after the value.
    _lease: Lease,
}

impl<T> Inner<T> {
    /// Returns where the whole lies of which `value` is the value.
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

    /// Drops and frees the value behind `head`.
    ///
    /// # Safety
    ///
    /// Only for `call_rcu()`, by the drop of the last [`RcuArc`].
    unsafe extern "C" fn free(head: *mut callback_head) {
        let head: *mut Opaque<callback_head> = head.cast();
        // SAFETY: `head` is that of an `Inner<T>`, by the requirements of this function.
        let inner = unsafe { container_of!(head, Self, head) };
        // SAFETY: Comes from `KBox::into_raw` in `RcuArc::pin_init`. There is no reference left: no
        // counted one, as the count was zero, and no `Ref`, as a grace period has passed.
        // The value is pinned, and stays where it is while it is dropped.
        drop(unsafe { KBox::from_raw(inner) });
    }
}

/// A counted pointer to a value that readers may still be looking at when the count reaches zero.
///
/// After the last put the value is dropped and freed by `call_rcu()`, in softirq context: the drop
/// must not sleep. The value is pinned.
///
/// # Invariants
///
/// `ptr` comes from [`KBox::into_raw`], the value is initialised, and this owns one count of `refs`.
/// `T` is `Send`, `Sync` and `'static` (by the constructors).
pub struct RcuArc<T> {
    ptr: NonNull<Inner<T>>,
    _value: PhantomData<Inner<T>>,
}

// SAFETY: Lets other threads look at the value, and drop it.
unsafe impl<T: Send + Sync> Send for RcuArc<T> {}
// SAFETY: As above: `&RcuArc` can be cloned.
unsafe impl<T: Send + Sync> Sync for RcuArc<T> {}

impl<T: Send + Sync + 'static> RcuArc<T> {
    /// Moves `value` into memory of its own.
    pub fn new(value: T, flags: Flags) -> Result<Self> {
        Self::pin_init::<Infallible>(value, flags)
    }

    /// Makes a value in place.
    pub fn pin_init<E>(init: impl PinInit<T, E>, flags: Flags) -> Result<Self>
    where
        Error: From<E>,
    {
        let lease = Lease::take()?;
        let mut memory = KBox::<Inner<T>>::new_uninit(flags)?;
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
        let owner = unsafe { &raw mut (*inner)._lease };
        // SAFETY: Valid for writes.
        unsafe { owner.write(lease) };
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

    /// Looks at the value as readers do.
    #[inline]
    pub fn borrow(&self) -> Ref<'_, T> {
        // INVARIANT: The count of `self` is borrowed for `'_`.
        Ref(self.ptr, PhantomData)
    }

    /// Returns where the value lies.
    #[inline]
    pub(crate) fn as_ptr(this: &Self) -> *const T {
        // SAFETY: In bounds, by the type invariant.
        unsafe { &raw const (*this.ptr.as_ptr()).value }
    }

    /// Returns whether `part` lies in the value.
    ///
    /// Both are alive, so if the addresses say so it is a part of the value, directly or of one of
    /// its parts, and not of something that the value only points to.
    #[inline]
    pub(crate) fn contains<P>(this: &Self, part: &P) -> bool {
        let start = Self::as_ptr(this).addr();
        let offset = ptr::from_ref(part).addr().checked_sub(start);
        let end = offset.and_then(|offset| offset.checked_add(size_of::<P>()));
        size_of::<P>() > 0 && end.is_some_and(|end| end <= size_of::<T>())
    }

    /// Gives the count away, to be claimed with [`RcuArc::from_raw`].
    #[inline]
    pub(crate) fn into_raw(this: Self) -> *const T {
        Self::as_ptr(&ManuallyDrop::new(this))
    }

    /// Claims a count.
    ///
    /// # Safety
    ///
    /// `value` must come from [`RcuArc::into_raw`] or [`RcuArc::as_ptr`], and a count that was
    /// given away with the former must be left, which this takes.
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
            // SAFETY: `head` lies in the allocation, which `free` frees after the grace period; it
            // is in no other list, as nobody else brought the count to zero. `Lease` keeps `free`
            // there. The drop may run anywhere, as `T` is `Send` and `'static`.
            unsafe { kernel::bindings::call_rcu(head.cast(), Some(Inner::<T>::free)) };
        }
    }
}

/// A value as a reader sees it: not counted, alive for `'g`.
///
/// # Invariants
///
/// The value is initialised for all of `'g`: either a count is borrowed for `'g`, or a grace period
/// that ends after `'g` lies between the value's leaving its last slot and its drop.
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
    /// Returns the value for the whole of the section.
    #[inline]
    pub fn target(self) -> &'g T {
        // SAFETY: By the type invariant.
        &unsafe { self.0.as_ref() }.value
    }

    /// Counts the value, unless its count has reached zero already.
    #[inline]
    pub fn upgrade(self) -> Option<RcuArc<T>> {
        // SAFETY: In bounds, by the type invariant.
        let refs = unsafe { &raw mut (*self.0.as_ptr()).refs };
        // SAFETY: `Refcount` is a transparent `refcount_t`, shared by nature.
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

    /// Returns whether both see the same value.
    #[inline]
    pub fn same(self, other: Ref<'_, T>) -> bool {
        self.0 == other.0
    }
}

/// A place for at most one [`RcuArc`] that readers may look at at any time.
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
    /// Makes a slot with nothing in it.
    #[inline]
    pub const fn empty() -> Self {
        // INVARIANT: Null.
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// Makes a slot.
    #[inline]
    pub fn new(value: Option<RcuArc<T>>) -> Self {
        // INVARIANT: The count goes over.
        Self(AtomicPtr::new(Self::give(value)), PhantomData)
    }

    /// Turns an owner into what is stored.
    #[inline]
    fn give(value: Option<RcuArc<T>>) -> *mut Inner<T> {
        value.map_or(ptr::null_mut(), |arc| ManuallyDrop::new(arc).ptr.as_ptr())
    }

    /// Turns what was stored into an owner.
    ///
    /// # Safety
    ///
    /// `stored` must have been taken out of a slot, together with its count.
    #[inline]
    unsafe fn take(stored: *mut Inner<T>) -> Option<RcuArc<T>> {
        NonNull::new(stored).map(|ptr| RcuArc {
            // INVARIANT: By the requirements of this function.
            ptr,
            _value: PhantomData,
        })
    }

    /// Returns whether there is nothing in the slot at this moment.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Looks at the value.
    #[inline]
    pub fn load<'g>(&'g self, _bh: &'g Bh<'_>) -> Option<Ref<'g, T>> {
        let ptr = NonNull::new(self.0.load(Ordering::Acquire))?;
        // INVARIANT: By the type invariant the value was alive when `ptr` was loaded. `_bh` is a
        // read-side section that began before and lasts for `'g`, see the top of this file.
        Some(Ref(ptr, PhantomData))
    }

    /// Counts the value and returns it. May be called in any context.
    pub fn get(&self) -> Option<RcuArc<T>> {
        let _section = rcu::read_lock();
        loop {
            let ptr = NonNull::new(self.0.load(Ordering::Acquire))?;
            // INVARIANT: As in `load`, with `_section` for the section.
            let seen = Ref(ptr, PhantomData);
            // If the count has reached zero, the slot has lost its own, so it holds something else
            // by now: each round that fails means that someone swapped.
            if let Some(arc) = seen.upgrade() {
                return Some(arc);
            }
        }
    }

    /// Exchanges what is in the slot.
    #[inline]
    pub fn swap(&self, value: Option<RcuArc<T>>) -> Option<RcuArc<T>> {
        // INVARIANT: The count of `value` goes in, that of the old value comes out.
        let old = self.0.swap(Self::give(value), Ordering::AcqRel);
        // SAFETY: It was just taken out.
        unsafe { Self::take(old) }
    }
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        // SAFETY: The slot goes away, and its count with it. No `Ref` was loaded from it by a
        // borrow that still lasts; those copied out of it earlier ended with that borrow.
        drop(unsafe { Self::take(*self.0.get_mut()) });
    }
}

impl<T> Default for Slot<T> {
    #[inline]
    fn default() -> Self {
        Self::empty()
    }
}

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

/// Waits for a grace period: all sections that are open now have ended when this returns.
pub fn synchronize(_process: &mut Process) {
    // SAFETY: May sleep, by `_process`.
    unsafe { bindings::synchronize_net() };
}

/// Waits until all values dropped so far are really gone.
///
/// Values that they held in turn may not be.
pub fn barrier(_process: &mut Process) {
    rcu::rcu_barrier();
}
