// SPDX-License-Identifier: GPL-2.0

//! Transmission of datagrams to one address.
//!
//! [`Output4`] writes the outer headers itself, as `udp_tunnel_xmit_skb()` and `iptunnel_xmit()`
//! do, but prepares once what the datagrams of a batch share: their headers differ in length,
//! checksum, DS field and identification only. It reserves identifications for the whole batch, as
//! C does for a GSO packet. A datagram does not count the route, as in `__ip_queue_xmit()`.
//! [`Output6`] calls `udp_tunnel6_xmit_skb()`, which has less to do.
//!
//! `iptunnel_xmit()` also clears what the stack has stored in the packet (`skb_scrub_packet()`).
//! This does not: the caller sends new packets, or those prepared by
//! [`SkBuff::reset_for_encap`](super::super::skb::SkBuff::reset_for_encap).
//!
//! C headers: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h),
//! [`include/net/ip_tunnels.h`](srctree/include/net/ip_tunnels.h)

use super::{
    headers::{
        Headers4,
        UDP_LEN, //
    },
    EncapRcv,
    Tunnel, //
};
use crate::{
    bindings,
    compat::{
        casts::u32_as_usize,
        code::ENONET, //
    },
    context::{
        irqs_disabled,
        Bh, //
    },
    net::{
        addr::{
            Ipv4Addr,
            Ipv6Addr, //
        },
        device::{
            xmit_depth,
            Operations,
            Running, //
        },
        ipv6,
        route::{
            Route4,
            Route6, //
        },
        skb::Datagrams, //
    },
};
use bindings::{
    dst_entry,
    in6_addr,
    net,
    rtable,
    sock, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    sync::rcu, //
};

/// Size of the headers of UDP over IPv6.
const IPV6_HEADERS: u32 = 8 + 40;
/// `IP_TUNNEL_RECURSION_LIMIT`.
const RECURSION_LIMIT: u32 = bindings::IP_TUNNEL_RECURSION_LIMIT;
/// The packet went out, but others may not (`NET_XMIT_CN`).
// CAST: A small constant.
const NET_XMIT_CN: c_int = bindings::NET_XMIT_CN as c_int;

/// Returns the value of the module parameter that says whether to send several datagrams as one GSO
/// packet unless user space configures otherwise.
pub fn gso_by_default() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::udp_gso() }
}

/// Makes datagrams ready for their headers, of `headers` bytes, and makes them the device's: after
/// that they must not be given back, as nothing keeps the device after this RCU section.
///
/// Gives them back with the error if that is not possible.
fn ready<T: Operations>(
    datagrams: impl Into<Datagrams>,
    headers: u32,
    mark: u32,
    running: &Running<'_, T>,
) -> Result<Datagrams, (Datagrams, Error)> {
    let mut datagrams = datagrams.into();
    // Interrupts may have been turned off since `output4` or `output6`. Only with these options
    // would C turn them on.
    if cfg!(any(CONFIG_TRACE_IRQFLAGS, CONFIG_PREEMPT_RT)) && irqs_disabled() {
        return Err((datagrams, EBUSY));
    }
    if let Err(error) = prepare(&mut datagrams, headers, mark) {
        return Err((datagrams, error));
    }
    let skb = &mut datagrams.skb;
    if datagrams.segs.is_some() {
        skb.leave_udp_checksum();
        #[cfg(check_gso)]
        crate::net::skb::check::check_gso(skb, datagrams.segs.unwrap_or(0));
    }
    // SAFETY: The buffer is valid and ours alone. The device is up for as long as this RCU section
    // lasts.
    unsafe { bindings::skb_set_dev(skb.as_raw(), running.as_raw()) };
    Ok(datagrams)
}

/// Prepares a packet for transmission, as far as that can fail: the caller may still give the
/// packet back.
///
/// `headers` is the size of the headers that will be written in front of it.
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
    // Nothing else checks for room.
    if skb.has_private_room(u32_as_usize(headers)) {
        return Ok(());
    }
    // SAFETY: The buffer is valid and ours alone.
    to_result(unsafe { bindings::skb_cow_head(skb.as_raw(), headers) })
}

/// Sends datagrams to one address over IPv4; made by [`Tunnel::output4`].
///
/// # Invariants
///
/// Socket, route and `net` are valid for `'a`, in which bottom halves are off.
pub struct Output4<'a, T: Operations> {
    running: Running<'a, T>,
    sk: *mut sock,
    rt: *mut rtable,
    /// The namespace of the route's device.
    net: *mut net,
    /// The headers of the next datagram.
    headers: Headers4,
    /// How many identifications are reserved, from that in `headers` on.
    reserved: u32,
    /// How many to reserve with the first datagram.
    expected: u32,
    mark: u32,
    /// Whether too many transmissions are nested on this CPU: C drops the datagrams then.
    is_loop: bool,
    /// Whether a transmission is under way on this CPU: that of the inner packet. The datagram
    /// takes its place, so that as many devices may be below as with a sender in process context.
    is_nested: bool,
}

