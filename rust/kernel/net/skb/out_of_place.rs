// SPDX-License-Identifier: GPL-2.0

//! Decryption out of place: from one packet into another.
//!
//! Data in page fragments, or data that clones share, must not be changed. A cipher can read one
//! buffer and write another, so it needs no copy of such data:
//!
//! ```text
//!   skb.piece(offset, len) ── RawBytes ──► f ──► Room ── skb.alloc_derived(…).put_with(len, f)
//! ```

use super::{
    pages::PageRing,
    raw,
    Linear,
    SkBuff, //
};
use crate::bindings::{
    SKBFL_MANAGED_FRAG_REFS,
    SKBFL_SHARED_FRAG,
    SKBFL_ZEROCOPY_ENABLE, //
};
use crate::{
    bindings,
    bytes::{
        RawBytes,
        Room,
        Written, //
    },
    context::Bh, //
};
use bindings::{
    page,
    sk_buff,
    skb_frag_t, //
};
use core::mem::MaybeUninit;
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*, //
};

/// The headroom of a packet that is made of another one: for the headers of that one, and for those
/// of a tunnel that may carry the new packet on.
const HEADROOM: usize = 128;
/// Its tailroom, for the trailer of such a tunnel.
const TAILROOM: usize = 48;

/// Returns the address of `len` bytes that start `at` bytes behind the linear part, if they lie in
/// one fragment to whose memory user space has no access: see [`SkBuff::piece`].
fn private_fragment(skb: &sk_buff, at: usize, len: usize) -> Option<*const u8> {
    // CAST: Bits of a byte.
    const FOREIGN: u8 = (SKBFL_ZEROCOPY_ENABLE | SKBFL_SHARED_FRAG | SKBFL_MANAGED_FRAG_REFS) as u8;
    let info = raw::shared_info(skb);
    // SAFETY: The structure is part of a valid buffer. Owners of clones change only its count.
    let flags = unsafe { (*info).flags };
    // SAFETY: As above.
    let count = unsafe { (*info).nr_frags };
    if flags & FOREIGN != 0 || raw::headers(skb).unreadable() != 0 {
        return None;
    }
    // SAFETY: As above.
    let frags = unsafe { &raw const (*info).frags }.cast::<skb_frag_t>();
    let mut at = at;
    for i in 0..usize::from(count) {
        let frag = frags.wrapping_add(i);
        // CAST: From 32 bits to at least as many.
        // SAFETY: `i` is less than the number of fragments.
        let size = unsafe { (*frag).len } as usize;
        match at.checked_sub(size) {
            Some(rest) => at = rest,
            None if at.checked_add(len)? > size => return None,
            None => {
                // SAFETY: As above.
                let page = unsafe { bindings::skb_frag_page(frag) };
                // SAFETY: The packet has a reference of the page, if there is one.
                if page.is_null() || unsafe { is_foreign(page) } {
                    return None;
                }
                // SAFETY: As above. The page is not in highmem, so the kernel maps it permanently.
                let start = unsafe { bindings::skb_frag_address(frag) };
                return Some(start.cast::<u8>().cast_const().wrapping_add(at));
            }
        }
    }
    None
}

/// Returns whether a page belongs to user space or a file, or lies in highmem.
///
/// # Safety
///
/// `page` must be valid.
unsafe fn is_foreign(page: *const page) -> bool {
    // SAFETY: By the requirements.
    let is_highmem = unsafe { bindings::page_is_highmem(page) };
    // SAFETY: By the requirements.
    let is_mapped = unsafe { bindings::page_is_mapped(page) };
    // SAFETY: By the requirements.
    let mapping = unsafe { bindings::page_mapping(page) };
    is_highmem || is_mapped || !mapping.is_null()
}

