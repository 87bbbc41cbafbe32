// SPDX-License-Identifier: GPL-2.0

//! Checks the shape of each GSO packet that goes to the stack. Compiled only into a module built
//! with the cfg `check_gso`.

use super::{
    raw,
    SkBuff, //
};
use crate::bindings;
use kernel::warn_on;

/// Warns if `skb`, a packet of `segs` datagrams, differs from what a socket with `UDP_SEGMENT`
/// makes. Its headers are not there yet, and its checksum is left to the device.
pub(in crate::net) fn check_gso(skb: &SkBuff, segs: u16) {
    let size = usize::from(raw::gso_size(skb.c()));
    let frags = || (0..).map_while(|number| raw::frag(skb.c(), number));
    let behind = frags().fold(0, |sum: usize, frag| sum.wrapping_add(frag.len));
    // CAST: A bit of an unsigned field.
    warn_on!(raw::gso_type(skb.c()) != crate::bindings::SKB_GSO_UDP_L4 as u32);
    warn_on!(raw::has_frag_list(skb.c()));
    warn_on!(skb.head_len() != 0 || skb.data_len() != behind || skb.len() != behind);
    // The last byte must lie in the last of `segs` datagrams.
    let (all, last) = (usize::from(segs), skb.len().saturating_sub(1));
    warn_on!(segs != raw::gso_segs(skb.c()) || segs < 2);
    warn_on!(last.checked_div(size) != Some(all.saturating_sub(1)));
    // No datagram lies in two fragments.
    let mut rest = behind;
    for frag in frags() {
        warn_on!(frag.len != rest && frag.len.checked_rem(size) != Some(0));
        rest = rest.wrapping_sub(frag.len);
    }
    let start = skb.headroom().saturating_sub(8);
    // CAST: The headroom has 16 bits: see `SkBuff::pull`.
    warn_on!(raw::partial_checksum(skb.c()) != Some((start as u16, 6)));
    warn_on!(raw::is_cloned(skb.c()) || raw::headers(skb.c()).encapsulation() != 0);
    check_owner(skb, behind);
}

/// Warns if `truesize` is less than the memory of the packet, or if the packet's socket counts less
/// than `truesize`.
fn check_owner(skb: &SkBuff, behind: usize) {
    // CAST: From 32 bits to at least as many.
    let truesize = skb.c().truesize as usize;
    warn_on!(truesize < behind.saturating_add(raw::truesize_of(raw::end(skb.c()))));
    let sk = skb.c().sk;
    let Some(destructor) = raw::destructor(skb.c()) else {
        warn_on!(!sk.is_null());
        return;
    };
    // CAST: Addresses of functions, to be compared.
    let is = |f: unsafe extern "C" fn(*mut bindings::sk_buff)| {
        destructor as *const () as usize == f as *const () as usize
    };
    warn_on!(!is(bindings::sock_wfree) && !is(bindings::tcp_wfree));
    // SAFETY: The socket's count contains the packet, so the socket is valid.
    let count = unsafe { bindings::sk_wmem_alloc_get(sk) };
    // CAST: A count of bytes below 2^31.
    warn_on!(count < truesize as i32);
}
