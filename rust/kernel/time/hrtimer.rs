// SPDX-License-Identifier: GPL-2.0

//! High-resolution timers that are fields of a counted value.
//!
//! An [`HrTimer`] is a field of a `T` in an [`RcuArc`], as a [`Timer`](super::timer::Timer) is. It
//! is for spans of microseconds. It expires on the CPU that starts it, unless that CPU goes offline
//! or the callback is running on another one. Drivers cannot stop it.
//!
//! # One count for each start
//!
//! `hrtimer_start_range_ns()` does not return whether the timer was pending, so a flag says that.
//! The call of [`HrTimer::start`] that sets the flag takes a count and starts the timer. The
//! callback, which gets that count, reads the owner and then clears the flag. Between the two no
//! other call starts the timer or writes the owner.
//!
//! Why the timer core never touches freed memory, and why the owner is the right one,
//! [`Timer`](super::timer) explains: the same holds here, as the callback runs in softirq context,
//! for which grace periods wait, and [`HrTimer::start`] compares addresses.
//!
//! C header: [`include/linux/hrtimer.h`](srctree/include/linux/hrtimer.h)

use super::{
    timer::Expired,
    HZ, //
};
use crate::bindings::{
    hrtimer,
    hrtimer_cancel,
    hrtimer_mode,
    hrtimer_mode_HRTIMER_MODE_REL_PINNED_SOFT,
    hrtimer_resolution,
    hrtimer_restart,
    hrtimer_setup,
    hrtimer_start_range_ns,
    CLOCK_MONOTONIC, //
};
use crate::{
    context::Bh,
    sync::rcu::{
        PendingOwner,
        RcuArc, //
    },
};
use core::{
    marker::PhantomPinned,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Relative to now, on this CPU if possible, with a callback in softirq context.
const MODE: hrtimer_mode = hrtimer_mode_HRTIMER_MODE_REL_PINNED_SOFT;

/// Returns whether high-resolution timers expire between ticks. They do not without clock hardware
/// for that, or with `highres=off`.
#[inline]
pub fn is_precise() -> bool {
    const JIFFY: u64 = 1_000_000_000 / HZ;
    // SAFETY: The variable exists for as long as the kernel runs; it changes while the machine
    // boots.
    let resolution = unsafe { hrtimer_resolution };
    u64::from(resolution) < JIFFY
}

/// A high-resolution timer that is a field of a `T`.
///
/// # Invariants
///
/// * `timer` is initialised with [`HrTimer::callback`].
/// * While `timer` is pending, `is_started` is set, and a count was acquired with `owner`.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct HrTimer<T, const ID: usize> {
    #[pin]
    timer: Opaque<hrtimer>,
    owner: PendingOwner<T>,
    is_started: AtomicBool,
    #[pin]
    _pinned: PhantomPinned,
}

// SAFETY: The functions for timers may be called on any thread. What they drop or hand to other
// threads is an `RcuArc<T>` with `T: Expired`, which is `Send` and `Sync`.
unsafe impl<T, const ID: usize> Send for HrTimer<T, ID> {}
// SAFETY: As above; they do their own locking.
unsafe impl<T, const ID: usize> Sync for HrTimer<T, ID> {}

