// SPDX-License-Identifier: GPL-2.0

//! Padding, which hides the exact length of a packet.

const UNIT: usize = 16;

/// Returns how many zero bytes follow a packet of `len` bytes before it is sealed.
///
/// Packets are rounded up to 16 bytes, but not beyond the `mtu` of their path. Of a packet that
/// exceeds its `mtu` only the last part counts. An `mtu` of zero means none.
#[inline]
pub fn padding(len: usize, mtu: usize) -> usize {
    if mtu == 0 {
        return up(len).saturating_sub(len);
    }
    let last = if len > mtu {
        len.checked_rem(mtu).unwrap_or(0)
    } else {
        len
    };
    up(last).min(mtu).saturating_sub(last)
}

/// Rounds up to whole units.
#[inline]
fn up(len: usize) -> usize {
    len.checked_next_multiple_of(UNIT).unwrap_or(len)
}
