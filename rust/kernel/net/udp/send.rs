// SPDX-License-Identifier: GPL-2.0

//! Routing and transmission of datagrams.

use super::{
    EncapRcv,
    Tunnel, //
};
use crate::bindings::{
    flowi4,
    flowi6,
    flowi_uli__bindgen_ty_1 as Ports, //
};
use crate::compat::code::{
    EHOSTUNREACH,
    ENONET, //
};
use crate::{
    bindings,
    context::Bh,
    net::{
        addr::{
            Ipv4Addr,
            Ipv6Addr, //
        },
        device::{
            Operations,
            Running, //
        },
        route::{
            Flow4,
            Flow6,
            Route4,
            Route6, //
        },
        skb::Datagrams, //
    },
};
use core::ptr::{
    null,
    null_mut,
    NonNull, //
};
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    ffi::c_int,
    prelude::*,
};

/// `IPPROTO_UDP`.
const IPPROTO_UDP: u8 = crate::bindings::CONST_IPPROTO_UDP;
/// Size of the headers of UDP over IPv4.
const IPV4_HEADERS: u32 = 8 + 20;
/// Size of the headers of UDP over IPv6.
const IPV6_HEADERS: u32 = 8 + 40;

/// Returns the value of the module parameter that says whether to send several datagrams as one GSO
/// packet unless user space configures otherwise.
pub fn gso_by_default() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::udp_gso() }
}

impl<H: EncapRcv> Tunnel<H> {
    /// Returns whether `address` is one of this host's own.
    ///
    /// For [`Ipv4Addr::UNSPECIFIED`]: whether the host has any address at all.
    pub fn is_local4(&self, address: Ipv4Addr, bh: &Bh<'_>) -> bool {
        let Ok(sk) = self.sk(false, bh) else {
            return false;
        };
        // SAFETY: The socket is valid, and its namespace with it.
        let net = unsafe { bindings::sock_net(sk) };
        // CAST: A byte in C.
        let scope = bindings::rt_scope_t_RT_SCOPE_HOST as c_int;
        // SAFETY: The namespace is valid; no device means any.
        let found =
            unsafe { bindings::inet_confirm_addr(net, null_mut(), 0, address.to_be32(), scope) };
        found != 0
    }

    /// Returns whether `address` is one of this host's own.
    pub fn is_local6(&self, address: Ipv6Addr, bh: &Bh<'_>) -> bool {
        let Ok(sk) = self.sk(true, bh) else {
            return false;
        };
        // SAFETY: The socket is valid, and its namespace with it.
        let net = unsafe { bindings::sock_net(sk) };
        let address = address.to_in6();
        // SAFETY: The namespace and the address are valid; no device means any.
        let found = unsafe { bindings::ipv6_chk_addr(net, &raw const address, null(), 0) };
        found != 0
    }

    /// Looks up the route of packets that this socket sends.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT` if this is not an IPv4 socket, and errors of C, such as `EINVAL` for a source
    /// address that cannot be used with that destination.
    pub fn route4(&self, flow: &Flow4, bh: &Bh<'_>) -> Result<Route4> {
        let sk = self.sk(false, bh)?;
        let mut fl: flowi4 = pin_init::zeroed();
        // CAST: Indices are positive.
        fl.__fl_common.flowic_oif = flow.oif as c_int;
        fl.__fl_common.flowic_mark = flow.mark;
        fl.__fl_common.flowic_proto = IPPROTO_UDP;
        fl.saddr = flow.saddr.to_be32();
        fl.daddr = flow.daddr.to_be32();
        fl.uli.ports = Ports {
            dport: flow.dport.to_be(),
            sport: self.port.to_be(),
        };
        // SAFETY: The socket is valid, and the flow ours.
        unsafe { bindings::security_sk_classify_flow4(sk, &raw mut fl) };
        // SAFETY: The socket is valid.
        let net = unsafe { bindings::sock_net(sk) };
        // SAFETY: As above; the namespace exists for as long as the socket.
        let rt = from_err_ptr(unsafe { bindings::ip_route_output_flow(net, &raw mut fl, sk) })?;
        let rt = NonNull::new(rt).ok_or(EHOSTUNREACH)?;
        let saddr = Ipv4Addr::from_be32(fl.saddr);
        // SAFETY: The look-up has counted the route for this call. The socket was found open in
        // this section, and so was its namespace, to which the resources belong.
        Ok(unsafe { Route4::from_raw(rt, saddr, &self.resources) })
    }

