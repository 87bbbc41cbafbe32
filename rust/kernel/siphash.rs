// SPDX-License-Identifier: GPL-2.0

//! SipHash: keyed hashes for tables that an attacker may fill.
//!
//! C header: [`include/linux/siphash.h`](srctree/include/linux/siphash.h)

use crate::bindings::siphash_key_t;
use crate::{
    bindings,
    random, //
};

/// A key of SipHash.
pub struct Key(siphash_key_t);

impl Key {
    /// Makes a random key. Until the random number generator is seeded it may be guessed, so use it
    /// to spread entries in tables, not for authentication.
    #[inline]
    pub fn random() -> Self {
        let mut halves = [[0u8; 8]; 2];
        random::fill_early(halves.as_flattened_mut());
        Self(siphash_key_t {
            key: halves.map(u64::from_ne_bytes),
        })
    }
}

/// Returns the SipHash of `data` under `key`.
#[inline]
pub fn siphash(key: &Key, data: &[u8]) -> u64 {
    // SAFETY: `data` is valid for reads of that length, and the key for reads.
    unsafe { bindings::siphash(data.as_ptr().cast(), data.len(), &raw const key.0) }
}
