// SPDX-License-Identifier: GPL-2.0

//! Slab caches for counted values.
//!
//! `kmalloc()` rounds a size up, mostly to a power of two. A cache for one type does not, and
//! `/proc/slabinfo` shows how much memory its values take, as it is merged with no other.
//!
//! A value of a cache is freed by `kfree()`, as others are: that takes objects of any cache. The
//! caches are destroyed at the end of the module, after the last value is freed.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h)

use crate::{
    bindings::{
        __kmem_cache_create_args,
        kmem_cache,
        kmem_cache_alloc,
        kmem_cache_args,
        kmem_cache_destroy,
        CONST_GFP_KERNEL,
        CONST_SLAB_NO_MERGE, //
    },
    context::Process,
    sync::{
        atomic::{
            AtomicPtr,
            Ordering, //
        },
        rcu::{
            Inner,
            ModuleRef,
            RcuArc, //
        }, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::null_mut, //
};
use kernel::{
    ffi::c_uint,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
        Relaxed,
        Release, //
    }, //
};

/// The caches that were created, as a list by [`CreatedCache::next`].
static CREATED: AtomicPtr<CreatedCache> = AtomicPtr::new(null_mut());

/// The part of a [`SlabCache`] that does not know its type.
///
/// # Invariants
///
/// `cache` is null or a cache, which only [`destroy_all`] destroys.
struct CreatedCache {
    /// Whether the cache is created, or is being created.
    is_taken: Atomic<bool>,
    cache: AtomicPtr<kmem_cache>,
    next: AtomicPtr<CreatedCache>,
}

/// A slab cache for values of type `T` in [`RcuArc`]s; a `static`.
///
/// # Invariants
///
/// The objects of the cache have size and alignment of `Inner<T>`.
pub struct SlabCache<T> {
    name: &'static CStr,
    entry: CreatedCache,
    _value: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> SlabCache<T> {
    /// Makes a cache that is still to be created.
    pub const fn new(name: &'static CStr) -> Self {
        const { assert!(size_of::<Inner<T>>() <= c_uint::MAX as usize) };
        // INVARIANT: There is no cache.
        Self {
            name,
            entry: CreatedCache {
                is_taken: Atomic::new(false),
                cache: AtomicPtr::new(null_mut()),
                next: AtomicPtr::new(null_mut()),
            },
            _value: PhantomData,
        }
    }

    /// Creates the cache, which exists until the end of the module.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if it was created before, [`ENOMEM`] without memory, [`ESHUTDOWN`] outside of the
    /// module's life.
    ///
    /// [`ESHUTDOWN`]: crate::compat::code::ESHUTDOWN
    pub fn create(&'static self, _ctx: &mut Process) -> Result {
        // Caches are destroyed when there is no reference.
        let _module = ModuleRef::get()?;
        let entry = &self.entry;
        if entry.is_taken.xchg(true, Full) {
            return Err(EBUSY);
        }
        let mut args = kmem_cache_args {
            // CAST: An alignment is at most 2^29.
            align: align_of::<Inner<T>>() as c_uint,
            ..pin_init::zeroed()
        };
        let name = self.name.as_char_ptr();
        // CAST: `new` has checked it.
        let size = size_of::<Inner<T>>() as c_uint;
        // SAFETY: The name and the arguments are valid, and the thread may sleep.
        let cache =
            unsafe { __kmem_cache_create_args(name, size, &raw mut args, CONST_SLAB_NO_MERGE) };
        if cache.is_null() {
            entry.is_taken.store(false, Relaxed);
            return Err(ENOMEM);
        }
        // INVARIANT: A cache of this size and alignment.
        entry.cache.store(cache, Ordering::Release);
        let this: *const CreatedCache = entry;
        let mut first = CREATED.load(Ordering::Relaxed);
        loop {
            entry.next.store(first, Ordering::Relaxed);
            match CREATED.compare_exchange_weak(
                first,
                this.cast_mut(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(now) => first = now,
            }
        }
    }

    /// Allocates memory and initialises a value there, with a count of one.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`] if there is no memory, or the cache was not created; that of `init`;
    /// [`ESHUTDOWN`] outside of the module's life.
    ///
    /// [`ESHUTDOWN`]: crate::compat::code::ESHUTDOWN
    pub fn pin_init<E>(&self, init: impl PinInit<T, E>, _ctx: &mut Process) -> Result<RcuArc<T>>
    where
        Error: From<E>,
    {
        let module = ModuleRef::get()?;
        let cache = self.entry.cache.load(Ordering::Acquire);
        if cache.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: By the type invariant `cache` is a cache. It exists for as long as there is
        // `module`, which the value takes over. The thread may sleep, by `_ctx`.
        let memory = unsafe { kmem_cache_alloc(cache, CONST_GFP_KERNEL) };
        if memory.is_null() {
            return Err(ENOMEM);
        }
        // SAFETY: By the type invariant the memory has size and alignment of an `Inner<T>`.
        // `kfree()`, by which a `KBox` frees, takes objects of all caches.
        let memory = unsafe { KBox::from_raw(memory.cast::<MaybeUninit<Inner<T>>>()) };
        RcuArc::pin_init_in(module, memory, init)
    }
}

/// Destroys all caches.
///
/// # Safety
///
/// There is no [`ModuleRef`], none can be taken meanwhile, and the last value of each cache is
/// freed. The thread may sleep.
pub(crate) unsafe fn destroy_all() {
    let mut next = CREATED.swap(null_mut(), Ordering::Acquire);
    while !next.is_null() {
        // SAFETY: Borrowed for `'static`.
        let entry = unsafe { &*next };
        next = entry.next.load(Ordering::Relaxed);
        let cache = entry.cache.swap(null_mut(), Ordering::Relaxed);
        // SAFETY: By the type invariant, and the requirements of this function.
        unsafe { kmem_cache_destroy(cache) };
        entry.is_taken.store(false, Release);
    }
}

#[kernel::macros::kunit_tests(kext_slab_cache)]
mod tests {
    use super::*;
    use crate::sync::rcu::barrier;

    /// A size that `kmalloc()` rounds up.
    #[repr(align(64))]
    struct Value([u8; 1100]);

    /// Counts drops.
    struct Counted(Value, RcuArc<Atomic<usize>>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_add(1, Relaxed);
        }
    }

    static CACHE: SlabCache<Counted> = SlabCache::new(c"kext_slab_cache_test");
    static NEVER: SlabCache<Value> = SlabCache::new(c"kext_slab_cache_never");

    #[test]
    fn values_of_a_cache_are_dropped_once() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let drops = RcuArc::new(Atomic::new(0), &mut process)?;
        // A second run finds it created.
        let _ = CACHE.create(&mut process);
        assert_eq!(CACHE.create(&mut process).err(), Some(EBUSY));
        let first = CACHE.pin_init(Counted(Value([1; 1100]), drops.clone()), &mut process)?;
        let second = CACHE.pin_init(Counted(Value([2; 1100]), drops.clone()), &mut process)?;
        assert!(first.0 .0.iter().all(|byte| *byte == 1));
        assert!(second.0 .0.iter().all(|byte| *byte == 2));
        drop(first);
        barrier(&mut process);
        assert_eq!(drops.load(Relaxed), 1);
        drop(second);
        barrier(&mut process);
        assert_eq!(drops.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn a_cache_that_was_not_created_has_no_memory() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let value = NEVER.pin_init(Value([0; 1100]), &mut process);
        assert_eq!(value.err(), Some(ENOMEM));
        Ok(())
    }
}