    /// Looks up the route of packets that this socket sends.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT` if this is not an IPv6 socket, and errors of C.
    pub fn route6(&self, flow: &Flow6, bh: &Bh<'_>) -> Result<Route6> {
        let sk = self.sk(true, bh)?;
        let mut fl: flowi6 = pin_init::zeroed();
        // CAST: Indices are positive.
        fl.__fl_common.flowic_oif = flow.oif as c_int;
        fl.__fl_common.flowic_mark = flow.mark;
        fl.__fl_common.flowic_proto = IPPROTO_UDP;
        fl.saddr = flow.saddr.to_in6();
        fl.daddr = flow.daddr.to_in6();
        fl.uli.ports = Ports {
            dport: flow.dport.to_be(),
            sport: self.port.to_be(),
        };
        // SAFETY: The socket is valid, and the flow ours.
        unsafe { bindings::security_sk_classify_flow6(sk, &raw mut fl) };
        // SAFETY: The socket is valid.
        let net = unsafe { bindings::sock_net(sk) };
        // SAFETY: As above; the namespace exists for as long as the socket.
        let dst = unsafe { bindings::ip6_dst_lookup_flow(net, sk, &raw mut fl, null()) };
        let dst = from_err_ptr(dst)?;
        let dst = NonNull::new(dst).ok_or(EHOSTUNREACH)?;
        let saddr = Ipv6Addr::from_in6(&fl.saddr);
        // SAFETY: The look-up has counted the route for this call. The socket was found open in
        // this section, and so was its namespace, to which the resources belong.
        Ok(unsafe { Route6::from_raw(dst, saddr, &self.resources) })
    }

    /// Prepares a packet for transmission, as far as that can fail: the caller may still give the
    /// packet back.
    ///
    /// `headers` is the size of the headers that C will write in front of it.
    fn prepare(datagrams: &mut Datagrams, headers: u32, mark: u32) -> Result {
        let is_gso = datagrams.segs.is_some();
        let skb = &mut datagrams.skb;
        // C would take the segments for those of UDP, or not find the place of the payload's own
        // checksum.
        if skb.is_gso() != is_gso {
            return Err(EINVAL);
        }
        skb.finish_checksum()?;
        skb.drop_dst();
        skb.set_mark(mark);
        // C writes the headers without checking for room.
        // SAFETY: The buffer is valid and ours alone.
        to_result(unsafe { bindings::skb_cow_head(skb.as_raw(), headers) })
    }

    /// Makes a prepared packet one of the device, which C sends next: it must not be given back,
    /// as nothing keeps the device after this RCU section.
    fn hand_over<T: Operations>(running: &Running<'_, T>, datagrams: &mut Datagrams) {
        let skb = &mut datagrams.skb;
        if datagrams.segs.is_some() {
            skb.leave_udp_checksum();
            #[cfg(check_gso)]
            crate::net::skb::check::check_gso(skb, datagrams.segs.unwrap_or(0));
        }
        let skb = skb.as_raw();
        // The statistics count the bytes behind the inner network header.
        // SAFETY: The buffer is valid and ours alone.
        unsafe { bindings::skb_set_inner_network_header(skb, 0) };
        // SAFETY: As above. The device is up for as long as this RCU section lasts.
        unsafe { bindings::skb_set_dev(skb, running.as_raw()) };
        // SAFETY: As above.
        unsafe { bindings::skb_set_ignore_df(skb, true) };
    }

    /// Counts the datagrams that C does not, as it counts a GSO packet as one. (C does not count
    /// the bytes of one that this machine drops as sent, but this does count its datagrams.)
    fn count<T: Operations>(running: &Running<'_, T>, segs: Option<u16>) {
        if let Some(count) = segs {
            running.tx_add(u32::from(count).saturating_sub(1), 0);
        }
    }

