// SPDX-License-Identifier: GPL-2.0

//! Freeing packets: dropped for a reason, or consumed.
//!
//! Packets can be freed anywhere, as values can be dropped anywhere. With interrupts off, such as
//! in an interrupt that hit a NAPI poll, a softirq frees them later: their pages could go back to a
//! cache that the poll is changing (`page_pool_napi_local()`), and destructors may turn bottom
//! halves off and on.
//!
//! The stack distinguishes the two (`skb:kfree_skb` and `skb:consume_skb`), and records the address
//! of the code that freed a packet. These functions are inlined, so that this is an address in the
//! driver's function.
//!
//! C header: [`include/net/dropreason-core.h`](srctree/include/net/dropreason-core.h)

use super::{
    raw,
    Datagrams,
    Gso,
    Linear,
    Packet,
    Segmented,
    SkBuff,
    SkbList, //
};
use crate::{
    bindings,
    compat::casts::usize_as_u64,
    context::irqs_disabled, //
};
use core::{
    mem::ManuallyDrop,
    ops::{
        Deref,
        DerefMut, //
    }, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// The reason why a packet is dropped: `enum skb_drop_reason`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reason(bindings::skb_drop_reason);

impl Reason {
    /// The packet was consumed: `skb:consume_skb` reports it.
    const CONSUMED: Self = Self(bindings::skb_drop_reason_SKB_CONSUMED);

    /// The stack has no name for the reason.
    pub const NOT_SPECIFIED: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED);

    /// There is no socket to send the packet with.
    pub const NO_SOCKET: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NO_SOCKET);

    /// The packet is shorter than its headers say.
    pub const PKT_TOO_SMALL: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_PKT_TOO_SMALL);

    /// The IP header is wrong.
    pub const IP_INHDR: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_IP_INHDR);

    /// There is no route to the destination.
    pub const IP_OUTNOROUTES: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_IP_OUTNOROUTES);

    /// The protocol is not supported.
    pub const UNHANDLED_PROTO: Self =
        Self(bindings::skb_drop_reason_SKB_DROP_REASON_UNHANDLED_PROTO);

    /// The packet cannot be segmented.
    pub const SKB_GSO_SEG: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_SKB_GSO_SEG);

    /// The header that is specific to the kind of device is wrong.
    pub const DEV_HDR: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_DEV_HDR);

    /// The device, or a part that it needs, is not up.
    pub const DEV_READY: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_DEV_READY);

    /// A queue is full.
    pub const FULL_RING: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_FULL_RING);

    /// There is no memory.
    pub const NOMEM: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NOMEM);

    /// A header is incomplete, or cannot be pulled.
    pub const HDR_TRUNC: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_HDR_TRUNC);

    /// A queue was emptied, and this packet waited in it.
    pub const QUEUE_PURGE: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_QUEUE_PURGE);

    /// The device has no target for the packet.
    pub const NO_TX_TARGET: Self = Self(bindings::skb_drop_reason_SKB_DROP_REASON_NO_TX_TARGET);
}

/// A value whose packets can be freed. Drivers use the methods of [`Buffer`] instead.
pub trait Free: Sized {
    /// Frees all packets of the value for this reason.
    fn free(self, reason: Reason);
}

/// An owner of one or more packets, which [`drop`](Self::drop) or [`consume`](Self::consume) frees.
///
/// A value that goes out of scope instead frees its packets without a reason, and counts them: see
/// [`unreasoned`]. The check `drops` finds where that could happen.
pub trait Buffer: Free {
    /// Frees packets that go no further. They count as dropped, for this reason.
    #[inline(always)]
    fn drop(self, reason: Reason) {
        self.free(reason);
    }

