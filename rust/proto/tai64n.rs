// SPDX-License-Identifier: GPL-2.0

//! Timestamps that order the initiations of a remote.

/// Length of a timestamp on the wire.
pub(crate) const LEN: usize = 12;

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// Wall clock time as TAI64N label, in the byte order of the wire, in which labels compare.
///
/// The nanoseconds are rounded down to a multiple of 2^24, so that a remote learns no more of our
/// clock than it must. That is the largest power of two that still distinguishes all initiations
/// that are accepted in a second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(MODULE), derive(Debug))]
pub struct Tai64N([u8; LEN]);

impl Tai64N {
    /// The label that is earlier than every other.
    pub const ZERO: Self = Self([0; LEN]);

    /// Label of the Unix epoch: 2^62 and the ten leap seconds of 1972.
    const UNIX_EPOCH: u64 = 0x4000_0000_0000_000a;

    /// Resolution of a label, in nanoseconds.
    const QUANTUM: u32 = 1 << 24;

    /// Makes the label of a time since the Unix epoch.
    pub const fn from_unix(seconds: i64, nanos: u32) -> Self {
        // CAST: Two's complement, so that times before the epoch have lower labels.
        let [a, b, c, d, e, f, g, h] = Self::UNIX_EPOCH.wrapping_add(seconds as u64).to_be_bytes();
        let [i, j, k, l] = (nanos & !(Self::QUANTUM - 1)).to_be_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, k, l])
    }

    /// Returns the next label that differs from this one at that resolution.
    #[must_use]
    pub const fn next(self) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.0;
        let mut seconds = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let mut nanos =
            (u32::from_be_bytes([i, j, k, l]) & !(Self::QUANTUM - 1)).saturating_add(Self::QUANTUM);
        if nanos >= NANOS_PER_SECOND {
            seconds = seconds.saturating_add(1);
            nanos = 0;
        }
        let [a, b, c, d, e, f, g, h] = seconds.to_be_bytes();
        let [i, j, k, l] = nanos.to_be_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, k, l])
    }

    /// Makes a label of the bytes on the wire; all bytes are valid.
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// Returns the label as it goes on the wire.
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}
