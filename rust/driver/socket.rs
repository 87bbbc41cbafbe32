// SPDX-License-Identifier: GPL-2.0

//! The UDP sockets of an interface, the endpoints of peers, and sending to them.

use crate::{
    device::Device,
    peer::{
        Peer,
        Place, //
    },
    receive, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    fmt,
    prelude::*, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    debug,
    debug_ratelimited,
    info_ratelimited,
    net::{
        addr::{
            Ipv4Addr,
            Ipv6Addr,
            SocketAddr, //
        },
        device::{
            DeviceRef,
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
            List,
            UdpSource, //
        },
        udp::{
            self,
            Tunnel, //
        }, //
    },
    sync::rcu::{
        Owned,
        RcuArc, //
    },
    time, //
};
use wg_proto::{
    message::DataHeader,
    prefix::Address,
    Reject, //
};

/// DSCP AF41 of handshake messages; they carry no ECN.
pub(crate) const HANDSHAKE_DSCP: u8 = 0x88;

/// Jiffies for which it is known which GSO packets a route takes.
const GSO_HOLD: u64 = time::HZ;

/// How often a random port is tried that is free for IPv4 but not for IPv6.
const PORT_RETRIES: usize = 100;

/// Hands datagrams to the interface that opened the socket.
pub(crate) struct Receiver(DeviceRef<Device>);

impl udp::Receiver for Receiver {
    fn receive(&self, datagrams: List, lost: usize, bh: &Bh<'_>) {
        if lost > 0 {
            // CAST: From small to large.
            self.0.data().drops().add(Reject::NoMemory, lost as u64);
        }
        receive::datagrams(&self.0, datagrams, bh);
    }

    fn rewritten(&self) -> bool {
        let is_first = self.0.data().note_rewritten();
        if is_first {
            info_ratelimited!(
                "{}: A rule rewrites outgoing datagrams: they are sent one at a time from now on\n",
                self.0.name()
            );
        }
        is_first
    }

    // CAST: Sixteen.
    const HEADER_LEN: u32 = DataHeader::LEN as u32;

    fn may_gro(&self) -> bool {
        self.0.data().may_gro()
    }

    fn key(header: &[u8]) -> Option<u64> {
        receive::session_index(header).map(u64::from)
    }
}

/// The sockets of an interface; both use the same port.
pub(crate) struct Sockets {
    v4: Owned<Tunnel<Receiver>>,
    v6: Owned<Tunnel<Receiver>>,
}

impl Sockets {
    /// Creates the state without sockets.
    pub(crate) const fn new() -> Self {
        Self {
            v4: Owned::empty(),
            v6: Owned::empty(),
        }
    }

    /// Closes the sockets once nobody uses them any more.
    pub(crate) fn close(&self, ctx: &mut Process) {
        drop(self.v4.replace(None, ctx));
        drop(self.v6.replace(None, ctx));
    }
}

/// Opens sockets on `port` (0: any) in the namespace where the interface was created, and closes the old ones.
///
/// Returns the port. On failure the old sockets stay.
pub(crate) fn open(dev: &NetDevice<Device>, port: u16, ctx: &mut Process) -> Result<u16> {
    let device = dev.data();
    let net = device.creating_net().get().ok_or(ENONET)?;
    let receiver = RcuArc::new(udp::Shared::new(Receiver(dev.hold())), GFP_KERNEL)?;
    let mut retries = 0;
    let (v4, v6) = loop {
        let v4 = Tunnel::open4(&net, port, receiver.clone(), ctx).inspect_err(|_| {
            pr_err!("{}: Could not create IPv4 socket\n", dev.name());
        })?;
        if !udp::ipv6_enabled() {
            break (v4, None);
        }
        match Tunnel::open6(&net, v4.port(), receiver.clone(), ctx) {
            Ok(v6) => break (v4, Some(v6)),
            // The random port is taken for IPv6: try another.
            Err(e) if e == EADDRINUSE && port == 0 && retries < PORT_RETRIES => retries += 1,
            Err(e) => {
                pr_err!("{}: Could not create IPv6 socket\n", dev.name());
                return Err(e);
            }
        }
    };
    let port = v4.port();
    let sockets = device.sockets();
    let old4 = sockets.v4.replace(Some(v4), ctx);
    let old6 = sockets.v6.replace(v6, ctx);
    drop((old4, old6));
    Ok(port)
}

/// The local address that a remote party last sent to, used for answers as long as it is ours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Not known; routing decides.
    Any,
    /// An IPv4 address and the interface it was reached through.
    V4 {
        /// The address.
        addr: Ipv4Addr,
        /// The interface index.
        ifindex: u32,
    },
    /// An IPv6 address.
    V6(Ipv6Addr),
}

/// Where a peer is, and from where it is talked to.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    /// Remote address and port; none as long as it is not known.
    pub(crate) remote: Option<SocketAddr>,
    /// Local address.
    pub(crate) source: Source,
}