impl SkBuff {
    /// Returns the packet as a [`Linear`] if its data is linear and not shared, or if all fragments
    /// fit into the tailroom of data that is not shared. Otherwise, with interrupts off, or for a
    /// GSO packet, returns the packet as error.
    #[inline]
    pub fn try_linear(mut self) -> Result<Linear, SkBuff> {
        // As in `into_linear`.
        if self.is_gso() {
            return Err(self);
        }
        let behind = self.data_len();
        let is_private = !raw::is_cloned(self.c());
        let fits = behind != 0 && behind <= raw::tailroom(self.c());
        if is_private && fits && raw::headers(self.c()).unreadable() == 0 {
            let len = self.len();
            let _ = self.may_pull(len);
        }
        if self.data_len() != 0 || !is_private {
            return Err(self);
        }
        // INVARIANT: All data is in the linear part, no clone shares it, and this is no GSO packet.
        Ok(Linear::new(self))
    }

    /// Returns `len` bytes from `offset` on for reading. [`None`] if they do not lie in one place,
    /// or if they may change while the packet exists.
    ///
    /// # What does not change
    ///
    /// The linear part belongs to its buffer, and owners of clones do not write to it. A page of a
    /// fragment can have any other user. If user space could write to it, it could change the
    /// ciphertext after the cipher has verified the tag: with a stream cipher, each bit that
    /// changes then changes in the plain text as well. So such a page must not even be read in
    /// place. A fragment is used only if
    ///
    /// * C does not mark it as shared (`SKBFL_SHARED_FRAG`: sendfile, splice, rings of AF_PACKET)
    ///   or as memory of the sender (`MSG_ZEROCOPY`, io_uring). C copies memory of senders before
    ///   it passes packets up, so none should arrive here.
    /// * Its page belongs to no file and no process, and no process maps it. This finds pages
    ///   without such a mark, as those of AF_XDP.
    ///
    /// The pages that remain are those that drivers and sockets of this machine have allocated for
    /// packets. They do not write to a page while a packet uses it.
    pub fn piece(&self, offset: usize, len: usize) -> Option<RawBytes<'_>> {
        if offset.checked_add(len)? > self.len() {
            return None;
        }
        let start = match offset.checked_sub(self.head_len()) {
            Some(at) if self.data_len() != 0 => private_fragment(self.c(), at, len)?,
            _ if offset.checked_add(len)? > self.head_len() => return None,
            _ => self.c().data.cast_const().wrapping_add(offset),
        };
        // SAFETY: There are that many bytes, which are valid while the packet is.
        Some(unsafe { RawBytes::new(start, len) })
    }

    /// Copies `len` bytes from `offset` on. [`None`] if the packet ends before.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of `len` bytes.
    unsafe fn copy_bits(&self, offset: usize, to: *mut u8, len: usize) -> Option<()> {
        if offset.checked_add(len)? > self.len() {
            return None;
        }
        // CAST: Not more than the length, which has 31 bits.
        let (offset, len) = (offset as c_int, len as c_int);
        // SAFETY: The packet is valid and has these bytes. The rest holds by the requirements.
        to_result(unsafe { crate::bindings::skb_copy_bits(self.c(), offset, to.cast(), len) }).ok()
    }

    /// Allocates an empty packet with this one's control block and headers, for `len` bytes that
    /// the caller derives from its data.
    ///
    /// The headers in front of the data are those that [`SkBuff::udp_source`] reads.
    ///
    /// Its data can become a page fragment of another packet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and `EINVAL` if the headers are longer than the headroom of the new packet, or not
    /// in order.
    pub fn alloc_derived(&self, len: usize, pages: &mut PageRing, bh: &Bh<'_>) -> Result<Linear> {
        let from = raw::headers(self.c());
        let (network, transport) = (from.network_header, from.transport_header);
        let depth = transport.checked_sub(network).ok_or(EINVAL)?;
        let headers_len = self
            .headroom()
            .checked_sub(usize::from(network))
            .filter(|len| *len <= HEADROOM && *len >= usize::from(depth))
            .ok_or(EINVAL)?;
        let (protocol, iif) = (from.protocol, from.skb_iif);
        let room = len.checked_add(TAILROOM).ok_or(EINVAL)?;
        let mut skb = SkBuff::alloc_piece(HEADROOM, room, pages, bh)?;
        let start = skb.headroom().saturating_sub(headers_len);
        let first = self.c().head.wrapping_add(usize::from(network));
        let to = skb.c_mut().head.wrapping_add(start);
        // SAFETY: `headers_len` bytes lie between the network header and the data of this packet,
        // and the new packet has as much headroom.
        unsafe { to.copy_from_nonoverlapping(first, headers_len) };
        skb.c_mut().cb = self.c().cb;
        let headers = raw::headers_mut(skb.c_mut());
        (headers.protocol, headers.skb_iif) = (protocol, iif);
        // CAST: Within the headroom.
        headers.network_header = start as u16;
        headers.transport_header = depth.wrapping_add(start as u16);
        // INVARIANT: The new packet is linear, and has no clone. It is no GSO packet.
        Ok(Linear::new(skb))
    }
}

