// SPDX-License-Identifier: GPL-2.0

//! The path to a peer: socket, route and remote address, ready for sending.

use crate::{
    device::Device,
    diag::Label,
    drops::drop_for,
    endpoint::{
        DisplayRemote,
        Endpoint,
        EndpointSrc, //
    },
    jiffies::JiffyStamp,
    peer::{
        Peer,
        Route, //
    },
    socket::Receiver, //
};
use kernel::prelude::*;
use kext::{
    context::Bh,
    debug_ratelimited,
    net::{
        addr::{
            Ipv4Addr,
            Ipv6Addr,
            SocketAddr, //
        },
        device::{
            NetDevice,
            Running, //
        },
        route::{
            Flow4,
            Flow6,
            Route4,
            Route6,
            RouteGso, //
        },
        skb::{
            Datagrams,
            SkBuff, //
        },
        udp::{
            Output4,
            Output6,
            Tunnel, //
        }, //
    },
    time, //
};
use wg_proto::DropReason;

/// DSCP AF41 of handshake messages, which carry no ECN.
pub(crate) const HANDSHAKE_DSCP: u8 = 0x88;

/// How long, in jiffies, an answer of `Route::gso()` is reused.
const GSO_HOLD: u64 = time::HZ;

/// A path to a remote party, ready for use.
pub(crate) struct Path<'g> {
    running: Running<'g, Device>,
    socket: &'g Tunnel<Receiver>,
    route: Route,
    remote: SocketAddr,
    mark: u32,
    /// `skb->priority` of the datagrams; 0 leaves it unchanged.
    priority: u32,
    gso: RouteGso,
}

impl<'g> Path<'g> {
    /// Finds the path to a peer.
    ///
    /// Uses the cached route if it is still valid. Forgets a local address that is not ours any
    /// more, or whose packets would leave by another interface.
    pub(crate) fn to_peer(
        dev: &'g NetDevice<Device>,
        peer: &Peer,
        bh: &'g Bh<'_>,
    ) -> Result<Self, DropReason> {
        let (mut endpoint, cached, change, gso) = {
            let state = peer.endpoint().lock(bh);
            let cached = state.route.clone();
            // A queueing discipline may be replaced without the route becoming invalid.
            let gso = Some(state.gso).filter(|_| state.gso_at.age() < GSO_HOLD);
            (state.endpoint, cached, peer.endpoint_change_number(), gso)
        };
        let label = peer.diag().outer(bh);
        let mut path = match cached.filter(|route| route.is_valid(bh)) {
            Some(route) => {
                let mut path = Self::with(dev, &endpoint, label, bh, |_, _| Ok(route))?;
                if let Some(gso) = gso {
                    path.gso = gso;
                    return Ok(path);
                }
                path
            }
            None => Self::find(dev, &mut endpoint, label, bh)?,
        };
        path.gso = path.route.gso(bh);
        let mut state = peer.endpoint().lock(bh);
        let mut old = None;
        // Another endpoint needs another route.
        if peer.endpoint_change_number() == change {
            if state.endpoint.src != endpoint.src {
                state.endpoint.src = endpoint.src;
                peer.note_endpoint_change(true);
            }
            old = state.route.replace(path.route.clone());
            state.gso = path.gso;
            state.gso_at = JiffyStamp::now();
            peer.set_gso(path.gso, path.route.gso_max(bh));
        }
        drop(state);
        drop(old);
        Ok(path)
    }

    /// Finds the path to an endpoint, without a cache; `label` is what its datagrams are given,
    /// instead of the interface's mark.
    pub(crate) fn find(
        dev: &'g NetDevice<Device>,
        endpoint: &mut Endpoint,
        label: Option<Label>,
        bh: &'g Bh<'_>,
    ) -> Result<Self, DropReason> {
        let copy = *endpoint;
        let source = &mut endpoint.src;
        Self::with(dev, &copy, label, bh, |socket, mark| {
            match copy.remote.ok_or(DropReason::TxNoEndpoint)? {
                SocketAddr::V4 { addr, port } => {
                    route4(socket, addr, port, mark, source, bh).map(Route::V4)
                }
                SocketAddr::V6 {
                    addr, port, scope, ..
                } => route6(socket, addr, port, scope, mark, source, bh).map(Route::V6),
            }
            .map_err(|error| {
                debug_ratelimited!(
                    "{}: No route to {}, error {}\n",
                    dev.name(),
                    DisplayRemote(copy.remote),
                    error.to_errno()
                );
                DropReason::TxNoRoute
            })
        })
    }

