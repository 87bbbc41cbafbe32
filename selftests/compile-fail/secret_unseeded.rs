// E0423: a driver cannot draw a secret without proof that the generator was seeded
// SPDX-License-Identifier: GPL-2.0

//! A driver cannot draw a secret without proof that the generator was seeded.

#![forbid(unsafe_code)]

use kext::random::Seeded;

/// Makes a key.
pub fn key(seeded: Seeded) -> [u8; 32] {
    let mut key = [0; 32];
    seeded.fill(&mut key);
    key
}

/// Makes a proof out of nothing.
pub fn breaks() {
    let _ = key(Seeded(())); //~
}