impl Linear {
    /// Appends `n` bytes that `write` writes to the data. [`None`] without that much tailroom, or
    /// if `write` fails.
    #[inline]
    pub fn put_with(
        &mut self,
        n: usize,
        write: impl for<'r> FnOnce(Room<'r>) -> Option<Written<'r>>,
    ) -> Option<()> {
        let len = u32::try_from(self.len().checked_add(n)?).ok()?;
        if !Room::lend(self.room().get_mut(..n)?, write) {
            return None;
        }
        raw::set_len(self.c_mut(), len);
        Some(())
    }

    /// Appends `n` bytes of `from`, from `offset` on, to the data. [`None`] without that much
    /// tailroom, or if `from` ends before.
    pub fn put_copy(&mut self, from: &SkBuff, offset: usize, n: usize) -> Option<()> {
        let len = u32::try_from(self.len().checked_add(n)?).ok()?;
        let room = self.room().get_mut(..n)?;
        // SAFETY: `room` has `n` bytes.
        unsafe { from.copy_bits(offset, room.as_mut_ptr().cast(), n) }?;
        raw::set_len(self.c_mut(), len);
        Some(())
    }

    /// Returns the tailroom.
    #[inline]
    fn room(&mut self) -> &mut [MaybeUninit<u8>] {
        let (len, room) = (self.len(), self.tailroom());
        let start = self.c_mut().data.wrapping_add(len).cast();
        // SAFETY: The tailroom has that many bytes, and starts behind the data, which is linear.
        // Nothing else accesses it.
        unsafe { core::slice::from_raw_parts_mut(start, room) }
    }
}

#[kernel::macros::kunit_tests(kext_skb_apart)]
mod tests {
    use super::super::UdpSource;
    use super::*;
    use crate::context::Process;
    use kernel::{
        interrupt::local_interrupt_disable,
        page::{
            Page,
            PAGE_SIZE, //
        }, //
    };

    /// Makes a received datagram with its headers in front of the data, four bytes of linear data,
    /// and fragments that lie at these offsets and lengths in pages with bytes 0xab.
    fn packet(fragments: &[(u32, u32)]) -> Result<SkBuff> {
        let mut linear = SkBuff::alloc(64, 64)?
            .into_linear(64, 64)
            .map_err(|_| ENOMEM)?;
        let bytes = linear.put(32).ok_or(EINVAL)?;
        bytes.copy_from_slice(&[
            0x45, 3, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, // IP
            0, 77, 0, 88, 0, 0, 0, 0, // UDP
            1, 2, 3, 4,
        ]);
        let mut skb = linear.into_skb();
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        skb.reset_for_decap(&process.bh());
        let _ = skb.read_ip_header().ok_or(EINVAL)?;
        let headers = raw::headers_mut(skb.c_mut());
        headers.skb_iif = 5;
        headers.transport_header = headers.network_header.wrapping_add(20);
        skb.pull(28).ok_or(EINVAL)?;
        for (i, (offset, len)) in fragments.iter().enumerate() {
            let page = Page::alloc_page(GFP_KERNEL)?;
            // SAFETY: The page is new, and no other code has it.
            unsafe { page.fill_zero_raw(0, PAGE_SIZE) }?;
            // SAFETY: As above.
            unsafe { page.write_raw([0xab; 100].as_ptr(), 1000, 100) }?;
            let info = raw::shared_info(skb.c()).cast_mut();
            // CAST: A page as the stack notes it.
            let netmem = core::mem::ManuallyDrop::new(page).as_ptr() as usize;
            let frag = skb_frag_t {
                netmem: netmem as _,
                len: *len,
                offset: *offset,
            };
            // SAFETY: No other code has the buffer, which has room for 17 fragments.
            unsafe {
                (&raw mut (*info).frags)
                    .cast::<skb_frag_t>()
                    .add(i)
                    .write(frag)
            };
            // SAFETY: As above.
            unsafe { (*info).nr_frags += 1 };
            let c = skb.c_mut();
            c.len += *len;
            c.data_len += *len;
        }
        Ok(skb)
    }