    /// Sends datagrams to `daddr` over IPv4, and counts them for the device.
    ///
    /// The packet may be fragmented on its way. Its UDP checksum is a real one.
    ///
    /// # Errors
    ///
    /// Gives the packet back with `EAFNOSUPPORT` if this is not an IPv4 socket, `ENONET` if the
    /// network namespace of the socket or of the route is gone, `EINVAL` if the packet is yet to be
    /// segmented, `ENOMEM` if there is no room for the headers and none to be had. What becomes of
    /// the packet later is counted by C.
    #[allow(clippy::too_many_arguments)]
    pub fn send4<T: Operations>(
        &self,
        running: &Running<'_, T>,
        datagrams: impl Into<Datagrams>,
        route: &Route4,
        daddr: Ipv4Addr,
        dport: u16,
        ds: u8,
        mark: u32,
        bh: &Bh<'_>,
    ) -> Result<(), (Datagrams, Error)> {
        let mut datagrams = datagrams.into();
        let segs = datagrams.segs;
        let mut ready = || {
            let sk = self.sk(false, bh)?;
            Self::prepare(&mut datagrams, IPV4_HEADERS, mark)?;
            Ok::<_, Error>((sk, route.hold(bh).ok_or(ENONET)?))
        };
        let (sk, rt) = match ready() {
            Ok(ready) => ready,
            Err(error) => return Err((datagrams, error)),
        };
        Self::hand_over(running, &mut datagrams);
        // SAFETY: The route is valid, and begins with its entry.
        let ttl = unsafe { bindings::ip4_dst_hoplimit(rt.cast()) };
        // SAFETY: The socket is valid for as long as this RCU section lasts; the buffer has room
        // for the headers. C takes over the buffer and the count of the route, which is one of
        // IPv4.
        unsafe {
            bindings::udp_tunnel_xmit_skb(
                rt,
                sk,
                datagrams.skb.into_raw(),
                route.saddr().to_be32(),
                daddr.to_be32(),
                ds,
                // CAST: A byte in the packet.
                ttl as u8,
                0,
                self.port.to_be(),
                dport.to_be(),
                false,
                false,
                0,
            )
        };
        Self::count(running, segs);
        Ok(())
    }

    /// Sends datagrams to `daddr` over IPv6, and counts them for the device.
    ///
    /// The packet may be fragmented. Its UDP checksum is a real one, its flow label zero.
    ///
    /// # Errors
    ///
    /// Gives the packet back with `EAFNOSUPPORT` if this is not an IPv6 socket, `ENONET` if the
    /// network namespace of the socket or of the route is gone, `EINVAL` if the packet is yet to be
    /// segmented, `ENOMEM` if there is no room for the headers and none to be had. What becomes of
    /// the packet later is counted by C.
    #[allow(clippy::too_many_arguments)]
    pub fn send6<T: Operations>(
        &self,
        running: &Running<'_, T>,
        datagrams: impl Into<Datagrams>,
        route: &Route6,
        daddr: Ipv6Addr,
        dport: u16,
        ds: u8,
        mark: u32,
        bh: &Bh<'_>,
    ) -> Result<(), (Datagrams, Error)> {
        let mut datagrams = datagrams.into();
        let segs = datagrams.segs;
        let mut ready = || {
            let sk = self.sk(true, bh)?;
            Self::prepare(&mut datagrams, IPV6_HEADERS, mark)?;
            Ok::<_, Error>((sk, route.hold(bh).ok_or(ENONET)?))
        };
        let (sk, dst) = match ready() {
            Ok(ready) => ready,
            Err(error) => return Err((datagrams, error)),
        };
        Self::hand_over(running, &mut datagrams);
        let saddr = route.saddr().to_in6();
        let daddr = daddr.to_in6();
        // SAFETY: The route is valid.
        let hop_limit = unsafe { bindings::ip6_dst_hoplimit(dst) };
        // SAFETY: The socket is valid for as long as this RCU section lasts, as is the device; the
        // buffer has no route yet and has room for the headers. C takes over the buffer and the
        // count of the route, which is one of IPv6.
        unsafe {
            bindings::udp_tunnel6_xmit_skb(
                dst,
                sk,
                datagrams.skb.into_raw(),
                running.as_raw(),
                &raw const saddr,
                &raw const daddr,
                ds,
                // CAST: A byte in the packet.
                hop_limit as u8,
                0,
                self.port.to_be(),
                dport.to_be(),
                false,
                0,
            )
        };
        Self::count(running, segs);
        Ok(())
    }
}
