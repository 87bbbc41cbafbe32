// SPDX-License-Identifier: GPL-2.0

//! A flag that says whether a spinlock is held, for kernels where C does not track that.
//!
//! On a kernel for one CPU, without `PREEMPT_RT`, taking a spinlock only keeps the thread on the
//! CPU, which excludes all others. It does not exclude the holder itself: `spin_lock()` does
//! nothing, or with `DEBUG_SPINLOCK` reports that and goes on. In C that is a mistake which kernels
//! for more CPUs show, and here it would be a second `&mut` to the same value.

/// No flag: in these configurations C tracks whether the lock is held.
#[cfg(any(CONFIG_SMP, CONFIG_PREEMPT_RT))]
pub(super) struct Held;

#[cfg(any(CONFIG_SMP, CONFIG_PREEMPT_RT))]
impl Held {
    #[inline]
    pub(super) const fn new() -> Self {
        Self
    }

    #[inline]
    pub(super) fn set_or_hang(&self) {}

    #[inline]
    pub(super) fn set(&self) -> bool {
        true
    }

    #[inline]
    pub(super) fn clear(&self) {}
}

#[cfg(not(any(CONFIG_SMP, CONFIG_PREEMPT_RT)))]
pub(super) use one_cpu::Held;

#[cfg(not(any(CONFIG_SMP, CONFIG_PREEMPT_RT)))]
mod one_cpu {
    use core::sync::atomic::{
        AtomicBool,
        Ordering, //
    };
    use kernel::prelude::*;

    /// Whether the lock is held.
    ///
    /// Only the thread that has just taken the kernel's lock, or is about to release it, looks:
    /// with preemption and bottom halves off it has the only CPU to itself.
    pub(in super::super) struct Held(AtomicBool);

    impl Held {
        #[inline]
        pub(in super::super) const fn new() -> Self {
            Self(AtomicBool::new(false))
        }

        /// Sets the flag. A holder that takes the lock once more hangs here, as it would on more
        /// CPUs.
        #[inline]
        pub(in super::super) fn set_or_hang(&self) {
            if !self.set() {
                hang();
            }
        }

        /// Sets the flag, and returns whether it was clear.
        #[inline]
        pub(in super::super) fn set(&self) -> bool {
            let was_held = self.0.load(Ordering::Relaxed);
            self.0.store(true, Ordering::Relaxed);
            !was_held
        }

        /// Clears the flag.
        #[inline]
        pub(in super::super) fn clear(&self) {
            self.0.store(false, Ordering::Relaxed);
        }
    }

    #[cold]
    fn hang() -> ! {
        pr_crit!("a thread takes a spinlock that it holds\n");
        loop {
            core::hint::spin_loop();
        }
    }
}