    /// Returns the page of the first fragment.
    fn page_of(skb: &SkBuff) -> *mut page {
        // SAFETY: There is a fragment.
        unsafe { bindings::skb_frag_page((&raw const (*raw::shared_info(skb.c())).frags).cast()) }
    }

    fn is_piece(skb: &SkBuff, offset: usize, len: usize) -> bool {
        skb.piece(offset, len)
            .is_some_and(|piece| piece.len() == len)
    }

    #[test]
    fn pieces_do_not_cross_fragments() -> Result {
        let skb = packet(&[(1000, 50), (1000, 100)])?;
        assert!(skb.len() == 154);
        let first = skb.piece(0, 4).ok_or(EINVAL)?;
        assert!(first.first() == Some([1, 2, 3, 4]));
        assert!(skb.piece(0, 5).is_none());
        assert!(skb.piece(3, 2).is_none());
        let second = skb.piece(4, 50).ok_or(EINVAL)?;
        assert!(second.first() == Some([0xab; 50]));
        assert!(skb.piece(4, 51).is_none());
        assert!(skb.piece(53, 2).is_none());
        let third = skb.piece(55, 99).ok_or(EINVAL)?;
        assert!(third.first() == Some([0xab; 99]));
        assert!(skb.piece(55, 100).is_none());
        assert!(skb.piece(1, usize::MAX).is_none());
        assert!(skb.piece(usize::MAX, 1).is_none());
        Ok(())
    }

    #[test]
    fn what_user_space_can_write_is_no_piece() -> Result {
        let skb = packet(&[(1000, 50)])?;
        let info = raw::shared_info(skb.c()).cast_mut();
        for flag in [
            SKBFL_SHARED_FRAG,
            SKBFL_ZEROCOPY_ENABLE,
            SKBFL_MANAGED_FRAG_REFS,
        ] {
            // CAST: A bit of a byte.
            // SAFETY: No other code has the buffer.
            unsafe { (*info).flags = flag as u8 };
            assert!(!is_piece(&skb, 4, 50));
            assert!(is_piece(&skb, 0, 4));
        }
        // SAFETY: As above.
        unsafe { (*info).flags = 0 };
        assert!(is_piece(&skb, 4, 50));
        let page = page_of(&skb);
        // SAFETY: Only the packet has the page. Fields of the union are words.
        let mapping = unsafe { &raw mut (*page).__bindgen_anon_1.__bindgen_anon_1.mapping };
        // SAFETY: As above. No code follows the pointer.
        unsafe { mapping.write(core::ptr::dangling_mut()) };
        assert!(!is_piece(&skb, 4, 50));
        // SAFETY: As above.
        unsafe { mapping.write(core::ptr::null_mut()) };
        assert!(is_piece(&skb, 4, 50));
        Ok(())
    }

