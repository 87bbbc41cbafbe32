// SPDX-License-Identifier: GPL-2.0

//! Routes of outgoing packets.
//!
//! A route is looked up by [`Tunnel::route4`](super::udp::Tunnel::route4) or
//! [`Tunnel::route6`](super::udp::Tunnel::route6), may be kept for as long as it is
//! [still valid](Route4::still_valid), and is used by [`Tunnel::send4`](super::udp::Tunnel::send4) or
//! [`Tunnel::send6`](super::udp::Tunnel::send6).
//!
//! There is no wrapper of C's `dst_cache`: who sends to a destination again and again keeps one
//! route next to the destination's address, under the lock that guards the address anyway, drops it
//! when one of the two changes, and asks `still_valid` before each use. That saves the memory per
//! CPU, and there can be no route left over on a CPU that nobody looks at any more.
//!
//! C headers: [`include/net/dst.h`](srctree/include/net/dst.h),
//! [`include/net/flow.h`](srctree/include/net/flow.h)

use super::{
    addr::{
        Ipv4Addr,
        Ipv6Addr, //
    },
    residents::{
        Lodger,
        Residents, //
    },
};
use crate::{
    bindings,
    context::Bh, //
};
use bindings::{
    dst_entry,
    rtable, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::sync::Arc;

/// What decides on the route of an IPv4 packet.
#[derive(Clone, Copy)]
pub struct Flow4 {
    /// Source address, or [`Ipv4Addr::UNSPECIFIED`] to have one chosen.
    pub saddr: Ipv4Addr,
    /// Destination address.
    pub daddr: Ipv4Addr,
    /// Destination port.
    pub dport: u16,
    /// Mark of the packet.
    pub mark: u32,
    /// Index of the interface to leave by, or zero.
    ///
    /// A successful look-up in C leaves the interface it has found in its argument, and so a second
    /// look-up with the same argument is bound to that interface: to do the same, give the
    /// [`Route4::ifindex`] of the first one.
    pub oif: u32,
}

/// What decides on the route of an IPv6 packet.
#[derive(Clone, Copy)]
pub struct Flow6 {
    /// Source address, or [`Ipv6Addr::UNSPECIFIED`] to have one chosen.
    pub saddr: Ipv6Addr,
    /// Destination address.
    pub daddr: Ipv6Addr,
    /// Destination port.
    pub dport: u16,
    /// Mark of the packet.
    pub mark: u32,
    /// Index of the interface to leave by, that is the scope of a link-local destination, or zero.
    pub oif: u32,
}

/// A counted reference to a `struct dst_entry`.
///
/// # Invariants
///
/// `0` is valid, and this owns one count.
pub(super) struct Dst(NonNull<dst_entry>);

// SAFETY: Entries are counted atomically and shared between all CPUs.
unsafe impl Send for Dst {}
// SAFETY: As above.
unsafe impl Sync for Dst {}

impl Dst {
    /// Takes over a count.
    ///
    /// # Safety
    ///
    /// `dst` must be valid, and one count belong to the caller.
    unsafe fn from_raw(dst: NonNull<dst_entry>) -> Self {
        // INVARIANT: By the requirements of this function.
        Self(dst)
    }

    /// Returns the entry.
    pub(super) fn as_ptr(&self) -> *mut dst_entry {
        self.0.as_ptr()
    }

    /// Gives the count away.
    pub(super) fn into_raw(self) -> *mut dst_entry {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Returns whether the entry may still be used.
    fn check(&self, cookie: u32) -> bool {
        // SAFETY: Valid by the type invariants.
        !unsafe { bindings::dst_check(self.0.as_ptr(), cookie) }.is_null()
    }

    /// Returns the index of the interface that the route leaves by.
    fn ifindex(&self, _bh: &Bh<'_>) -> u32 {
        // SAFETY: Valid by the type invariants.
        let dev = unsafe { bindings::dst_dev(self.0.as_ptr()) };
        // SAFETY: An entry always has a device, which stays for as long as this RCU section does.
        let ifindex = unsafe { (&raw const (*dev).ifindex).read_volatile() };
        // CAST: Indices are positive.
        ifindex as u32
    }
}

impl Clone for Dst {
    fn clone(&self) -> Self {
        // SAFETY: Valid by the type invariants, with a count of our own.
        unsafe { bindings::dst_hold(self.0.as_ptr()) };
        // INVARIANT: Counted just above.
        Self(self.0)
    }
}

impl Drop for Dst {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the count is ours.
        unsafe { bindings::dst_release(self.0.as_ptr()) };
    }
}

/// The route of IPv4 packets to a destination.
///
/// # Invariants
///
/// The entry is that of a `struct rtable`.
#[derive(Clone)]
pub struct Route4 {
    dst: Dst,
    saddr: Ipv4Addr,
}

impl Route4 {
    /// # Safety
    ///
    /// `rt` must be valid, and one count belong to the caller.
    pub(super) unsafe fn from_raw(rt: NonNull<rtable>, saddr: Ipv4Addr) -> Self {
        // INVARIANT: `dst` is the first member.
        Self {
            // SAFETY: By the requirements of this function.
            dst: unsafe { Dst::from_raw(rt.cast()) },
            saddr,
        }
    }

    pub(super) fn dst(&self) -> &Dst {
        &self.dst
    }

    /// Returns the source address that goes with the route.
    #[inline]
    pub fn saddr(&self) -> Ipv4Addr {
        self.saddr
    }

    /// Returns the index of the interface that packets leave by.
    pub fn ifindex(&self, bh: &Bh<'_>) -> u32 {
        self.dst.ifindex(bh)
    }

    /// Returns whether nothing has happened that makes the route obsolete.
    ///
    /// If not, it is to be dropped and another one looked up.
    pub fn still_valid(&self, _bh: &Bh<'_>) -> bool {
        self.dst.check(0)
    }
}

/// The route of IPv6 packets to a destination.
///
/// It must be dropped before its network namespace ceases to exist, as a part of that is needed to
/// do so. (Those of IPv4 belong to all namespaces.) What is dropped later is leaked.
///
/// # Invariants
///
/// The entry is that of a `struct rt6_info`, and `lodger` is one of its namespace.
#[derive(Clone)]
pub struct Route6 {
    dst: ManuallyDrop<Dst>,
    lodger: Lodger,
    /// What the entry's own tree of routes looked like when it was found.
    cookie: u32,
    saddr: Ipv6Addr,
}

impl Route6 {
    /// # Safety
    ///
    /// `dst` must be a valid one of IPv6 in the namespace of `home`, which was found alive in this
    /// RCU section, and one count belong to the caller.
    pub(super) unsafe fn from_raw(
        dst: NonNull<dst_entry>,
        saddr: Ipv6Addr,
        home: &Arc<Residents>,
    ) -> Self {
        // SAFETY: By the requirements of this function.
        let cookie = unsafe { bindings::rt6_get_cookie(dst.as_ptr()) };
        // INVARIANT: By the requirements of this function.
        Self {
            // SAFETY: By the requirements of this function.
            dst: ManuallyDrop::new(unsafe { Dst::from_raw(dst) }),
            lodger: Lodger::new(home),
            cookie,
            saddr,
        }
    }

    /// Returns the entry, unless its namespace is gone.
    pub(super) fn dst(&self, bh: &Bh<'_>) -> Option<&Dst> {
        self.lodger.may_stay(bh).then_some(&*self.dst)
    }

    /// Returns the source address that goes with the route.
    #[inline]
    pub fn saddr(&self) -> Ipv6Addr {
        self.saddr
    }

    /// Returns the index of the interface that packets leave by.
    pub fn ifindex(&self, bh: &Bh<'_>) -> u32 {
        self.dst.ifindex(bh)
    }

    /// Returns whether nothing has happened that makes the route obsolete.
    ///
    /// If not, it is to be dropped and another one looked up.
    #[inline]
    pub fn still_valid(&self, bh: &Bh<'_>) -> bool {
        self.lodger.may_stay(bh) && self.dst.check(self.cookie)
    }
}

impl Drop for Route6 {
    fn drop(&mut self) {
        let dst = &mut self.dst;
        // SAFETY: Not used afterwards.
        self.lodger.leave(|| unsafe { ManuallyDrop::drop(dst) });
    }
}
