// SPDX-License-Identifier: GPL-2.0

//! Read-copy-update: counted values that are dropped after a grace period, and slots that publish
//! them.
//!
//! [`RcuArc`] counts, [`Slot`] holds at most one `RcuArc` that readers may use without counting,
//! [`Ref`] is what such a reader gets. [`OwnedSlot`] owns the value that it publishes, and returns
//! it after a grace period. [`module!`](crate::module) keeps the module's text until the last
//! callback has returned.
//!
//! # Why a [`Ref`] never dangles
//!
//! A reader loads the pointer from a [`Slot`] inside a section of a [`Bh`], for which RCU's grace
//! periods wait. The slot owned one count at that moment. The value is dropped only after that
//! count was put, so the slot must have been swapped after the load. The last put, and its
//! `call_rcu()`, come after that, so their grace period waits for the reader's section. The
//! lifetime `'g` ends with the borrow of that [`Bh`].
//!
//! The slot itself exists for `'g`, because the load borrows it for `'g`. If the slot lies in a
//! value that the reader got as a [`Ref`] of the same section, the same argument holds for that
//! value.
//!
//! # Memory order
//!
//! * Publishing: `swap` has release semantics, `load` acquire semantics, so a reader sees the value
//!   as it was before it was published. (Acquire in place of the weaker consume, which neither
//!   language can express.)
//! * Taking out: `swap` has acquire semantics too, so the caller that gets the old pointer sees the
//!   value as it was when published.
//! * The count: an increment needs no order, because the caller already has a right to the value;
//!   the decrement that finds zero is ordered after all other decrements (`refcount_dec_and_test()`
//!   gives release for each and acquire for the last). `call_rcu()` and the grace period order the
//!   readers' accesses before the drop.
//!
//! The slots use the atomics of `core`. On builds with GCC those of the `kernel` crate are calls of
//! C functions, one for each step of a walk through a tree of slots. For one word that only Rust
//! code accesses, release and acquire of the two memory models compile to the same instructions;
//! nothing here needs an order between several words.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::{
    bindings,
    context::Process, //
};
mod arc;
mod module_ref;
mod owned;
mod pending;
pub(crate) mod reclaim;
mod slot;

pub(super) use arc::Inner;
pub use arc::{
    RcuArc,
    Ref, //
};
pub(crate) use module_ref::{
    Barrier,
    ModuleRef, //
};
pub use owned::OwnedSlot;
pub(crate) use pending::PendingOwner;
pub use slot::Slot;

/// Waits for a grace period: all read-side sections that are open now end before this returns.
pub fn synchronize(_process: &mut Process) {
    // SAFETY: May sleep, by `_process`.
    unsafe { bindings::synchronize_net() };
}

/// Waits until all values whose last count was put before the call have been dropped and freed.
///
/// Values that those owned in turn may still exist. Called in the drop of such a value, this does
/// nothing, with a warning.
pub fn barrier(_process: &mut Process) {
    if kernel::warn_on!(reclaim::is_current()) {
        return;
    }
    if ModuleRef::is_available() {
        // SAFETY: There is a [`Barrier`], which initialised the worker. The thread may sleep, by
        // `_process`.
        unsafe { reclaim::drain() };
    }
}

#[kernel::macros::kunit_tests(kext_rcu)]
mod tests {
    use super::*;
    use crate::context::may_sleep;
    use kernel::{
        prelude::*,
        sync::atomic::{
            Atomic,
            Relaxed, //
        }, //
    };

    /// Counts drops in a counted counter.
    struct Counted(RcuArc<Atomic<usize>>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn values_die_after_a_grace_period() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let drops = RcuArc::new(Atomic::new(0), &mut process)?;
        let counted = RcuArc::new(Counted(drops.clone()), &mut process)?;
        let slot = Slot::new(Some(counted));
        {
            let bh = process.bh();
            let seen = slot.load(&bh).ok_or(EINVAL)?;
            drop(slot.swap(None));
            assert!(slot.is_empty());
            assert!(seen.upgrade().is_none());
            assert_eq!(seen.0.load(Relaxed), 0);
        }
        barrier(&mut process);
        assert_eq!(drops.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn counted_values_survive_their_slot() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let drops = RcuArc::new(Atomic::new(0), &mut process)?;
        let counted = RcuArc::new(Counted(drops.clone()), &mut process)?;
        let slot = Slot::new(Some(counted));
        let kept = slot.get().ok_or(EINVAL)?;
        drop(slot);
        barrier(&mut process);
        assert_eq!(drops.load(Relaxed), 0);
        drop(kept);
        barrier(&mut process);
        assert_eq!(drops.load(Relaxed), 1);
        Ok(())
    }

    /// Notes whether its drop might sleep.
    struct Sleeper(RcuArc<Atomic<usize>>);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.fetch_add(if may_sleep() { 1 } else { 100 }, Relaxed);
        }
    }

    #[test]
    fn values_are_dropped_where_they_may_sleep() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let drops = RcuArc::new(Atomic::new(0), &mut process)?;
        for _ in 0..3 {
            let value = RcuArc::new(Sleeper(drops.clone()), &mut process)?;
            let _bh = process.bh();
            drop(value);
        }
        barrier(&mut process);
        assert_eq!(drops.load(Relaxed), 3);
        Ok(())
    }

    #[test]
    fn only_parts_of_the_value_lie_in_it() -> Result {
        let value = RcuArc::new_atomic([0u32; 4])?;
        let [first, .., last] = &*value;
        assert!(RcuArc::contains(&value, first));
        assert!(RcuArc::contains(&value, last));
        assert!(RcuArc::contains(&value, &*value));
        assert!(!RcuArc::contains(&value, &0u32));
        assert!(!RcuArc::contains(&value, &value));
        Ok(())
    }

    #[test]
    fn what_is_replaced_comes_back() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let slot = OwnedSlot::new(Some(KBox::pin(1u32, GFP_KERNEL)?));
        assert_eq!(slot.load(&process.bh()).copied(), Some(1));
        let new = KBox::pin(2u32, GFP_KERNEL)?;
        assert_eq!(
            slot.replace(Some(new), &mut process).map(|old| *old),
            Some(1)
        );
        assert_eq!(slot.replace(None, &mut process).map(|old| *old), Some(2));
        assert!(slot.load(&process.bh()).is_none());
        Ok(())
    }
}
