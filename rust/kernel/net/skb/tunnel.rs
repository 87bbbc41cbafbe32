// SPDX-License-Identifier: GPL-2.0

//! What encapsulation and decapsulation change in a packet, except for its data.

use super::{
    raw,
    SkBuff, //
};
use crate::{
    bindings,
    bindings::CHECKSUM_UNNECESSARY,
    context::Bh,
    net::udp::Headers4, //
};
use core::ptr::null_mut;

/// The bits of a DS field that contain ECN.
const ECN_MASK: u8 = 3;
const ECN_ECT_1: u8 = 1;
const ECN_ECT_0: u8 = 2;
const ECN_CE: u8 = 3;

const IPV4_HEADER_LEN: u16 = 20;
const UDP_HEADER_LEN: usize = 8;
/// The offset of the checksum in a UDP header.
const UDP_CHECKSUM_OFFSET: u16 = 6;

impl SkBuff {
    /// Clears what the stack has stored in the packet, except for the hash of its flow and its
    /// delivery time.
    ///
    /// For a packet that becomes the payload of another one.
    #[inline]
    pub fn reset_for_encap(&mut self, bh: &Bh<'_>) {
        self.reset(true, bh);
    }

    /// Clears what the stack has stored in the packet.
    ///
    /// For a packet that was the payload of another one.
    #[inline]
    pub fn reset_for_decap(&mut self, bh: &Bh<'_>) {
        self.reset(false, bh);
    }

    #[inline]
    fn reset(&mut self, keep_hash: bool, _bh: &Bh<'_>) {
        let headers = raw::headers(self.c());
        let (l4_hash, sw_hash, hash) = (headers.l4_hash(), headers.sw_hash(), headers.hash);
        let (tstamp_type, unreadable) = (headers.tstamp_type(), headers.unreadable());
        // SAFETY: By the type invariants. C puts the connection of the packet, for which bottom
        // halves must be off or may be turned on.
        unsafe { bindings::skb_scrub_packet(self.as_raw(), true) };
        // The group also contains the marks of redirection, the index for traffic control and the
        // offsets of all headers.
        raw::clear_headers(self.c_mut());
        // CAST: The headroom has 16 bits: see `SkBuff::pull`.
        let at = self.headroom() as u16;
        let headers = raw::headers_mut(self.c_mut());
        // A property of the fragments: without it C would take memory of a device for pages.
        headers.set_unreadable(unreadable);
        if keep_hash {
            headers.set_l4_hash(l4_hash);
            headers.set_sw_hash(sw_hash);
            headers.hash = hash;
            headers.set_tstamp_type(tstamp_type);
        }
        headers.mac_header = at;
        headers.network_header = at;
        headers.transport_header = at;
        headers.inner_mac_header = at;
        headers.inner_network_header = at;
        headers.inner_transport_header = at;
        let skb = self.c_mut();
        skb.queue_mapping = 0;
        skb.set_nohdr(0);
        skb.set_peeked(0);
        skb.mac_len = 0;
        skb.hdr_len = at;
        raw::set_dev(skb, null_mut());
    }

    /// Marks all checksums in the packet as verified.
    #[inline]
    pub fn mark_checksum_verified(&mut self) {
        let headers = raw::headers_mut(self.c_mut());
        // CAST: The constant has two bits.
        headers.set_ip_summed(CHECKSUM_UNNECESSARY as u8);
        // All levels: 3 is the largest value of the field.
        headers.set_csum_level(3);
    }

    /// Returns the DS field for a packet that carries this one: its ECN, without DSCP.
    ///
    /// A mark of congestion is not copied to the outer header, see RFC 3168. Returns 0 if this
    /// packet is not IP.
    #[inline]
    pub fn ecn_encap(&self) -> u8 {
        match self.dsfield() & ECN_MASK {
            ECN_CE => ECN_ECT_0,
            ecn => ecn,
        }
    }

