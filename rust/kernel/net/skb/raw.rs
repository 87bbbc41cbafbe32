// SPDX-License-Identifier: GPL-2.0

//! Access to the fields of `struct sk_buff`.
//!
//! The numbers of anonymous members depend on the configuration of the kernel, so only this file
//! and its submodule use them. A reference to a buffer proves that its owner is the only one, so
//! these functions may read and change its fields; [`SkBuff`](super::SkBuff) has to change them
//! only in ways that C expects.
//!
//! Other owners of a buffer may change its count (`users`) at any time, and owners of clones the
//! count in [`shared_info`]. So there is no reference to either structure as a whole while there
//! may be such owners: these functions take a pointer to it, and read and write single fields.

mod info;

#[cfg(check_gso)]
pub(super) use info::has_frag_list;
pub(super) use info::{
    frag,
    frag_address,
    gso_segs,
    gso_size,
    gso_type,
    has_shared_frags,
    has_tx_flags,
    is_cloned,
    is_gso,
    set_gso,
    set_shared_frags,
    set_udp_gso,
    shared_info,
    shared_info_mut, //
};

use crate::bindings;
use crate::bindings::{
    net_device,
    sk_buff, //
};
use core::ptr::null_mut;
use kernel::ffi::{
    c_ulong, //
};

/// The fields that `__copy_skb_header()` copies at once.
pub(super) type Headers = bindings::sk_buff__bindgen_ty_4__bindgen_ty_1;

/// A packet's destructor, which C calls when the packet leaves its socket.
pub(super) type SkbDestructor = Option<unsafe extern "C" fn(skb: *mut sk_buff)>;

/// The other member of the union, the named group of the same fields.
type HeadersGroup = bindings::sk_buff__bindgen_ty_4__bindgen_ty_2;

#[inline]
pub(super) fn headers(skb: &sk_buff) -> &Headers {
    const { assert!(size_of::<Headers>() == size_of::<HeadersGroup>()) };
    let group = &raw const skb.__bindgen_anon_4;
    // SAFETY: The union consists of twice the same fields.
    unsafe { &*group.cast() }
}

#[inline]
pub(super) fn headers_mut(skb: &mut sk_buff) -> &mut Headers {
    let group = &raw mut skb.__bindgen_anon_4;
    // SAFETY: As in `headers`.
    unsafe { &mut *group.cast() }
}

#[inline]
pub(super) fn clear_headers(skb: &mut sk_buff) {
    let headers: *mut Headers = headers_mut(skb);
    // SAFETY: `headers` was made of a reference; zeroes are valid for all fields.
    unsafe { headers.write_bytes(0, 1) };
}

/// Copies the group, except for the CPU that the buffer was allocated on.
#[inline]
pub(super) fn copy_headers(from: &sk_buff, to: &mut sk_buff) {
    let alloc_cpu = headers(to).alloc_cpu;
    let (from, to): (*const Headers, *mut Headers) = (headers(from), headers_mut(to));
    // SAFETY: Both were made of references, of which one is for changes. All fields are integers.
    unsafe { to.copy_from_nonoverlapping(from, 1) };
    // SAFETY: As above.
    unsafe { (*to).alloc_cpu = alloc_cpu };
}

/// Returns the delivery time or the time of reception, in nanoseconds. `tstamp_type` names the
/// clock.
#[inline]
pub(super) fn tstamp(skb: &sk_buff) -> i64 {
    // SAFETY: All members of the union are integers.
    unsafe { skb.__bindgen_anon_2.tstamp }
}

/// Copies the delivery time or the time of reception. Its clock, `tstamp_type`, is in the group.
#[inline]
pub(super) fn copy_tstamp(from: &sk_buff, to: &mut sk_buff) {
    to.__bindgen_anon_2 = from.__bindgen_anon_2;
}

/// Returns whether an action of traffic control or a BPF program has redirected the packet.
#[inline]
pub(super) fn is_redirected(skb: &sk_buff) -> bool {
    headers(skb).redirected() != 0
}