impl Endpoint {
    /// Returns whether both are the same place. The flow label is no part of that.
    fn is_same(&self, other: &Self) -> bool {
        fn place(remote: Option<SocketAddr>) -> Option<SocketAddr> {
            match remote {
                Some(SocketAddr::V6 {
                    addr, port, scope, ..
                }) => Some(SocketAddr::V6 {
                    addr,
                    port,
                    flowinfo: 0,
                    scope,
                }),
                other => other,
            }
        }
        place(self.remote) == place(other.remote) && self.source == other.source
    }

    /// Returns the endpoint that a datagram came from.
    pub(crate) fn of(source: &UdpSource) -> Self {
        match *source {
            UdpSource::V4 {
                src,
                sport,
                dst,
                iif,
            } => Self {
                remote: Some(SocketAddr::V4 {
                    addr: Ipv4Addr(src),
                    port: sport,
                }),
                source: Source::V4 {
                    addr: Ipv4Addr(dst),
                    // CAST: Interface indices are positive.
                    ifindex: iif as u32,
                },
            },
            UdpSource::V6 {
                src,
                sport,
                dst,
                scope,
            } => Self {
                remote: Some(SocketAddr::V6 {
                    addr: Ipv6Addr(src),
                    port: sport,
                    flowinfo: 0,
                    scope,
                }),
                source: Source::V6(Ipv6Addr(dst)),
            },
        }
    }
}

/// A cached way to an endpoint.
#[derive(Clone)]
enum Route {
    V4(Route4),
    V6(Route6),
}

impl Route {
    fn gso(&self, bh: &Bh<'_>) -> RouteGso {
        match self {
            Self::V4(route) => route.gso(bh),
            Self::V6(route) => route.gso(bh),
        }
    }

    fn is_valid(&self, bh: &Bh<'_>) -> bool {
        match self {
            Self::V4(route) => route.still_valid(bh),
            Self::V6(route) => route.still_valid(bh),
        }
    }
}

/// The endpoint of a peer and the route to it. Kept in one lock, so that they always belong together.
pub(crate) struct EndpointState {
    endpoint: Endpoint,
    route: Option<Route>,
    /// Which GSO packets had better leave by that route, and when that was looked up.
    gso: (RouteGso, u64),
    /// Counts changes, so that a route found without the lock is only cached if it still fits.
    version: u64,
    /// The interface and the number of the peer, for its last line in the log.
    owner: (DeviceRef<Device>, u64),
}

impl Drop for EndpointState {
    fn drop(&mut self) {
        debug!(
            "{}: Peer {} ({}) destroyed\n",
            self.owner.0.name(),
            self.owner.1,
            Place(self.endpoint.remote)
        );
    }
}

impl EndpointState {
    /// Creates the state of a peer that is nowhere yet.
    pub(crate) fn new(owner: (DeviceRef<Device>, u64)) -> Self {
        Self {
            endpoint: Endpoint {
                remote: None,
                source: Source::Any,
            },
            route: None,
            gso: (RouteGso::Cut, 0),
            version: 0,
            owner,
        }
    }

    fn changed(&mut self) -> Option<Route> {
        self.version = self.version.wrapping_add(1);
        self.route.take()
    }
}

impl Peer {
    /// Returns the remote address and port.
    pub(crate) fn remote(&self, bh: &Bh<'_>) -> Option<SocketAddr> {
        self.endpoint().lock(bh).endpoint.remote
    }

    /// Moves the peer to another endpoint.
    pub(crate) fn set_endpoint(&self, endpoint: &Endpoint, bh: &Bh<'_>) {
        let mut state = self.endpoint().lock(bh);
        if state.endpoint.is_same(endpoint) {
            return;
        }
        state.endpoint = *endpoint;
        self.note_endpoint(endpoint.remote.is_some());
        let old = state.changed();
        drop(state);
        drop(old);
    }

    /// Forgets the local address and the cached route.
    pub(crate) fn clear_source(&self, bh: &Bh<'_>) {
        let mut state = self.endpoint().lock(bh);
        state.endpoint.source = Source::Any;
        let old = state.changed();
        drop(state);
        drop(old);
    }
}

/// A way to a remote party that is ready for use.
pub(crate) struct Path<'g> {
    running: Running<'g, Device>,
    socket: &'g Tunnel<Receiver>,
    route: Route,
    remote: SocketAddr,
    mark: u32,
    gso: RouteGso,
}

impl<'g> Path<'g> {
    /// Finds the way to a peer.
    ///
    /// Uses the cached route if it is still valid. A local address that is not ours any more, or from which another
    /// interface would be used, is forgotten.
    pub(crate) fn to_peer(
        dev: &'g NetDevice<Device>,
        peer: &Peer,
        bh: &'g Bh<'_>,
    ) -> Result<Self, Reject> {
        let now = time::jiffies();
        let (mut endpoint, cached, version, gso) = {
            let state = peer.endpoint().lock(bh);
            let cached = state.route.clone();
            (state.endpoint, cached, state.version, state.gso)
        };
        // A queueing discipline may be replaced without the route becoming invalid.
        let is_recent = now.wrapping_sub(gso.1) < GSO_HOLD;
        let mut path = match cached.filter(|route| route.is_valid(bh)) {
            Some(route) => {
                let mut path = Self::with(dev, &endpoint, bh, |_, _| Ok(route))?;
                if is_recent {
                    path.gso = gso.0;
                    return Ok(path);
                }
                path
            }
            None => Self::find(dev, &mut endpoint, bh)?,
        };
        path.gso = path.route.gso(bh);
        let mut state = peer.endpoint().lock(bh);
        let mut old = None;
        if state.version == version {
            old = state.route.replace(path.route.clone());
            state.gso = (path.gso, now);
            peer.set_gso(path.gso);
            state.endpoint.source = endpoint.source;
        }
        drop(state);
        drop(old);
        Ok(path)
    }

