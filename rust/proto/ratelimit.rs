// SPDX-License-Identifier: GPL-2.0

//! Rate limit for the handshake messages of each source while under load.
//!
//! Each source has a token bucket, in a table of fixed size. Sources share sets of [`WAYS`]
//! entries. A full set refuses new sources until one of its entries has been idle for a second.

const NSEC_PER_SEC: u64 = 1_000_000_000;
const PACKETS_PER_SECOND: u64 = 20;
const PACKETS_BURSTABLE: u64 = 5;
const PACKET_COST: u64 = NSEC_PER_SEC / PACKETS_PER_SECOND;
const TOKEN_MAX: u64 = PACKET_COST * PACKETS_BURSTABLE;

/// Entries in one set.
pub const WAYS: usize = 8;

/// The owner of a bucket: an IPv4 address or an IPv6 /64, within a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RateLimitKey {
    space: u64,
    bits: u64,
    family: AddressFamily,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AddressFamily {
    V4,
    V6,
}

impl RateLimitKey {
    /// Makes an IPv4 source in the namespace `space`.
    #[inline]
    pub const fn v4(space: u64, address: [u8; 4]) -> Self {
        Self {
            space,
            // CAST: Widening.
            bits: u32::from_be_bytes(address) as u64,
            family: AddressFamily::V4,
        }
    }

    /// Makes a source of the /64 of an IPv6 address, in the namespace `space`.
    #[inline]
    pub const fn v6(space: u64, address: [u8; 16]) -> Self {
        Self {
            space,
            // CAST: The shift leaves 64 bits.
            bits: (u128::from_be_bytes(address) >> 64) as u64,
            family: AddressFamily::V6,
        }
    }

    /// Returns the source as bytes for a keyed hash.
    #[inline]
    pub fn to_bytes(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let family: u64 = match self.family {
            AddressFamily::V4 => 4,
            AddressFamily::V6 => 6,
        };
        let words = [self.space, self.bits, family];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }
}

/// A token bucket with its source, or a free entry.
#[derive(Clone, Copy)]
pub struct RateLimiterEntry {
    source: Option<RateLimitKey>,
    last: u64,
    tokens: u64,
}

impl Default for RateLimiterEntry {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl RateLimiterEntry {
    /// A free entry.
    pub const EMPTY: Self = Self {
        source: None,
        last: 0,
        tokens: 0,
    };

    /// Returns whether another source may take this entry.
    #[inline]
    fn is_free(&self, now: u64) -> bool {
        self.source.is_none() || now.saturating_sub(self.last) > NSEC_PER_SEC
    }

    /// Takes the tokens of one packet out, and returns whether there were enough.
    #[inline]
    fn spend(&mut self, now: u64) -> bool {
        let earned = now.saturating_sub(self.last);
        self.last = now;
        self.tokens = self.tokens.saturating_add(earned).min(TOKEN_MAX);
        match self.tokens.checked_sub(PACKET_COST) {
            Some(rest) => {
                self.tokens = rest;
                true
            }
            None => false,
        }
    }
}

/// Returns whether a message of `source` may pass at `now` (nanoseconds).
///
/// `entries` is the table, or the part of it that `hash` selects if several locks guard the table.
/// Entries at its end that fill no set of [`WAYS`] are not used. `hash` is a keyed hash of
/// [`RateLimitKey::to_bytes`].
#[must_use]
pub fn allow(entries: &mut [RateLimiterEntry], source: RateLimitKey, hash: u64, now: u64) -> bool {
    // CAST: The bits that remain choose as well.
    let Some(set) = (hash as usize).checked_rem(entries.len() / WAYS) else {
        return false;
    };
    let Some(set) = entries.chunks_exact_mut(WAYS).nth(set) else {
        return false;
    };
    if let Some(entry) = set.iter_mut().find(|entry| entry.source == Some(source)) {
        return entry.spend(now);
    }
    let Some(entry) = set.iter_mut().find(|entry| entry.is_free(now)) else {
        return false;
    };
    *entry = RateLimiterEntry {
        source: Some(source),
        last: now,
        tokens: TOKEN_MAX - PACKET_COST,
    };
    true
}