/// Returns whether a redirected packet was one that a device had received.
#[inline]
pub(super) fn is_from_ingress(skb: &sk_buff) -> bool {
    #[cfg(CONFIG_NET_REDIRECT)]
    let from_ingress = headers(skb).from_ingress() != 0;
    #[cfg(not(CONFIG_NET_REDIRECT))]
    let from_ingress = {
        let _ = skb;
        false
    };
    from_ingress
}

#[inline]
pub(super) fn mark(skb: &sk_buff) -> u32 {
    // SAFETY: All members of the union are integers.
    unsafe { headers(skb).__bindgen_anon_4.mark }
}

#[inline]
pub(super) fn set_mark(skb: &mut sk_buff, mark: u32) {
    headers_mut(skb).__bindgen_anon_4.mark = mark;
}

#[inline]
pub(super) fn set_priority(skb: &mut sk_buff, priority: u32) {
    headers_mut(skb).priority = priority;
}

#[inline]
pub(super) fn set_dev(skb: &mut sk_buff, dev: *mut net_device) {
    skb.__bindgen_anon_1.__bindgen_anon_1.__bindgen_anon_1.dev = dev.cast();
}

/// The fields that a `struct sk_buff` begins with.
#[repr(C)]
struct Links {
    next: *mut sk_buff,
    _prev: *mut sk_buff,
    dev: *mut net_device,
}

/// Returns a pointer to these fields, for a buffer that may have other owners.
#[inline]
fn links(skb: *const sk_buff) -> *const Links {
    const { assert!(core::mem::offset_of!(sk_buff, __bindgen_anon_1) == 0) };
    skb.cast()
}

/// Returns the device of a buffer that may have other owners.
///
/// # Safety
///
/// `skb` must be a valid buffer.
#[inline]
pub(super) unsafe fn dev_of(skb: *const sk_buff) -> *mut net_device {
    // SAFETY: By the requirements.
    unsafe { (*links(skb)).dev }
}

#[inline]
pub(super) fn next(skb: &sk_buff) -> *mut sk_buff {
    // SAFETY: A reference is valid.
    unsafe { next_of(skb) }
}

/// Returns the next buffer of the list, for a buffer that may have other owners.
///
/// # Safety
///
/// `skb` must be a valid buffer, whose links no code changes meanwhile.
#[inline]
pub(super) unsafe fn next_of(skb: *const sk_buff) -> *mut sk_buff {
    // SAFETY: By the requirements.
    unsafe { (*links(skb)).next }
}

#[inline]
pub(super) fn set_next(skb: &mut sk_buff, next: *mut sk_buff) {
    skb.__bindgen_anon_1.__bindgen_anon_1.next = next;
}

/// Unlinks a buffer from the next one, which it returns.
#[inline]
pub(super) fn take_next(skb: &mut sk_buff) -> *mut sk_buff {
    let next = next(skb);
    set_next(skb, null_mut());
    skb.__bindgen_anon_1.__bindgen_anon_1.prev = null_mut();
    next
}

/// Returns the destination with its flag (`skb->_skb_refdst`).
#[inline]
pub(super) fn refdst(skb: &sk_buff) -> c_ulong {
    // SAFETY: All members of the union are words or made of them.
    unsafe { skb.__bindgen_anon_3.__bindgen_anon_1._skb_refdst }
}

/// Sets the destination with its flag. Returns the old one, whose reference the caller has then.
#[inline]
pub(super) fn replace_refdst(skb: &mut sk_buff, destination: c_ulong) -> c_ulong {
    let old = refdst(skb);
    skb.__bindgen_anon_3.__bindgen_anon_1._skb_refdst = destination;
    old
}

/// Clears the fields that hold no reference: the device, links of lists, a `SKB_DST_NOREF`
/// destination.
#[inline]
pub(super) fn detach(skb: &mut sk_buff) {
    take_next(skb);
    set_dev(skb, null_mut());
    // CAST: From 32 bits to at least as many.
    if refdst(skb) & bindings::SKB_DST_NOREF as c_ulong != 0 {
        skb.__bindgen_anon_3.__bindgen_anon_1._skb_refdst = 0;
    }
}