    /// Finds the way to an endpoint without a cache.
    pub(crate) fn find(
        dev: &'g NetDevice<Device>,
        endpoint: &mut Endpoint,
        bh: &'g Bh<'_>,
    ) -> Result<Self, Reject> {
        let copy = *endpoint;
        let source = &mut endpoint.source;
        Self::with(dev, &copy, bh, |socket, mark| {
            match copy.remote.ok_or(Reject::TxNoEndpoint)? {
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
                    Place(copy.remote),
                    error.to_errno()
                );
                Reject::TxNoRoute
            })
        })
    }

    fn with(
        dev: &'g NetDevice<Device>,
        endpoint: &Endpoint,
        bh: &'g Bh<'_>,
        route: impl FnOnce(&Tunnel<Receiver>, u32) -> Result<Route, Reject>,
    ) -> Result<Self, Reject> {
        let remote = endpoint.remote.ok_or(Reject::TxNoEndpoint)?;
        let device = dev.data();
        let running = dev.running(bh).ok_or(Reject::TxNoSocket)?;
        let socket = match remote {
            SocketAddr::V4 { .. } => &device.sockets().v4,
            SocketAddr::V6 { .. } => &device.sockets().v6,
        }
        .load(bh)
        .ok_or(Reject::TxNoSocket)?;
        let mark = device.fwmark();
        Ok(Self {
            running,
            socket,
            route: route(socket, mark)?,
            remote,
            mark,
            gso: RouteGso::Cut,
        })
    }

    /// Returns whether GSO packets may go this way.
    pub(crate) fn takes_gso(&self) -> bool {
        self.gso != RouteGso::None
    }

    /// Sends one datagram or a GSO packet of them. An error means that it was not even handed to the stack.
    pub(crate) fn send(
        &self,
        skb: impl Into<Datagrams>,
        ds: u8,
        bh: &Bh<'_>,
    ) -> Result<(), Reject> {
        let sent = match (&self.route, self.remote) {
            (Route::V4(route), SocketAddr::V4 { addr, port }) => {
                self.socket
                    .send4(&self.running, skb, route, addr, port, ds, self.mark, bh)
            }
            (Route::V6(route), SocketAddr::V6 { addr, port, .. }) => {
                self.socket
                    .send6(&self.running, skb, route, addr, port, ds, self.mark, bh)
            }
            // A route is always found for the family of the remote address.
            _ => Err(EAFNOSUPPORT),
        };
        sent.map_err(|_| Reject::TxNoSocket)
    }
}

fn route4(
    socket: &Tunnel<Receiver>,
    daddr: Ipv4Addr,
    dport: u16,
    mark: u32,
    source: &mut Source,
    bh: &Bh<'_>,
) -> Result<Route4> {
    let mut flow = Flow4 {
        saddr: Ipv4Addr::UNSPECIFIED,
        daddr,
        dport,
        mark,
        oif: 0,
    };
    let Source::V4 { addr, ifindex } = *source else {
        return socket.route4(&flow, bh);
    };
    if socket.is_local4(addr, bh) {
        flow.saddr = addr;
        match socket.route4(&flow, bh) {
            Ok(route) if ifindex == 0 || route.ifindex(bh) == ifindex => return Ok(route),
            // As in C, where the first look-up leaves its answer in the question.
            Ok(route) => flow.oif = route.ifindex(bh),
            Err(e) if e == EINVAL && ifindex != 0 => {}
            Err(e) => return Err(e),
        }
    }
    *source = Source::Any;
    flow.saddr = Ipv4Addr::UNSPECIFIED;
    socket.route4(&flow, bh)
}

fn route6(
    socket: &Tunnel<Receiver>,
    daddr: Ipv6Addr,
    dport: u16,
    oif: u32,
    mark: u32,
    source: &mut Source,
    bh: &Bh<'_>,
) -> Result<Route6> {
    let mut flow = Flow6 {
        saddr: Ipv6Addr::UNSPECIFIED,
        daddr,
        dport,
        mark,
        oif,
    };
    if let Source::V6(addr) = *source {
        if socket.is_local6(addr, bh) {
            flow.saddr = addr;
        } else {
            *source = Source::Any;
        }
    }
    socket.route6(&flow, bh)
}

/// An address for the log.
pub(crate) struct Shown(pub(crate) Address);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::V4(bytes) => core::fmt::Display::fmt(&Ipv4Addr(bytes), f),
            Address::V6(bytes) => core::fmt::Display::fmt(&Ipv6Addr(bytes), f),
        }
    }
}
