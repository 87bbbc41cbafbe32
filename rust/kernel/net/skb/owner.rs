// SPDX-License-Identifier: GPL-2.0

//! Accounting of packets to the socket that has sent them.
//!
//! A packet's destructor gives its memory back to the socket: `sock_wfree()`, or `tcp_wfree()` for
//! TCP, which then sends more. Both subtract the packet's `truesize` from `sk_wmem_alloc`. Code
//! that makes new packets of such packets must add to that count as much as their destructors will
//! subtract.
//!
//! C sources: `net/core/sock.c`, `net/ipv4/tcp_output.c`; `tcp_gso_segment()` hands over likewise.

use super::{
    gso::{
        Segmented,
        MAX_BYTES, //
    },
    raw,
    Buffer,
    Packet,
    SkBuff,
    SkbList, //
};
use crate::bindings;
use bindings::sk_buff;
use kernel::ffi::c_int;

/// Returns whether the packet has no destructor, or one that subtracts `truesize`. What others
/// count is not known here.
#[inline]
pub(super) fn is_usual(skb: &sk_buff) -> bool {
    let has = |f| raw::has_destructor(skb, f);
    raw::destructor(skb).is_none() || has(bindings::tcp_wfree) || has(bindings::sock_wfree)
}

/// Makes the socket count the segments in `list` instead of the packet, so that it gets memory back
/// when each of them is freed. If C cuts a GSO packet of the list later, it frees that packet at
/// once. Only for `sock_wfree()` it makes the socket count what it has cut.
///
/// A [`Gso`](super::Gso) packet counts for at least as much as buffers of `room` bytes for its
/// datagrams would, so that a socket cannot have more data on its way than with these.
pub(super) fn hand_over(skb: &mut SkBuff, list: &mut SkbList<Segmented>, room: usize) {
    let owner = raw::destructor(skb.c());
    if owner.is_none() || list.is_empty() {
        return;
    }
    let sk = skb.c().sk;
    let room = raw::truesize_of(room.min(MAX_BYTES));
    // A socket's count has 31 bits.
    let is_far_below = list.segs().saturating_mul(room) < 1 << 28;
    let mut truesize = 0u32;
    for mut segment in list.iter_mut() {
        let least = if is_far_below {
            segment.segs().wrapping_mul(room)
        } else {
            0
        };
        let segment = segment.c_mut();
        // CAST: Far below 2^32.
        segment.truesize = segment.truesize.max(least as u32);
        truesize = truesize.wrapping_add(segment.truesize);
        raw::set_owner(segment, sk, owner);
    }
    // CAST: The difference of two sizes far below 2^31.
    let more = truesize.wrapping_sub(skb.c().truesize) as c_int;
    match u32::try_from(more) {
        // SAFETY: The socket's count contains the packet, so the socket is valid.
        Ok(1..) => unsafe { bindings::sk_wmem_alloc_add(sk, more) },
        Ok(0) => {}
        // The packet counted for more than its segments. The first segment gives back the
        // difference.
        Err(_) => {
            if let Some(mut first) = list.iter_mut().next() {
                let first = first.c_mut();
                first.truesize = first.truesize.wrapping_add(more.unsigned_abs());
            }
        }
    }
    raw::disown(skb.c_mut());
}

/// Makes the socket of `packets`, which is the same for all, count `head` instead of them, for at
/// least the sum of their `truesize`. Frees `packets`.
pub(super) fn charge_to_head(head: &mut sk_buff, mut packets: SkbList<Segmented>) {
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
        // CAST: The difference of two sizes far below 2^31.
        let more = head.truesize.saturating_sub(truesize) as c_int;
        head.truesize = head.truesize.max(truesize);
        raw::set_owner(head, sk, Some(destructor));
        if more > 0 {
            // SAFETY: The socket's count contains the packet, so the socket is valid.
            unsafe { bindings::sk_wmem_alloc_add(sk, more) };
        }
    }
    packets.consume();
}

#[kernel::macros::kunit_tests(kext_skb_owner)]
mod tests {
    use super::{
        super::{
            pages::PageRing,
            Gso,
            Layout, //
        },
        *,
    };
    use crate::bindings::{
        init_net,
        sock_create_kern,
        sock_release,
        socket,
        AF_INET, //
    };
    use crate::{
        context::{
            Bh,
            Process, //
        },
        new_spinlock,
        sync::lock::SpinLock, //
    };
    use core::ptr::null_mut;
    use kernel::{
        error::to_result,
        prelude::*, //
    };

    /// A socket that packets are charged to.
    struct Owner(*mut socket);

    impl Owner {
        fn new() -> Result<Self> {
            let mut socket = null_mut();
            let net = &raw mut init_net;
            // SAFETY: The initial namespace always exists. 2 is `SOCK_DGRAM`.
            to_result(unsafe { sock_create_kern(net, AF_INET as i32, 2, 0, &raw mut socket) })?;
            Ok(Self(socket))
        }

        fn sk(&self) -> *mut bindings::sock {
            // SAFETY: The socket is open.
            unsafe { (*self.0).sk }
        }