/// Returns the offset of the data from the start of the buffer.
#[inline]
pub(super) fn headroom(skb: &sk_buff) -> usize {
    (skb.data as usize).wrapping_sub(skb.head as usize)
}

/// Returns the offset from the start of the buffer at which the linear part ends.
#[inline]
pub(in crate::net) fn tail(skb: &sk_buff) -> usize {
    #[cfg(CONFIG_64BIT)]
    // CAST: From 32 to 64 bits.
    return skb.tail as usize;
    #[cfg(not(CONFIG_64BIT))]
    (skb.tail as usize).wrapping_sub(skb.head as usize)
}

/// Returns the offset from the start of the buffer at which the tailroom ends.
#[inline]
pub(super) fn end(skb: &sk_buff) -> usize {
    #[cfg(CONFIG_64BIT)]
    // CAST: From 32 to 64 bits.
    return skb.end as usize;
    #[cfg(not(CONFIG_64BIT))]
    (skb.end as usize).wrapping_sub(skb.head as usize)
}

/// Returns the tailroom: the bytes behind the linear part.
#[inline]
pub(in crate::net) fn tailroom(skb: &sk_buff) -> usize {
    end(skb).saturating_sub(tail(skb))
}

/// Copies header fields and time stamp to a buffer with other data.
///
/// All header offsets of `to` then point to the start of its data, and `ip_summed` is
/// `CHECKSUM_NONE`: the checksums in it are final.
#[inline]
pub(super) fn copy_fields(from: &sk_buff, to: &mut sk_buff) {
    // CAST: The headroom has 16 bits: see `SkBuff::pull`.
    let at = headroom(to) as u16;
    copy_headers(from, to);
    copy_tstamp(from, to);
    let headers = headers_mut(to);
    headers.set_ip_summed(0);
    headers.mac_header = at;
    headers.network_header = at;
    headers.transport_header = at;
}

/// Returns the `truesize` of a buffer with `len` bytes of data: `SKB_TRUESIZE()`.
#[inline]
pub(super) fn truesize_of(len: usize) -> usize {
    const ALIGN: usize = crate::bindings::CONST_SMP_CACHE_BYTES;
    let aligned = |n: usize| n.checked_next_multiple_of(ALIGN).unwrap_or(n);
    aligned(len)
        .saturating_add(aligned(size_of::<sk_buff>()))
        .saturating_add(aligned(size_of::<bindings::skb_shared_info>()))
}

/// Sets the network header to `offset` bytes into the data.
#[inline]
pub(super) fn set_network_header(skb: &mut sk_buff, offset: u16) {
    // CAST: The headroom has 16 bits: see `SkBuff::pull`.
    let at = (headroom(skb) as u16).wrapping_add(offset);
    headers_mut(skb).network_header = at;
}

/// Returns `csum_start`, from the start of the buffer, and `csum_offset`, from there. [`None`] if
/// no checksum was left to the device.
#[inline]
pub(super) fn partial_checksum(skb: &sk_buff) -> Option<(u16, u16)> {
    let headers = headers(skb);
    if u32::from(headers.ip_summed()) != bindings::CHECKSUM_PARTIAL {
        return None;
    }
    // SAFETY: All members of the union are integers.
    let at = unsafe { headers.__bindgen_anon_1.__bindgen_anon_1 };
    Some((at.csum_start, at.csum_offset))
}

/// Returns the packet's destructor.
#[inline]
pub(super) fn destructor(skb: &sk_buff) -> SkbDestructor {
    // SAFETY: All members of the union are words or made of them, and any that was set is a
    // function.
    unsafe { skb.__bindgen_anon_3.__bindgen_anon_1.destructor }
}

