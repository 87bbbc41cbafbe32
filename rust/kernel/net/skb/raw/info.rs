// SPDX-License-Identifier: GPL-2.0

//! `struct skb_shared_info`, which follows the data of a buffer: its page fragments, `frag_list`
//! and GSO fields.

use super::end;
use crate::bindings::{
    self,
    sk_buff, //
};

/// Returns the structure that follows the buffer.
#[inline]
pub(in crate::net::skb) fn shared_info(skb: &sk_buff) -> *const bindings::skb_shared_info {
    skb.head.cast_const().wrapping_add(end(skb)).cast()
}

/// Returns whether clones share the data (`skb_cloned()`).
#[inline]
pub(in crate::net::skb) fn is_cloned(skb: &sk_buff) -> bool {
    if skb.cloned() == 0 {
        return false;
    }
    // SAFETY: The structure is part of a valid buffer.
    let count = unsafe { &raw const (*shared_info(skb)).dataref.counter };
    // SAFETY: As above. Another CPU may free a clone at the same time, hence the volatile read.
    let count = unsafe { count.read_volatile() };
    // The upper half counts the owners that have released the headers (`SKB_DATAREF_SHIFT`).
    count & 0xffff != 1
}

/// Returns whether this is a GSO packet (`skb_is_gso()`).
#[inline]
pub(in crate::net::skb) fn is_gso(skb: &sk_buff) -> bool {
    // SAFETY: The structure is part of a valid buffer.
    unsafe { (*shared_info(skb)).gso_size != 0 }
}

/// Returns the structure that follows the buffer, for changes. The data must have no other owner.
#[inline]
pub(in crate::net::skb) fn shared_info_mut(skb: &mut sk_buff) -> &mut bindings::skb_shared_info {
    let info = shared_info(skb).cast_mut();
    // SAFETY: The structure is part of a valid buffer, and the borrow is that of its owner.
    unsafe { &mut *info }
}

/// A page fragment.
pub(in crate::net::skb) struct Frag {
    /// Its offset in its page.
    pub(in crate::net::skb) offset: usize,
    /// Its length in bytes.
    pub(in crate::net::skb) len: usize,
}

/// Returns page fragment `number` of the packet. [`None`] if there are fewer.
#[inline]
pub(in crate::net::skb) fn frag(skb: &sk_buff, number: usize) -> Option<Frag> {
    let info = shared_info(skb);
    // SAFETY: The structure is part of a valid buffer.
    let count = unsafe { (*info).nr_frags };
    if number >= usize::from(count) {
        return None;
    }
    // SAFETY: As above.
    let frags = unsafe { &raw const (*info).frags }.cast::<bindings::skb_frag_t>();
    // SAFETY: `number` is less than the number of fragments.
    let frag = unsafe { frags.add(number) };
    // SAFETY: As above.
    let offset = unsafe { (*frag).offset };
    // SAFETY: As above.
    let len = unsafe { (*frag).len };
    // CAST: From 32 bits to at least as many, twice.
    let (offset, len) = (offset as usize, len as usize);
    Some(Frag { offset, len })
}

/// Returns the address of page fragment `number`.
///
/// # Safety
///
/// There must be a fragment of that number, in lowmem.
#[inline]
pub(in crate::net::skb) unsafe fn frag_address(skb: &sk_buff, number: usize) -> *mut u8 {
    let info = shared_info(skb);
    // SAFETY: The structure is part of a valid buffer.
    let frags = unsafe { &raw const (*info).frags };
    // SAFETY: By the requirements.
    let frag = unsafe { frags.cast::<bindings::skb_frag_t>().add(number) };
    // SAFETY: As above.
    unsafe { crate::bindings::skb_frag_address(frag) }.cast()
}

/// Makes the packet a GSO packet of `segments` UDP datagrams of `size` bytes.
#[inline]
pub(in crate::net::skb) fn set_udp_gso(skb: &mut sk_buff, size: u16, segments: u16) {
    let info = shared_info_mut(skb);
    info.gso_size = size;
    info.gso_segs = segments;
    // CAST: A bit of an unsigned field.
    info.gso_type = bindings::SKB_GSO_UDP_L4 as u32;
}

/// Sets the type of a GSO packet, and the number of packets that it stands for. `gso_size` stays.
#[inline]
pub(in crate::net::skb) fn set_gso(skb: &mut sk_buff, kind: u32, segments: u16) {
    let info = shared_info(skb).cast_mut();
    // SAFETY: The structure is part of a valid buffer, whose owner calls; other owners of the data
    // only change the count.
    unsafe { (*info).gso_type = kind };
    // SAFETY: As above.
    unsafe { (*info).gso_segs = segments };
}

/// Returns the number of packets that this one stands for; 0 if its sender did not set it.
#[inline]
pub(in crate::net::skb) fn gso_segs(skb: &sk_buff) -> u16 {
    // SAFETY: The structure is part of a valid buffer.
    unsafe { (*shared_info(skb)).gso_segs }
}

/// Returns the bytes of payload of each packet that this one stands for; 0 if this is no GSO
/// packet.
#[inline]
pub(in crate::net::skb) fn gso_size(skb: &sk_buff) -> u16 {
    // SAFETY: The structure is part of a valid buffer.
    unsafe { (*shared_info(skb)).gso_size }
}

/// Returns whether the packet has a `frag_list`.
#[cfg(check_gso)]
pub(in crate::net::skb) fn has_frag_list(skb: &sk_buff) -> bool {
    // SAFETY: The structure is part of a valid buffer.
    unsafe { !(*shared_info(skb)).frag_list.is_null() }
}

/// Returns whether others may change the data in fragments of the packet (`SKBFL_SHARED_FRAG`).
#[inline]
pub(in crate::net::skb) fn has_shared_frags(skb: &sk_buff) -> bool {
    // SAFETY: The structure is part of a valid buffer.
    let flags = unsafe { (*shared_info(skb)).flags };
    // CAST: A bit of a byte.
    flags & bindings::SKBFL_SHARED_FRAG as u8 != 0
}

/// Marks that others may change the data in fragments of the packet.
#[inline]
pub(in crate::net::skb) fn set_shared_frags(skb: &mut sk_buff) {
    let info = shared_info(skb).cast_mut();
    // CAST: A bit of a byte.
    // SAFETY: As in `set_gso`.
    unsafe { (*info).flags |= bindings::SKBFL_SHARED_FRAG as u8 };
}

/// Returns the GSO type of the packet: bits `SKB_GSO_*`.
#[inline]
pub(in crate::net::skb) fn gso_type(skb: &sk_buff) -> u32 {
    // SAFETY: The structure is part of a valid buffer.
    unsafe { (*shared_info(skb)).gso_type }
}

/// Returns whether the sender waits for a time stamp or a zero-copy notification (`tx_flags`).
#[inline]
pub(in crate::net::skb) fn has_tx_flags(skb: &sk_buff) -> bool {
    // SAFETY: The structure is part of a valid buffer.
    unsafe { (*shared_info(skb)).tx_flags != 0 }
}