impl<T: Expired<ID>, const ID: usize> HrTimer<T, ID> {
    /// Makes the initialiser.
    pub fn new() -> impl PinInit<Self> {
        // INVARIANT: Idle, and without an owner.
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes and stays where it is.
            timer <- Opaque::ffi_init(|slot| unsafe {
                hrtimer_setup(slot, Some(Self::callback), CLOCK_MONOTONIC as i32, MODE)
            }),
            owner: PendingOwner::new(),
            is_started: AtomicBool::new(false),
            _pinned: PhantomPinned,
        })
    }

    /// Calls [`Expired::expired`].
    ///
    /// # Safety
    ///
    /// Only for the timer core, which calls it with the timer in an `HrTimer<T, ID>` that was
    /// pending.
    unsafe extern "C" fn callback(timer: *mut hrtimer) -> hrtimer_restart {
        let this: *const Self = timer.cast();
        // SAFETY: The timer is alive: its pending instance had a count of the owner, or the
        // destructor waits for this callback.
        let owner = unsafe { &(*this).owner };
        // SAFETY: By the type invariant the pending instance had a count. The change to idle gave
        // it to this call.
        let owner = unsafe { owner.release() };
        // SAFETY: As above. From here on `start` may start the timer again.
        unsafe { &(*this).is_started }.store(false, Ordering::Release);
        // SAFETY: `MODE` makes the callback run in softirq context.
        let bh = unsafe { Bh::in_softirq() };
        // `timer` is not touched from here on.
        T::expired(owner, &bh);
        crate::bindings::hrtimer_restart_HRTIMER_NORESTART
    }

    /// Starts the timer, to expire `after` nanoseconds from now, unless it is started already.
    ///
    /// Does nothing, with a warning, if the timer does not lie in `owner`.
    pub fn start(&self, owner: &RcuArc<T>, after: u32, _bh: &Bh<'_>) {
        if self.is_started.swap(true, Ordering::AcqRel) {
            return;
        }
        if !self.owner.acquire(owner, self) {
            self.is_started.store(false, Ordering::Release);
            return;
        }
        // INVARIANT: A count was acquired for the pending instance. There was no such instance:
        // the flag was clear, and only the callback of an instance clears it.
        // SAFETY: The timer is initialised and pinned.
        unsafe { hrtimer_start_range_ns(self.timer.get(), i64::from(after), 0, MODE) };
    }
}

#[pinned_drop]
impl<T, const ID: usize> PinnedDrop for HrTimer<T, ID> {
    fn drop(self: Pin<&mut Self>) {
        if self.owner.as_ptr().is_null() {
            // Never started.
            return;
        }
        // If the owner is being dropped, the timer is idle and no callback runs, so this returns at
        // once. Otherwise it waits for the callback.
        // SAFETY: The timer is initialised and pinned.
        if unsafe { hrtimer_cancel(self.timer.get()) } != 0 {
            // SAFETY: By the type invariant the pending instance had a count, which the callback
            // does not take now.
            drop(unsafe { self.owner.release() });
        }
    }
}

#[kernel::macros::kunit_tests(kext_hrtimer)]
mod tests {
    use super::*;
    use crate::{
        context::Process,
        sync::rcu,
        time::jiffies, //
    };
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
        timer: HrTimer<Self, 0>,
        times: Atomic<usize>,
        _ends: Ends,
    }

    /// Counts drops.
    struct Ends(RcuArc<Atomic<usize>>);

    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    impl Expired<0> for Owner {
        fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
            // Start it once more, from within the callback.
            if this.times.fetch_add(1, Relaxed) == 0 {
                this.timer.start(&this, 1000, bh);
            }
        }
    }

    fn owner(ends: &RcuArc<Atomic<usize>>) -> Result<RcuArc<Owner>> {
        let init = pin_init!(Owner {
            timer <- HrTimer::new(),
            times: Atomic::new(0),
            _ends: Ends(ends.clone()),
        });
        RcuArc::pin_init_atomic(init)
    }

    #[test]
    fn timers_expire_once_for_each_time_they_are_started() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let owner = owner(&RcuArc::new(Atomic::new(0), &mut process)?)?;
        {
            let bh = process.bh();
            owner.timer.start(&owner, 1_000_000, &bh);
            // This does nothing, as the timer is started.
            owner.timer.start(&owner, 0, &bh);
        }
        fsleep(Delta::from_millis(100));
        assert_eq!(owner.times.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn counts_come_out_even() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let ends = RcuArc::new(Atomic::new(0), &mut process)?;
        let owner = owner(&ends)?;
        let start = jiffies();
        while jiffies().wrapping_sub(start) < 50 {
            owner.timer.start(&owner, 20_000, &process.bh());
            process.cond_resched();
        }
        owner.timer.start(&owner, 1_000_000, &process.bh());
        assert_eq!(ends.load(Relaxed), 0);
        // The pending timer keeps the owner.
        drop(owner);
        fsleep(Delta::from_millis(100));
        rcu::barrier(&mut process);
        assert_eq!(ends.load(Relaxed), 1);
        Ok(())
    }
}
