// SPDX-License-Identifier: GPL-2.0

//! Locks that take a token of the context that they need.
//!
//! * [`SpinLock`] is taken with bottom halves already off, so that one lock serves both process
//!   context and softirqs, and taking it is only one call.
//! * [`Mutex`] and [`RwSemaphore`] sleep. Their guards do not borrow the token, so the holder may
//!   sleep or turn bottom halves off.
//!
//! A guard that is forgotten leaves its lock held, and waiters wait forever. They may read the
//! `task_struct` of the thread that holds the lock: see [`Holder`].
//!
//! C headers: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h),
//! [`include/linux/rwsem.h`](srctree/include/linux/rwsem.h)

use crate::bindings;
use crate::context::{
    Bh,
    Process, //
};
use core::{
    cell::UnsafeCell,
    marker::{
        PhantomData,
        PhantomPinned, //
    },
    ops::{
        Deref,
        DerefMut, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        lock::{
            mutex::MutexBackend,
            Guard as KernelGuard, //
        },
        LockClassKey,
        Mutex as KernelMutex, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};
use pin_init::Wrapper as _;

mod held;
mod holder;

use held::Held;

pub(crate) use holder::Holder;

/// The holder of a spinlock, where waiters or checks look at its `task_struct`.
#[cfg(any(CONFIG_PREEMPT_RT, CONFIG_DEBUG_SPINLOCK))]
type SpinHolder = Holder;
#[cfg(not(any(CONFIG_PREEMPT_RT, CONFIG_DEBUG_SPINLOCK)))]
type SpinHolder = ();

/// Takes a reference of this thread, if one is needed.
#[inline]
fn spin_holder() -> SpinHolder {
    #[cfg(any(CONFIG_PREEMPT_RT, CONFIG_DEBUG_SPINLOCK))]
    Holder::current()
}

/// Makes the initialiser of a [`SpinLock`] with a lock class of its own.
#[macro_export]
macro_rules! new_spinlock {
    ($value:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::lock::SpinLock::new(
            $value,
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use new_spinlock;

/// Makes the initialiser of a [`Mutex`] with a lock class of its own.
#[macro_export]
macro_rules! new_mutex {
    ($value:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::lock::Mutex::new(
            $value,
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use new_mutex;

/// Makes the initialiser of a [`RwSemaphore`] with a lock class of its own.
#[macro_export]
macro_rules! new_rw_semaphore {
    ($value:expr $(, $name:literal)? $(,)?) => {
        $crate::sync::lock::RwSemaphore::new(
            $value,
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use new_rw_semaphore;

/// A value behind a spinlock that is taken with bottom halves off.
///
/// # Invariants
///
/// `value` is only accessed under `lock`. `lock` is only ever held with bottom halves off, so no
/// softirq of the same CPU finds it held.
#[pin_data]
pub struct SpinLock<T> {
    #[pin]
    lock: Opaque<bindings::spinlock_t>,
    held: Held,
    #[pin]
    value: UnsafeCell<T>,
    #[pin]
    _pinned: PhantomPinned,
}

// SAFETY: Owns the value.
unsafe impl<T: Send> Send for SpinLock<T> {}
// SAFETY: Lends the value to one thread at a time.
unsafe impl<T: Send> Sync for SpinLock<T> {}

impl<T> SpinLock<T> {
    /// Makes the initialiser; see [`new_spinlock!`].
    pub fn new(
        value: impl PinInit<T>,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes; the name and the key live forever.
            lock <- Opaque::ffi_init(|slot| unsafe {
                bindings::__spin_lock_init(slot, name.as_char_ptr(), key.as_ptr().cast())
            }),
            held: Held::new(),
            value <- UnsafeCell::pin_init(value),
            _pinned: PhantomPinned,
        })
    }

    /// Takes the lock, spinning while another CPU holds it.
    #[inline]
    pub fn lock<'a>(&'a self, _bh: &'a Bh<'_>) -> SpinLockGuard<'a, T> {
        // SAFETY: The lock is initialised, and bottom halves are off.
        unsafe { bindings::spin_lock(self.lock.get()) };
        self.held.set_or_hang();
        // INVARIANT: The lock was just taken; `_bh` is borrowed for `'a`.
        SpinLockGuard {
            lock: self,
            _bh: PhantomData,
            _holder: spin_holder(),
            _thread: NotThreadSafe,
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock<'a>(&'a self, _bh: &'a Bh<'_>) -> Option<SpinLockGuard<'a, T>> {
        // SAFETY: As in `lock`.
        if unsafe { bindings::spin_trylock(self.lock.get()) } == 0 {
            return None;
        }
        if !self.held.set() {
            // SAFETY: `spin_trylock()` has just taken the lock.
            unsafe { bindings::spin_unlock(self.lock.get()) };
            return None;
        }
        // INVARIANT: As in `lock`.
        Some(SpinLockGuard {
            lock: self,
            _bh: PhantomData,
            _holder: spin_holder(),
            _thread: NotThreadSafe,
        })
    }
}

/// Access to the value of a [`SpinLock`], which is held until the drop.
///
/// # Invariants
///
/// The lock is held, and bottom halves stay off for `'a`.
#[must_use = "the lock is released at once"]
pub struct SpinLockGuard<'a, T> {
    lock: &'a SpinLock<T>,
    _bh: PhantomData<&'a Bh<'a>>,
    _holder: SpinHolder,
    _thread: NotThreadSafe,
}

impl<T> SpinLockGuard<'_, T> {
    /// Lends the value, pinned.
    #[inline]
    pub fn as_mut(&mut self) -> Pin<&mut T> {
        // SAFETY: The lock is held, so the access is exclusive.
        let value = unsafe { &mut *self.lock.value.get() };
        // SAFETY: The value is structurally pinned in the lock.
        unsafe { Pin::new_unchecked(value) }
    }
}

impl<T> Deref for SpinLockGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: The lock is held.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: Unpin> DerefMut for SpinLockGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.as_mut().get_mut()
    }
}

impl<T> Drop for SpinLockGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.held.clear();
        // SAFETY: The lock is held.
        unsafe { bindings::spin_unlock(self.lock.lock.get()) };
    }
}

