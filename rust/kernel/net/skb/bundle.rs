// SPDX-License-Identifier: GPL-2.0

//! Several datagrams as one packet.
//!
//! The stack takes a [`Bundle`] through routing, filters and queues as one packet. What comes after
//! that, a device or a socket, gets it whole if it can do with that, or else one datagram at a time
//! (`__udp_gso_segment()`).
//!
//! The datagrams keep their owners among the sockets, which get their memory back when a datagram or
//! a copy of it leaves; the head, whose size counts them all, has none.
//!
//! ```text
//!   head: headers yet to come, no data ── frag_list ──► datagram ──► datagram ──► ...
//! ```

use super::{
    raw,
    List,
    SkBuff, //
};

/// The largest sum of the lengths of the datagrams: with headers it has to fit 16 bits.
const MAX_BYTES: usize = 65_000;

/// Datagrams of one size, but for the last one, which may be shorter.
///
/// # Invariants
///
/// The buffer has no data of its own but a list of `count` buffers, which is more than one. These
/// consist of one piece each, of at least `headroom()` bytes of room in front, whose headers other
/// owners do without.
pub struct Bundle {
    skb: SkBuff,
    count: u16,
}

impl Bundle {
    /// Returns how many datagrams of a length may be bundled.
    pub fn capacity(len: usize) -> usize {
        MAX_BYTES.checked_div(len).unwrap_or(0).min(64)
    }

    /// Makes one packet of the datagrams on a list, with the flow's hash, the priority and the delivery time of the first.
    ///
    /// Gives the list back if that cannot be done: if there are less than two, or more than
    /// [`capacity`](Self::capacity), they differ in size, are spread over several pieces or have other
    /// owners, or if there is no memory.
    pub fn new(mut list: List) -> Result<Self, List> {
        let Some(len) = list.front().map(|first| first.len()) else {
            return Err(list);
        };
        let count = list.len();
        let (mut bytes, mut truesize, mut room) = (0usize, 0u32, super::MAX_HEADROOM);
        let mut seen = 0usize;
        for skb in list.iter() {
            seen = seen.wrapping_add(1);
            let is_last = seen == count;
            let fits = skb.len() == len || is_last && skb.len() < len && !skb.is_empty();
            if !fits || skb.data_len() != 0 || raw::is_cloned(skb.c()) || skb.is_gso() {
                return Err(list);
            }
            bytes = bytes.wrapping_add(skb.len());
            truesize = truesize.wrapping_add(skb.c().truesize);
            room = room.min(skb.headroom());
        }
        if count < 2 || count > Self::capacity(len) {
            return Err(list);
        }
        let Ok(mut head) = SkBuff::alloc(room, 0) else {
            return Err(list);
        };
        if let Some(first) = list.front() {
            let from = raw::headers(first.c());
            let (l4_hash, sw_hash) = (from.l4_hash(), from.sw_hash());
            let (hash, priority) = (from.hash, from.priority);
            let tstamp_type = from.tstamp_type();
            let headers = raw::headers_mut(head.c_mut());
            headers.set_l4_hash(l4_hash);
            headers.set_sw_hash(sw_hash);
            (headers.hash, headers.priority) = (hash, priority);
            headers.set_tstamp_type(tstamp_type);
            raw::copy_tstamp(first.c(), head.c_mut());
        }
        for mut skb in list.iter_mut() {
            // Copies of the packet share the data, and put their headers in front of it.
            raw::release_headers(skb.c_mut());
        }
        // CAST: The sum of their lengths has 16 bits.
        let (len, segments) = (len as u16, count as u16);
        raw::set_frag_list(head.c_mut(), list.into_raw(), bytes as u32, truesize);
        raw::set_udp_gso(head.c_mut(), len, segments);
        // INVARIANT: Checked and set above.
        Ok(Self {
            skb: head,
            count: segments,
        })
    }

    /// Returns the packet, and how many datagrams it consists of.
    pub(in crate::net) fn into_parts(self) -> (SkBuff, u16) {
        (self.skb, self.count)
    }
}

/// One datagram or a [`Bundle`], to be sent.
pub struct Datagrams {
    pub(in crate::net) skb: SkBuff,
    /// Whether it is a bundle, and of how many.
    pub(in crate::net) bundled: Option<u16>,
}

impl From<SkBuff> for Datagrams {
    fn from(skb: SkBuff) -> Self {
        Self { skb, bundled: None }
    }
}

impl From<Bundle> for Datagrams {
    fn from(bundle: Bundle) -> Self {
        let (skb, count) = bundle.into_parts();
        Self {
            skb,
            bundled: Some(count),
        }
    }
}

#[kernel::macros::kunit_tests(kext_skb_bundle)]
mod tests {
    use super::*;
    use kernel::prelude::*;

    /// Makes a datagram of so many bytes.
    fn datagram(len: usize) -> Result<SkBuff> {
        let mut linear = SkBuff::alloc(64, len)?
            .into_linear(64, len)
            .map_err(|_| ENOMEM)?;
        let _ = linear.put(len).ok_or(EINVAL)?;
        Ok(linear.into_skb())
    }

    fn list(lengths: &[usize]) -> Result<List> {
        let mut list = List::new();
        for len in lengths {
            list.push_back(datagram(*len)?);
        }
        Ok(list)
    }

    #[test]
    fn datagrams_of_one_size_make_a_bundle() -> Result {
        let bundle = Bundle::new(list(&[100, 100, 60])?).map_err(|_| EINVAL)?;
        let (skb, count) = bundle.into_parts();
        assert!(count == 3);
        assert!(skb.is_gso());
        assert!(skb.len() == 260);
        assert!(skb.head_len() == 0);
        assert!(skb.headroom() >= 64);
        Ok(())
    }

    #[test]
    fn others_do_not() -> Result {
        for lengths in [&[100][..], &[], &[100, 101], &[100, 60, 100], &[100, 0]] {
            let list = list(lengths)?;
            let back = Bundle::new(list).err().ok_or(EINVAL)?;
            assert!(back.len() == lengths.len());
        }
        let many = Bundle::capacity(10).saturating_add(1);
        let mut list = List::new();
        for _ in 0..many {
            list.push_back(datagram(10)?);
        }
        assert!(Bundle::new(list).is_err());
        assert!(Bundle::capacity(0) == 0);
        Ok(())
    }
}
