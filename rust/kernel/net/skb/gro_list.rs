// SPDX-License-Identifier: GPL-2.0

//! GRO lists: datagrams that come up the stack as one packet.
//!
//! While NAPI polls a device's queue, C passes each datagram for a socket with GRO to
//! [`gro_receive`], together with the packets that GRO holds. `gro_receive` links a datagram to the
//! held packet with the same key by `frag_list`. GRO passes that list on ([`gro_complete`]):
//! routing and filters see one packet with the headers of the first datagram, and the others keep
//! theirs in front of their data. At the socket, [`SkBuff::segment_list`] splits the list. If the
//! packet is not for that socket after all, C does (`skb_segment_list()`).
//!
//! ```text
//!   first datagram ── frag_list ──► datagram ──► datagram ──► ...
//! ```
//!
//! C header: [`include/net/gro.h`](srctree/include/net/gro.h)

mod gro_skb;

use self::gro_skb::GroSkb;
use super::{
    frag_list,
    raw,
    Buffer,
    Reason,
    SkBuff,
    SkbList, //
};
use crate::bindings::{
    self,
    list_head,
    sk_buff, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::ffi::c_int;

/// The length of a UDP header.
const UDP_HEADER_LEN: u32 = 8;

/// The most datagrams in one list.
const MAX_COUNT: u16 = 64;

/// The most bytes in one list: with headers, the length has to fit 16 bits.
const MAX_BYTES: u32 = 65_000;

/// Returns the device that a packet was received by. The packet may have other owners.
///
/// # Safety
///
/// `skb` must be a valid buffer.
#[inline]
pub(in crate::net) unsafe fn device(skb: *const sk_buff) -> *mut bindings::net_device {
    // SAFETY: By the requirements.
    unsafe { raw::dev_of(skb) }
}

/// Links the datagram `skb` to the packet that GRO holds with the same key, if there is one; see
/// [`EncapRcv::key`].
///
/// Returns the held packet that C has to pass on now, or null. `key` gets the first `header_len`
/// bytes of a UDP payload.
///
/// [`EncapRcv::key`]: crate::net::udp::EncapRcv::key
///
/// # Safety
///
/// Only C may call this, as `udp_tunnel_sock_cfg::gro_receive`.
pub(in crate::net) unsafe fn gro_receive(
    held: *mut list_head,
    skb: *mut sk_buff,
    header_len: u32,
    key: impl Fn(&[u8]) -> Option<u64>,
) -> *mut sk_buff {
    let Some(skb) = NonNull::new(skb) else {
        return null_mut();
    };
    // INVARIANT: C offers the packet to this callback alone.
    let mut new = GroSkb(skb);
    let found = new.datagram(header_len, &key);
    // SAFETY: C passes a list of packets, linked by the first member of each.
    let old = unsafe { GroSkb::of_same_flow(held) };
    let Some((offset, new_key)) = found else {
        // C passes this packet on by itself, after the held one.
        new.state().flush = 1;
        return old.map_or(null_mut(), |old| old.0.as_ptr());
    };
    let Some(mut old) = old else {
        return null_mut();
    };
    // If the two do not match, C passes the held packet on first, so that the order is kept.
    if !old.is_for_socket() || old.header(offset, header_len).and_then(&key) != Some(new_key) {
        return old.0.as_ptr();
    }
    // If the list is not for the socket after all, C splits it into datagrams of one size, of which
    // only the last may be shorter.
    let (size, len) = (
        u32::from(raw::gso_size(old.skb())),
        new.skb().len.saturating_sub(offset),
    );
    let transport = offset.saturating_sub(UDP_HEADER_LEN);
    // SAFETY: C has set the offsets of both IP headers. In both linear parts, the UDP header ends
    // at `offset`.
    let differs = unsafe { old.differs(&mut new, transport) };
    // C takes the checksum state of the first datagram for that of all.
    let differs = differs || old.checksums() != new.checksums();
    if differs || len > size || old.skb().len.saturating_add(len) > MAX_BYTES {
        return old.0.as_ptr();
    }
    // If the stack forwards a list, it decrements the hop limit of the first datagram only. So a
    // datagram for another machine begins no list of several.
    if old.state().count == 1 && !new.is_local() {
        new.state().flush = 1;
        return old.0.as_ptr();
    }
    // SAFETY: GRO holds `old`, and C offers `new`, of which `datagram` has pulled more than
    // `offset` bytes.
    unsafe { old.append(new, offset) };
    if len < size || old.state().count >= MAX_COUNT {
        return old.0.as_ptr();
    }
    null_mut()
}

/// Sets the GSO fields of a list, whose first payload starts at `offset`, for the way up the stack.
///
/// # Safety
///
/// Only C may call this, as `udp_tunnel_sock_cfg::gro_complete`.
pub(in crate::net) unsafe fn gro_complete(skb: *mut sk_buff, offset: c_int) {
    let Some(skb) = NonNull::new(skb) else {
        return;
    };
    // INVARIANT: GRO still holds the packet, and C waits for the callback.
    let mut first = GroSkb(skb);
    let (count, checksum) = (first.state().count, first.state().pad);
    // If the list is not for this socket, C splits it and keeps the checksums as they are.
    // CAST: From 32 bits to at least as many.
    let field = offset
        .checked_sub(2)
        .and_then(|at| usize::try_from(at).ok());
    if let Some(field) = field.filter(|at| at.saturating_add(2) <= first.head_len()) {
        let field = first.skb().data.wrapping_add(field);
        // SAFETY: The field is in the linear part, and C has just written to it.
        unsafe { field.cast::<[u8; 2]>().write(checksum.to_ne_bytes()) };
    }
    // Without the last of these, the socket layer splits the list before the socket's callback sees
    // it (`udp_unexpected_gso()`).
    // CAST: Bits of an unsigned field.
    const TYPE: u32 = (crate::bindings::SKB_GSO_UDP_L4
        | crate::bindings::SKB_GSO_FRAGLIST
        | crate::bindings::SKB_GSO_UDP_TUNNEL_CSUM) as u32;
    raw::set_gso(first.skb(), TYPE, count);
    let headers = raw::headers_mut(first.skb());
    headers.set_encapsulation(0);
    // C checks the checksums of each datagram before it offers it. One that is left to a device
    // stays so.
    // CAST: The constants have two bits.
    if headers.ip_summed() != bindings::CHECKSUM_PARTIAL as u8 {
        headers.set_ip_summed(bindings::CHECKSUM_UNNECESSARY as u8);
    }
}

impl SkBuff {
    /// Returns whether this is a list of datagrams as [`gro_complete`] has left it. Only the
    /// headers of the first one may have changed or been removed.
    ///
    /// The data must start with the UDP header.
    #[inline]
    pub(in crate::net) fn is_gro_list(&self) -> bool {
        // CAST: From 32 bits to at least as many.
        frag_list::is_untouched(self.c(), UDP_HEADER_LEN as usize)
    }

    /// Splits a GRO list. Each of the datagrams returned starts with its UDP header.
    ///
    /// Datagrams for which there is no memory are dropped, for [`Reason::NOMEM`].
    pub(in crate::net) fn segment_list(mut self) -> SkbList {
        let mut list = SkbList::new();
        if self.make_private().is_err() {
            self.drop(Reason::NOMEM);
            return list;
        }
        let mut next = frag_list::take(self.c_mut());
        // C has set its UDP length to that of the whole list.
        let start = self.headroom();
        self.set_udp_len(start);
        let (iif, protocol) = {
            let headers = raw::headers(self.c());
            (headers.skb_iif, headers.protocol)
        };
        let flow = self.flow();
        list.push_back(self);
        while !next.is_null() {
            let skb = next;
            // SAFETY: A member of the list is a valid buffer, whose reference is ours now. A clone
            // of the list may hold another reference, and its owner does not change the links.
            next = unsafe { raw::next_of(skb) };
            // SAFETY: As above. If it is on a list, then on that of such a clone.
            let Some(mut skb) = (unsafe { SkBuff::from_shared(skb) }) else {
                continue;
            };
            skb.drop_dst();
            let headers = raw::headers_mut(skb.c_mut());
            (headers.skb_iif, headers.protocol) = (iif, protocol);
            let gap = skb
                .headroom()
                .saturating_sub(usize::from(skb.transport_header()));
            // CAST: From 32 bits to at least as many.
            if gap != UDP_HEADER_LEN as usize {
                skb.drop(Reason::NOMEM);
                continue;
            }
            raw::push(skb.c_mut(), gap);
            // A rule that changes addresses or traffic class has changed the first datagram only.
            if skb.flow() == flow || flow.is_some_and(|flow| skb.set_flow(&flow).is_ok()) {
                list.push_back(skb);
            } else {
                skb.drop(Reason::NOMEM);
            }
        }
        list
    }

    /// Splits a GSO packet that is no list of [`gro_complete`] (`udp_rcv_segment()`). Each of the
    /// datagrams returned starts with its UDP header.
    ///
    /// # Safety
    ///
    /// `sk` must be a valid UDP socket, and `dev` the device that the packet was received by.
    #[cold]
    pub(in crate::net) unsafe fn segment_received(
        mut self,
        sk: *mut bindings::sock,
        dev: *mut bindings::net_device,
    ) -> SkbList {
        let mut list = SkbList::new();
        let is_v4 = matches!(self.ip_version_checked(), Some(super::IpVersion::V4));
        let mac = usize::from(raw::headers(self.c()).mac_header);
        let Some(gap) = self.headroom().checked_sub(mac) else {
            self.drop(Reason::NOMEM);
            return list;
        };
        raw::push(self.c_mut(), gap);
        raw::set_dev(self.c_mut(), dev);
        // SAFETY: By the requirements. C takes over the buffer.
        let mut next = unsafe { bindings::udp_rcv_segment(sk, self.into_raw(), is_v4) };
        while !next.is_null() {
            let skb = next;
            // SAFETY: A segment is a valid buffer, which is ours.
            next = raw::take_next(unsafe { &mut *skb });
            // SAFETY: As above; it has just been taken off the list.
            let Some(mut skb) = (unsafe { SkBuff::from_shared(skb) }) else {
                continue;
            };
            skb.drop_dst();
            let start = usize::from(skb.transport_header()).checked_sub(skb.headroom());
            if start.is_some_and(|start| skb.pull(start).is_some()) {
                list.push_back(skb);
            } else {
                skb.drop(Reason::NOMEM);
            }
        }
        list
    }
}
