// SPDX-License-Identifier: GPL-2.0

//! [`Linear`], a packet that can be changed in place.

use super::{
    raw,
    SkBuff,
    MAX_HEADROOM,
    MAX_TAILROOM, //
};
use crate::{
    bindings,
    context::irqs_disabled, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*, //
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

impl SkBuff {
    /// Makes the packet linear, unshares its data, and provides at least `headroom` bytes in front
    /// of it and `tailroom` bytes behind it.
    ///
    /// Copies nothing if all of that holds already. Headers keep their place relative to the data.
    /// Returns the packet as error without memory, if that much room is never provided, with
    /// interrupts off, or if it is a GSO packet.
    #[inline]
    pub fn into_linear(mut self, headroom: usize, tailroom: usize) -> Result<Linear, SkBuff> {
        // C relies on the length and headers that go with `gso_size` where it segments the packet.
        if self.is_gso() {
            return Err(self);
        }
        let fits = self.data_len() == 0
            && raw::headroom(self.c()) >= headroom
            && raw::tailroom(self.c()) >= tailroom
            && !raw::is_cloned(self.c());
        if !fits && self.reallocate(headroom, tailroom).is_err() {
            return Err(self);
        }
        // INVARIANT: All data is in the linear part, no clone shares it, and this is no GSO packet.
        Ok(Linear::new(self))
    }

    /// The slow path of [`SkBuff::into_linear`], which copies. Fails with `ENOMEM`, `EINVAL` or
    /// `EBUSY`.
    #[cold]
    fn reallocate(&mut self, headroom: usize, tailroom: usize) -> Result {
        if irqs_disabled() {
            return Err(EBUSY);
        }
        let behind = self.data_len();
        let tailroom = tailroom.checked_add(behind).ok_or(EINVAL)?;
        if headroom > MAX_HEADROOM || tailroom > MAX_TAILROOM {
            return Err(EINVAL);
        }
        // CAST: Both were limited above.
        let head = headroom.saturating_sub(raw::headroom(self.c())) as c_int;
        let tail = tailroom.saturating_sub(raw::tailroom(self.c())) as c_int;
        if raw::is_cloned(self.c()) || head != 0 || tail != 0 {
            let gfp = bindings::CONST_GFP_ATOMIC;
            // SAFETY: The buffer is not shared, and the sizes are not negative.
            to_result(unsafe { bindings::pskb_expand_head(self.as_raw(), head, tail, gfp) })?;
            // C adds to the offsets of headers that were never set, too, and `header` may read
            // what they point to then.
            // CAST: Not negative.
            // SAFETY: The buffer has grown by that many bytes at its start.
            unsafe { self.c_mut().head.write_bytes(0, head as usize) };
        }
        if !self.may_pull(self.len()) || self.data_len() != 0 {
            return Err(ENOMEM);
        }
        Ok(())
    }

    /// Returns whether the room in front of the data has at least `n` bytes, and no clone shares
    /// the linear part: whether `skb_cow_head()` has nothing to do.
    #[inline]
    pub(in crate::net) fn has_private_room(&self, n: usize) -> bool {
        self.headroom() >= n && self.c().cloned() == 0
    }

    /// Unshares the linear part: copies it if a clone shares it. Fails with `ENOMEM`, and with
    /// `EBUSY` with interrupts off.
    #[inline]
    pub(in crate::net) fn make_private(&mut self) -> Result {
        if !raw::is_cloned(self.c()) {
            return Ok(());
        }
        if irqs_disabled() {
            return Err(EBUSY);
        }
        let gfp = bindings::CONST_GFP_ATOMIC;
        // SAFETY: The buffer is not shared.
        to_result(unsafe { bindings::pskb_expand_head(self.as_raw(), 0, 0, gfp) })
    }
}

/// A packet whose data is linear and not shared.
///
/// [`SkBuff::into_linear`] makes one.
///
/// # Invariants
///
/// All data lies in the linear part, which no clone shares. It is no GSO packet.
pub struct Linear(SkBuff);

impl Linear {
    /// Makes the value of a buffer for which the invariants hold.
    #[inline]
    pub(super) fn new(skb: SkBuff) -> Self {
        Self(skb)
    }

    /// Returns the fields of the buffer for changes, which must keep to the invariants.
    #[inline]
    pub(super) fn c_mut(&mut self) -> &mut bindings::sk_buff {
        self.0.c_mut()
    }

    /// Returns the packet as one that cannot be changed in place.
    #[inline]
    pub fn into_skb(self) -> SkBuff {
        self.0
    }

    /// Returns the packet for reading.
    #[inline]
    pub fn as_skb(&self) -> &SkBuff {
        &self.0
    }

    /// Returns the control block for changes.
    #[inline]
    pub fn cb_mut<C: FromBytes + IntoBytes + Immutable + KnownLayout>(&mut self) -> &mut C {
        self.0.cb_mut()
    }

    /// See [`SkBuff::finish_checksum`].
    #[inline]
    pub fn finish_checksum(&mut self) -> Result {
        // The data stays linear, and no clone comes to share it.
        self.0.finish_checksum()
    }

    /// Returns the length of the packet in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the packet is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the data of the packet.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.0.head()
    }

    /// Returns the data of the packet for changes.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let data = self.0.c_mut().data;
        // SAFETY: By the type invariants all data lies from there on, and nothing else accesses it.
        unsafe { core::slice::from_raw_parts_mut(data, self.0.len()) }
    }

    /// Returns the room in front of the data, in bytes.
    #[inline]
    pub fn headroom(&self) -> usize {
        self.0.headroom()
    }

    /// Returns the room behind the data, in bytes.
    #[inline]
    pub fn tailroom(&self) -> usize {
        raw::tailroom(self.0.c())
    }

    /// Puts `n` zeroes in front of the data, and returns them. [`None`] without that much headroom.
    #[inline]
    pub fn push(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.headroom() {
            return None;
        }
        raw::push(self.0.c_mut(), n);
        // The room may be uninitialised.
        // SAFETY: The headroom had that many bytes.
        unsafe { self.0.c_mut().data.write_bytes(0, n) };
        self.bytes_mut().get_mut(..n)
    }

    /// Puts `n` zeroes behind the data, and returns them. [`None`] without that much tailroom.
    #[inline]
    pub fn put(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.tailroom() {
            return None;
        }
        let len = self.len();
        let sum = u32::try_from(len.checked_add(n)?).ok()?;
        let start = self.0.c_mut().data.wrapping_add(len);
        // The room may be uninitialised.
        // SAFETY: The tailroom has that many bytes, and starts behind the data, which is linear.
        unsafe { write_zeroes(start, n) };
        raw::set_len(self.0.c_mut(), sum);
        self.bytes_mut().get_mut(len..)
    }

    /// Removes the first `n` bytes. [`None`] if there are fewer, or if the headroom would be more
    /// than 65 534 bytes, the largest offset of a header.
    #[inline]
    pub fn pull(&mut self, n: usize) -> Option<()> {
        self.0.pull(n)
    }

    /// Shortens the packet to `len` bytes, if it is longer.
    #[inline]
    pub fn trim(&mut self, len: usize) {
        if len < self.len() {
            // CAST: Less than the length.
            raw::set_len(self.0.c_mut(), len as u32);
        }
    }
}

