// SPDX-License-Identifier: GPL-2.0

//! Packets whose data goes on in other buffers.
//!
//! The buffers of such a list may have other owners, which leave their links and lengths as they
//! are.

use super::raw;
use crate::bindings;
use crate::bindings::sk_buff;
use core::ptr::null_mut;

/// Sums up the lengths and sizes of a list.
///
/// # Safety
///
/// `first` must be null or start a list of valid buffers, whose links and lengths nobody changes.
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

/// Returns whether the data is that of a packet of the size that it stands for, behind `header_len`
/// bytes, and a list of others.
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
    // SAFETY: The members of the list are valid buffers, which stay as they are while the list has
    // an owner.
    let (len, _) = unsafe { sums(list) };
    // CAST: From 32 bits to at least as many.
    skb.len.wrapping_sub(len) as usize == usize::from(raw::gso_size(skb)).wrapping_add(header_len)
}

/// Puts the first buffer on the list, without counting its length.
#[inline]
pub(super) fn start(skb: &mut sk_buff, first: *mut sk_buff) {
    let info = raw::shared_info(skb).cast_mut();
    // SAFETY: The structure is part of a valid buffer, whose owner calls; other owners of the data
    // only change the count.
    unsafe { (*info).frag_list = first };
}

/// Takes the list of buffers out of a packet, which stands for itself then. The data must have no
/// other owner.
pub(super) fn take(skb: &mut sk_buff) -> *mut sk_buff {
    let info = raw::shared_info_mut(skb);
    let list = core::mem::replace(&mut info.frag_list, null_mut());
    (info.gso_size, info.gso_segs, info.gso_type) = (0, 0, 0);
    // SAFETY: The members of the list are valid buffers. Others may own them too, but leave them as
    // they are.
    let (len, truesize) = unsafe { sums(list) };
    skb.len = skb.len.wrapping_sub(len);
    skb.data_len = skb.data_len.wrapping_sub(len);
    skb.truesize = skb.truesize.wrapping_sub(truesize);
    list
}
