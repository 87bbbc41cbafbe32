// SPDX-License-Identifier: GPL-2.0

//! References that keep the module's text, and the wait for the last of them.

use super::reclaim;
use crate::compat::code::ESHUTDOWN;
use core::hint::spin_loop;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed,
            Release, //
        }, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// How many [`ModuleRef`]s there are, plus one if there is a [`Barrier`].
static MODULE_REFS: Atomic<isize> = Atomic::new(0);
/// Whether there is a [`Barrier`].
static TAKEN: Atomic<bool> = Atomic::new(false);

/// A reference that keeps the text of this module, as `try_module_get()` keeps that of other
/// modules.
///
/// An object that lets C call into this module later, or drop a value later, holds one. [`Barrier`]
/// waits for all of them.
pub(crate) struct ModuleRef(());

impl ModuleRef {
    /// Takes a reference.
    ///
    /// # Errors
    ///
    /// [`ESHUTDOWN`] if there is no [`Barrier`] that would wait for it.
    pub(crate) fn get() -> Result<Self> {
        let mut old = MODULE_REFS.load(Relaxed);
        loop {
            if old == 0 {
                return Err(ESHUTDOWN);
            }
            // Each reference takes up memory, so there cannot be that many of them.
            let new = old.checked_add(1).ok_or(EOVERFLOW)?;
            match MODULE_REFS.cmpxchg(old, new, Acquire) {
                Ok(_) => return Ok(Self(())),
                Err(now) => old = now,
            }
        }
    }

    /// Returns whether there is a [`Barrier`], or a [`ModuleRef`] for which its drop waits.
    pub(super) fn is_available() -> bool {
        MODULE_REFS.load(Acquire) != 0
    }

    /// Returns the number of references, the barrier included.
    #[cfg(CONFIG_KUNIT)]
    pub(crate) fn count() -> isize {
        MODULE_REFS.load(Relaxed)
    }
}

impl Drop for ModuleRef {
    fn drop(&mut self) {
        // Release: what this thread did under the reference comes before the end of [`Barrier`]'s
        // wait.
        MODULE_REFS.fetch_sub(1, Release);
    }
}

/// Keeps the module's text until nothing is left that could call it: its drop waits.
///
/// Without one no [`RcuArc`](super::RcuArc) and no registration of this crate can be made.
/// [`module!`](crate::module) makes it before the state of the module, and drops it after the
/// state.
///
/// # Why this suffices
///
/// A module reference is dropped in one of three places. First, in the RCU callback that frees a
/// value; second, in the work item that drops it. Once the count reads zero, every such callback
/// and the work item have at least started, so waiting for both once more waits for their return.
/// Third, in a destructor, after C has unregistered the callback; the caller of the destructor
/// returns before the module's text is freed.
pub(crate) struct Barrier(());

impl Barrier {
    /// Makes the barrier.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if there is one already.
    pub(crate) fn new() -> Result<Self> {
        if TAKEN.xchg(true, Full) {
            return Err(EBUSY);
        }
        // SAFETY: If there was a barrier before, its drop has waited for the work item. Only values
        // with a module reference reach it, and there is no reference yet.
        unsafe { reclaim::init() };
        // Release: a thread that gets a module reference finds the work item initialised.
        MODULE_REFS.store(1, Release);
        Ok(Self(()))
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        if kernel::warn_on!(!reclaim::may_wait()) {
            // This thread must not sleep, and the text is freed once it returns. So it never
            // returns.
            loop {
                spin_loop();
            }
        }
        MODULE_REFS.fetch_sub(1, Relaxed);
        let mut rounds = 0u32;
        while MODULE_REFS.load(Acquire) != 0 {
            // SAFETY: `new` initialised the work item. This thread may sleep, as just checked.
            unsafe { reclaim::drain() };
            if MODULE_REFS.load(Acquire) == 0 {
                break;
            }
            rounds = rounds.saturating_add(1);
            if rounds == 1000 {
                pr_warn!("unloading waits for objects that are still in use\n");
            }
            fsleep(Delta::from_millis(10));
        }
        // SAFETY: As above.
        unsafe { reclaim::drain() };
        TAKEN.store(false, Release);
    }
}
