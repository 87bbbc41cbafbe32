// SPDX-License-Identifier: GPL-2.0

//! Why packets are freed: dropped for a reason, or consumed.
//!
//! The stack tells the two apart (`skb:kfree_skb` and `skb:consume_skb`), and notes who freed a
//! packet. So these functions are inlined: the address noted is that of the driver's function.
//!
//! C header: [`include/net/dropreason-core.h`](srctree/include/net/dropreason-core.h)

use super::{
    Datagrams,
    Gso,
    Linear,
    List,
    Packet,
    Segmented,
    SkBuff, //
};
use crate::bindings;
use core::{
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::null_mut, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// Why a packet is dropped: `enum skb_drop_reason`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reason(bindings::skb_drop_reason);

impl Reason {
    /// What `skb:consume_skb` shows.
    const CONSUMED: Self = Self(bindings::skb_drop_reason_SKB_CONSUMED);

    /// The stack knows no such reason.
    pub const NOT_SPECIFIED: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED);

    /// There is no socket to send by.
    pub const NO_SOCKET: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NO_SOCKET);

    /// The packet is shorter than it says.
    pub const PKT_TOO_SMALL: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_SMALL);

    /// The IP header is wrong.
    pub const IP_INHDR: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_IP_INHDR);

    /// There is no route to where the packet would go.
    pub const IP_OUTNOROUTES: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_IP_OUTNOROUTES);

    /// The protocol is not supported.
    pub const UNHANDLED_PROTO: Self =
        Self(bindings::skb_drop_reason_SKB_DROP_REASON_UNHANDLED_PROTO);

    /// The packet cannot be segmented.
    pub const SKB_GSO_SEG: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_SKB_GSO_SEG);

    /// The header that belongs to the kind of device is wrong.
    pub const DEV_HDR: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_DEV_HDR);

    /// The device, or what it needs, is not up.
    pub const DEV_READY: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_DEV_READY);

    /// A queue is full.
    pub const FULL_RING: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_FULL_RING);

    /// There is no memory.
    pub const NOMEM: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NOMEM);

    /// A header cannot be had.
    pub const HDR_TRUNC: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_HDR_TRUNC);

    /// All that waits in a queue is freed.
    pub const QUEUE_PURGE: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_QUEUE_PURGE);

    /// The device has no target for the packet.
    pub const NO_TX_TARGET: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NO_TX_TARGET);
}

/// What can be freed. Not for drivers, which say how by [`Buffer`].
pub trait Free: Sized {
    /// Frees all packets of the value for this reason.
    fn free(self, reason: Reason);
}

/// An owner of packets, one or several.
///
/// Its plain drop frees them too, without a reason, and is counted: see [`unreasoned`].
pub trait Buffer: Free {
    /// Frees packets that go no further: they count as dropped, for this reason.
    #[inline(always)]
    fn drop(self, reason: Reason) {
        self.free(reason);
    }

    /// Frees packets that were handled: they do not count as dropped.
    #[inline(always)]
    fn consume(self) {
        self.free(Reason::CONSUMED);
    }
}

impl<T: Free> Buffer for T {}

impl Free for SkBuff {
    #[inline(always)]
    fn free(self, reason: Reason) {
        // SAFETY: By the type invariants the buffer is ours to give up.
        unsafe { bindings::sk_skb_reason_drop(null_mut(), self.into_raw(), reason.0) };
    }
}

impl Free for Linear {
    #[inline(always)]
    fn free(self, reason: Reason) {
        self.into_skb().free(reason);
    }
}

impl Free for Segmented {
    #[inline(always)]
    fn free(self, reason: Reason) {
        self.into_skb().free(reason);
    }
}

impl Free for Gso {
    #[inline(always)]
    fn free(self, reason: Reason) {
        let (skb, _) = self.into_parts();
        skb.free(reason);
    }
}

impl Free for Datagrams {
    #[inline(always)]
    fn free(self, reason: Reason) {
        self.skb.free(reason);
    }
}

impl<P: Packet> Free for List<P> {
    /// Frees the buffers in bulk.
    #[inline(always)]
    fn free(self, reason: Reason) {
        // SAFETY: By the type invariants of the list, which gives its buffers up; the last one has
        // no next.
        unsafe { bindings::kfree_skb_list_reason(self.into_raw(), reason.0) };
    }
}

/// A buffer in the making. If it does not become a packet, nothing is lost with it: its plain drop
/// consumes it.
pub(super) struct Draft(ManuallyDrop<SkBuff>);

impl Draft {
    /// Begins with this buffer.
    #[inline]
    pub(super) fn new(skb: SkBuff) -> Self {
        Self(ManuallyDrop::new(skb))
    }

    /// Returns the packet.
    #[inline]
    pub(super) fn into_skb(self) -> SkBuff {
        let mut draft = ManuallyDrop::new(self);
        // SAFETY: Neither the draft nor its buffer is used again.
        unsafe { ManuallyDrop::take(&mut draft.0) }
    }
}

impl Deref for Draft {
    type Target = SkBuff;

    #[inline]
    fn deref(&self) -> &SkBuff {
        &self.0
    }
}

impl DerefMut for Draft {
    #[inline]
    fn deref_mut(&mut self) -> &mut SkBuff {
        &mut self.0
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // SAFETY: The buffer is not used again.
        unsafe { ManuallyDrop::take(&mut self.0) }.consume();
    }
}

/// How many packets were freed by a plain drop.
static UNREASONED: Atomic<u64> = Atomic::new(0);

/// Returns how many packets were dropped without a reason since the module was loaded.
///
/// It should be none: a driver says of each packet what became of it. A module built with the cfg
/// `check_reasons` warns of the first one, with the calls that led there.
pub fn unreasoned() -> u64 {
    UNREASONED.load(Relaxed)
}

/// Frees a packet that is dropped without a reason.
///
/// # Safety
///
/// The buffer must be valid, and its reference belong to the caller.
#[cold]
pub(super) unsafe fn free_unreasoned(skb: *mut bindings::sk_buff) {
    count_unreasoned(1);
    // SAFETY: By the requirements.
    unsafe { bindings::sk_skb_reason_drop(null_mut(), skb, Reason::NOT_SPECIFIED.0) };
}

/// Frees a list of packets that is dropped without a reason.
#[cold]
pub(super) fn free_list_unreasoned<P: Packet>(packets: List<P>) {
    // CAST: From small to large.
    count_unreasoned(packets.len() as u64);
    packets.free(Reason::NOT_SPECIFIED);
}

/// Counts `n` packets that are dropped without a reason.
#[cold]
fn count_unreasoned(n: u64) {
    let _before = UNREASONED.fetch_add(n, Relaxed);
    // Unit tests drop what they have made.
    #[cfg(all(check_reasons, not(CONFIG_KUNIT = "y")))]
    kernel::warn_on!(_before == 0);
}
