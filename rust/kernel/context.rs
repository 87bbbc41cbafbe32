// SPDX-License-Identifier: GPL-2.0

//! Proofs of the context that code runs in.
//!
//! What may sleep takes `&mut` [`Process`]; what needs bottom halves off, or an RCU read-side
//! section, takes `&` [`Bh`]. Neither can be made by a driver: the callbacks of this crate hand
//! them out, each by its own contract with C. Turning bottom halves off borrows the [`Process`], so
//! that nothing that sleeps can be called in between:
//!
//! ```text
//!   C: process context  -->  &mut Process  --bh()-->  Bh  --load()-->  rcu::Ref, lock::Guard
//!   C: softirq          -->  &Bh                   ------load()-->  rcu::Ref, lock::Guard
//! ```
//!
//! # What holds and why
//!
//! * At most one usable [`Process`] exists for a thread at any time: each callback makes one, and
//!   the callback of a nested call only gets control through a function that was given the outer
//!   one (or through one that is not allowed under [`Bh`] by C itself).
//! * Both are tied to their thread (`!Send`, `!Sync`), so a proof never reaches another CPU.
//! * A [`Bh`] that is forgotten leaves bottom halves off. That breaks the machine's liveness, not
//!   memory: what was borrowed under the guard ended with the borrow of the guard.
//! * A [`Bh`] may also be dropped with interrupts off, as under a `SpinLockIrq` of the `kernel`
//!   crate. Softirqs, which could take that lock once more, then wait for the next interrupt. With
//!   `PREEMPT_RT` such a guard must have been made with interrupts off too; else the section stays
//!   open, with a warning.
//! * The sleeping functions of the `kernel` crate ask for no proof; calling one of those under a
//!   [`Bh`] is as wrong as calling it under that crate's own guards.
//! * That crate's guards (`rcu::read_lock()`, a `SpinLock`'s) borrow no proof either, so a
//!   [`Process`] does not say that none is alive: only that no [`Bh`] is. Sleeping under one ends
//!   its section. What this crate lends out it lends for the life of a [`Bh`], and no memory of its
//!   own depends on a section of those guards, except within a function of this crate, which does
//!   not sleep there.
//! * `Drop` cannot ask for a proof. The few destructors of this crate that sleep check
//!   [`may_sleep`] and rather leak, loudly, than wait for a grace period inside a read-side
//!   section.
//!
//! C header: [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)

use crate::bindings;
use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

/// Proof that the caller may sleep.
///
/// # Invariants
///
/// While the value is not borrowed, the thread runs in process context, and no [`Bh`] is alive on
/// it. It may sleep, unless the driver holds a guard of the `kernel` crate that forbids it.
pub struct Process {
    /// Whether this thread holds RTNL: its holder runs what this was made for, or took it through
    /// this value.
    has_rtnl: bool,
    thread: NotThreadSafe,
}

impl Process {
    /// Makes the proof.
    ///
    /// # Safety
    ///
    /// The caller must run in process context, be allowed to sleep, and stay so until the value is
    /// gone, except for what [`Process::bh`] does. No other `Process` of this thread may be usable
    /// meanwhile.
    #[inline]
    pub(crate) unsafe fn new() -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            has_rtnl: false,
            thread: NotThreadSafe,
        }
    }

    /// Makes the proof for a callback that C runs under RTNL.
    ///
    /// # Safety
    ///
    /// As for [`Process::new`]; RTNL must be held by this thread until the value is gone.
    #[inline]
    pub(crate) unsafe fn under_rtnl() -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            has_rtnl: true,
            thread: NotThreadSafe,
        }
    }

    /// Notes whether this thread holds RTNL, and returns whether it did.
    pub(crate) fn set_rtnl(&mut self, held: bool) -> bool {
        core::mem::replace(&mut self.has_rtnl, held)
    }

    /// Turns bottom halves off on this CPU until the guard is dropped.
    ///
    /// The guard borrows the proof: nothing that sleeps can be called while it lives.
    #[inline]
    pub fn bh(&mut self) -> Bh<'_> {
        // With `PREEMPT_RT` turning bottom halves off does nothing where interrupts are off, which
        // keeps tasks and threads of softirqs away by itself, but only until they are on again.
        // Then the guard keeps them away.
        let is_pinned = cfg!(CONFIG_PREEMPT_RT) && irqs_disabled();
        if is_pinned {
            // SAFETY: No requirements; undone by the drop of the guard.
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

    /// Lets others run if they have been waiting.
    #[inline]
    pub fn cond_resched(&mut self) {
        // SAFETY: By the type invariant the thread may sleep.
        unsafe { bindings::cond_resched() };
    }

    /// Lets the scheduler run another task.
    ///
    /// [`Process::cond_resched`] does nothing in a kernel with lazy preemption, where a task that
    /// has just woken up may wait for the next tick; after this call it does not, if its turn has
    /// come.
    #[inline]
    pub fn reschedule(&mut self) {
        // SAFETY: By the type invariant the thread may sleep. It is running, so it goes on when its
        // turn comes again.
        unsafe { crate::bindings::schedule() };
    }
}

