// SPDX-License-Identifier: GPL-2.0

//! Proofs of the context that code runs in.
//!
//! What may sleep takes `&mut` [`Process`]; what needs bottom halves off, or an RCU read-side
//! section, takes `&` [`Bh`]. Neither can be made by a driver: the callbacks of this crate hand them
//! out, each by its own contract with C. Turning bottom halves off borrows the [`Process`], so that
//! nothing that sleeps can be called in between:
//!
//! ```text
//!   C: process context  -->  &mut Process  --bh()-->  Bh  --load()-->  rcu::Ref, lock::Guard
//!   C: softirq          -->  &Bh                   ------load()-->  rcu::Ref, lock::Guard
//! ```
//!
//! # What holds and why
//!
//! * At most one usable [`Process`] exists for a thread at any time: each callback makes one, and the
//!   callback of a nested call only gets control through a function that was given the outer one
//!   (or through one that is not allowed under [`Bh`] by C itself).
//! * Both are tied to their thread (`!Send`, `!Sync`), so a proof never reaches another CPU.
//! * A [`Bh`] that is forgotten leaves bottom halves off. That breaks the machine's liveness, not
//!   memory: what was borrowed under the guard ended with the borrow of the guard.
//! * The sleeping functions of the `kernel` crate ask for no proof; calling one of those under a
//!   [`Bh`] is as wrong as calling it under that crate's own guards.
//! * `Drop` cannot ask for a proof. The few destructors of this crate that sleep check
//!   [`may_sleep`] and rather leak, loudly, than wait for a grace period inside a read-side section.
//!
//! C header: [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)

use crate::bindings;
use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

/// Proof that the caller may sleep.
///
/// # Invariants
///
/// While the value is not borrowed, the thread runs in process context with bottom halves on, and
/// in no RCU read-side section.
pub struct Process(NotThreadSafe);

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
        Self(NotThreadSafe)
    }

    /// Turns bottom halves off on this CPU until the guard is dropped.
    ///
    /// The guard borrows the proof: nothing that sleeps can be called while it lives.
    #[inline]
    pub fn bh(&mut self) -> Bh<'_> {
        // SAFETY: No requirements; undone by the drop of the guard.
        unsafe { bindings::rcu_read_lock_bh() };
        // INVARIANT: Bottom halves were just turned off, and `enable` makes the drop undo it.
        Bh {
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

    /// Has the scheduler choose again who runs.
    ///
    /// [`Process::cond_resched`] does nothing in a kernel with lazy preemption, where a task that has just woken up may
    /// wait for the next tick; after this call it does not, if its turn has come.
    #[inline]
    pub fn reschedule(&mut self) {
        // SAFETY: By the type invariant the thread may sleep. It is running, so it goes on when its turn comes again.
        unsafe { kernel::bindings::schedule() };
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
            process: PhantomData,
            thread: NotThreadSafe,
        }
    }

    /// Returns the CPU that runs this.
    #[inline]
    pub fn cpu(&self) -> u32 {
        // SAFETY: No requirements. By the type invariant the answer stays true.
        unsafe { kernel::bindings::raw_smp_processor_id() }
    }

    /// Returns whether there was nothing to do on this CPU when an interrupt led here. Not in a thread, as of NAPI or, with
    /// `PREEMPT_RT`, of softirqs.
    #[inline]
    pub fn is_idle(&self) -> bool {
        // SAFETY: No requirements.
        unsafe { bindings::current_is_idle() }
    }

    /// Returns whether this is a softirq that all tasks wait for: not with `PREEMPT_RT`, where it has a priority, nor in a
    /// thread of NAPI.
    #[inline]
    pub fn is_unscheduled(&self) -> bool {
        // SAFETY: No requirements.
        !cfg!(CONFIG_PREEMPT_RT) && unsafe { bindings::in_serving_softirq() }
    }

    /// Returns whether softirqs run as soon as a thread leaves this section: not if this is a softirq itself, or part of
    /// a longer section.
    #[inline]
    pub fn softirqs_follow(&self) -> bool {
        // SAFETY: No requirements.
        unsafe { bindings::only_bh_section() }
    }
}

impl Drop for Bh<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.enable {
            // SAFETY: By the type invariant this level of `rcu_read_lock_bh()` is ours.
            unsafe { bindings::rcu_read_unlock_bh() };
        }
    }
}

/// Returns whether no [`Bh`] can be alive on this thread.
///
/// For destructors that sleep, which cannot ask for a [`Process`]. Every [`Bh`], be it of a softirq
/// or of [`Process::bh`], shows up in the softirq part of the preemption counter, whatever the
/// kernel's preemption model is. The exception is a callback that C runs with interrupts off instead
/// (netpoll does).
pub(crate) fn may_sleep() -> bool {
    // SAFETY: No requirements.
    let bh_off = unsafe { bindings::in_interrupt() };
    // SAFETY: No requirements.
    let irqs_off = unsafe { bindings::irqs_disabled() };
    !bh_off && !irqs_off
}
