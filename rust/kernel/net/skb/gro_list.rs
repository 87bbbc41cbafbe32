// SPDX-License-Identifier: GPL-2.0

//! Datagrams that come up the stack as one packet.
//!
//! While a device's queue is polled, C passes each datagram for a socket with GRO to
//! [`gro_receive`], together with the packets that GRO holds. A datagram with the same key is
//! linked to the held one by `frag_list`. GRO passes that list on ([`gro_complete`]): routing and
//! filters see one packet with the headers of the first datagram, and the others keep theirs in
//! front of their data. In the end [`SkBuff::segment_list`] takes the list apart, or C does
//! (`skb_segment_list()`) if the packet was not for that socket after all.
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
    List,
    Reason,
    SkBuff, //
};
use crate::bindings::{
    self,
    list_head,
    napi_gro_cb,
    sk_buff, //
};
use core::{
    mem::offset_of,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*, //
};

/// What the header of UDP takes.
const UDP_HEADER_LEN: u32 = 8;

/// Datagrams in one list.
const MAX_COUNT: u16 = 64;

/// Bytes of one list: with headers they have to fit 16 bits.
const MAX_BYTES: u32 = 65_000;

/// A packet that C passes in, or that GRO holds.
///
/// # Invariants
///
/// The pointer is such a packet, which nobody else uses for as long as this exists.
struct Held(NonNull<sk_buff>);

impl Held {
    fn skb(&mut self) -> &mut sk_buff {
        // SAFETY: By the type invariants.
        unsafe { self.0.as_mut() }
    }

