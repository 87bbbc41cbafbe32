// SPDX-License-Identifier: GPL-2.0

//! The `frag_list` of a packet: further buffers, in which its data continues.
//!
//! Clones may share these buffers. Their owners do not change the links and lengths of a list.

use super::raw;
use crate::bindings;
use crate::bindings::sk_buff;
use core::ptr::null_mut;

/// Returns the sums of `len` and of `truesize` over a list of buffers.
///
/// # Safety
///
/// `first` must be null or start a list of valid buffers, whose links and lengths no code changes
/// meanwhile.
unsafe fn sums(first: *const sk_buff) -> (u32, u32) {
    let (mut len, mut truesize) = (0u32, 0u32);
    let mut next = first;
    while !next.is_null() {
        // SAFETY: By the requirements.
        len = len.wrapping_add(unsafe { (*next).len });
        // SAFETY: As above.
        truesize = truesize.wrapping_add(unsafe { (*next).truesize });
        // SAFETY: As above.
        next = unsafe { raw::next_of(next) };
    }
    (len, truesize)
}

/// Returns whether the packet is a list of datagrams as GRO has made it: `gso_size` bytes behind
/// `header_len` bytes, and all other data in its `frag_list`. C code that pulls data out of the
/// list changes the first length; code that does not trust the list marks it (`SKB_GSO_DODGY`).
pub(super) fn is_untouched(skb: &sk_buff, header_len: usize) -> bool {
    // CAST: Bits of an unsigned field.
    const LIST: u32 = bindings::SKB_GSO_FRAGLIST as u32;
    // CAST: As above.
    const DODGY: u32 = bindings::SKB_GSO_DODGY as u32;
    // SAFETY: The structure is part of a valid buffer.
    let list = unsafe { (*raw::shared_info(skb)).frag_list };
    if list.is_null() || raw::gso_type(skb) & (LIST | DODGY) != LIST {
        return false;
    }
    // SAFETY: The members of the list are valid buffers. None of their owners changes links or
    // lengths while the list has an owner, as it has during the borrow of `skb`.
    let (len, _) = unsafe { sums(list) };
    // CAST: From 32 bits to at least as many.
    skb.len.wrapping_sub(len) as usize == usize::from(raw::gso_size(skb)).wrapping_add(header_len)
}

/// Makes `first` the `frag_list` of a packet. The caller adds its length to the packet's.
#[inline]
pub(super) fn start(skb: &mut sk_buff, first: *mut sk_buff) {
    let info = raw::shared_info(skb).cast_mut();
    // SAFETY: The structure is part of a valid buffer, whose owner calls; other owners of the data
    // only change the count.
    unsafe { (*info).frag_list = first };
}

/// Takes `frag_list` out of a packet, which is no GSO packet any more then, and returns its first
/// buffer. The packet's data must have no other owner.
pub(super) fn take(skb: &mut sk_buff) -> *mut sk_buff {
    let info = raw::shared_info_mut(skb);
    let list = core::mem::replace(&mut info.frag_list, null_mut());
    (info.gso_size, info.gso_segs, info.gso_type) = (0, 0, 0);
    // SAFETY: The members of the list are valid buffers. They may have other owners, which do not
    // change links or lengths.
    let (len, truesize) = unsafe { sums(list) };
    skb.len = skb.len.wrapping_sub(len);
    skb.data_len = skb.data_len.wrapping_sub(len);
    skb.truesize = skb.truesize.wrapping_sub(truesize);
    list
}
