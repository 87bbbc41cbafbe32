// SPDX-License-Identifier: GPL-2.0

//! [`GroSkb`], a packet while GRO has it.

use super::{
    device,
    UDP_HEADER_LEN, //
};
use crate::{
    bindings::{
        self,
        list_head,
        napi_gro_cb,
        net_device,
        sk_buff, //
    },
    net::{
        ipv6,
        skb::{
            frag_list,
            raw, //
        },
        tc, //
    },
};
use core::{
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::ffi::{
    c_int,
    c_ulong, //
};

/// The longest `gro_flush_timeout` with which packets are put together, in nanoseconds: more than
/// drivers set (`netdev_sw_irq_coalesce_default_on()`). GRO holds a packet for as long, even if no
/// other one follows. The value of a single NAPI context, which netlink can set, is not seen.
const MAX_HOLD: c_ulong = 50_000;

/// Returns whether GRO of a device holds packets for long.
///
/// # Safety
///
/// `dev` must be valid.
#[inline]
unsafe fn holds_long(dev: *mut net_device) -> bool {
    // SAFETY: By the requirements.
    let timeout = unsafe { &raw const (*dev).gro_flush_timeout };
    // SAFETY: As above; other CPUs may change the field.
    unsafe { timeout.read_volatile() > MAX_HOLD }
}

/// A packet that C offers to GRO, or one that GRO holds.
///
/// # Invariants
///
/// The pointer is such a packet, which no other code uses while the value exists: C offers packets
/// on the CPU that polls the queue, and waits for the callback.
pub(super) struct GroSkb(pub(super) NonNull<sk_buff>);

impl GroSkb {
    pub(super) fn skb(&mut self) -> &mut sk_buff {
        // SAFETY: By the type invariants.
        unsafe { self.0.as_mut() }
    }

    /// Returns the state that GRO keeps in the control block (`NAPI_GRO_CB()`).
    pub(super) fn state(&mut self) -> &mut napi_gro_cb {
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
    pub(super) fn is_for_socket(&mut self) -> bool {
        // SAFETY: As above.
        unsafe { self.state().__bindgen_anon_2.__bindgen_anon_1.encap_mark() != 0 }
    }

    pub(super) fn head_len(&mut self) -> usize {
        let skb = self.skb();
        // CAST: From 32 bits to at least as many.
        skb.len.saturating_sub(skb.data_len) as usize
    }

    /// Returns `len` bytes from `offset` on. [`None`] if they are not in the linear part.
    pub(super) fn header(&mut self, offset: u32, len: u32) -> Option<&[u8]> {
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
    pub(super) fn checksums(&mut self) -> (u8, u8) {
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
    pub(super) unsafe fn differs(&mut self, new: &mut GroSkb, transport: u32) -> bool {
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
    pub(super) fn is_local(&mut self) -> bool {
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
    pub(super) unsafe fn of_same_flow(list: *mut list_head) -> Option<GroSkb> {
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
    pub(super) fn datagram(
        &mut self,
        header_len: u32,
        key: impl Fn(&[u8]) -> Option<u64>,
    ) -> Option<(u32, u64)> {
        // A policer drops whatever is longer than its burst, and no program makes room in a list.
        // SAFETY: By the type invariants.
        let dev = unsafe { device(self.0.as_ptr()) };
        // SAFETY: C offers packets in an RCU section and with their devices set.
        let has_rules = unsafe { tc::has_ingress(dev) };
        // SAFETY: As above.
        if has_rules || unsafe { holds_long(dev) } || self.state().flush != 0 {
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
    pub(super) unsafe fn append(&mut self, mut new: GroSkb, offset: u32) {
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