/// Proof that bottom halves are off on this CPU.
///
/// Nothing may sleep while it lives, and the region is an RCU read-side section: RCU's grace
/// periods wait for regions with bottom halves (or interrupts) off, see `synchronize_rcu()`.
///
/// # Invariants
///
/// Bottom halves (or interrupts) are off on the current CPU, and the thread stays on it, for as
/// long as the value lives. If `enable` is set, the value owns one level of `rcu_read_lock_bh()`.
pub struct Bh<'a> {
    enable: bool,
    /// Whether preemption is off on behalf of the value.
    is_pinned: bool,
    process: PhantomData<&'a mut Process>,
    thread: NotThreadSafe,
}

impl Bh<'_> {
    /// Makes the proof for a callback that C runs in softirq context or with bottom halves off.
    ///
    /// # Safety
    ///
    /// Bottom halves must be off until the value is gone. Only a reference may be handed on.
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

    /// Returns the CPU that runs this.
    #[inline]
    pub fn cpu(&self) -> u32 {
        // SAFETY: No requirements. By the type invariant the answer stays true.
        unsafe { crate::bindings::raw_smp_processor_id() }
    }

    /// Returns whether there was nothing to do on this CPU when an interrupt led here. Not in a
    /// thread, as of NAPI or, with `PREEMPT_RT`, of softirqs.
    #[inline]
    pub fn is_idle(&self) -> bool {
        // SAFETY: No requirements.
        unsafe { bindings::current_is_idle() }
    }

    /// Returns whether this is a softirq that all tasks wait for: not with `PREEMPT_RT`, where it
    /// has a priority, nor in a thread of NAPI.
    #[inline]
    pub fn is_unscheduled(&self) -> bool {
        // SAFETY: No requirements.
        !cfg!(CONFIG_PREEMPT_RT) && unsafe { bindings::in_serving_softirq() }
    }

    /// Returns whether softirqs run as soon as a thread leaves this section: not if this is a
    /// softirq itself, or part of a longer section.
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
            // SAFETY: As above, and interrupts are off. Leaves pending softirqs to the next
            // interrupt: they would run under the lock for which interrupts are off, and turn
            // interrupts on meanwhile. `PREEMPT_RT` wakes their thread instead on its own.
            unsafe { crate::bindings::_local_bh_enable() };
            return;
        }
        // What was taken with interrupts on cannot be given back with interrupts off there. The
        // section stays open, as if the guard had been forgotten.
        let is_stuck = cfg!(CONFIG_PREEMPT_RT) && !self.is_pinned && irqs_disabled();
        if is_stuck {
            let _ = kernel::warn_on!(true);
            return;
        }
        // SAFETY: By the type invariant this level of `rcu_read_lock_bh()` is ours.
        unsafe { bindings::rcu_read_unlock_bh() };
        // After the above, which looks whether it may give back what it never took.
        if self.is_pinned {
            // SAFETY: Turned off by `bh`.
            unsafe { bindings::preempt_enable() };
        }
    }
}

/// Returns whether no [`Bh`] can be alive on this thread.
///
/// For destructors that sleep, which cannot ask for a [`Process`]. Every [`Bh`], be it of a softirq
/// or of [`Process::bh`], shows up in the softirq part of the preemption counter, whatever the
/// kernel's preemption model is. Interrupts are off where the driver holds a guard of the
/// `kernel` crate for that.
pub(crate) fn may_sleep() -> bool {
    // SAFETY: No requirements.
    let bh_off = unsafe { bindings::in_interrupt() };
    !bh_off && !irqs_disabled()
}

/// Returns whether interrupts are off on this CPU.
#[inline]
fn irqs_disabled() -> bool {
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
            // SAFETY: The queue is there for as long as the kernel is.
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
        // Never to be freed while a softirq may still look at it.
        // SAFETY: The work is initialised.
        unsafe { crate::bindings::cancel_work_sync(softirq.work.get()) };
        assert!(off && !ran);
        assert_eq!(RUNS.load(Relaxed), before.wrapping_add(1));
        Ok(())
    }
}
