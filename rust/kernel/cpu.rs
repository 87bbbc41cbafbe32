// SPDX-License-Identifier: GPL-2.0

//! Processors.
//!
//! C header: [`include/linux/cpumask.h`](srctree/include/linux/cpumask.h)

use crate::bindings;

/// Returns how many CPUs there can be.
#[inline]
pub fn possible_count() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::num_possible_cpus() }
}

/// Returns the first number that no CPU has.
#[inline]
fn limit() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::nr_cpu_ids() }
}

/// Returns whether there can be a CPU of this number.
#[inline]
pub fn is_possible(cpu: u32) -> bool {
    // SAFETY: Within the mask.
    cpu < limit() && unsafe { bindings::cpu_possible(cpu) }
}

/// Returns whether this CPU is online at this moment.
#[inline]
pub fn is_online(cpu: u32) -> bool {
    // SAFETY: Within the mask.
    cpu < limit() && unsafe { bindings::cpu_online(cpu) }
}

/// Returns the CPU that is online next to `after`, or the first one after the last.
///
/// CPUs come and go: the answer is a hint, yet always the number of a possible CPU.
#[inline]
pub fn next_online(after: u32) -> u32 {
    let last = limit().saturating_sub(1);
    // CAST: The limit fits, being the size of a mask.
    // SAFETY: `after` is within the mask.
    let next = unsafe { bindings::cpumask_next_online(after.min(last) as i32) };
    // Not even one is online only while the machine goes down.
    next.min(last)
}

/// Returns how many CPUs are online at this moment.
#[inline]
pub fn online_count() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::num_online_cpus() }
}

/// Returns one of the CPUs that are online, the same for the same `id` as long as none comes or
/// goes.
pub fn choose_online(id: u32) -> u32 {
    // SAFETY: No requirements.
    let online = unsafe { bindings::num_online_cpus() };
    let nth = id.checked_rem(online).unwrap_or(0);
    // SAFETY: No requirements.
    let cpu = unsafe { bindings::cpumask_nth_online(nth) };
    if cpu < limit() {
        cpu
    } else {
        // Some went offline in between.
        next_online(u32::MAX)
    }
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
            assert!(is_possible(cpu));
            if cpu == first {
                break;
            }
            cpu = next_online(cpu);
        }
        assert_eq!(cpu, first);
    }

    #[test]
    fn any_number_chooses_a_cpu() {
        for id in [0, 1, 7, u32::MAX] {
            assert!(is_possible(choose_online(id)));
        }
    }
}
