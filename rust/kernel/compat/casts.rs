// SPDX-License-Identifier: GPL-2.0

//! Casts that lose nothing on any machine that the kernel runs on.

/// Losslessly converts a [`u32`] into a [`usize`].
#[inline]
pub const fn u32_as_usize(value: u32) -> usize {
    // CAST: The machines have at least 32 bits.
    value as usize
}

/// Losslessly converts a [`usize`] into a [`u64`].
#[inline]
pub const fn usize_as_u64(value: usize) -> u64 {
    // CAST: The machines have at most 64 bits.
    value as u64
}
