// SPDX-License-Identifier: GPL-2.0

//! C's types and functions, which lead to the models.

pub use crate::model::{
    rcu::{call_rcu_hurry, callback_head, synchronize_net},
    workqueue::{
        current_work, flush_work, init_work_with_key, queue_work_on, system_dfl_wq, work_struct,
    },
};
use crate::sync::Refcount;

/// No CPU in particular.
#[allow(non_upper_case_globals)]
pub const wq_misc_consts_WORK_CPU_UNBOUND: u32 = 64;

/// # Safety
///
/// `count` must be valid.
pub unsafe fn refcount_inc_not_zero(count: *const Refcount) -> bool {
    // SAFETY: By the requirements.
    unsafe { &*count }.inc_not_zero()
}

/// # Safety
///
/// None.
pub unsafe fn cond_resched() -> i32 {
    0
}

/// Waits for the callbacks that are queued now.
///
/// # Safety
///
/// The thread must be allowed to sleep.
pub unsafe fn rcu_barrier() {
    crate::model::rcu::rcu_barrier();
}
