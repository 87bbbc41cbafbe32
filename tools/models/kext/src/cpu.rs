// SPDX-License-Identifier: GPL-2.0

//! CPUs: each thread of a model is one.

const CPUS: u32 = 5;

/// Returns how many there may be.
pub fn possible_count() -> u32 {
    CPUS
}

/// Returns how many are online.
pub fn online_count() -> u32 {
    CPUS
}

/// Returns the next one that is online.
pub fn next_online(cpu: u32) -> u32 {
    (cpu + 1) % CPUS
}