impl<H: EncapRcv> Tunnel<H> {
    /// Prepares the transmission of datagrams to `daddr` over IPv4, probably as many as `expected`.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT` if this is not an IPv4 socket, `ENONET` if the network namespace of the
    /// socket or of the route is gone, `EBUSY` with interrupts off, which C could turn on.
    #[allow(clippy::too_many_arguments)]
    pub fn output4<'a, T: Operations>(
        &'a self,
        running: Running<'a, T>,
        route: &'a Route4,
        daddr: Ipv4Addr,
        dport: u16,
        mark: u32,
        expected: usize,
        bh: &'a Bh<'_>,
    ) -> Result<Output4<'a, T>> {
        if irqs_disabled() {
            return Err(EBUSY);
        }
        let sk = self.sk(false, bh)?;
        let rt = route.get(bh).ok_or(ENONET)?;
        // SAFETY: The route is valid in this section, and begins with its entry.
        let ttl = unsafe { bindings::ip4_dst_hoplimit(rt.cast()) };
        // SAFETY: As above.
        let dev = unsafe { bindings::dst_dev(rt.cast()) };
        // SAFETY: A route has a device, which exists for as long as this section.
        let net = unsafe { bindings::dev_net(dev) };
        // CAST: A byte in the packet.
        let headers = Headers4::new(route.saddr(), daddr, self.port, dport, ttl as u8);
        let depth = xmit_depth(bh);
        // INVARIANT: The socket was found open in this section, and the route alive. A namespace
        // outlives its devices by a grace period.
        Ok(Output4 {
            running,
            sk,
            rt,
            net,
            headers,
            reserved: 0,
            expected: u32::try_from(expected).unwrap_or(0),
            mark,
            is_loop: depth > RECURSION_LIMIT,
            is_nested: depth != 0,
        })
    }

    /// Prepares the transmission of datagrams to `daddr` over IPv6.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT` if this is not an IPv6 socket, `ENONET` if the network namespace of the
    /// socket or of the route is gone, `EBUSY` with interrupts off, which C could turn on.
    pub fn output6<'a, T: Operations>(
        &'a self,
        running: Running<'a, T>,
        route: &'a Route6,
        daddr: Ipv6Addr,
        dport: u16,
        mark: u32,
        bh: &'a Bh<'_>,
    ) -> Result<Output6<'a, T>> {
        if irqs_disabled() {
            return Err(EBUSY);
        }
        let sk = self.sk(true, bh)?;
        let dst = route.get(bh).ok_or(ENONET)?;
        // SAFETY: The route is valid in this section.
        let hop_limit = unsafe { ipv6::ip6_dst_hoplimit(dst) };
        // INVARIANT: The socket was found open in this section, the route and its namespace alive.
        Ok(Output6 {
            running,
            sk,
            dst,
            saddr: route.saddr().to_in6(),
            daddr: daddr.to_in6(),
            sport: self.port,
            dport,
            // CAST: A byte in the packet.
            hop_limit: hop_limit as u8,
            mark,
            is_nested: xmit_depth(bh) != 0,
        })
    }
}

