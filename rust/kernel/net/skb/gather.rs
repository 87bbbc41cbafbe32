// SPDX-License-Identifier: GPL-2.0

//! Putting packets that came one by one into one [`Gso`] packet.

use super::{
    gso::{
        Builder,
        Gso,
        Layout,
        Segmented, //
    },
    inet::fold,
    raw,
    List,
    SkBuff, //
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
    /// Returns whether this packet may become a part of a [`Gso`] packet: nobody wants to know when
    /// it is sent, and its socket, if any, counts it in one of the usual ways.
    pub fn may_gather(&self) -> bool {
        let owner = raw::destructor(self.c());
        // CAST: Addresses of functions, to be compared.
        let is = |f: usize, g: unsafe extern "C" fn(*mut bindings::sk_buff)| f == g as usize;
        let is_usual = owner.is_none_or(|f| {
            // CAST: As above.
            let f = f as usize;
            is(f, bindings::sock_wfree) || is(f, bindings::tcp_wfree)
        });
        let headers = raw::headers(self.c());
        is_usual
            && headers.unreadable() == 0
            && !self.is_gso()
            && !self.is_empty()
            && !raw::has_tx_flags(self.c())
    }

    /// Returns whether two packets that [may gather](Self::may_gather) may do so in one packet: they
    /// have one socket, one flow and one delivery time.
    pub fn gathers_with(&self, other: &SkBuff) -> bool {
        let (a, b) = (raw::headers(self.c()), raw::headers(other.c()));
        // CAST: Addresses of functions, to be compared.
        let address = |f: raw::Destructor| f.map(|f| f as usize);
        self.c().sk == other.c().sk
            && address(raw::destructor(self.c())) == address(raw::destructor(other.c()))
            && a.hash == b.hash
            && a.l4_hash() == b.l4_hash()
            && a.sw_hash() == b.sw_hash()
            && self.leaves_with(other)
    }

    /// Returns whether both are to leave at the same time. TCP gives each packet a time, which has
    /// come already unless it paces them.
    fn leaves_with(&self, other: &SkBuff) -> bool {
        let (a, b) = (raw::tstamp(self.c()), raw::tstamp(other.c()));
        if a == b {
            return true;
        }
        if raw::headers(self.c()).tstamp_type() != raw::headers(other.c()).tstamp_type() {
            return false;
        }
        match raw::headers(self.c()).tstamp_type() {
            // Not a delivery time, which encapsulation takes away.
            0 => true,
            // CAST: The constant has two bits.
            t if t == kernel::bindings::skb_tstamp_type_SKB_CLOCK_MONOTONIC as u8 => {
                a.max(b) <= time::monotonic()
            }
            _ => false,
        }
    }

    /// Copies the packet to a place of its length, and writes the checksum that was left to the
    /// device.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of the packet's length that nobody else knows.
    unsafe fn copy_finished(&self, to: *mut u8) -> Result {
        let len = self.len();
        let (start, check) = match raw::partial_checksum(self.c()) {
            Some((start, offset)) => {
                let start = usize::from(start)
                    .checked_sub(self.headroom())
                    .ok_or(EINVAL)?;
                let check = start.checked_add(usize::from(offset)).ok_or(EINVAL)?;
                if check.checked_add(2).ok_or(EINVAL)? > len {
                    return Err(EINVAL);
                }
                (start, Some(check))
            }
            None => (len, None),
        };
        // CAST: Parts of the packet's length, which C limits to 31 bits.
        let (from, n) = (start as c_int, len.saturating_sub(start) as c_int);
        // SAFETY: The packet is so long, and so is the place.
        to_result(unsafe { bindings::skb_copy_bits(self.as_raw(), 0, to.cast(), from) })?;
        if let Some(check) = check {
            let rest = to.wrapping_add(start);
            // SAFETY: As above.
            let sum = unsafe { bindings::skb_copy_and_csum_bits(self.as_raw(), from, rest, n) };
            // Zero would mean for UDP that there is no checksum.
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
    /// Makes one packet of the first `count` packets of the list, which [gather](SkBuff::gathers_with)
    /// with the first one. It gets the flow, the delivery time and the socket of that, and counts
    /// for the socket as much as all of them did, at least.
    ///
    /// [`None`] if that cannot be done, mostly for want of memory: then the packets are left.
    pub fn gather<F: Fn(usize) -> usize>(
        packets: &mut List<Segmented>,
        count: usize,
        layout: &Layout<'_, F>,
        bh: &Bh<'_>,
    ) -> Option<Self> {
        let size = layout.datagram_len(packets.front()?.as_skb().len());
        let mut pages = layout.pages?.lock(bh);
        let mut builder = Builder::new(&mut pages, layout.headroom, size, count, bh)?;
        for packet in packets.iter().take(count) {
            let skb = packet.as_skb();
            let len = skb.len();
            let datagram = layout.datagram_len(len);
            let slot = builder.slot(datagram)?;
            // SAFETY: The slot is so long.
            unsafe { slot.write_bytes(0, layout.header) };
            let to = slot.wrapping_add(layout.header);
            // SAFETY: As above.
            unsafe { skb.copy_finished(to) }.ok()?;
            let trailer = datagram.checked_sub(layout.header)?.checked_sub(len)?;
            // SAFETY: As above.
            unsafe { to.wrapping_add(len).write_bytes(0, trailer) };
        }
        let mut gathered = List::new();
        // SAFETY: All slots were written as long as they are.
        let mut gso = unsafe { builder.finish(packets.front()?.as_skb()) }?;
        drop(pages);
        for _ in 0..count {
            gathered.push_back(packets.pop_front()?);
        }
        gso.take_owner(gathered);
        Some(gso)
    }

    /// Takes over the socket of the packets that it was made of.
    fn take_owner(&mut self, mut packets: List<Segmented>) {
        let owner = packets.front().map(|first| {
            let skb = first.as_skb().c();
            (skb.sk, raw::destructor(skb))
        });
        if let Some((sk, Some(destructor))) = owner {
            let mut truesize = 0u32;
            for mut packet in packets.iter_mut() {
                truesize = truesize.wrapping_add(packet.c_mut().truesize);
                raw::disown(packet.c_mut());
            }
            let head = self.c_mut();
            // CAST: The difference of two sizes far below 2^31.
            let more = head.truesize.saturating_sub(truesize) as c_int;
            head.truesize = head.truesize.max(truesize);
            raw::set_owner(head, sk, Some(destructor));
            if more > 0 {
                // SAFETY: The socket is valid: the packet has a part of the count.
                unsafe { bindings::sk_wmem_alloc_add(sk, more) };
            }
        }
        while let Some(packet) = packets.pop_front() {
            packet.consume();
        }
    }
}
