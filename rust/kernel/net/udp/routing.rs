// SPDX-License-Identifier: GPL-2.0

//! Routing of datagrams.

use super::{
    EncapRcv,
    Tunnel, //
};
use crate::bindings::{
    flowi4,
    flowi6,
    flowi_uli__bindgen_ty_1 as Ports, //
};
use crate::compat::code::EHOSTUNREACH;
use crate::{
    bindings,
    context::Bh,
    net::{
        addr::{
            Ipv4Addr,
            Ipv6Addr, //
        },
        ipv6,
        route::{
            Flow4,
            Flow6,
            Route4,
            Route6, //
        }, //
    },
};
use core::ptr::{
    null,
    null_mut,
    NonNull, //
};
use kernel::{error::from_err_ptr, ffi::c_int, prelude::*};

/// `IPPROTO_UDP`.
const IPPROTO_UDP: u8 = crate::bindings::CONST_IPPROTO_UDP;

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
        let found = unsafe { ipv6::ipv6_chk_addr(net, &raw const address, null(), 0) };
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
        let dst = unsafe { ipv6::ip6_dst_lookup_flow(net, sk, &raw mut fl, null()) };
        let dst = from_err_ptr(dst)?;
        let dst = NonNull::new(dst).ok_or(EHOSTUNREACH)?;
        let saddr = Ipv6Addr::from_in6(&fl.saddr);
        // SAFETY: The look-up has counted the route for this call. The socket was found open in
        // this section, and so was its namespace, to which the resources belong.
        Ok(unsafe { Route6::from_raw(dst, saddr, &self.resources) })
    }
}
