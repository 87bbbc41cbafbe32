// SPDX-License-Identifier: GPL-2.0

//! Tokens that prove the context in which code runs.
//!
//! A function that may sleep takes `&mut` [`Process`]. The exceptions, which have none to take, are
//! constructors of registrations and queues, `Request::reply()` and destructors: they ask
//! [`may_sleep`]. A function that needs bottom halves off, or an RCU read-side section, takes `&`
//! [`Bh`]. Drivers cannot make either token: the callbacks of this
//! crate do, each by its own contract with C. Turning bottom halves off borrows the [`Process`], so
//! that code cannot call a function that sleeps in between:
//!
//! ```text
//!   C: process context --> &mut Process --bh()--> Bh --load()--> rcu::Ref, lock::SpinLockGuard
//!   C: softirq         --> &Bh              --------load()--> rcu::Ref, lock::SpinLockGuard
//! ```
//!
//! # What holds and why
//!
//! * At most one usable [`Process`] exists for a thread at any time. Each callback makes one. A
//!   nested callback runs only within a function that was given the outer one, or within a function
//!   that C itself does not allow under [`Bh`].
//! * Both are tied to their thread (`!Send`, `!Sync`), so a proof never reaches another CPU.
//! * A [`Bh`] that is forgotten leaves bottom halves off. That stops the machine, but does not
//!   corrupt memory: what was borrowed under the guard ended with the borrow of the guard.
//! * Interrupts have neither token. Functions without one can be called in them, by timers of the
//!   `kernel` crate for example, and so can destructors.
//! * A [`Bh`] may be made with interrupts off, and interrupts may be turned off under it. Functions
//!   for which that matters ask.
//! * A [`Bh`] may also be dropped with interrupts off, as under a `SpinLockIrq` of the `kernel`
//!   crate. Softirqs, which could take that lock once more, then wait for the next interrupt. With
//!   `PREEMPT_RT` such a guard must have been made with interrupts off too; else the section stays
//!   open, with a warning.
//! * The sleeping functions of the `kernel` crate ask for no proof; calling one of those under a
//!   [`Bh`] is as wrong as calling it under that crate's own guards.
//! * That crate's guards (`rcu::read_lock()`, a `SpinLock`'s) borrow no token either. A [`Process`]
//!   proves that no [`Bh`] exists, but not that none of those guards does. Sleeping under one ends
//!   its section. This crate lends for the lifetime of a [`Bh`] only. None of its memory depends on
//!   a section of those guards, except within a function of this crate, which does not sleep there.
//! * The same holds for `Display`: `printk()` formats messages with interrupts off, be it for
//!   [`print`](crate::print) or for the `kernel` crate's macros. An implementation can use a
//!   [`Process`] that it borrows, and then sleeps there.
//! * `Drop` cannot take a token. The few destructors of this crate that sleep check [`may_sleep`]
//!   first. If it says no, they leak with a warning: they must not wait for a grace period inside a
//!   read-side section.
//!
//! C header: [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)

use crate::bindings;
use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

/// Proof that the caller may sleep.
///
/// # Invariants
///
/// While the value is not borrowed, the thread runs in process context, and no [`Bh`] can be used
/// on it. It may sleep, unless the driver holds a guard of the `kernel` crate that forbids it, has
/// forgotten a [`Bh`], or is called by `printk()`.
pub struct Process {
    /// Whether this thread holds RTNL: C holds it around the callback that this token was made for,
    /// or `rtnl::lock()` took it through this token.
    has_rtnl: bool,
    thread: NotThreadSafe,
}

