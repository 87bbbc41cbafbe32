// SPDX-License-Identifier: GPL-2.0

//! Locks.
//!
//! A spinlock is an acquire when it is taken and a release when it is given back, and nothing more
//! (`Documentation/memory-barriers.txt`, "LOCK ACQUISITION FUNCTIONS"): what comes before one may
//! be seen after what it covers. A thread that waits for one is woken and does not spin, so that
//! loom need not try each round. A mutex is the same here; what differs is that its holder may
//! wait.

use crate::context::{Bh, Process};
use engine::Lock;
use pin_init::{raw_try_init, PinInit};
use std::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

/// A value behind a lock.
struct Locked<T> {
    lock: Lock,
    value: UnsafeCell<T>,
}

impl<T> Locked<T> {
    fn init(value: impl PinInit<T>) -> impl PinInit<Self> {
        // SAFETY: The slot is filled, or the error returned.
        unsafe {
            pin_init::init_fn(move |slot: *mut Self| {
                (&raw mut (*slot).lock).write(Lock::new());
                raw_try_init(UnsafeCell::raw_get(&raw const (*slot).value), value)
            })
        }
    }
}

macro_rules! kinds {
    ($($kind:ident $guard:ident;)*) => {$(
        /// A value behind a lock of this kind.
        pub struct $kind<T>(Locked<T>);

        // SAFETY: Owns the value.
        unsafe impl<T: Send> Send for $kind<T> {}
        // SAFETY: Lends it to one at a time.
        unsafe impl<T: Send> Sync for $kind<T> {}

        impl<T> $kind<T> {
            /// Makes it.
            pub fn new(value: impl PinInit<T>) -> impl PinInit<Self> {
                // SAFETY: The slot is filled, or the error returned.
                unsafe {
                    pin_init::init_fn(move |slot: *mut Self| {
                        raw_try_init(&raw mut (*slot).0, Locked::init(value))
                    })
                }
            }
        }

        /// The value, locked.
        pub struct $guard<'a, T>(&'a Locked<T>, PhantomData<*mut ()>);

        impl<T> Deref for $guard<'_, T> {
            type Target = T;
            fn deref(&self) -> &T {
                // SAFETY: The lock is held.
                unsafe { &*self.0.value.get() }
            }
        }

        impl<T> DerefMut for $guard<'_, T> {
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: The lock is held.
                unsafe { &mut *self.0.value.get() }
            }
        }

        impl<T> Drop for $guard<'_, T> {
            fn drop(&mut self) {
                self.0.lock.release();
            }
        }
    )*};
}

kinds! {
    SpinLock SpinLockGuard;
    Mutex MutexGuard;
}

impl<T> SpinLock<T> {
    /// Takes the lock.
    #[track_caller]
    pub fn lock<'a>(&'a self, _bh: &'a Bh<'_>) -> SpinLockGuard<'a, T> {
        self.0.lock.acquire();
        SpinLockGuard(&self.0, PhantomData)
    }
}

impl<T> Mutex<T> {
    /// Takes the lock.
    #[track_caller]
    pub fn lock<'a>(&'a self, _process: &mut Process) -> MutexGuard<'a, T> {
        self.0.lock.acquire();
        MutexGuard(&self.0, PhantomData)
    }
}

/// Makes a spinlock.
#[macro_export]
macro_rules! new_spinlock {
    ($value:expr $(,)?) => {
        $crate::sync::lock::SpinLock::new($value)
    };
}

/// Makes a mutex.
#[macro_export]
macro_rules! new_mutex {
    ($value:expr $(,)?) => {
        $crate::sync::lock::Mutex::new($value)
    };
}
