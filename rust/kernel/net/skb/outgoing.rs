// SPDX-License-Identifier: GPL-2.0

//! Packets that a device is asked to send.

use super::{
    raw,
    reason::{
        Free,
        Reason, //
    },
    IpVersion,
    Operations,
    Running,
    SkBuff, //
};
use crate::{
    bindings,
    context::Bh, //
};
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::null_mut, //
};

/// A hook of traffic control.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Redirected {
    /// Behind the reception by a device.
    Ingress,
    /// Before the transmission by a device, perhaps in its queue and under the lock of that.
    Egress,
}

/// A packet that the stack hands to a device, with its route.
///
/// A route uses its network namespace, where IPv6 keeps `dst_ops`, without keeping that from being
/// removed. So the packet keeps it only within the section in which C calls `ndo_start_xmit`, and
/// [`Outgoing::into_skb`] drops it.
pub struct Outgoing<'g> {
    skb: SkBuff,
    section: PhantomData<&'g Bh<'g>>,
}

impl<'g> Outgoing<'g> {
    /// Makes the value of a packet that C hands to a device. [`None`] if it is shared, and there is
    /// no memory for a clone.
    ///
    /// # Safety
    ///
    /// As that of [`SkBuff::from_shared`].
    #[inline]
    pub(in crate::net) unsafe fn new(ptr: *mut bindings::sk_buff, _bh: &'g Bh<'g>) -> Option<Self> {
        Some(Self {
            // SAFETY: By the requirements.
            skb: unsafe { SkBuff::from_shared(ptr) }?,
            section: PhantomData,
        })
    }

    /// Returns which hook of traffic control has redirected the packet to the device.
    #[inline]
    pub fn redirected(&self) -> Option<Redirected> {
        raw::is_redirected(self.skb.c()).then(|| {
            if raw::is_from_ingress(self.skb.c()) {
                Redirected::Ingress
            } else {
                Redirected::Egress
            }
        })
    }

    /// Drops the route. The packet may be kept then.
    #[inline]
    pub fn into_skb(self) -> SkBuff {
        let mut skb = self.skb;
        skb.drop_dst();
        skb
    }

    /// See [`SkBuff::hash`].
    #[inline]
    pub fn hash<T: Operations>(&mut self, dev: Running<'_, T>) -> u32 {
        self.skb.hash(dev)
    }

    /// Returns the MTU of the packet's route, or `otherwise` if it has none.
    #[inline]
    pub fn path_mtu(&self, otherwise: u32) -> u32 {
        if raw::refdst(self.skb.c()) == 0 {
            return otherwise;
        }
        // SAFETY: By the type invariants of `SkBuff`.
        if !unsafe { bindings::skb_valid_dst(self.skb.as_raw()) } {
            return otherwise;
        }
        // SAFETY: There is a destination, of which the packet has a reference by the type
        // invariants. Its namespace exists for this section.
        unsafe { bindings::skb_dst_mtu(self.skb.as_raw()) }
    }

    /// Sends an ICMP error to the sender of the packet, which `dev` was to send: the host or
    /// address cannot be reached.
    ///
    /// Overwrites the control block.
    pub fn icmp_unreachable<T: Operations>(&mut self, dev: Running<'_, T>) {
        let skb = &mut self.skb;
        let Some(version) = skb.ip_version_checked() else {
            return;
        };
        // C takes the content of the control block for IP options.
        *skb.cb_mut::<[u8; 48]>() = [0; 48];
        // The device exists as long as `dev`, and so for the call.
        raw::set_dev(skb.c_mut(), dev.as_raw());
        let raw = skb.as_raw();
        match version {
            // SAFETY: By the type invariants of `SkBuff`; the header is complete.
            IpVersion::V4 => unsafe { bindings::icmp_ndo_send_host_unreach(raw) },
            // SAFETY: As above.
            IpVersion::V6 => unsafe { bindings::icmpv6_ndo_send_addr_unreach(raw) },
        }
        // INVARIANT: The device is cleared again.
        raw::set_dev(skb.c_mut(), null_mut());
    }
}

impl Deref for Outgoing<'_> {
    type Target = SkBuff;

    #[inline]
    fn deref(&self) -> &SkBuff {
        &self.skb
    }
}

impl Free for Outgoing<'_> {
    #[inline(always)]
    fn free(self, reason: Reason) {
        self.skb.free(reason);
    }
}