    /// Returns what C keeps in the control block.
    fn state(&mut self) -> &mut napi_gro_cb {
        const { raw::assert_cb_fits::<napi_gro_cb>() };
        let cb = (&raw mut self.skb().cb).cast::<napi_gro_cb>();
        // SAFETY: By the type invariants this is what is there. Any bytes will do for its integers;
        // its pointers are only followed as `append` says.
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

    /// Returns whether C has found a socket that takes GRO lists.
    fn is_for_socket(&mut self) -> bool {
        // SAFETY: As above.
        unsafe { self.state().__bindgen_anon_2.__bindgen_anon_1.encap_mark() != 0 }
    }

    fn head_len(&mut self) -> usize {
        let skb = self.skb();
        // CAST: From 32 bits to at least as many.
        skb.len.saturating_sub(skb.data_len) as usize
    }

    /// Returns `len` bytes from `offset` on, if they are in the first piece.
    fn header(&mut self, offset: u32, len: u32) -> Option<&[u8]> {
        let skb = self.skb();
        if skb.len.saturating_sub(skb.data_len) < offset.checked_add(len)? {
            return None;
        }
        // CAST: From 32 bits to at least as many, twice.
        let start = skb.data.wrapping_add(offset as usize);
        // SAFETY: The first piece has that many bytes.
        Some(unsafe { core::slice::from_raw_parts(start, len as usize) })
    }

    /// Returns how the checksums of the packet were verified, and how many of them.
    fn checksums(&mut self) -> (u8, u8) {
        let headers = raw::headers(self.skb());
        (headers.ip_summed(), headers.csum_level())
    }

    /// Returns where the IP header starts in the data.
    fn network_offset(&mut self) -> u16 {
        // SAFETY: All members of the union are integers.
        unsafe { self.state().__bindgen_anon_3.network_offsets[0] }
    }

    /// Returns whether C would not put these two together because of their IP headers, say for
    /// another traffic class.
    ///
    /// # Safety
    ///
    /// In both the UDP header must be at `transport` in the first piece, behind the IP header.
    unsafe fn differs(&mut self, new: &mut Held, transport: u32) -> bool {
        // CAST: From 32 bits to at least as many.
        let th = new.skb().data.wrapping_add(transport as usize);
        let th2 = self.skb().data.wrapping_add(transport as usize);
        let diff = transport.saturating_sub(u32::from(self.network_offset()));
        // CAST: An IP header has no more.
        // SAFETY: By the requirements; only the IP headers are looked at.
        unsafe {
            bindings::gro_network_flush(th.cast(), th2.cast(), self.0.as_ptr(), diff as u16) != 0
        }
    }

    /// Returns whether the packet is for an address of this machine.
    fn is_local(&mut self) -> bool {
        let skb = self.0.as_ptr();
        let offset = u32::from(self.network_offset());
        let Some([first, ..]) = self.header(offset, 20) else {
            return false;
        };
        if first >> 4 == 4 {
            let ip = self.header(offset, 20).map(|ip| ip.as_ptr());
            // SAFETY: C offers packets in an RCU section and with their devices; the header is
            // complete.
            return ip.is_some_and(|ip| unsafe { bindings::gro_is_local4(skb, ip.cast()) });
        }
        let ip = self.header(offset, 40).map(|ip| ip.as_ptr());
        // SAFETY: As above.
        ip.is_some_and(|ip| unsafe { bindings::gro_is_local6(skb, ip.cast()) })
    }

    /// Finds what C holds of the flow that it has just looked at: one packet at most, as a second
    /// one lets the first go.
    ///
    /// # Safety
    ///
    /// `list` must be a list of packets that C holds, linked by the first member of each.
    unsafe fn of_same_flow(list: *mut list_head) -> Option<Held> {
        const { assert!(offset_of!(sk_buff, __bindgen_anon_1) == 0) };
        // SAFETY: By the requirements.
        let mut link = unsafe { (*list).next };
        while link != list {
            // INVARIANT: C holds it, and offers another one.
            let mut held = Held(NonNull::new(link.cast())?);
            if held.is_same_flow() {
                return Some(held);
            }
            // SAFETY: As above.
            link = unsafe { (*link).next };
        }
        None
    }

    /// Returns where the data of a datagram starts, and its key. None for a packet that cannot be
    /// part of a list.
    fn datagram(
        &mut self,
        header_len: u32,
        key: impl Fn(&[u8]) -> Option<u64>,
    ) -> Option<(u32, u64)> {
        if self.state().flush != 0 {
            return None;
        }
        let offset = u32::try_from(self.state().data_offset).ok()?;
        if !self.pull(offset.checked_add(header_len)?) {
            return None;
        }
        let key = key(self.header(offset, header_len)?)?;
        let transport = offset.checked_sub(UDP_HEADER_LEN)?;
        // Where one datagram comes in another (FOU), C has noted the headers of the outer one only.
        // CAST: From 32 bits to at least as many.
        let start = raw::headroom(self.skb()).saturating_add(transport as usize);
        if usize::from(raw::headers(self.skb()).transport_header) != start {
            return None;
        }
        let udp: &[u8; 8] = self.header(transport, UDP_HEADER_LEN)?.try_into().ok()?;
        let [_, _, _, _, _, _, high, low] = *udp;
        // C overwrites the checksum of the first datagram of a list; see `gro_complete`. Nobody
        // else uses this field.
        self.state().pad = u16::from_ne_bytes([high, low]);
        Some((offset, key))
    }

    /// Moves the first `len` bytes to the first piece. Returns whether they are there.
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
        // SAFETY: There are that many bytes behind the first piece. By the type invariants the
        // buffer is not shared.
        !unsafe { bindings::__pskb_pull_tail(self.0.as_ptr(), missing as c_int) }.is_null()
    }