impl<T: Operations> Output4<'_, T> {
    /// Sends a datagram, or a GSO packet of several, and counts it for the device.
    ///
    /// The packet may be fragmented on its way. Its UDP checksum is a real one. It must be new, or
    /// prepared by [`SkBuff::reset_for_encap`](crate::net::skb::SkBuff::reset_for_encap): what else
    /// the stack has stored in it goes on with it.
    ///
    /// # Errors
    ///
    /// Gives the packet back with `EINVAL` if it is yet to be segmented, `ENOMEM` if there is no
    /// room for the headers and none to be had, and `EBUSY` with interrupts off where C could turn
    /// them on. What becomes of the packet later is counted for the
    /// device.
    pub fn send(
        &mut self,
        datagrams: impl Into<Datagrams>,
        ds: u8,
    ) -> Result<(), (Datagrams, Error)> {
        let datagrams = ready(datagrams, Headers4::LEN, self.mark, &self.running)?;
        if self.is_loop {
            self.report_loop(datagrams, ds);
            return Ok(());
        }
        let segs = u32::from(datagrams.segs.unwrap_or(1));
        let mut skb = datagrams.skb;
        // CAST: The length is one of 32 bits in C.
        let len = skb.len() as u32;
        self.reserve(segs);
        self.headers.set_ds(ds);
        self.headers.set_len(len.saturating_add(UDP_LEN));
        // SAFETY: `ready()` has made the room, which is ours alone.
        unsafe { skb.push_udp4(&self.headers) };
        self.headers.advance_id(segs);
        let skb = skb.into_raw();
        // IPsec asks for this kind of section where it counts the route.
        let _rcu = rcu::read_lock();
        // SAFETY: The buffer is valid and has no destination. The route is counted for `'a`, and
        // its memory stays for a grace period after the last count. C counts it where it keeps the
        // buffer beyond this section.
        unsafe { bindings::skb_dst_set_noref(skb, self.rt.cast()) };
        if !self.is_nested {
            // SAFETY: Bottom halves are off, so the thread stays on its CPU.
            unsafe { bindings::dev_xmit_recursion_inc() };
        }
        // SAFETY: By the type invariants. C takes over the buffer, which begins with its headers.
        let error = unsafe { bindings::ip_local_out(self.net, self.sk, skb) };
        if !self.is_nested {
            // SAFETY: As above, after `dev_xmit_recursion_inc()`.
            unsafe { bindings::dev_xmit_recursion_dec() };
        }
        // `net_xmit_eval()`.
        if error == 0 || error == NET_XMIT_CN {
            self.running.tx_add(segs, len);
        } else {
            self.running.count_tx_dropped(u32_as_usize(segs));
        }
        Ok(())
    }

    /// Makes sure that identifications for `segs` datagrams are reserved.
    #[inline]
    fn reserve(&mut self, segs: u32) {
        if self.reserved < segs {
            self.reserved = self.expected.max(segs);
            self.expected = 0;
            // CAST: At most the number of datagrams in memory.
            let count = self.reserved as c_int;
            let headers = self.headers.as_mut_ptr().cast();
            // SAFETY: The namespace is valid by the type invariants. The pointer is to an IPv4
            // header of our own, with both addresses and the protocol.
            unsafe { bindings::__ip_select_ident(self.net, headers, count) };
        }
        self.reserved = self.reserved.saturating_sub(segs);
    }

    /// Lets C drop a packet of too many nested transmissions, count it and write a line to the log.
    #[cold]
    fn report_loop(&self, datagrams: Datagrams, ds: u8) {
        // SAFETY: Valid by the type invariants; the count is for C.
        unsafe { bindings::dst_hold(self.rt.cast()) };
        let (saddr, daddr) = self.headers.addresses();
        let (sport, dport) = self.headers.ports();
        // SAFETY: By the type invariants; the buffer has room for the headers. C takes over the
        // buffer and the count of the route.
        unsafe {
            bindings::udp_tunnel_xmit_skb(
                self.rt,
                self.sk,
                datagrams.skb.into_raw(),
                saddr.to_be32(),
                daddr.to_be32(),
                ds,
                self.headers.ttl(),
                0,
                sport.to_be(),
                dport.to_be(),
                false,
                false,
                0,
            )
        };
    }
}

/// Sends datagrams to one address over IPv6; made by [`Tunnel::output6`].
///
/// # Invariants
///
/// Socket and route are valid for `'a`, in which bottom halves are off.
pub struct Output6<'a, T: Operations> {
    running: Running<'a, T>,
    sk: *mut sock,
    dst: *mut dst_entry,
    saddr: in6_addr,
    daddr: in6_addr,
    sport: u16,
    dport: u16,
    hop_limit: u8,
    mark: u32,
    /// As that of [`Output4`].
    is_nested: bool,
}

impl<T: Operations> Output6<'_, T> {
    /// Sends a datagram, or a GSO packet of several, and counts it for the device.
    ///
    /// The packet may be fragmented. Its UDP checksum is a real one, its flow label zero. It must
    /// be new or prepared, as for [`Output4::send`].
    ///
    /// # Errors
    ///
    /// As [`Output4::send`].
    pub fn send(
        &mut self,
        datagrams: impl Into<Datagrams>,
        ds: u8,
    ) -> Result<(), (Datagrams, Error)> {
        let datagrams = ready(datagrams, IPV6_HEADERS, self.mark, &self.running)?;
        let skb = datagrams.skb.into_raw();
        // C counts the bytes behind the inner network header for the device.
        // SAFETY: The buffer is valid and ours alone.
        unsafe { bindings::skb_set_inner_network_header(skb, 0) };
        // `ip6_fragment()` refuses the packet otherwise. IPv4 fragments what lacks the DF bit.
        // SAFETY: As above.
        unsafe { bindings::skb_set_ignore_df(skb, true) };
        // SAFETY: Valid by the type invariants; the count is for C.
        unsafe { bindings::dst_hold(self.dst) };
        // C increments it.
        if self.is_nested {
            // SAFETY: Bottom halves are off, so the thread stays on its CPU.
            unsafe { bindings::dev_xmit_recursion_dec() };
        }
        // SAFETY: By the type invariants. The device is up for as long as this RCU section lasts;
        // the buffer has no destination yet and has room for the headers. C takes over the buffer
        // and the count of the route.
        unsafe {
            ipv6::udp_tunnel6_xmit_skb(
                self.dst,
                self.sk,
                skb,
                self.running.as_raw(),
                &raw const self.saddr,
                &raw const self.daddr,
                ds,
                self.hop_limit,
                0,
                self.sport.to_be(),
                self.dport.to_be(),
                false,
                0,
            )
        };
        if self.is_nested {
            // SAFETY: As above, after `dev_xmit_recursion_dec()`.
            unsafe { bindings::dev_xmit_recursion_inc() };
        }
        // C counts a GSO packet as one. (It does not count the bytes of one that this machine drops
        // as sent, but this does count its datagrams.)
        if let Some(segs) = datagrams.segs {
            self.running.tx_add(u32::from(segs).saturating_sub(1), 0);
        }
        Ok(())
    }
}
