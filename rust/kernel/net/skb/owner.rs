// SPDX-License-Identifier: GPL-2.0

//! Sockets that count the packets which they have sent.
//!
//! A socket gets memory back when the destructor of its packet runs: `sock_wfree()`, or
//! `tcp_wfree()` for TCP, which then sends more. Both take the packet's `truesize` off
//! `sk_wmem_alloc`. Where packets are made of others, as much has to be given to that count as the
//! new ones will take off.
//!
//! C sources: `net/core/sock.c`, `net/ipv4/tcp_output.c`; `tcp_gso_segment()` hands over likewise.

use super::{
    gso::{
        Segmented,
        MAX_BYTES, //
    },
    raw,
    Buffer,
    List,
    Packet,
    SkBuff, //
};
use crate::bindings;
use bindings::sk_buff;
use kernel::ffi::c_int;

/// Returns whether the packet has no owner among sockets, or one that counts its size. Another
/// destructor would have to be asked what it counts.
#[inline]
pub(super) fn is_usual(skb: &sk_buff) -> bool {
    // CAST: Addresses of functions, to be compared.
    let is = |f: usize, g: unsafe extern "C" fn(*mut sk_buff)| f == g as *const () as usize;
    raw::destructor(skb).is_none_or(|f| {
        // CAST: As above.
        let f = f as *const () as usize;
        is(f, bindings::tcp_wfree) || is(f, bindings::sock_wfree)
    })
}

/// Lets the socket count the segments instead of the packet, so that it learns when each of them is
/// gone: a GSO packet of them is when it is cut, unless its destructor is `sock_wfree()`. A
/// [`Gso`](super::Gso) packet counts as much as buffers of `room` bytes for its datagrams would, if
/// that is more than it takes: so a socket may have no more on its way than with those.
pub(super) fn hand_over(skb: &mut SkBuff, list: &mut List<Segmented>, room: usize) {
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
        // SAFETY: The socket is valid: the packet has a part of the count.
        Ok(1..) => unsafe { bindings::sk_wmem_alloc_add(sk, more) },
        Ok(0) => {}
        // What the packet counted for beyond them is to be given back as well.
        Err(_) => {
            if let Some(mut first) = list.iter_mut().next() {
                let first = first.c_mut();
                first.truesize = first.truesize.wrapping_add(more.unsigned_abs());
            }
        }
    }
    raw::disown(skb.c_mut());
}

/// Lets the socket of some packets, which is the same for all, count the one that was made of them
/// instead: for as much as all of them, at least. They are freed.
pub(super) fn take_over(head: &mut sk_buff, mut packets: List<Segmented>) {
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
            // SAFETY: The socket is valid: the packet has a part of the count.
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

    /// A socket to count packets.
    struct Owner(*mut socket);

    impl Owner {
        fn new() -> Result<Self> {
            let mut socket = null_mut();
            let net = &raw mut init_net;
            // SAFETY: The namespace is always there. 2: datagrams.
            to_result(unsafe { sock_create_kern(net, AF_INET as i32, 2, 0, &raw mut socket) })?;
            Ok(Self(socket))
        }

        fn sk(&self) -> *mut bindings::sock {
            // SAFETY: The socket is open.
            unsafe { (*self.0).sk }
        }

        /// What the socket counts for packets.
        fn count(&self) -> u32 {
            // SAFETY: As above.
            let count = unsafe { bindings::sk_wmem_alloc_get(self.sk()) };
            // One is for the socket itself.
            count as u32 - 1
        }

        /// Makes a packet charged to the socket, with a size that is wrong by `more`.
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
            // SAFETY: Nobody else has the socket.
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
            may_gso: true,
        }
    }

    fn gather(
        packets: &mut List<Segmented>,
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
        // More than it takes itself for large packets, and less for some whose size is given far
        // too small.
        for (len, more, is_less) in [(1000, 0, false), (1000, -1500, true)] {
            let bh = process.bh();
            let mut packets = List::new();
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
            let mut packets = List::new();
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
        // Less than the packet took, as much, and more; and absurd room.
        for (more, room) in [(0, 0), (9000, 0), (-1500, 0), (0, 3000), (0, usize::MAX)] {
            let mut skb = owner.packet(2000, more)?;
            let mut list = List::new();
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