    /// Frees packets that were handled. They do not count as dropped.
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
        unsafe { free_one(self.into_raw(), reason) };
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

impl<P: Packet> Free for SkbList<P> {
    /// Frees the buffers in bulk.
    #[inline(always)]
    fn free(self, reason: Reason) {
        let first = self.into_raw();
        if irqs_disabled() {
            // SAFETY: By the type invariants the list owns its buffers, which nothing uses after
            // this. The last one has no next.
            unsafe { free_later(first, reason) };
        } else {
            // SAFETY: As above.
            unsafe { bindings::kfree_skb_list_reason(first, reason.0) };
        }
    }
}

/// Frees a packet, at once or in a softirq.
///
/// C's function for both, `dev_kfree_skb_any_reason()`, is what tracing would name as the place on
/// kernels with frame pointers.
///
/// # Safety
///
/// `skb` must be a valid buffer, which the caller must own and give up.
#[inline(always)]
unsafe fn free_one(skb: *mut bindings::sk_buff, reason: Reason) {
    if irqs_disabled() {
        // SAFETY: By the requirements.
        unsafe { bindings::dev_kfree_skb_any_reason(skb, reason.0) };
    } else {
        // SAFETY: By the requirements. No socket.
        unsafe { bindings::sk_skb_reason_drop(core::ptr::null_mut(), skb, reason.0) };
    }
}

/// Has a softirq free a list of packets.
///
/// # Safety
///
/// `skb` must be null or the first of a chain of valid buffers, which the caller must own and give
/// up.
#[cold]
unsafe fn free_later(mut skb: *mut bindings::sk_buff, reason: Reason) {
    while !skb.is_null() {
        let this = skb;
        // SAFETY: By the requirements.
        skb = raw::take_next(unsafe { &mut *this });
        // SAFETY: As above.
        unsafe { bindings::dev_kfree_skb_any_reason(this, reason.0) };
    }
}

/// A buffer that is still being filled. If it does not become a packet, no packet is lost, so its
/// plain drop consumes it.
pub(super) struct Draft(ManuallyDrop<SkBuff>);

impl Draft {
    /// Makes a draft of this buffer.
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

/// The number of packets that a plain drop has freed.
static UNREASONED: Atomic<u64> = Atomic::new(0);

/// Returns the number of packets that were freed without a reason since the module was loaded.
///
/// It should be 0: a driver drops each packet for a reason or consumes it. A module built with the
/// cfg `check_reasons` warns of the first one, with a stack trace.
pub fn unreasoned() -> u64 {
    UNREASONED.load(Relaxed)
}

/// Frees a packet without a reason, and counts it.
///
/// # Safety
///
/// `skb` must be a valid buffer, and the caller must own the reference that it passes.
#[cold]
pub(super) unsafe fn free_unreasoned(skb: *mut bindings::sk_buff) {
    count_unreasoned(1);
    // SAFETY: By the requirements.
    unsafe { free_one(skb, Reason::NOT_SPECIFIED) };
}

/// Frees a list of packets without a reason, and counts them.
#[cold]
pub(super) fn free_list_unreasoned<P: Packet>(packets: SkbList<P>) {
    count_unreasoned(usize_as_u64(packets.len()));
    packets.free(Reason::NOT_SPECIFIED);
}

/// Counts `n` packets that are freed without a reason.
#[cold]
fn count_unreasoned(n: u64) {
    let _before = UNREASONED.fetch_add(n, Relaxed);
    // KUnit tests drop their packets plainly.
    #[cfg(all(check_reasons, not(CONFIG_KUNIT = "y")))]
    kernel::warn_on!(_before == 0);
}

#[kernel::macros::kunit_tests(kext_skb_reason)]
mod tests {
    use super::*;
    use core::ptr::null_mut;
    use kernel::{
        interrupt::local_interrupt_disable,
        prelude::*,
        time::{
            delay::fsleep,
            Delta, //
        }, //
    };

    /// How many packets were freed with interrupts on, and with interrupts off.
    static FREED: [Atomic<u32>; 2] = [Atomic::new(0), Atomic::new(0)];

    fn freed() -> [u32; 2] {
        [0, 1].map(|i: usize| FREED[i].load(Relaxed))
    }

    /// # Safety
    ///
    /// None; a destructor.
    unsafe extern "C" fn note(_skb: *mut bindings::sk_buff) {
        FREED[usize::from(irqs_disabled())].fetch_add(1, Relaxed);
    }

    fn packet() -> Result<SkBuff> {
        let mut skb = SkBuff::alloc(0, 0)?;
        raw::set_owner(skb.c_mut(), null_mut(), Some(note));
        Ok(skb)
    }

    fn packets(count: usize) -> Result<SkbList> {
        let mut list = SkbList::new();
        for _ in 0..count {
            list.push_back(packet()?);
        }
        Ok(list)
    }

    #[test]
    fn packets_are_freed_with_interrupts_on() -> Result {
        let before = freed();
        let (single, plain) = (packet()?, packet()?);
        let (one, several, plain_list) = (packets(1)?, packets(3)?, packets(2)?);
        // Compared later, as a test must not fail with interrupts off.
        let meanwhile = {
            let irqs = local_interrupt_disable();
            single.consume();
            drop(plain);
            one.consume();
            Buffer::drop(several, Reason::QUEUE_PURGE);
            drop(plain_list);
            SkbList::<SkBuff>::new().consume();
            let meanwhile = freed();
            drop(irqs);
            meanwhile
        };
        for _ in 0..100 {
            if freed() != before {
                break;
            }
            fsleep(Delta::from_millis(10));
        }
        assert!(meanwhile == before);
        assert!(freed() == [before[0] + 8, before[1]]);
        packets(2)?.consume();
        packet()?.consume();
        assert!(freed() == [before[0] + 11, before[1]]);
        Ok(())
    }
}