        /// Returns the bytes that the socket counts for packets.
        fn count(&self) -> u32 {
            // SAFETY: As above.
            let count = unsafe { bindings::sk_wmem_alloc_get(self.sk()) };
            // A socket counts 1 for itself.
            count as u32 - 1
        }

        /// Makes a packet that is charged to the socket, with a `truesize` that is wrong by `more`.
        fn packet(&self, len: usize, more: i32) -> Result<SkBuff> {
            let mut linear = SkBuff::alloc(64, len)?
                .into_linear(64, len)
                .map_err(|_| ENOMEM)?;
            let _ = linear.put(len).ok_or(EINVAL)?;
            let mut skb = linear.into_skb();
            let c = skb.c_mut();
            c.truesize = c.truesize.wrapping_add_signed(more);
            // SAFETY: The socket is open.
            unsafe { bindings::sk_wmem_alloc_add(self.sk(), c.truesize as i32) };
            raw::set_owner(c, self.sk(), Some(bindings::sock_wfree));
            Ok(skb)
        }
    }

    impl Drop for Owner {
        fn drop(&mut self) {
            // SAFETY: No other code has the socket.
            unsafe { sock_release(self.0) };
        }
    }

    fn layout(pages: &SpinLock<PageRing>) -> Layout<'_, impl Fn(usize) -> usize> {
        Layout {
            headroom: 64,
            header: 16,
            trailer: |_| 16,
            tailroom: 48,
            pages,
            gso_max: usize::MAX,
        }
    }

    fn gather(
        packets: &mut SkbList<Segmented>,
        pages: &SpinLock<PageRing>,
        bh: &Bh<'_>,
    ) -> Option<Gso> {
        let layout = layout(pages);
        Gso::gather(packets, &layout, &mut pages.lock(bh), bh, |_, _| true)
    }

    #[test]
    fn a_packet_counts_as_much_as_those_it_is_made_of() -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let owner = Owner::new()?;
        let pages = KBox::pin_init(new_spinlock!(PageRing::new()), GFP_KERNEL)?;
        // A sum of `truesize` above that of the new packet, and one below, as the `truesize` of
        // each packet is set far too small.
        for (len, more, is_less) in [(1000, 0, false), (1000, -1500, true)] {
            let bh = process.bh();
            let mut packets = SkbList::new();
            for _ in 0..10 {
                let packet = owner.packet(len, more)?;
                packets.push_back(Segmented::try_from(packet).map_err(|_| EINVAL)?);
            }
            let before = owner.count();
            let gso = gather(&mut packets, &pages, &bh).ok_or(EINVAL)?;
            assert!(packets.is_empty());
            let gso = Segmented::from(gso);
            assert!(gso.as_skb().c().truesize == owner.count());
            assert!((owner.count() > before) == is_less && owner.count() >= before);
            assert!(gso.as_skb().c().sk == owner.sk());
            let singles = gso.into_singles(64, &mut PageRing::new(), &bh);
            assert!(singles.len() == 10);
            let sum = singles
                .iter()
                .fold(0, |sum, skb| sum + skb.as_skb().c().truesize);
            assert!(sum == owner.count());
            drop(singles);
            assert!(owner.count() == 0);
        }
        Ok(())
    }

    #[test]
    fn owners_are_not_mixed() -> Result {
        // SAFETY: Tests run in a thread of their own.
        let mut process = unsafe { Process::new() };
        let (a, b) = (Owner::new()?, Owner::new()?);
        let pages = KBox::pin_init(new_spinlock!(PageRing::new()), GFP_KERNEL)?;
        let bh = process.bh();
        let mut other = b.packet(100, 0)?;
        raw::disown(other.c_mut());
        let other_truesize = other.c().truesize;
        // SAFETY: The socket is open, and counts what is taken off again.
        unsafe { bindings::sk_wmem_alloc_add(b.sk(), -(other_truesize as i32)) };
        for second in [b.packet(100, 0)?, other] {
            let mut packets = SkbList::new();
            for packet in [a.packet(100, 0)?, second] {
                packets.push_back(Segmented::try_from(packet).map_err(|_| EINVAL)?);
            }
            assert!(gather(&mut packets, &pages, &bh).is_none());
            assert!(packets.len() == 2);
        }
        drop(bh);
        assert!(a.count() == 0 && b.count() == 0);
        Ok(())
    }

    #[test]
    fn segments_count_instead_of_the_packet() -> Result {
        let owner = Owner::new()?;
        // Segments with a smaller `truesize` than the packet, with about the same and with a larger
        // one, and absurd room.
        for (more, room) in [(0, 0), (9000, 0), (-1500, 0), (0, 3000), (0, usize::MAX)] {
            let mut skb = owner.packet(2000, more)?;
            let mut list = SkbList::new();
            for _ in 0..3 {
                let segment = SkBuff::alloc(64, 700)?;
                list.push_back(Segmented::try_from(segment).map_err(|_| EINVAL)?);
            }
            hand_over(&mut skb, &mut list, room);
            let sum = list
                .iter()
                .fold(0, |sum, skb| sum + skb.as_skb().c().truesize);
            assert!(sum == owner.count());
            drop(skb);
            assert!(sum == owner.count());
            drop(list);
            assert!(owner.count() == 0);
        }
        Ok(())
    }
}