/// Writes `n` zeroes. For a few, the usual case, this is faster than a call of `memset()`.
///
/// # Safety
///
/// `start` must be valid for writes of `n` bytes.
#[inline]
pub(super) unsafe fn write_zeroes(start: *mut u8, n: usize) {
    // SAFETY: By the requirements: these are the last `len` of the `n` bytes.
    let end = |len: usize| unsafe { start.add(n.wrapping_sub(len)) };
    match n {
        0 => {}
        16..=32 => {
            // SAFETY: There are at least 16 bytes. The two writes may overlap.
            unsafe { start.cast::<[u8; 16]>().write([0; 16]) };
            // SAFETY: As above.
            unsafe { end(16).cast::<[u8; 16]>().write([0; 16]) };
        }
        4..=8 => {
            // SAFETY: As above, with at least 4 bytes.
            unsafe { start.cast::<[u8; 4]>().write([0; 4]) };
            // SAFETY: As above.
            unsafe { end(4).cast::<[u8; 4]>().write([0; 4]) };
        }
        // SAFETY: By the requirements.
        _ => unsafe { start.write_bytes(0, n) },
    }
}

/// Copies `n` bytes. For the length of packet headers this is faster than a call of `memcpy()`.
///
/// # Safety
///
/// `from` must be valid for reads and `to` for writes of `n` bytes, and they must not overlap.
#[inline]
pub(super) unsafe fn copy_headers(from: *const u8, to: *mut u8, n: usize) {
    /// Copies the first and the last bytes, `N` each, of at least as many and at most twice that.
    ///
    /// # Safety
    ///
    /// As that of the function around it, and `n` must be at least `N`.
    #[inline(always)]
    unsafe fn ends<const N: usize>(from: *const u8, to: *mut u8, n: usize) {
        let last = n.wrapping_sub(N);
        // SAFETY: By the requirements.
        let start = unsafe { from.cast::<[u8; N]>().read() };
        // SAFETY: As above.
        let end = unsafe { from.wrapping_add(last).cast::<[u8; N]>().read() };
        // SAFETY: As above.
        unsafe { to.cast::<[u8; N]>().write(start) };
        // SAFETY: As above. The two writes may overlap.
        unsafe { to.wrapping_add(last).cast::<[u8; N]>().write(end) };
    }
    match n {
        // SAFETY: By the requirements; this is between `N` and twice that.
        16..=32 => unsafe { ends::<16>(from, to, n) },
        // SAFETY: As above.
        33..=64 => unsafe { ends::<32>(from, to, n) },
        // SAFETY: By the requirements.
        _ => unsafe { to.copy_from_nonoverlapping(from, n) },
    }
}