impl Process {
    /// Makes the token in a callback that C runs in process context.
    ///
    /// # Safety
    ///
    /// The caller must run in process context, be allowed to sleep, and stay so for as long as the
    /// value exists, except for what [`Process::bh`] does. No other `Process` of this thread may be
    /// usable meanwhile.
    #[inline]
    pub(crate) unsafe fn new() -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            has_rtnl: false,
            thread: NotThreadSafe,
        }
    }

    /// Makes the token in a callback that C runs under RTNL.
    ///
    /// # Safety
    ///
    /// As for [`Process::new`]; this thread must hold RTNL for as long as the value exists.
    #[inline]
    pub(crate) unsafe fn under_rtnl() -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            has_rtnl: true,
            thread: NotThreadSafe,
        }
    }

    /// Stores whether this thread holds RTNL, and returns the previous value.
    pub(crate) fn set_rtnl(&mut self, held: bool) -> bool {
        core::mem::replace(&mut self.has_rtnl, held)
    }

    /// Turns bottom halves off on this CPU until the guard is dropped.
    ///
    /// The guard borrows the token, so nothing that sleeps can be called while the guard exists.
    #[inline]
    pub fn bh(&mut self) -> Bh<'_> {
        // With `PREEMPT_RT` and interrupts off, C takes no lock to turn bottom halves off:
        // interrupts being off keep other tasks and the threads of softirqs from this CPU. If the
        // caller turns interrupts on before it drops the guard, disabled preemption keeps them
        // away. C begins no RCU section then either, and a contended spinlock lets other tasks run,
        // with a warning: grace periods must not end meanwhile.
        let is_pinned = cfg!(CONFIG_PREEMPT_RT) && irqs_disabled();
        if is_pinned {
            // SAFETY: No requirements; undone by the drop of the guard.
            unsafe { bindings::rcu_read_lock() };
            // SAFETY: As above.
            unsafe { bindings::preempt_disable() };
        }
        // SAFETY: No requirements; undone by the drop of the guard.
        unsafe { bindings::rcu_read_lock_bh() };
        // INVARIANT: Bottom halves were just turned off, and `enable` makes the drop undo it.
        Bh {
            is_pinned,
            enable: true,
            process: PhantomData,
            thread: NotThreadSafe,
        }
    }

    /// Lets another task run if the scheduler wants that: `cond_resched()`.
    #[inline]
    pub fn cond_resched(&mut self) {
        // SAFETY: By the type invariant the thread may sleep.
        unsafe { bindings::cond_resched() };
    }

    /// Calls the scheduler, which may run another task: `schedule()`.
    ///
    /// In a kernel with lazy preemption [`Process::cond_resched`] does nothing, so a task that has
    /// just been woken may wait for the next tick. This call lets the scheduler choose it at once.
    #[inline]
    pub fn reschedule(&mut self) {
        // SAFETY: By the type invariant the thread may sleep. Its state is running, so the
        // scheduler comes back to it without a wake-up.
        unsafe { crate::bindings::schedule() };
    }
}

/// Proof that bottom halves are off on this CPU.
///
/// Nothing may sleep while the value exists. The region is an RCU read-side section: grace periods
/// wait for regions with bottom halves (or interrupts) off, see `synchronize_rcu()`.
///
/// # Invariants
///
/// Bottom halves (or interrupts) are off on the current CPU, and the thread stays on it, for as
/// long as the value exists. If `enable` is set, the value owns one level of `rcu_read_lock_bh()`.
pub struct Bh<'a> {
    enable: bool,
    /// Whether preemption is off on behalf of the value.
    is_pinned: bool,
    process: PhantomData<&'a mut Process>,
    thread: NotThreadSafe,
}

impl Bh<'_> {
    /// Makes the token for a callback that C runs in softirq context or with bottom halves off.
    ///
    /// # Safety
    ///
    /// Bottom halves must be off for as long as the value exists. The caller may pass on a
    /// reference only.
    #[inline]
    pub(crate) unsafe fn in_softirq() -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            enable: false,
            is_pinned: false,
            process: PhantomData,
            thread: NotThreadSafe,
        }
    }

    /// Returns the number of the current CPU, on which the thread stays while the value exists.
    #[inline]
    pub fn cpu(&self) -> u32 {
        // SAFETY: No requirements. By the type invariant the answer stays true.
        unsafe { crate::bindings::raw_smp_processor_id() }
    }

    /// Returns whether a softirq interrupted the idle task, so that no task was running on this
    /// CPU. It is never so in a thread, such as those of NAPI or, with `PREEMPT_RT`, of softirqs.
    #[inline]
    pub fn is_idle(&self) -> bool {
        // SAFETY: No requirements.
        unsafe { bindings::current_is_idle() }
    }

    /// Returns whether this CPU serves a softirq, be it in ksoftirqd.
    ///
    /// Always false with `PREEMPT_RT`, and in NAPI threads: the scheduler can preempt those.
    #[inline]
    pub fn in_serving_softirq(&self) -> bool {
        // SAFETY: No requirements.
        !cfg!(CONFIG_PREEMPT_RT) && unsafe { bindings::in_serving_softirq() }
    }

    /// Returns whether the end of this section runs pending softirqs. It does not if this is a
    /// softirq itself, or if the section is nested in another one.
    #[inline]
    pub fn softirqs_follow(&self) -> bool {
        // SAFETY: No requirements.
        unsafe { bindings::only_bh_section() }
    }
}