    /// Links a datagram, whose data starts at `offset`, behind this one and those linked before.
    ///
    /// # Safety
    ///
    /// `self` must be held, and `new` be offered and at least `offset` bytes in its first piece.
    unsafe fn append(&mut self, mut new: Held, offset: u32) {
        let first = self.0.as_ptr();
        // SAFETY: Of a packet that is held, this member is set.
        let last = unsafe { self.state().__bindgen_anon_1.__bindgen_anon_2.last };
        if last == first {
            frag_list::start(self.skb(), new.0.as_ptr());
        } else {
            // SAFETY: C has set it to the packet itself, and else this function to the last of its
            // list.
            raw::set_next(unsafe { &mut *last }, new.0.as_ptr());
        }
        let mut ends = self.state().__bindgen_anon_1;
        ends.__bindgen_anon_2.last = new.0.as_ptr();
        self.state().__bindgen_anon_1 = ends;
        self.state().count = self.state().count.wrapping_add(1);
        // C leaves it at what may be a header in front of that.
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

/// Links a datagram to a held one with the same key, if there is one; see [`Receiver::key`].
///
/// Returns the one to be passed on now, if any. `header_len` is how much of a datagram `key` gets.
///
/// [`Receiver::key`]: crate::net::udp::Receiver::key
///
/// # Safety
///
/// Only for `udp_tunnel_sock_cfg::gro_receive`.
pub(in crate::net) unsafe fn gro_receive(
    held: *mut list_head,
    skb: *mut sk_buff,
    header_len: u32,
    key: impl Fn(&[u8]) -> Option<u64>,
) -> *mut sk_buff {
    let Some(skb) = NonNull::new(skb) else {
        return null_mut();
    };
    // INVARIANT: C offers the packet to us alone.
    let mut new = Held(skb);
    let found = new.datagram(header_len, &key);
    // SAFETY: C passes a list of packets, linked by the first member of each.
    let old = unsafe { Held::of_same_flow(held) };
    let Some((offset, new_key)) = found else {
        // It goes on as it came, after the one that is held.
        new.state().flush = 1;
        return old.map_or(null_mut(), |old| old.0.as_ptr());
    };
    let Some(mut old) = old else {
        return null_mut();
    };
    // What does not go with the held one lets it go first, so that the order is kept.
    if !old.is_for_socket() || old.header(offset, header_len).and_then(&key) != Some(new_key) {
        return old.0.as_ptr();
    }
    // Where they are not for the socket, C takes them apart only if they are of one size, but for
    // the last one.
    let (size, len) = (
        u32::from(raw::gso_size(old.skb())),
        new.skb().len.saturating_sub(offset),
    );
    let transport = offset.saturating_sub(UDP_HEADER_LEN);
    // SAFETY: C has set the offset of the IP header of both, and that of UDP comes right before
    // `offset`.
    let differs = unsafe { old.differs(&mut new, transport) };
    // C lets the first one's checksum stand for those of all.
    let differs = differs || old.checksums() != new.checksums();
    if differs || len > size || old.skb().len.saturating_add(len) > MAX_BYTES {
        return old.0.as_ptr();
    }
    // A datagram that may have to be forwarded goes on as it came: C would not decrement hop limits
    // in the headers of linked ones.
    if old.state().count == 1 && !new.is_local() {
        new.state().flush = 1;
        return old.0.as_ptr();
    }
    // SAFETY: As said above; the header, which comes after `offset`, was pulled.
    unsafe { old.append(new, offset) };
    if len < size || old.state().count >= MAX_COUNT {
        return old.0.as_ptr();
    }
    null_mut()
}

/// Prepares a list, whose first message starts at `offset` of the data, for its way up the stack.
///
/// # Safety
///
/// Only for `udp_tunnel_sock_cfg::gro_complete`.
pub(in crate::net) unsafe fn gro_complete(skb: *mut sk_buff, offset: c_int) {
    let Some(skb) = NonNull::new(skb) else {
        return;
    };
    // INVARIANT: C still holds the packet, but for this call.
    let mut first = Held(skb);
    let (count, checksum) = (first.state().count, first.state().pad);
    // Where the list is not for us, C takes it apart with the checksums as they are.
    // CAST: From 32 bits to at least as many.
    let field = offset
        .checked_sub(2)
        .and_then(|at| usize::try_from(at).ok());
    if let Some(field) = field.filter(|at| at.saturating_add(2) <= first.head_len()) {
        let field = first.skb().data.wrapping_add(field);
        // SAFETY: In the first piece, where C itself has just written.
        unsafe { field.cast::<[u8; 2]>().write(checksum.to_ne_bytes()) };
    }
    // The last of these tells the socket layer that a list is what the socket expects.
    // CAST: Bits of an unsigned field.
    const TYPE: u32 = (crate::bindings::SKB_GSO_UDP_L4
        | crate::bindings::SKB_GSO_FRAGLIST
        | crate::bindings::SKB_GSO_UDP_TUNNEL_CSUM) as u32;
    raw::set_gso(first.skb(), TYPE, count);
    let headers = raw::headers_mut(first.skb());
    headers.set_encapsulation(0);
    // All of them were checked before they were offered. What is left to a device stays so.
    // CAST: The constants have two bits.
    if headers.ip_summed() != bindings::CHECKSUM_PARTIAL as u8 {
        headers.set_ip_summed(bindings::CHECKSUM_UNNECESSARY as u8);
    }
}

impl SkBuff {
    /// Returns whether this is a list of datagrams as [`gro_complete`] has left it, but for its
    /// first headers.
    ///
    /// The data must start with the UDP header.
    #[inline]
    pub(in crate::net) fn is_gro_list(&self) -> bool {
        // CAST: From 32 bits to at least as many.
        frag_list::is_untouched(self.c(), UDP_HEADER_LEN as usize)
    }

    /// Takes a list of datagrams apart. Each of them starts with its UDP header.
    ///
    /// Those for which there is no memory are dropped, for [`Reason::NOMEM`].
    pub(in crate::net) fn segment_list(mut self) -> List {
        let mut list = List::new();
        if self.make_private().is_err() {
            self.drop(Reason::NOMEM);
            return list;
        }
        let mut next = frag_list::take(self.c_mut());
        // It got the length of all.
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
            // SAFETY: A member of the list is a valid buffer, whose reference is ours now. A copy
            // of the list may have another, but leaves the links as they are.
            next = unsafe { raw::next_of(skb) };
            // SAFETY: As above. The list that it is on is that of such a copy, or no more.
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
            // What translates addresses or changes the traffic class has seen the first one only.
            if skb.flow() == flow || flow.is_some_and(|flow| skb.set_flow(&flow).is_ok()) {
                list.push_back(skb);
            } else {
                skb.drop(Reason::NOMEM);
            }
        }
        list
    }

    /// Makes sure that nobody else looks at the data.
    pub(super) fn make_private(&mut self) -> Result {
        if !raw::is_cloned(self.c()) {
            return Ok(());
        }
        let gfp = bindings::CONST_GFP_ATOMIC;
        // SAFETY: The buffer is not shared.
        to_result(unsafe { bindings::pskb_expand_head(self.as_raw(), 0, 0, gfp) })
    }

    /// Takes apart what stands for several datagrams and is no list of ours. Each starts with its
    /// UDP header.
    ///
    /// # Safety
    ///
    /// `sk` must be a valid socket of UDP, and `dev` what the packet was received by.
    #[cold]
    pub(in crate::net) unsafe fn segment_received(
        mut self,
        sk: *mut bindings::sock,
        dev: *mut bindings::net_device,
    ) -> List {
        let mut list = List::new();
        let is_v4 = matches!(self.ip_version_checked(), Some(super::IpVersion::V4));
        let mac = usize::from(raw::headers(self.c()).mac_header);
        let Some(gap) = self.headroom().checked_sub(mac) else {
            self.drop(Reason::NOMEM);
            return list;
        };
        raw::push(self.c_mut(), gap);
        raw::set_dev(self.c_mut(), dev);
        // SAFETY: By the requirements. The buffer goes over to C.
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
