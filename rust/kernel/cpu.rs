// SPDX-License-Identifier: GPL-2.0

//! Numbers of CPUs.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

use crate::bindings;

/// Returns the number of possible CPUs.
#[inline]
pub fn possible_count() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::num_possible_cpus() }
}

/// Returns `nr_cpu_ids`: one more than the highest possible CPU.
#[inline]
fn limit() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::nr_cpu_ids() }
}

/// Returns whether this CPU is online at this moment.
#[inline]
pub fn is_online(cpu: u32) -> bool {
    // SAFETY: `cpu` is within the mask.
    cpu < limit() && unsafe { bindings::cpu_online(cpu) }
}

/// Returns the online CPU that follows `after`, and the first online CPU if there is none above it.
///
/// CPUs go online and offline at any time, so the answer is a hint. It is always the number of a
/// possible CPU.
#[inline]
pub fn next_online(after: u32) -> u32 {
    let last = limit().saturating_sub(1);
    // CAST: The limit fits, being the size of a mask.
    // SAFETY: `after` is within the mask.
    let next = unsafe { bindings::cpumask_next_online(after.min(last) as i32) };
    // The mask is empty only while the machine shuts down.
    next.min(last)
}

/// Returns how many CPUs are online at this moment.
#[inline]
pub fn online_count() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::num_online_cpus() }
}

#[kernel::macros::kunit_tests(kext_cpu)]
mod tests {
    use super::*;

    #[test]
    fn going_round_comes_back() {
        let first = next_online(u32::MAX);
        assert!(is_online(first));
        let mut cpu = next_online(first);
        for _ in 0..possible_count() {
            assert!(cpu < limit());
            if cpu == first {
                break;
            }
            cpu = next_online(cpu);
        }
        assert_eq!(cpu, first);
    }
}