impl Drop for Bh<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.enable {
            return;
        }
        #[cfg(not(CONFIG_PREEMPT_RT))]
        if irqs_disabled() {
            // SAFETY: By the type invariant this level of `rcu_read_lock_bh()` is ours.
            unsafe { bindings::rcu_release_bh() };
            // SAFETY: As above, and interrupts are off. Pending softirqs stay for the next
            // interrupt: run here, they would run under the lock for which interrupts are off, and
            // would turn interrupts on. With `PREEMPT_RT` this call wakes their thread.
            unsafe { crate::bindings::_local_bh_enable() };
            return;
        }
        // With `PREEMPT_RT` a level that was taken with interrupts on cannot be released with
        // interrupts off. The section stays open, as if the guard had been forgotten.
        let is_stuck = cfg!(CONFIG_PREEMPT_RT) && !self.is_pinned && irqs_disabled();
        if is_stuck {
            let _ = kernel::warn_on!(true);
            return;
        }
        // SAFETY: By the type invariant this level of `rcu_read_lock_bh()` is ours.
        unsafe { bindings::rcu_read_unlock_bh() };
        // Last: with preemption on, `rcu_read_unlock_bh()` would release a lock that `bh` did not
        // take.
        if self.is_pinned {
            // SAFETY: Turned off by `bh`.
            unsafe { bindings::preempt_enable() };
            // SAFETY: Begun by `bh`.
            unsafe { bindings::rcu_read_unlock() };
        }
    }
}

/// Returns whether this thread may sleep as far as this crate can tell: no [`Bh`] exists on it, and
/// interrupts are on.
///
/// Destructors that sleep call this, as they cannot take a [`Process`]. Every [`Bh`], be it of a
/// softirq or of [`Process::bh`], shows up in the softirq part of the preemption counter, whatever
/// the kernel's preemption model is. Interrupts are off where the driver holds a guard of the
/// `kernel` crate that turns them off.
pub(crate) fn may_sleep() -> bool {
    // SAFETY: No requirements.
    let bh_off = unsafe { bindings::in_interrupt() };
    !bh_off && !irqs_disabled()
}

/// Returns whether interrupts are off on this CPU.
#[inline]
pub(crate) fn irqs_disabled() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::irqs_disabled() }
}

#[kernel::macros::kunit_tests(kext_context)]
mod tests {
    use super::*;
    use crate::bindings::{
        init_work_with_key,
        queue_work_on,
        system_bh_wq,
        work_struct, //
    };
    use kernel::{
        interrupt::local_interrupt_disable,
        prelude::*,
        static_lock_class,
        sync::atomic::{
            Atomic,
            Relaxed, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
        types::Opaque, //
    };

    /// A work item that a softirq runs.
    #[pin_data]
    struct Softirq {
        #[pin]
        work: Opaque<work_struct>,
    }

    static RUNS: Atomic<u32> = Atomic::new(0);

    /// # Safety
    ///
    /// None; a function of C's.
    unsafe extern "C" fn run(_work: *mut work_struct) {
        RUNS.fetch_add(1, Relaxed);
    }

    #[test]
    fn no_softirq_runs_while_interrupts_are_off() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let init = pin_init!(Softirq {
            // SAFETY: `slot` is valid for writes and stays where it is.
            work <- Opaque::ffi_init(|slot| unsafe {
                init_work_with_key(
                    slot,
                    Some(run),
                    false,
                    c"kext-test".as_char_ptr(),
                    static_lock_class!().as_ptr().cast(),
                )
            }),
        });
        let softirq = KBox::pin_init(init, GFP_KERNEL)?;
        let before = RUNS.load(Relaxed);
        let (queued, ran, off) = {
            let irqs = local_interrupt_disable();
            let bh = process.bh();
            // SAFETY: The queue exists for as long as the kernel runs.
            let queue = unsafe { system_bh_wq };
            // CAST: The number of a CPU.
            let cpu = bh.cpu() as i32;
            // SAFETY: The work is initialised, and waited for below.
            let queued = unsafe { queue_work_on(cpu, queue, softirq.work.get()) };
            drop(bh);
            let (ran, off) = (RUNS.load(Relaxed) != before, irqs_disabled());
            drop(irqs);
            (queued, ran, off)
        };
        assert!(queued && may_sleep());
        for _ in 0..100 {
            if RUNS.load(Relaxed) != before {
                break;
            }
            fsleep(Delta::from_millis(10));
        }
        // A softirq may still run the item, so it must not be freed yet.
        // SAFETY: The work is initialised.
        unsafe { crate::bindings::cancel_work_sync(softirq.work.get()) };
        assert!(off && !ran);
        assert_eq!(RUNS.load(Relaxed), before.wrapping_add(1));
        Ok(())
    }
}
