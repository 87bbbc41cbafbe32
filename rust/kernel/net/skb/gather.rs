// SPDX-License-Identifier: GPL-2.0

//! [`Gso::gather`], which copies single packets into one [`Gso`] packet.

use super::{
    builder::Builder,
    gso::{
        Gso,
        Layout,
        Segmented, //
    },
    inet::fold,
    owner::{
        self,
        charge_to_head, //
    },
    pages::PageRing,
    raw,
    SkBuff,
    SkbList, //
};
use crate::{
    bindings,
    context::Bh,
    time, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*, //
};

impl SkBuff {
    /// Returns whether this packet may become a part of a [`Gso`] packet: it is a single packet,
    /// its sender does not wait for a time stamp or a zero-copy notification, its socket, if any,
    /// counts it by `truesize`, and a checksum that is left to the device lies within it.
    fn may_gather(&self) -> bool {
        let headers = raw::headers(self.c());
        owner::is_usual(self.c())
            && headers.unreadable() == 0
            && !self.is_gso()
            && !self.is_empty()
            && !raw::has_tx_flags(self.c())
            && self.checksum_range().is_some()
    }

    /// Returns whether this packet may become a part of the same [`Gso`] packet as `other`, which
    /// may become a part of one: the two have one socket, one flow and one delivery time.
    fn gathers_with(&self, other: &SkBuff) -> bool {
        let (a, b) = (raw::headers(self.c()), raw::headers(other.c()));
        // CAST: Addresses of functions, to be compared.
        let address = |f: raw::SkbDestructor| f.map(|f| f as *const () as usize);
        self.c().sk == other.c().sk
            && address(raw::destructor(self.c())) == address(raw::destructor(other.c()))
            && a.hash == b.hash
            && a.l4_hash() == b.l4_hash()
            && a.sw_hash() == b.sw_hash()
            && self.may_gather()
            && self.leaves_with(other)
    }

    /// Returns whether both packets may leave at the same time: their delivery times are equal, or
    /// have passed. TCP gives each packet such a time, which lies in the past unless TCP paces the
    /// connection.
    fn leaves_with(&self, other: &SkBuff) -> bool {
        let (a, b) = (raw::tstamp(self.c()), raw::tstamp(other.c()));
        if a == b {
            return true;
        }
        if raw::headers(self.c()).tstamp_type() != raw::headers(other.c()).tstamp_type() {
            return false;
        }
        match raw::headers(self.c()).tstamp_type() {
            // No delivery time, and encapsulation clears the field.
            0 => true,
            // CAST: The constant has two bits.
            t if t == crate::bindings::skb_tstamp_type_SKB_CLOCK_MONOTONIC as u8 => {
                a.max(b) <= time::monotonic()
            }
            _ => false,
        }
    }

    /// Returns where the bytes start that a checksum left to the device covers, and where it is
    /// stored, both as offsets into the packet. Without such a checksum the first is the packet's
    /// length. [`None`] if one of them is not in the packet.
    fn checksum_range(&self) -> Option<(usize, Option<usize>)> {
        let Some((start, offset)) = raw::partial_checksum(self.c()) else {
            return Some((self.len(), None));
        };
        let start = usize::from(start).checked_sub(self.headroom())?;
        let check = start.checked_add(usize::from(offset))?;
        (check.checked_add(2)? <= self.len()).then_some((start, Some(check)))
    }

    /// Copies the packet to `to`, and computes the checksum there if it was left to the device.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of the packet's length, and nothing else may access these
    /// bytes.
    unsafe fn copy_finished(&self, to: *mut u8) -> Result {
        let len = self.len();
        let (start, check) = self.checksum_range().ok_or(EINVAL)?;
        // CAST: Parts of the packet's length, which C limits to 31 bits.
        let (from, n) = (start as c_int, len.saturating_sub(start) as c_int);
        // SAFETY: `from` is at most the packet's length, for which `to` is valid.
        to_result(unsafe { bindings::skb_copy_bits(self.as_raw(), 0, to.cast(), from) })?;
        if let Some(check) = check {
            let rest = to.wrapping_add(start);
            // SAFETY: As above.
            let sum = unsafe { bindings::skb_copy_and_csum_bits(self.as_raw(), from, rest, n) };
            // A UDP checksum of zero means that there is none.
            let sum = match fold(sum.into()) {
                [0, 0] => [0xff, 0xff],
                sum => sum,
            };
            // SAFETY: As above; the field lies within the packet.
            unsafe { to.wrapping_add(check).cast::<[u8; 2]>().write(sum) };
        }
        Ok(())
    }
}

impl Gso {
    /// Copies the first packets of the list into one GSO packet, and removes them from the list.
    ///
    /// Takes as many as have one length (the last may be shorter), one socket, one flow and one
    /// delivery time, and as `goes_with` accepts with the first one. The new packet gets the header
    /// fields, the time stamp and the control block of the first. Its socket counts it for at least
    /// the sum of their `truesize`.
    ///
    /// [`None`] if there are no two such packets, or without memory; the list is unchanged then.
    pub fn gather<F: Fn(usize) -> usize>(
        packets: &mut SkbList<Segmented>,
        layout: &Layout<'_, F>,
        pages: &mut PageRing,
        bh: &Bh<'_>,
        goes_with: impl Fn(&SkBuff, &SkBuff) -> bool,
    ) -> Option<Self> {
        let first = packets.front()?;
        let first = first.as_skb();
        let size = layout.datagram_len(first.len());
        let max = layout.segs_per_packet(packets.len(), size);
        if max < 2 || !first.may_gather() {
            return None;
        }
        let mut count = 1usize;
        for next in packets.iter().skip(1).take(max.saturating_sub(1)) {
            let next = next.as_skb();
            let len = layout.datagram_len(next.len());
            if len > size || !next.gathers_with(first) || !goes_with(first, next) {
                break;
            }
            count = count.wrapping_add(1);
            // Only the last datagram may be shorter.
            if len < size {
                break;
            }
        }
        let mut builder = Builder::new(pages, layout.headroom, size, count, bh)?;
        for packet in packets.iter().take(count) {
            let skb = packet.as_skb();
            let len = skb.len();
            let datagram = layout.datagram_len(len);
            let slot = builder.slot(datagram)?;
            // SAFETY: The slot has `datagram` bytes: the header, the packet and the trailer.
            unsafe { slot.write_bytes(0, layout.header) };
            let to = slot.wrapping_add(layout.header);
            // SAFETY: As above.
            unsafe { skb.copy_finished(to) }.ok()?;
            let trailer = datagram.checked_sub(layout.header)?.checked_sub(len)?;
            // SAFETY: As above.
            unsafe { to.wrapping_add(len).write_bytes(0, trailer) };
        }
        let mut gathered = SkbList::new();
        // SAFETY: Each slot was written in full.
        let mut gso = unsafe { builder.finish(first) }?;
        gso.c_mut().cb = first.c().cb;
        while gathered.len() < count {
            let Some(packet) = packets.pop_front() else {
                break;
            };
            gathered.push_back(packet);
        }
        charge_to_head(gso.c_mut(), gathered);
        Some(gso)
    }
}