/// Returns whether the packet has that destructor.
#[inline]
pub(super) fn has_destructor(skb: &sk_buff, f: unsafe extern "C" fn(*mut sk_buff)) -> bool {
    // CAST: Addresses of functions, to be compared.
    destructor(skb).is_some_and(|have| core::ptr::eq(have as *const (), f as *const ()))
}

/// Sets socket and destructor. The socket must count the buffer's `truesize`.
#[inline]
pub(super) fn set_owner(skb: &mut sk_buff, sk: *mut bindings::sock, destructor: SkbDestructor) {
    skb.__bindgen_anon_3.__bindgen_anon_1.destructor = destructor;
    skb.sk = sk;
}

/// Clears socket and destructor. Another packet must serve the socket that was set, if any.
#[inline]
pub(super) fn disown(skb: &mut sk_buff) {
    set_owner(skb, null_mut(), None);
}

/// Leaves a checksum to the device. It covers all bytes from offset `start` of the buffer, which
/// lies before the data, and its place is `offset` bytes behind `start`.
#[inline]
pub(super) fn set_partial_checksum(skb: &mut sk_buff, start: u16, offset: u16) {
    let headers = headers_mut(skb);
    // CAST: The constant has two bits.
    headers.set_ip_summed(bindings::CHECKSUM_PARTIAL as u8);
    headers.__bindgen_anon_1.__bindgen_anon_1 =
        bindings::sk_buff__bindgen_ty_4__bindgen_ty_1__bindgen_ty_1__bindgen_ty_1 {
            csum_start: start,
            csum_offset: offset,
        };
}

/// Adds to the tail. The type of that field depends on the word size.
macro_rules! move_tail {
    ($skb:expr, $by:expr) => {{
        let skb: &mut sk_buff = $skb;
        let by: isize = $by;
        #[cfg(CONFIG_64BIT)]
        {
            // CAST: Distances in a buffer have 31 bits.
            skb.tail = skb.tail.wrapping_add_signed(by as i32);
        }
        #[cfg(not(CONFIG_64BIT))]
        {
            skb.tail = skb.tail.wrapping_offset(by);
        }
    }};
}

/// Moves the data of an empty buffer by `n` bytes (`skb_reserve()`). There must be that much room.
#[inline]
pub(super) fn reserve(skb: &mut sk_buff, n: usize) {
    skb.data = skb.data.wrapping_add(n);
    // CAST: As above.
    move_tail!(skb, n as isize);
}

/// Removes `n` bytes at the front of the data. The linear part must have them.
#[inline]
pub(super) fn pull(skb: &mut sk_buff, n: usize) {
    skb.data = skb.data.wrapping_add(n);
    // CAST: Less than the length.
    skb.len = skb.len.wrapping_sub(n as u32);
}

/// Adds `n` bytes at the front of the data. The headroom must have them.
#[inline]
pub(super) fn push(skb: &mut sk_buff, n: usize) {
    skb.data = skb.data.wrapping_sub(n);
    // CAST: Less than the size of the buffer.
    skb.len = skb.len.wrapping_add(n as u32);
}

/// Sets the length of a linear buffer, which must have the room.
#[inline]
pub(super) fn set_len(skb: &mut sk_buff, len: u32) {
    // CAST: Lengths have 31 bits.
    let by = len.wrapping_sub(skb.len) as i32;
    skb.len = len;
    // CAST: From 32 bits to at least as many.
    move_tail!(skb, by as isize);
}

/// Sets the link and network headers to where the data starts.
#[inline]
pub(super) fn reset_link_headers(skb: &mut sk_buff) {
    // CAST: The headroom has 16 bits: see `SkBuff::pull`.
    let at = headroom(skb) as u16;
    let headers = headers_mut(skb);
    headers.mac_header = at;
    headers.network_header = at;
    skb.mac_len = 0;
}

/// Checks that a `C` fits into the control block.
pub(super) const fn assert_cb_fits<C>() {
    assert!(size_of::<C>() <= 48, "the control block has 48 bytes");
    assert!(
        align_of::<C>() <= 8,
        "the control block is aligned to 8 bytes"
    );
}