    #[test]
    fn a_successor_has_the_headers_and_nothing_else() -> Result {
        let mut skb = packet(&[(1000, 50)])?;
        *skb.cb_mut::<u64>() = 12345;
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let bh = process.bh();
        let source = UdpSource::V4 {
            src: [10, 0, 0, 1],
            sport: 77,
            dst: [10, 0, 0, 2],
            iif: 5,
        };
        assert!(skb.udp_source() == Some(source));
        let mut new = skb.alloc_derived(20, &mut PageRing::new(), &bh)?;
        assert!(new.as_skb().udp_source() == Some(source));
        assert!(new.as_skb().dsfield() == 3);
        assert!(*new.as_skb().cb::<u64>() == 12345);
        assert!(new.is_empty());
        assert!(new.tailroom() >= 20 + TAILROOM);
        new.put_copy(&skb, 2, 4).ok_or(EINVAL)?;
        assert!(new.bytes() == [3, 4, 0xab, 0xab]);
        // Bytes that were not written are not appended.
        assert!(new.put_with(4, |_| None).is_none());
        assert!(new.put_copy(&skb, 52, 4).is_none());
        assert!(new.len() == 4);
        assert!(new.put_with(usize::MAX, |_| None).is_none());
        Ok(())
    }

    #[test]
    fn private_linear_data_is_there_already() -> Result {
        assert!(packet(&[])?.try_linear().is_ok());
        // Fragments that fit into the tailroom go there, others do not.
        let pulled = packet(&[(1000, 50)])?.try_linear();
        let pulled = pulled.map_err(|_| EINVAL)?;
        assert!(pulled.len() == 54 && pulled.bytes().ends_with(&[0xab; 50]));
        assert!(packet(&[(1000, 3000)])?.try_linear().is_err());
        let skb = packet(&[])?;
        // SAFETY: The buffer is valid; the clone is ours.
        let clone = unsafe { crate::bindings::skb_clone(skb.as_raw(), bindings::CONST_GFP_KERNEL) };
        // SAFETY: As above.
        let clone = unsafe { SkBuff::from_shared(clone) }.ok_or(ENOMEM)?;
        let skb = skb.try_linear().err().ok_or(EINVAL)?;
        drop(clone);
        assert!(skb.try_linear().is_ok());
        Ok(())
    }

    #[test]
    fn packets_keep_their_memory_with_interrupts_off() -> Result {
        let (pulled, put_in_line) = (packet(&[(1000, 50)])?, packet(&[(1000, 50)])?);
        let (mut trimmed, mut head) = (packet(&[(1000, 50)])?, packet(&[(1000, 50)])?);
        let mut shared = packet(&[])?;
        // SAFETY: The buffer is valid; the clone is ours.
        let clone =
            unsafe { crate::bindings::skb_clone(shared.as_raw(), bindings::CONST_GFP_KERNEL) };
        // SAFETY: As above.
        let mut clone = unsafe { SkBuff::from_shared(clone) }.ok_or(ENOMEM)?;
        let start = raw::headroom(clone.c()) as u16;
        raw::set_partial_checksum(clone.c_mut(), start, 0);
        // Compared later, as a test must not fail with interrupts off.
        let (results, pulled, put_in_line) = {
            let irqs = local_interrupt_disable();
            let pulled = pulled.try_linear();
            let put_in_line = put_in_line.into_linear(0, 0);
            let results = [
                pulled.is_err(),
                put_in_line.is_err(),
                trimmed.trim(10) == Err(EBUSY),
                head.pull_head(20).is_none(),
                head.pull_head(4).is_some(),
                shared.make_private() == Err(EBUSY),
                clone.finish_checksum() == Err(EBUSY),
            ];
            drop(irqs);
            (results, pulled, put_in_line)
        };
        assert!(results == [true; 7]);
        let pulled = pulled.err().ok_or(EINVAL)?.try_linear();
        assert!(pulled.is_ok_and(|packet| packet.len() == 54));
        let put_in_line = put_in_line.err().ok_or(EINVAL)?.into_linear(0, 0);
        assert!(put_in_line.is_ok_and(|packet| packet.len() == 54));
        trimmed.trim(10)?;
        assert!(trimmed.len() == 10 && head.pull_head(20).is_some());
        shared.make_private()?;
        clone.finish_checksum()
    }
}