/// A value behind a lock whose waiters sleep.
#[pin_data]
pub struct Mutex<T> {
    #[pin]
    inner: KernelMutex<T>,
}

impl<T> Mutex<T> {
    /// Makes the initialiser; see [`new_mutex!`].
    pub fn new(
        value: impl PinInit<T>,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- KernelMutex::new(value, name, key),
        })
    }

    /// Takes the lock.
    #[inline]
    pub fn lock<'a>(&'a self, _process: &mut Process) -> MutexGuard<'a, T> {
        MutexGuard(self.inner.lock(), Holder::current())
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock<'a>(&'a self, _process: &mut Process) -> Option<MutexGuard<'a, T>> {
        let guard = self.inner.try_lock()?;
        Some(MutexGuard(guard, Holder::current()))
    }
}

/// Access to the value of a [`Mutex`], which is held until the drop.
#[must_use = "the lock is released at once"]
pub struct MutexGuard<'a, T>(KernelGuard<'a, T, MutexBackend>, #[allow(dead_code)] Holder);

impl<T> MutexGuard<'_, T> {
    /// Lends the value, pinned.
    #[inline]
    pub fn as_mut(&mut self) -> Pin<&mut T> {
        self.0.as_mut()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Unpin> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// A value behind a lock that several readers or one writer may hold, and whose waiters sleep.
///
/// # Invariants
///
/// `value` is only read with `lock` held for reading or writing, and only written with it held for
/// writing.
#[pin_data]
pub struct RwSemaphore<T> {
    #[pin]
    lock: Opaque<bindings::rw_semaphore>,
    #[pin]
    value: UnsafeCell<T>,
    #[pin]
    _pinned: PhantomPinned,
}

// SAFETY: Owns the value.
unsafe impl<T: Send> Send for RwSemaphore<T> {}
// SAFETY: Lends the value to one thread for writing, or to many for reading.
unsafe impl<T: Send + Sync> Sync for RwSemaphore<T> {}

impl<T> RwSemaphore<T> {
    /// Makes the initialiser; see [`new_rw_semaphore!`].
    pub fn new(
        value: impl PinInit<T>,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes; the name and the key live forever.
            lock <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_rwsem(slot, name.as_char_ptr(), key.as_ptr().cast())
            }),
            value <- UnsafeCell::pin_init(value),
            _pinned: PhantomPinned,
        })
    }

    /// Takes the lock for reading.
    #[inline]
    pub fn read<'a>(&'a self, _process: &mut Process) -> ReadGuard<'a, T> {
        // SAFETY: The lock is initialised, and the thread may sleep.
        unsafe { bindings::down_read(self.lock.get()) };
        // INVARIANT: The lock was just taken.
        ReadGuard(self, NotThreadSafe)
    }

    /// Takes the lock for writing.
    #[inline]
    pub fn write<'a>(&'a self, _process: &mut Process) -> WriteGuard<'a, T> {
        // SAFETY: The lock is initialised, and the thread may sleep.
        unsafe { bindings::down_write(self.lock.get()) };
        // INVARIANT: The lock was just taken.
        WriteGuard(self, NotThreadSafe, Holder::current())
    }
}