    /// Applies the ECN field of the outer packet, whose DS field is `outer`, as RFC 6040 says:
    /// congestion (CE) and ECT(1) are copied.
    ///
    /// A packet that does not take part in ECN stays as it is.
    #[inline]
    pub fn ecn_decap(&mut self, outer: u8) {
        if !matches!(outer & ECN_MASK, ECN_ECT_1 | ECN_CE) {
            return;
        }
        let inner = self.dsfield();
        // C writes to the header without looking for clones. Without memory the mark is lost.
        if inner & ECN_MASK != 0 && self.make_private().is_ok() {
            // SAFETY: By the type invariants. It looks for complete headers.
            unsafe { bindings::inet_ecn_decapsulate(self.as_raw(), outer, inner) };
        }
    }

    /// Leaves the UDP checksum to the device, or those of a GSO packet to the code that cuts it.
    ///
    /// The UDP header, which is not there yet, will lie right in front of the data. The headroom
    /// must have the room.
    #[inline]
    pub(in crate::net) fn leave_udp_checksum(&mut self) {
        let start = self.headroom().saturating_sub(UDP_HEADER_LEN);
        // CAST: The headroom has 16 bits: see `SkBuff::pull`.
        raw::set_partial_checksum(self.c_mut(), start as u16, UDP_CHECKSUM_OFFSET);
    }

    /// Puts an IPv4 and a UDP header in front of the data, and leaves the checksum of UDP to the
    /// device. What lies in the control block is lost.
    ///
    /// # Safety
    ///
    /// The headroom must have room for the headers, and must not be shared (`skb_cow_head()`).
    #[inline]
    pub(in crate::net) unsafe fn push_udp4(&mut self, headers: &Headers4) {
        let bytes = headers.as_bytes();
        self.leave_udp_checksum();
        let skb = self.c_mut();
        raw::push(skb, bytes.len());
        // SAFETY: By the requirements of this function.
        unsafe {
            skb.data
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len())
        };
        // `IPCB()`, the options among it.
        skb.cb.fill(0);
        // CAST: The headroom has 16 bits: see `SkBuff::pull`.
        let at = raw::headroom(skb) as u16;
        let fields = raw::headers_mut(skb);
        fields.network_header = at;
        fields.transport_header = at.wrapping_add(IPV4_HEADER_LEN);
        // `skb_clear_hash_if_not_l4()`: another hash was that of the inner addresses alone.
        if fields.l4_hash() == 0 {
            fields.set_sw_hash(0);
            fields.hash = 0;
        }
    }
}

#[kernel::macros::kunit_tests(kext_skb_tunnel)]
mod tests {
    use super::*;
    use crate::context::Process;
    use kernel::prelude::*;

    fn packet() -> Result<SkBuff> {
        let mut header = [0u8; 20];
        (header[0], header[1]) = (0x45, ECN_ECT_0);
        let skb = SkBuff::alloc(0, header.len())?;
        let mut skb = skb.into_linear(0, header.len()).map_err(|_| EINVAL)?;
        skb.put(header.len())
            .ok_or(EINVAL)?
            .copy_from_slice(&header);
        let mut skb = skb.into_skb();
        skb.read_ip_header().ok_or(EINVAL)?;
        Ok(skb)
    }

    #[test]
    fn congestion_is_not_marked_in_clones() -> Result {
        let mut skb = packet()?;
        // SAFETY: The buffer is valid; the clone is ours.
        let clone = unsafe { bindings::skb_clone(skb.as_raw(), bindings::CONST_GFP_KERNEL) };
        // SAFETY: As above.
        let clone = unsafe { SkBuff::from_shared(clone) }.ok_or(ENOMEM)?;
        skb.ecn_decap(ECN_CE);
        assert_eq!(skb.dsfield() & ECN_MASK, ECN_CE);
        assert_eq!(clone.dsfield() & ECN_MASK, ECN_ECT_0);
        Ok(())
    }

    #[test]
    fn memory_of_devices_stays_unreadable() -> Result {
        let mut skb = packet()?;
        raw::headers_mut(skb.c_mut()).set_unreadable(1);
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        skb.reset_for_decap(&process.bh());
        assert_eq!(raw::headers(skb.c()).unreadable(), 1);
        raw::headers_mut(skb.c_mut()).set_unreadable(0);
        Ok(())
    }
}
