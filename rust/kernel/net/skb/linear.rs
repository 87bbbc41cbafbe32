// SPDX-License-Identifier: GPL-2.0

//! Packets that can be changed in place.

use super::{
    raw,
    SkBuff, //
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// A packet in one piece, which nobody else sees.
///
/// Made by [`SkBuff::into_linear`].
///
/// # Invariants
///
/// All of the data lies in the head of the buffer, which has no other owner.
pub struct Linear(SkBuff);

impl Linear {
    /// Wraps a buffer for which the invariants hold.
    #[inline]
    pub(super) fn new(skb: SkBuff) -> Self {
        Self(skb)
    }

    /// Returns the packet, without the right to change it in place.
    #[inline]
    pub fn into_skb(self) -> SkBuff {
        self.0
    }

    /// Returns the packet to look at.
    #[inline]
    pub fn as_skb(&self) -> &SkBuff {
        &self.0
    }

    /// Returns the control block for changes.
    #[inline]
    pub fn cb_mut<C: FromBytes + IntoBytes + Immutable + KnownLayout>(&mut self) -> &mut C {
        self.0.cb_mut()
    }

    /// Writes the checksum that was left to the device.
    #[inline]
    pub fn finish_checksum(&mut self) -> kernel::error::Result {
        // The data stays in one piece, and private.
        self.0.finish_checksum()
    }

    /// Returns the length of the packet.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the packet is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the packet.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.0.head()
    }

    /// Returns the packet for changes.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let data = self.0.c_mut().data;
        // SAFETY: All of the data lies there, and nobody else sees it.
        unsafe { core::slice::from_raw_parts_mut(data, self.0.len()) }
    }

    /// Returns the room in front of the packet.
    #[inline]
    pub fn headroom(&self) -> usize {
        self.0.headroom()
    }

    /// Returns the room behind the packet.
    #[inline]
    pub fn tailroom(&self) -> usize {
        raw::tailroom(self.0.c())
    }

    /// Puts `n` zeroes in front of the packet, and returns them.
    #[inline]
    pub fn push(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.headroom() {
            return None;
        }
        raw::push(self.0.c_mut(), n);
        // What was there may never have been written.
        // SAFETY: There was so much room.
        unsafe { self.0.c_mut().data.write_bytes(0, n) };
        self.bytes_mut().get_mut(..n)
    }

    /// Puts `n` zeroes behind the packet, and returns them.
    #[inline]
    pub fn put(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.tailroom() {
            return None;
        }
        let len = self.len();
        let sum = u32::try_from(len.checked_add(n)?).ok()?;
        let start = self.0.c_mut().data.wrapping_add(len);
        // What was there may never have been written.
        // SAFETY: There is so much room behind the data, which is in one piece.
        unsafe { start.write_bytes(0, n) };
        raw::set_len(self.0.c_mut(), sum);
        self.bytes_mut().get_mut(len..)
    }

    /// Removes the first `n` bytes.
    #[inline]
    pub fn pull(&mut self, n: usize) -> Option<()> {
        self.0.pull(n)
    }

    /// Cuts the packet down to `len` bytes, if it is longer.
    #[inline]
    pub fn trim(&mut self, len: usize) {
        if len < self.len() {
            // CAST: Less than the length.
            raw::set_len(self.0.c_mut(), len as u32);
        }
    }
}
