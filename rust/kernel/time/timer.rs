// SPDX-License-Identifier: GPL-2.0

//! Timers that are fields of a counted value.
//!
//! A [`Timer`] is a field of a `T` in an [`RcuArc`]. While it is pending it owns one count of that
//! value, so the value exists when the timer expires; [`Expired::expired`] gets this count.
//!
//! # One count for each pending instance
//!
//! A timer is pending or idle. Only these steps change that, each under the lock of the timer's
//! base:
//!
//! | change         | by                                                  | the count                |
//! |----------------|-----------------------------------------------------|--------------------------|
//! | idle → pending | `mod_timer()`, which then returns 0                 | [`Timer::arm`] gives one |
//! | pending → idle | `timer_delete_sync()`, which then returns 1         | the caller drops it      |
//! | pending → idle | expiry, which then calls the callback once          | the callback takes it    |
//!
//! `arm` takes a count before it calls `mod_timer()`, as the timer may expire on another CPU before
//! that returns. If `mod_timer()` does not return 0, `arm` drops its count again: the timer was
//! pending, with a count of its own. (`mod_timer()` may see that without the lock, and change
//! nothing.) A call of `arm` from within the callback, or on another CPU while the callback runs,
//! finds the timer idle and gives the new instance a new count; the two are independent.
//!
//! # Why the timer core never touches freed memory
//!
//! The last put of an [`RcuArc`] frees after a grace period, and expired timers run in softirq
//! context, for which grace periods wait. So even if the callback drops the last count at once, the
//! `timer_list` exists until the timer core does not use it any more. `mod_timer()` and
//! `timer_delete_sync()` are called through a borrow of the timer.
//!
//! An owner may drop its timer alone, if it keeps the timer in a container that drops in place
//! (such as `Revocable`). Then [`Timer`]'s destructor waits for a running callback, without
//! sleeping. Within the callback itself it would wait forever.
//!
//! # Why the owner is the right one
//!
//! [`Timer::arm`] compares addresses: the timer must lie within the value that the `RcuArc` points
//! to. Both are alive, so that value contains the timer. The value is pinned and never moves, so
//! its address, stored for the callback, is the same at each call.
//!
//! C header: [`include/linux/timer.h`](srctree/include/linux/timer.h)

use crate::bindings::{
    mod_timer,
    timer_delete_sync,
    timer_init_key,
    timer_list, //
};
use crate::{
    bindings,
    context::{
        Bh,
        Process, //
    },
    sync::rcu::{
        PendingOwner,
        RcuArc, //
    },
    time::jiffies,
};
use core::marker::PhantomPinned;
use kernel::{
    ffi::c_ulong,
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

/// The longest time that a timer can be armed for, in jiffies.
const MAX_DELAY: u64 = (c_ulong::MAX >> 2) as u64;

/// Makes the initialiser of a [`Timer`] with a lock class of its own.
#[macro_export]
macro_rules! new_timer {
    ($($name:literal)?) => {
        $crate::time::timer::Timer::new(
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use new_timer;

/// The callback of a [`Timer`] or [`HrTimer`](super::hrtimer::HrTimer), number `ID` of `Self`.
pub trait Expired<const ID: usize>: Send + Sync + Sized + 'static {
    /// Called in softirq context, once for each time that the timer expires.
    ///
    /// The timer is idle by then and may be armed again.
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>);
}

/// A timer that is a field of a `T`.
///
/// # Invariants
///
/// * `timer` is initialised with [`Timer::callback`].
/// * While `timer` is pending, a count was acquired with `owner`.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Timer<T, const ID: usize> {
    #[pin]
    timer: Opaque<timer_list>,
    owner: PendingOwner<T>,
    #[pin]
    _pinned: PhantomPinned,
}

// SAFETY: The functions for timers may be called on any thread. What they drop or hand to other
// threads is an `RcuArc<T>` with `T: Expired`, which is `Send` and `Sync`.
unsafe impl<T, const ID: usize> Send for Timer<T, ID> {}
// SAFETY: As above; they do their own locking.
unsafe impl<T, const ID: usize> Sync for Timer<T, ID> {}

impl<T: Expired<ID>, const ID: usize> Timer<T, ID> {
    /// Makes the initialiser; see [`new_timer!`].
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        // INVARIANT: Idle, and without an owner.
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes and stays where it is; the name and the key live
            // forever.
            timer <- Opaque::ffi_init(|slot| unsafe {
                timer_init_key(
                    slot,
                    Some(Self::callback),
                    0,
                    name.as_char_ptr(),
                    key.as_ptr().cast(),
                )
            }),
            owner: PendingOwner::new(),
            _pinned: PhantomPinned,
        })
    }

    /// Calls [`Expired::expired`].
    ///
    /// # Safety
    ///
    /// Only for the timer core, which calls it with the timer in a `Timer<T, ID>` that was pending.
    unsafe extern "C" fn callback(timer: *mut timer_list) {
        let this: *const Self = timer.cast();
        // SAFETY: The timer is alive: its pending instance had a count of the owner, or the
        // destructor waits for this callback.
        let owner = unsafe { &(*this).owner };
        // SAFETY: By the type invariant the pending instance had a count. The change to idle gave
        // it to this call.
        let owner = unsafe { owner.release() };
        // SAFETY: Timers expire in softirq context.
        let bh = unsafe { Bh::in_softirq() };
        // `timer` is not touched from here on.
        T::expired(owner, &bh);
    }

    /// Arms the timer for `after` jiffies from now, whether or not it is pending.
    ///
    /// Does nothing, with a warning, if the timer does not lie in `owner`.
    pub fn arm(&self, owner: &RcuArc<T>, after: u64) {
        self.arm_at(owner, jiffies().saturating_add(after));
    }

    /// Arms the timer for a time in [`jiffies`], whether or not it is pending. A time that has
    /// passed is now.
    ///
    /// Does nothing, with a warning, if the timer does not lie in `owner`.
    pub fn arm_at(&self, owner: &RcuArc<T>, expires: u64) {
        if !self.owner.acquire(owner, self) {
            return;
        }
        let now = jiffies();
        let (first, last) = (now.saturating_sub(MAX_DELAY), now.saturating_add(MAX_DELAY));
        // CAST: Near `now`; C's timers use the lower part of `jiffies_64`.
        let expires = expires.max(first).min(last) as c_ulong;
        // INVARIANT: A count was acquired for the pending instance.
        // SAFETY: The timer is initialised and pinned.
        if unsafe { mod_timer(self.timer.get(), expires) } != 0 {
            // SAFETY: The count from above was not used for a new instance; take it back.
            drop(unsafe { self.owner.release() });
        }
    }

    /// Returns whether the timer is pending at this moment.
    #[inline]
    pub fn is_pending(&self) -> bool {
        // SAFETY: The timer is initialised.
        unsafe { bindings::timer_pending(self.timer.get()) }
    }

    /// Makes the timer idle, waits for its callback, and returns whether it was pending.
    ///
    /// Another CPU may arm the timer again meanwhile. The callback cannot call this, as it has no
    /// [`Process`].
    pub fn cancel_sync(&self, _process: &mut Process) -> bool {
        // SAFETY: The timer is initialised and pinned, and this is not its callback.
        let pending = unsafe { timer_delete_sync(self.timer.get()) } != 0;
        if pending {
            // SAFETY: This call made the timer idle.
            unsafe { self.put() };
        }
        pending
    }
}