#[kernel::macros::kunit_tests(kext_skb)]
mod tests {
    use super::super::{
        raw,
        IpAddrs,
        IpVersion,
        SkBuff,
        SkbList, //
    };
    use crate::context::Process;
    use kernel::prelude::*;

    /// Makes a packet with these bytes as data.
    fn packet(bytes: &[u8]) -> Result<SkBuff> {
        let skb = SkBuff::alloc(16, 0)?;
        let mut linear = skb.into_linear(16, bytes.len()).map_err(|_| ENOMEM)?;
        linear
            .put(bytes.len())
            .ok_or(EINVAL)?
            .copy_from_slice(bytes);
        Ok(linear.into_skb())
    }

    #[test]
    fn bytes_come_and_go_at_both_ends() -> Result {
        let mut p = packet(&[1, 2, 3])?
            .into_linear(64, 64)
            .map_err(|_| ENOMEM)?;
        assert!(p.headroom() >= 64);
        assert!(p.tailroom() >= 64);
        assert!(p.push(2).ok_or(EINVAL)? == [0, 0]);
        p.put(1).ok_or(EINVAL)?.fill(4);
        assert!(p.bytes() == [0, 0, 1, 2, 3, 4]);
        p.pull(3).ok_or(EINVAL)?;
        assert!(p.bytes() == [2, 3, 4]);
        p.trim(1);
        assert!(p.bytes() == [2]);
        p.trim(5);
        assert!(p.len() == 1);
        assert!(p.pull(2).is_none());
        p.pull(1).ok_or(EINVAL)?;
        assert!(p.is_empty());
        Ok(())
    }

