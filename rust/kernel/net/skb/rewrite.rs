// SPDX-License-Identifier: GPL-2.0

//! Detects whether a netfilter rule has rewritten the datagrams of a [`Gso`] packet on its way down
//! the stack.
//!
//! The linear part of such a packet has its headers and nothing else. C code that rewrites bytes
//! behind them first copies these bytes to the linear part (`skb_ensure_writable()`), and removes
//! them from the first fragment. The page keeps the original:
//!
//! ```text
//!   linear: [ headers | copy ]    page: [ ... | original | first fragment ... ]
//! ```
//!
//! [`Gso`]: super::Gso

use super::raw;
use crate::bindings::sk_buff;

/// The length of a UDP header.
const UDP_HEADER_LEN: usize = 8;

/// Returns the number of bytes behind the UDP header that were copied to the linear part.
#[inline]
fn copied(skb: &sk_buff) -> usize {
    let header = usize::from(raw::headers(skb).transport_header);
    raw::tail(skb).saturating_sub(header.saturating_add(UDP_HEADER_LEN))
}

/// Returns whether this is a GSO packet of UDP datagrams whose linear part has more than headers.
#[inline]
pub(in crate::net) fn has_copied(skb: &sk_buff) -> bool {
    // CAST: A bit of an unsigned field.
    raw::gso_type(skb) & crate::bindings::SKB_GSO_UDP_L4 as u32 != 0 && copied(skb) > 0
}

/// Returns whether the copied bytes differ from the original.
///
/// If the whole first datagram was copied, there may be no original left, and the packet counts as
/// rewritten.
///
/// # Safety
///
/// The packet must have been sent as a [`Gso`](super::Gso).
pub(in crate::net) unsafe fn is_rewritten(skb: &sk_buff) -> bool {
    let len = copied(skb);
    let first = raw::frag(skb, 0).filter(|frag| len <= frag.offset);
    // The first fragment began with at least one whole datagram. If all of that was copied, what is
    // the first fragment now may have been another one.
    if first.is_none() || len >= usize::from(raw::gso_size(skb)) {
        return true;
    }
    let copy = skb.head.wrapping_add(raw::tail(skb)).wrapping_sub(len);
    // SAFETY: There is a first fragment. By the requirements all fragments are in lowmem.
    let original = unsafe { raw::frag_address(skb, 0) }.wrapping_sub(len);
    // SAFETY: The linear part ends with that many bytes, and nothing changes them during the
    // borrow.
    let copy = unsafe { core::slice::from_raw_parts(copy, len) };
    // SAFETY: The first fragment is still the first, so that many bytes were removed at its front.
    // Nothing writes to that memory as long as the packet has a reference of the page.
    let original = unsafe { core::slice::from_raw_parts(original, len) };
    copy != original
}

#[kernel::macros::kunit_tests(kext_skb_rewrite)]
mod tests {
    use super::{
        super::{
            builder::Builder,
            PageRing,
            SkBuff, //
        },
        *,
    };
    use crate::{
        bindings,
        context::Process, //
    };
    use kernel::{
        ffi::c_int,
        prelude::*, //
    };

    /// Makes a packet of three datagrams of 1000 bytes, and copies `count` of their bytes as a rule
    /// does.
    fn copied_by_rule(count: usize) -> Result<SkBuff> {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let bh = process.bh();
        let mut ring = PageRing::new();
        let mut builder = Builder::new(&mut ring, 64, 1000, 3, &bh).ok_or(ENOMEM)?;
        for number in 1..4 {
            let slot = builder.slot(1000).ok_or(ENOMEM)?;
            // SAFETY: The slot has 1000 bytes.
            unsafe { slot.write_bytes(number, 1000) };
        }
        let from = SkBuff::alloc(0, 0)?;
        // SAFETY: All slots were written.
        let gso = unsafe { builder.finish(&from) }.ok_or(ENOMEM)?;
        let (mut skb, _) = gso.into_parts();
        raw::push(skb.c_mut(), 28);
        let header = raw::headroom(skb.c()) + 20;
        raw::headers_mut(skb.c_mut()).transport_header = header as u16;
        assert!(!has_copied(skb.c()));
        if count > 0 {
            // SAFETY: The buffer is ours, and has that many bytes in its fragments.
            let pulled = unsafe { bindings::__pskb_pull_tail(skb.as_raw(), count as c_int) };
            assert!(!pulled.is_null());
            assert!(has_copied(skb.c()) && copied(skb.c()) == count);
        }
        Ok(skb)
    }

    #[test]
    fn copies_are_compared() -> Result {
        for count in [1, 16, 999] {
            for at in [0, count / 2, count - 1] {
                let skb = copied_by_rule(count)?;
                // SAFETY: The packet is as a `Gso` packet is when it is sent.
                assert!(!unsafe { is_rewritten(skb.c()) });
                let byte = skb.c().head.wrapping_add(raw::tail(skb.c()) - count + at);
                // SAFETY: The linear part has that many bytes, and no other code has the packet.
                unsafe { byte.write(0) };
                // SAFETY: As above.
                assert!(unsafe { is_rewritten(skb.c()) });
            }
        }
        Ok(())
    }

    #[test]
    fn nothing_left_to_compare_with() -> Result {
        for count in [1000, 1001, 2500, 3000] {
            let skb = copied_by_rule(count)?;
            // SAFETY: The packet is as a `Gso` packet is when it is sent.
            assert!(unsafe { is_rewritten(skb.c()) });
        }
        Ok(())
    }
}
