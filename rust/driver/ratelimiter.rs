// SPDX-License-Identifier: GPL-2.0

//! Limits handshakes by source address while the interface is under load.

use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*, //
};
use kext::{
    context::Process,
    new_mutex,
    siphash,
    sync::lock::Mutex, //
};
use wg_proto::ratelimit::{
    self,
    RateLimitKey,
    RateLimiterEntry, //
};

/// Sets of the table.
const TABLE_SETS: usize = 8192;

/// Limits handshakes by source address while the interface is under load.
#[pin_data]
pub(crate) struct RateLimiter {
    key: siphash::Key,
    #[pin]
    table: Mutex<KVVec<RateLimiterEntry>>,
}

impl RateLimiter {
    /// Creates a ratelimiter; its table is only allocated when it is first asked.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // As in C, the key may be drawn before the generator is seeded. An attacker who guesses
            // it can only get single other sources limited, by a flood from chosen addresses.
            key: siphash::Key::random(),
            table <- new_mutex!(KVVec::new()),
        })
    }

    /// Returns whether a handshake from `source` may go on.
    pub(crate) fn allow(&self, source: RateLimitKey, now: u64, ctx: &mut Process) -> bool {
        let hash = siphash::siphash(&self.key, &source.to_bytes());
        let mut table = self.table.lock(ctx);
        if table.is_empty() {
            let entries = TABLE_SETS * ratelimit::WAYS;
            match KVVec::from_elem(RateLimiterEntry::EMPTY, entries, GFP_KERNEL) {
                Ok(new) => *table = new,
                Err(_) => return false,
            }
        }
        ratelimit::allow(&mut table, source, hash, now)
    }
}