    #[test]
    fn there_is_no_more_room_than_there_is() -> Result {
        let mut p = SkBuff::alloc(8, 8)?.into_linear(8, 8).map_err(|_| ENOMEM)?;
        let (head, tail) = (p.headroom(), p.tailroom());
        assert!(p.push(head.saturating_add(1)).is_none());
        assert!(p.put(tail.saturating_add(1)).is_none());
        assert!(p.put(usize::MAX).is_none());
        assert!(p.put(tail).is_some());
        assert!(p.push(head).is_some());
        assert!(p.len() == head.saturating_add(tail));
        assert!(SkBuff::alloc(usize::MAX, 1).is_err());
        assert!(p.into_skb().into_linear(usize::MAX, usize::MAX).is_err());
        Ok(())
    }

    #[test]
    fn offsets_of_headers_reach_the_data() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let mut p = SkBuff::alloc(16, 70_000)?
            .into_linear(16, 70_000)
            .map_err(|_| ENOMEM)?;
        p.put(70_000).ok_or(EINVAL)?;
        let most = 65_534 - p.headroom();
        assert!(p.pull(most + 1).is_none() && p.len() == 70_000);
        p.pull(most).ok_or(EINVAL)?;
        assert!(p.pull(1).is_none());
        let mut skb = p.into_skb();
        skb.reset_for_decap(&process.bh());
        assert!(raw::headers(skb.c()).network_header == 65_534);
        Ok(())
    }

    #[test]
    fn lists_keep_the_order() -> Result {
        let (mut a, mut b) = (SkbList::new(), SkbList::new());
        for byte in 0..3u8 {
            a.push_back(packet(&[byte])?);
            b.push_back(packet(&[byte, byte])?);
        }
        a.append(&mut b);
        assert!(b.is_empty());
        assert!(b.pop_front().is_none());
        b.push_back(packet(&[9; 4])?);
        a.prepend(&mut b);
        assert!(a.len() == 7);
        for (number, mut skb) in a.iter_mut().enumerate() {
            *skb.cb_mut() = number as u64;
        }
        assert!(a.front().is_some_and(|skb| skb.len() == 4));
        assert!(a.split_front(0).is_empty());
        let mut front = a.split_front(3);
        assert!(front.len() == 3 && a.len() == 4);
        front.append(&mut a);
        a = front;
        let mut sum = 0;
        while let Some(skb) = a.pop_front() {
            sum = sum * 10 + *skb.cb::<u64>();
        }
        assert!(sum == 123456);
        Ok(())
    }

    #[test]
    fn headers_must_be_complete() -> Result {
        let mut ip = [0; 24];
        ip[0] = 0x45;
        ip[1] = 0xb9;
        ip[3] = 22;
        ip[15] = 1;
        ip[19] = 2;
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let mut skb = packet(&ip)?;
        assert!(skb.ip_version_checked().is_none());
        skb.reset_for_decap(&process.bh());
        let header = skb.read_ip_header().ok_or(EINVAL)?;
        assert!(skb.ip_version_checked() == Some(IpVersion::V4));
        assert!(header.version == IpVersion::V4 && header.len == 22);
        assert!(skb.dsfield() == 0xb9);
        assert!(skb.ecn_encap() == 1);
        skb.ecn_decap(3);
        assert!(skb.dsfield() == 0xbb);
        assert!(skb.ecn_encap() == 2);
        let addresses = IpAddrs::V4 {
            src: [0, 0, 0, 1],
            dst: [0, 0, 0, 2],
        };
        assert!(header.addresses == addresses);
        assert!(skb.inner_addresses() == Some(addresses));
        skb.trim(19)?;
        assert!(skb.ip_version_checked().is_none());
        assert!(skb.inner_addresses().is_none());
        assert!(skb.read_ip_header().is_none());

        let mut ip = [0; 40];
        ip[0] = 0x60;
        ip[1] = 0x20;
        let mut skb = packet(&ip)?;
        skb.reset_for_decap(&process.bh());
        let header = skb.read_ip_header().ok_or(EINVAL)?;
        assert!(header.version == IpVersion::V6 && header.len == 40);
        assert!(skb.ecn_encap() == 2);
        skb.trim(39)?;
        assert!(skb.read_ip_header().is_none());
        assert!(skb.strip_udp().is_err());
        Ok(())
    }
}