/// Shared access to the value of a [`RwSemaphore`], held for reading until the drop.
///
/// It has no [`Holder`]: waiters do not look at threads that hold the lock for reading, of which C
/// keeps the number only.
///
/// # Invariants
///
/// The lock is held for reading.
#[must_use = "the lock is released at once"]
pub struct ReadGuard<'a, T>(&'a RwSemaphore<T>, NotThreadSafe);

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: The lock is held for reading.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The lock is held for reading.
        unsafe { bindings::up_read(self.0.lock.get()) };
    }
}

/// Exclusive access to the value of a [`RwSemaphore`], held for writing until the drop.
///
/// # Invariants
///
/// The lock is held for writing.
#[must_use = "the lock is released at once"]
pub struct WriteGuard<'a, T>(
    &'a RwSemaphore<T>,
    NotThreadSafe,
    #[allow(dead_code)] Holder,
);

impl<T> WriteGuard<'_, T> {
    /// Lends the value, pinned.
    #[inline]
    pub fn as_mut(&mut self) -> Pin<&mut T> {
        // SAFETY: The lock is held for writing, so the access is exclusive.
        let value = unsafe { &mut *self.0.value.get() };
        // SAFETY: The value is structurally pinned in the lock.
        unsafe { Pin::new_unchecked(value) }
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: The lock is held for writing.
        unsafe { &*self.0.value.get() }
    }
}

impl<T: Unpin> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.as_mut().get_mut()
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The lock is held for writing.
        unsafe { bindings::up_write(self.0.lock.get()) };
    }
}

#[kernel::macros::kunit_tests(kext_lock)]
mod tests {
    use super::*;

    /// Returns whether `try_lock` takes a lock that is held. Does not try on a kernel for one CPU
    /// with DEBUG_SPINLOCK: there C tracks whether a lock is held, and reports a failing
    /// `spin_trylock()` as a bug.
    fn can_be_had(lock: &SpinLock<u32>, bh: &Bh<'_>) -> bool {
        cfg!(any(CONFIG_SMP, not(CONFIG_DEBUG_SPINLOCK))) && lock.try_lock(bh).is_some()
    }

    #[test]
    fn a_spinlock_that_is_held_cannot_be_had() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let lock = KBox::pin_init(new_spinlock!(1u32), GFP_KERNEL)?;
        // On kernels for one CPU as well. The results are compared later, as a test must not fail
        // with bottom halves off.
        let (first, second) = {
            let bh = process.bh();
            let mut guard = lock.lock(&bh);
            *guard = 2;
            let first = can_be_had(&lock, &bh);
            let second = can_be_had(&lock, &bh);
            (first, second)
        };
        assert!(!first && !second);
        let (seen, again) = {
            let bh = process.bh();
            let guard = lock.try_lock(&bh);
            let again = can_be_had(&lock, &bh);
            (guard.as_deref().copied(), again)
        };
        assert_eq!(seen, Some(2));
        assert!(!again);
        assert_eq!(*lock.lock(&process.bh()), 2);
        Ok(())
    }
}
