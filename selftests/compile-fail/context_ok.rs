// ok: borrowing, counting and sleeping in the right order
// SPDX-License-Identifier: GPL-2.0

//! Borrowing, counting and sleeping in the right order.

#![forbid(unsafe_code)]

use kext::{
    context::Process,
    sync::{
        lock::{Mutex, SpinLock},
        rcu::{self, OwnedSlot, RcuArc, Slot},
    },
};

/// A value.
pub struct Value(pub u32);

/// Uses everything as it is meant.
pub fn works(
    process: &mut Process,
    slot: &Slot<Value>,
    owned: &OwnedSlot<Value>,
    spin: &SpinLock<u32>,
    mutex: &Mutex<u32>,
) -> Option<RcuArc<Value>> {
    let mut slow = mutex.lock(process);
    let counted = {
        let bh = process.bh();
        let seen = slot.load(&bh)?;
        let other = owned.load(&bh)?;
        let mut guard = spin.lock(&bh);
        *guard = guard.wrapping_add(seen.0).wrapping_add(other.0);
        *slow = *guard;
        seen.upgrade()?
    };
    rcu::synchronize(process);
    drop(owned.replace(None, process));
    process.cond_resched();
    drop(slow);
    Some(counted)
}
