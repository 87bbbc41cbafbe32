// SPDX-License-Identifier: GPL-2.0

//! What encapsulation and decapsulation change in a packet, except for its data.

use super::{
    raw,
    IpVersion,
    Operations,
    Running,
    SkBuff, //
};
use crate::bindings;
use crate::bindings::CHECKSUM_UNNECESSARY;
use core::ptr::null_mut;

/// The bits of a DS field that contain ECN.
const ECN_MASK: u8 = 3;
const ECN_ECT_1: u8 = 1;
const ECN_ECT_0: u8 = 2;
const ECN_CE: u8 = 3;

const UDP_HEADER_LEN: usize = 8;
/// The offset of the checksum in a UDP header.
const UDP_CHECKSUM_OFFSET: u16 = 6;

impl SkBuff {
    /// Clears what the stack has stored in the packet, except for the hash of its flow and its
    /// delivery time.
    ///
    /// For a packet that becomes the payload of another one.
    pub fn reset_for_encap(&mut self) {
        self.reset(true);
    }

    /// Clears what the stack has stored in the packet.
    ///
    /// For a packet that was the payload of another one.
    pub fn reset_for_decap(&mut self) {
        self.reset(false);
    }

    #[inline]
    fn reset(&mut self, keep_hash: bool) {
        let headers = raw::headers(self.c());
        let (l4_hash, sw_hash, hash) = (headers.l4_hash(), headers.sw_hash(), headers.hash);
        let tstamp_type = headers.tstamp_type();
        // SAFETY: By the type invariants.
        unsafe { bindings::skb_scrub_packet(self.as_raw(), true) };
        // The group also contains the marks of redirection, the index for traffic control and the
        // offsets of all headers.
        raw::clear_headers(self.c_mut());
        // CAST: Headers start within the first 64 kB, here as in C.
        let at = self.headroom() as u16;
        let headers = raw::headers_mut(self.c_mut());
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
    /// A mark of congestion is not copied to the outer header, see RFC 6040. Returns 0 if this
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
        if inner & ECN_MASK != 0 {
            // SAFETY: By the type invariants. It looks for complete headers.
            unsafe { bindings::inet_ecn_decapsulate(self.as_raw(), outer, inner) };
        }
    }

    /// Leaves the UDP checksums of a GSO packet to the device, or to the code that cuts it.
    ///
    /// The UDP header, which is not there yet, will lie right in front of the data. The headroom
    /// must have the room.
    #[inline]
    pub(in crate::net) fn leave_udp_checksum(&mut self) {
        let start = self.headroom().saturating_sub(UDP_HEADER_LEN);
        // CAST: Headers start within the first 64 kB, here as in C.
        raw::set_partial_checksum(self.c_mut(), start as u16, UDP_CHECKSUM_OFFSET);
    }

    /// Sends an ICMP error to the sender of the packet, which `dev` was to send: the host or
    /// address cannot be reached.
    ///
    /// Overwrites the control block.
    pub fn icmp_unreachable<T: Operations>(&mut self, dev: Running<'_, T>) {
        let Some(version) = self.ip_version_checked() else {
            return;
        };
        // C takes the content of the control block for IP options.
        *self.cb_mut::<[u8; 48]>() = [0; 48];
        // The device exists as long as `dev`, and so for the call.
        raw::set_dev(self.c_mut(), dev.as_raw());
        let skb = self.as_raw();
        match version {
            // SAFETY: By the type invariants; the header is complete.
            IpVersion::V4 => unsafe { bindings::icmp_ndo_send_host_unreach(skb) },
            // SAFETY: As above.
            IpVersion::V6 => unsafe { bindings::icmpv6_ndo_send_addr_unreach(skb) },
        }
        // INVARIANT: The device is cleared again.
        raw::set_dev(self.c_mut(), null_mut());
    }
}