impl<T, const ID: usize> Timer<T, ID> {
    /// Drops the count of an instance that was pending.
    ///
    /// # Safety
    ///
    /// The caller must have made the timer idle.
    unsafe fn put(&self) {
        // SAFETY: By the type invariant the instance had a count, which no other call takes now.
        drop(unsafe { self.owner.release() });
    }
}

#[pinned_drop]
impl<T, const ID: usize> PinnedDrop for Timer<T, ID> {
    fn drop(self: Pin<&mut Self>) {
        if self.owner.as_ptr().is_null() {
            // Never armed.
            return;
        }
        // If the owner is being dropped, the timer is idle and no callback runs (see the top of
        // this file), so this returns at once. Otherwise it waits for the callback.
        // SAFETY: The timer is initialised and pinned.
        if unsafe { timer_delete_sync(self.timer.get()) } != 0 {
            // SAFETY: This call made the timer idle.
            unsafe { self.put() };
        }
    }
}

#[kernel::macros::kunit_tests(kext_timer)]
mod tests {
    use super::*;
    use crate::sync::rcu;
    use kernel::{
        sync::atomic::{
            Atomic,
            Relaxed, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
    };

    #[pin_data]
    struct Owner {
        #[pin]
        timer: Timer<Self, 0>,
        times: Atomic<usize>,
        _ends: Option<Ends>,
    }

    /// Counts drops.
    struct Ends(RcuArc<Atomic<usize>>);

    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    impl Expired<0> for Owner {
        fn expired(this: RcuArc<Self>, _bh: &Bh<'_>) {
            // Arm it once more, from within the callback.
            if this.times.fetch_add(1, Relaxed) == 0 {
                this.timer.arm(&this, 0);
            }
        }
    }

    fn owner(ends: Option<Ends>) -> Result<RcuArc<Owner>> {
        let init = pin_init!(Owner {
            timer <- new_timer!(),
            times: Atomic::new(0),
            _ends: ends,
        });
        RcuArc::pin_init_atomic(init)
    }

    #[test]
    fn timers_expire_once_for_each_time_they_are_armed() -> Result {
        let owner = owner(None)?;
        owner.timer.arm(&owner, 1);
        owner.timer.arm(&owner, 1);
        assert!(owner.timer.is_pending());
        fsleep(Delta::from_millis(100));
        assert!(!owner.timer.is_pending());
        assert_eq!(owner.times.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn cancelled_timers_do_not_expire() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let owner = owner(None)?;
        owner.timer.arm(&owner, 5);
        assert!(owner.timer.cancel_sync(&mut process));
        assert!(!owner.timer.cancel_sync(&mut process));
        owner.timer.arm(&owner, u64::MAX);
        assert!(owner.timer.cancel_sync(&mut process));
        fsleep(Delta::from_millis(100));
        assert_eq!(owner.times.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn counts_come_out_even() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let ends = RcuArc::new(Atomic::new(0), &mut process)?;
        let owner = owner(Some(Ends(ends.clone())))?;
        let start = jiffies();
        while jiffies().wrapping_sub(start) < 50 {
            // Expires before, during or after the next call.
            owner.timer.arm(&owner, jiffies() & 1);
            owner.timer.arm(&owner, 0);
            if jiffies() & 2 == 0 {
                owner.timer.cancel_sync(&mut process);
            }
            process.cond_resched();
        }
        owner.timer.arm(&owner, 0);
        fsleep(Delta::from_millis(100));
        rcu::barrier(&mut process);
        assert_eq!(ends.load(Relaxed), 0);
        drop(owner);
        rcu::barrier(&mut process);
        assert_eq!(ends.load(Relaxed), 1);
        Ok(())
    }
}
