// SPDX-License-Identifier: GPL-2.0

//! Routes of outgoing packets.
//!
//! A route is looked up by [`Tunnel::route4`](super::udp::Tunnel::route4) or
//! [`Tunnel::route6`](super::udp::Tunnel::route6), may be kept for as long as it is [still
//! valid](Route4::still_valid), and is used by [`Tunnel::output4`](super::udp::Tunnel::output4) or
//! [`Tunnel::output6`](super::udp::Tunnel::output6).
//!
//! There is no wrapper of C's `dst_cache`. A caller that sends to a destination repeatedly keeps
//! one route beside the destination's address, under the lock that guards the address anyway. It
//! drops the route when either changes, and calls `still_valid` before each use. That saves memory
//! per CPU, and leaves no stale route on a CPU that does not send any more.
//!
//! C headers: [`include/net/dst.h`](srctree/include/net/dst.h),
//! [`include/net/flow.h`](srctree/include/net/flow.h)

mod gso;

pub use gso::RouteGso;

use super::{
    addr::{
        Ipv4Addr,
        Ipv6Addr, //
    },
    device::Operations,
    netns::resources::{
        NetnsResources,
        RouteRef, //
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
use core::ptr::NonNull;
use kernel::sync::Arc;

/// Lengths of headers in front of a datagram, in bytes.
const IPV4_HEADER_LEN: u32 = 20;
const IPV6_HEADER_LEN: u32 = 40;
const UDP_HEADER_LEN: u32 = 8;

/// The key of an IPv4 route look-up (`struct flowi4`).
#[derive(Clone, Copy)]
pub struct Flow4 {
    /// Source address, or [`Ipv4Addr::UNSPECIFIED`] to let the look-up choose one.
    pub saddr: Ipv4Addr,
    /// Destination address.
    pub daddr: Ipv4Addr,
    /// Destination port.
    pub dport: u16,
    /// Mark of the packet.
    pub mark: u32,
    /// Index of the interface to leave by, or zero.
    ///
    /// A successful look-up in C stores the interface it has found in its argument, so a second
    /// look-up with the same argument is bound to that interface. To do the same, pass the
    /// [`Route4::ifindex`] of the first one.
    pub oif: u32,
}

/// The key of an IPv6 route look-up (`struct flowi6`).
#[derive(Clone, Copy)]
pub struct Flow6 {
    /// Source address, or [`Ipv6Addr::UNSPECIFIED`] to let the look-up choose one.
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
/// Entries use their network namespace: in IPv6 always, in IPv4 with IPsec.
///
/// # Invariants
///
/// `entry` is valid, the value owns one count of it, and `netns` counts it for its namespace.
struct Dst {
    entry: NonNull<dst_entry>,
    netns: RouteRef,
}

// SAFETY: Entries are counted atomically and shared between all CPUs.
unsafe impl Send for Dst {}
// SAFETY: As above.
unsafe impl Sync for Dst {}

impl Dst {
    /// Takes over a count.
    ///
    /// # Safety
    ///
    /// `entry` must be valid, one count belong to the caller, and its namespace be that of
    /// `resources`, which was found alive in this RCU section.
    unsafe fn from_raw(entry: NonNull<dst_entry>, resources: &Arc<NetnsResources>) -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            entry,
            netns: RouteRef::new(resources),
        }
    }

    /// Returns the entry for as long as the section lasts, or `None` if its namespace was removed.
    #[inline]
    fn get<'g>(&'g self, bh: &'g Bh<'_>) -> Option<*mut dst_entry> {
        self.netns.is_netns_alive(bh).then_some(self.entry.as_ptr())
    }

    /// Returns whether the entry may still be used.
    #[inline]
    fn check(&self, cookie: u32, bh: &Bh<'_>) -> bool {
        let Some(entry) = self.get(bh) else {
            return false;
        };
        // SAFETY: Valid by the type invariants, and its namespace is there.
        !unsafe { bindings::dst_check(entry, cookie) }.is_null()
    }

    /// Returns the index of the interface that the route leaves by, or zero if its namespace was
    /// removed.
    fn ifindex(&self, bh: &Bh<'_>) -> u32 {
        let Some(entry) = self.get(bh) else {
            return 0;
        };
        // SAFETY: Valid by the type invariants.
        let dev = unsafe { bindings::dst_dev(entry) };
        // SAFETY: An entry always has a device, which exists for as long as this RCU section lasts.
        let ifindex = unsafe { &raw const (*dev).ifindex };
        // SAFETY: As above.
        let ifindex = unsafe { ifindex.read_volatile() };
        // CAST: Indices are positive.
        ifindex as u32
    }
}

impl Dst {
    /// Returns how long datagrams may be that become part of a GSO packet, behind an IP header of
    /// this length. The stack segments longer ones, each of which it fragments, and they do not
    /// count for the socket any more.
    fn gso_max(&self, ip_header_len: u32, bh: &Bh<'_>) -> u32 {
        let Some(entry) = self.get(bh) else {
            return 0;
        };
        // SAFETY: Valid by the type invariants, and its namespace is there.
        let mtu = unsafe { bindings::dst_mtu(entry) };
        mtu.saturating_sub(ip_header_len + UDP_HEADER_LEN)
    }
}

