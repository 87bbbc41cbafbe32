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

use super::{
    frag_list,
    raw,
    Buffer,
    Reason,
    SkBuff,
    SkbList, //
};
use crate::{
    bindings::{
        self,
        list_head,
        napi_gro_cb,
        sk_buff, //
    },
    net::{
        ipv6,
        tc, //
    },
};
use core::{
    mem::offset_of,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::ffi::c_int;

/// The length of a UDP header.
const UDP_HEADER_LEN: u32 = 8;

/// The most datagrams in one list.
const MAX_COUNT: u16 = 64;

/// The most bytes in one list: with headers, the length has to fit 16 bits.
const MAX_BYTES: u32 = 65_000;

/// A packet that C offers to GRO, or one that GRO holds.
///
/// # Invariants
///
/// The pointer is such a packet, which no other code uses while the value exists: C offers packets
/// on the CPU that polls the queue, and waits for the callback.
struct GroSkb(NonNull<sk_buff>);

impl GroSkb {
    fn skb(&mut self) -> &mut sk_buff {
        // SAFETY: By the type invariants.
        unsafe { self.0.as_mut() }
    }

    /// Returns the state that GRO keeps in the control block (`NAPI_GRO_CB()`).
    fn state(&mut self) -> &mut napi_gro_cb {
        const { raw::assert_cb_fits::<napi_gro_cb>() };
        let cb = (&raw mut self.skb().cb).cast::<napi_gro_cb>();
        // SAFETY: By the type invariants the control block has this type. Any bytes are values of
        // its integers; its pointers are followed only as `append` says.
        unsafe { &mut *cb }
    }

    fn is_same_flow(&mut self) -> bool {
        // SAFETY: All members of the union are integers.
        unsafe { self.state().__bindgen_anon_2.__bindgen_anon_1.same_flow() != 0 }
    }

    fn set_same_flow(&mut self) {
        let mut bits = self.state().__bindgen_anon_2;
        // SAFETY: As above.
        unsafe { bits.__bindgen_anon_1.set_same_flow(1) };
        self.state().__bindgen_anon_2 = bits;
    }

    /// Returns whether C has passed this packet to the GRO callback of a UDP socket (`encap_mark`).
    fn is_for_socket(&mut self) -> bool {
        // SAFETY: As above.
        unsafe { self.state().__bindgen_anon_2.__bindgen_anon_1.encap_mark() != 0 }
    }

    fn head_len(&mut self) -> usize {
        let skb = self.skb();
        // CAST: From 32 bits to at least as many.
        skb.len.saturating_sub(skb.data_len) as usize
    }

    /// Returns `len` bytes from `offset` on. [`None`] if they are not in the linear part.
    fn header(&mut self, offset: u32, len: u32) -> Option<&[u8]> {
        let skb = self.skb();
        if skb.len.saturating_sub(skb.data_len) < offset.checked_add(len)? {
            return None;
        }
        // CAST: From 32 bits to at least as many, twice.
        let start = skb.data.wrapping_add(offset as usize);
        // SAFETY: The linear part has that many bytes.
        Some(unsafe { core::slice::from_raw_parts(start, len as usize) })
    }

    /// Returns `ip_summed` and `csum_level`: how checksums were verified, and how many.
    fn checksums(&mut self) -> (u8, u8) {
        let headers = raw::headers(self.skb());
        (headers.ip_summed(), headers.csum_level())
    }

    /// Returns where the IP header starts in the data.
    fn network_offset(&mut self) -> u16 {
        // SAFETY: All members of the union are integers.
        unsafe { self.state().__bindgen_anon_3.network_offsets[0] }
    }

    /// Returns whether the IP headers forbid merging the two, as with different traffic classes
    /// (`gro_network_flush()`).
    ///
    /// # Safety
    ///
    /// In both linear parts the UDP header must start at `transport`, behind the IP header.
    unsafe fn differs(&mut self, new: &mut GroSkb, transport: u32) -> bool {
        // CAST: From 32 bits to at least as many.
        let th = new.skb().data.wrapping_add(transport as usize);
        let th2 = self.skb().data.wrapping_add(transport as usize);
        let diff = transport.saturating_sub(u32::from(self.network_offset()));
        // CAST: IP headers are shorter than that.
        // SAFETY: By the requirements both IP headers are there, and C reads only these.
        unsafe {
            bindings::gro_network_flush(th.cast(), th2.cast(), self.0.as_ptr(), diff as u16) != 0
        }
    }

    /// Returns whether the destination of the packet is an address of this machine.
    fn is_local(&mut self) -> bool {
        let skb = self.0.as_ptr();
        let offset = u32::from(self.network_offset());
        let Some([first, ..]) = self.header(offset, 20) else {
            return false;
        };
        if first >> 4 == 4 {
            let ip = self.header(offset, 20).map(|ip| ip.as_ptr());
            // SAFETY: C offers packets in an RCU section and with their devices set. The header is
            // complete.
            return ip.is_some_and(|ip| unsafe { bindings::gro_is_local4(skb, ip.cast()) });
        }
        // The destination ends the header.
        let Some(daddr) = self.header(offset, 40).and_then(|ip| ip.get(24..)) else {
            return false;
        };
        let daddr = daddr.as_ptr().cast();
        // SAFETY: As above.
        let dev = unsafe { raw::dev_of(skb) };
        // SAFETY: As above; a device is in a namespace.
        let net = unsafe { bindings::dev_net(dev) };
        // SAFETY: As above.
        unsafe { ipv6::ipv6_chk_addr(net, daddr, dev, 0) != 0 }
    }

    /// Returns the packet that GRO holds of the flow of the packet that C offers. There is one at
    /// most, as C passes on the held packet before it holds a second one.
    ///
    /// # Safety
    ///
    /// `list` must be a list of packets that GRO holds, linked by the first member of each.
    unsafe fn of_same_flow(list: *mut list_head) -> Option<GroSkb> {
        const { assert!(offset_of!(sk_buff, __bindgen_anon_1) == 0) };
        // SAFETY: By the requirements.
        let mut link = unsafe { (*list).next };
        while link != list {
            // INVARIANT: GRO holds it, and C waits for the callback.
            let mut held = GroSkb(NonNull::new(link.cast())?);
            if held.is_same_flow() {
                return Some(held);
            }
            // SAFETY: As above.
            link = unsafe { (*link).next };
        }
        None
    }

    /// Returns where the UDP payload starts in the data, and its GRO key. [`None`] for a packet
    /// that cannot be part of a list.
    fn datagram(
        &mut self,
        header_len: u32,
        key: impl Fn(&[u8]) -> Option<u64>,
    ) -> Option<(u32, u64)> {
        // A policer drops whatever is longer than its burst, and no program makes room in a list.
        // SAFETY: By the type invariants.
        let dev = unsafe { device(self.0.as_ptr()) };
        // SAFETY: C offers packets in an RCU section and with their devices set.
        let has_rules = unsafe { tc::has_ingress(dev) };
        if has_rules || self.state().flush != 0 {
            return None;
        }
        let offset = u32::try_from(self.state().data_offset).ok()?;
        if !self.pull(offset.checked_add(header_len)?) {
            return None;
        }
        let key = key(self.header(offset, header_len)?)?;
        let transport = offset.checked_sub(UDP_HEADER_LEN)?;
        // For UDP in UDP (FOU), the stored offset is that of the outer UDP header.
        // CAST: From 32 bits to at least as many.
        let start = raw::headroom(self.skb()).saturating_add(transport as usize);
        if usize::from(raw::headers(self.skb()).transport_header) != start {
            return None;
        }
        let udp: &[u8; 8] = self.header(transport, UDP_HEADER_LEN)?.try_into().ok()?;
        let [_, _, _, _, _, _, high, low] = *udp;
        // C overwrites the UDP checksum of a list's first datagram. `gro_complete` restores it from
        // here.
        self.state().pad = u16::from_ne_bytes([high, low]);
        Some((offset, key))
    }

    /// Pulls data until the linear part has at least `len` bytes. Returns whether it has.
    fn pull(&mut self, len: u32) -> bool {
        let skb = self.skb();
        let missing = len.saturating_sub(skb.len.saturating_sub(skb.data_len));
        if missing == 0 {
            return true;
        }
        if len > skb.len {
            return false;
        }
        // CAST: Less than the length, which has 31 bits.
        // SAFETY: There are that many bytes behind the linear part. By the type invariants the
        // buffer is not shared.
        !unsafe { bindings::__pskb_pull_tail(self.0.as_ptr(), missing as c_int) }.is_null()
    }

    /// Appends `new`, whose payload starts at `offset`, to the list that this packet begins.
    ///
    /// # Safety
    ///
    /// GRO must hold `self`; C must offer `new`, whose linear part has at least `offset` bytes.
    unsafe fn append(&mut self, mut new: GroSkb, offset: u32) {
        let first = self.0.as_ptr();
        // SAFETY: C sets this member of the union in each packet that GRO holds.
        let last = unsafe { self.state().__bindgen_anon_1.__bindgen_anon_2.last };
        if last == first {
            frag_list::start(self.skb(), new.0.as_ptr());
        } else {
            // SAFETY: C sets it to the packet itself, and this function to the last packet of the
            // list.
            raw::set_next(unsafe { &mut *last }, new.0.as_ptr());
        }
        let mut ends = self.state().__bindgen_anon_1;
        ends.__bindgen_anon_2.last = new.0.as_ptr();
        self.state().__bindgen_anon_1 = ends;
        self.state().count = self.state().count.wrapping_add(1);
        // C may have left this offset at a header in front of the IP header.
        let network = new.network_offset();
        raw::set_network_header(new.skb(), network);
        // CAST: From 32 bits to at least as many.
        raw::pull(new.skb(), offset as usize);
        raw::disown(new.skb());
        let (len, truesize) = (new.skb().len, new.skb().truesize);
        let skb = self.skb();
        skb.len = skb.len.wrapping_add(len);
        skb.data_len = skb.data_len.wrapping_add(len);
        skb.truesize = skb.truesize.wrapping_add(truesize);
        if raw::has_shared_frags(new.skb()) {
            raw::set_shared_frags(skb);
        }
        new.set_same_flow();
    }
}

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