    fn with(
        dev: &'g NetDevice<Device>,
        endpoint: &Endpoint,
        label: Option<Label>,
        bh: &'g Bh<'_>,
        route: impl FnOnce(&Tunnel<Receiver>, u32) -> Result<Route, DropReason>,
    ) -> Result<Self, DropReason> {
        let remote = endpoint.remote.ok_or(DropReason::TxNoEndpoint)?;
        let device = dev.data();
        let running = dev.running(bh).ok_or(DropReason::TxNoSocket)?;
        let socket = match remote {
            SocketAddr::V4 { .. } => &device.sockets().v4,
            SocketAddr::V6 { .. } => &device.sockets().v6,
        }
        .load(bh)
        .ok_or(DropReason::TxNoSocket)?;
        let Label { mark, priority } = label.unwrap_or(Label::NONE);
        let mark = match mark {
            0 => device.fwmark(),
            mark => mark,
        };
        Ok(Self {
            running,
            socket,
            route: route(socket, mark)?,
            remote,
            mark,
            priority,
            gso: RouteGso::TcpOnly,
        })
    }

    /// Returns whether the path takes GSO packets.
    pub(crate) fn takes_gso(&self) -> bool {
        self.gso != RouteGso::None
    }

    /// Prepares the path for sending, probably as many datagrams as `expected`.
    pub(crate) fn output<'p>(
        &'p self,
        expected: usize,
        bh: &'p Bh<'_>,
    ) -> Result<Output<'p>, DropReason> {
        let (socket, running, mark) = (self.socket, self.running, self.mark);
        let output = match (&self.route, self.remote) {
            (Route::V4(route), SocketAddr::V4 { addr, port }) => socket
                .output4(running, route, addr, port, mark, expected, bh)
                .map(AnyOutput::V4),
            (Route::V6(route), SocketAddr::V6 { addr, port, .. }) => socket
                .output6(running, route, addr, port, mark, bh)
                .map(AnyOutput::V6),
            // The route is always of the family of the remote address.
            _ => Err(EINVAL),
        };
        Ok(Output {
            output: output.map_err(|_| DropReason::TxNoSocket)?,
            priority: self.priority,
        })
    }

    /// Sends one datagram. On error it was not handed to the stack, but dropped.
    pub(crate) fn send(&self, skb: SkBuff, ds: u8, bh: &Bh<'_>) -> Result<(), DropReason> {
        match self.output(1, bh) {
            Ok(mut output) => output.send(skb, ds),
            Err(reason) => Err(drop_for(skb, reason)),
        }
    }
}

/// Sends datagrams along a [`Path`]; made by [`Path::output`].
pub(crate) struct Output<'g> {
    output: AnyOutput<'g>,
    priority: u32,
}

enum AnyOutput<'g> {
    V4(Output4<'g, Device>),
    V6(Output6<'g, Device>),
}

impl Output<'_> {
    /// Sends one datagram, or a GSO packet of several. On error it was not handed to the stack, but
    /// dropped.
    pub(crate) fn send(&mut self, skb: impl Into<Datagrams>, ds: u8) -> Result<(), DropReason> {
        let mut skb = skb.into();
        if self.priority != 0 {
            skb.set_priority(self.priority);
        }
        let sent = match &mut self.output {
            AnyOutput::V4(output) => output.send(skb, ds),
            AnyOutput::V6(output) => output.send(skb, ds),
        };
        sent.map_err(|(skb, error)| {
            let reason = if error == ENOMEM {
                DropReason::NoMemory
            } else {
                DropReason::TxNoSocket
            };
            drop_for(skb, reason)
        })
    }
}

fn route4(
    socket: &Tunnel<Receiver>,
    daddr: Ipv4Addr,
    dport: u16,
    mark: u32,
    source: &mut EndpointSrc,
    bh: &Bh<'_>,
) -> Result<Route4> {
    let mut flow = Flow4 {
        saddr: Ipv4Addr::UNSPECIFIED,
        daddr,
        dport,
        mark,
        oif: 0,
    };
    let EndpointSrc::V4 { addr, ifindex } = *source else {
        return socket.route4(&flow, bh);
    };
    if socket.is_local4(addr, bh) {
        flow.saddr = addr;
        match socket.route4(&flow, bh) {
            Ok(route) if ifindex == 0 || route.ifindex(bh) == ifindex => return Ok(route),
            // As in C, where the first look-up writes its result into the flow.
            Ok(route) => flow.oif = route.ifindex(bh),
            Err(e) if e == EINVAL && ifindex != 0 => {}
            Err(e) => return Err(e),
        }
    }
    *source = EndpointSrc::Any;
    flow.saddr = Ipv4Addr::UNSPECIFIED;
    socket.route4(&flow, bh)
}

fn route6(
    socket: &Tunnel<Receiver>,
    daddr: Ipv6Addr,
    dport: u16,
    oif: u32,
    mark: u32,
    source: &mut EndpointSrc,
    bh: &Bh<'_>,
) -> Result<Route6> {
    let mut flow = Flow6 {
        saddr: Ipv6Addr::UNSPECIFIED,
        daddr,
        dport,
        mark,
        oif,
    };
    if let EndpointSrc::V6(addr) = *source {
        if socket.is_local6(addr, bh) {
            flow.saddr = addr;
        } else {
            *source = EndpointSrc::Any;
        }
    }
    socket.route6(&flow, bh)
}