impl Clone for Dst {
    fn clone(&self) -> Self {
        // `dst_hold()` touches only the entry itself, not its namespace.
        // SAFETY: Valid by the type invariants, with a count of our own.
        unsafe { bindings::dst_hold(self.entry.as_ptr()) };
        // INVARIANT: Counted just above.
        Self {
            entry: self.entry,
            netns: self.netns.clone(),
        }
    }
}

impl Drop for Dst {
    fn drop(&mut self) {
        let entry = self.entry.as_ptr();
        self.netns.with_netns(|| {
            // SAFETY: By the type invariants the count is ours.
            unsafe { bindings::dst_release(entry) };
        });
    }
}

/// The route of IPv4 packets to a destination.
///
/// Drop it before the network namespace of the tunnel is removed; a route dropped later is leaked.
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
    /// Takes over a route of C.
    ///
    /// # Safety
    ///
    /// `rt` must be valid, one count belong to the caller, and its namespace be that of
    /// `resources`, which was found alive in this RCU section.
    pub(super) unsafe fn from_raw(
        rt: NonNull<rtable>,
        saddr: Ipv4Addr,
        resources: &Arc<NetnsResources>,
    ) -> Self {
        // INVARIANT: `dst` is the first member.
        Self {
            // SAFETY: By the requirements of this function.
            dst: unsafe { Dst::from_raw(rt.cast(), resources) },
            saddr,
        }
    }

    /// Returns the route for as long as the section lasts, or `None` if its namespace was removed.
    #[inline]
    pub(super) fn get<'g>(&'g self, bh: &'g Bh<'_>) -> Option<*mut rtable> {
        self.dst.get(bh).map(<*mut _>::cast)
    }

    /// Returns the source address that the look-up chose for the route.
    #[inline]
    pub fn saddr(&self) -> Ipv4Addr {
        self.saddr
    }

    /// Returns the index of the interface that packets leave by, or zero if the namespace was
    /// removed.
    pub fn ifindex(&self, bh: &Bh<'_>) -> u32 {
        self.dst.ifindex(bh)
    }

    /// Returns which UDP GSO packets of a device whose driver is `T` should use the route.
    pub fn gso<T: Operations>(&self, bh: &Bh<'_>) -> RouteGso {
        self.dst.gso::<T>(bh)
    }

    /// Returns how long datagrams may be that become part of a GSO packet for the route.
    pub fn gso_max(&self, bh: &Bh<'_>) -> u32 {
        self.dst.gso_max(IPV4_HEADER_LEN, bh)
    }

    /// Returns whether the route may still be used (`dst_check()`).
    ///
    /// If not, drop it and look up another one.
    #[inline]
    pub fn still_valid(&self, bh: &Bh<'_>) -> bool {
        self.dst.check(0, bh)
    }
}

/// The route of IPv6 packets to a destination.
///
/// Drop it before the network namespace of the tunnel is removed; a route dropped later is leaked.
///
/// # Invariants
///
/// The entry is that of a `struct rt6_info`.
#[derive(Clone)]
pub struct Route6 {
    dst: Dst,
    /// The state of the entry's routing tree at the look-up, which `dst_check()` compares.
    cookie: u32,
    saddr: Ipv6Addr,
}

impl Route6 {
    /// Takes over a route of C.
    ///
    /// # Safety
    ///
    /// `dst` must be a valid one of IPv6, one count belong to the caller, and its namespace be that
    /// of `resources`, which was found alive in this RCU section.
    pub(super) unsafe fn from_raw(
        dst: NonNull<dst_entry>,
        saddr: Ipv6Addr,
        resources: &Arc<NetnsResources>,
    ) -> Self {
        // SAFETY: By the requirements of this function.
        let cookie = unsafe { bindings::rt6_get_cookie(dst.as_ptr()) };
        // INVARIANT: By the requirements of this function.
        Self {
            // SAFETY: By the requirements of this function.
            dst: unsafe { Dst::from_raw(dst, resources) },
            cookie,
            saddr,
        }
    }

    /// Returns the route for as long as the section lasts, or `None` if its namespace was removed.
    #[inline]
    pub(super) fn get<'g>(&'g self, bh: &'g Bh<'_>) -> Option<*mut dst_entry> {
        self.dst.get(bh)
    }

    /// Returns the source address that the look-up chose for the route.
    #[inline]
    pub fn saddr(&self) -> Ipv6Addr {
        self.saddr
    }

    /// Returns the index of the interface that packets leave by, or zero if the namespace was
    /// removed.
    pub fn ifindex(&self, bh: &Bh<'_>) -> u32 {
        self.dst.ifindex(bh)
    }

    /// Returns which UDP GSO packets of a device whose driver is `T` should use the route.
    pub fn gso<T: Operations>(&self, bh: &Bh<'_>) -> RouteGso {
        self.dst.gso::<T>(bh)
    }

    /// Returns how long datagrams may be that become part of a GSO packet for the route.
    pub fn gso_max(&self, bh: &Bh<'_>) -> u32 {
        self.dst.gso_max(IPV6_HEADER_LEN, bh)
    }

    /// Returns whether the route may still be used (`dst_check()`).
    ///
    /// If not, drop it and look up another one.
    #[inline]
    pub fn still_valid(&self, bh: &Bh<'_>) -> bool {
        self.dst.check(self.cookie, bh)
    }
}
