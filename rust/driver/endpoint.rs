// SPDX-License-Identifier: GPL-2.0

//! The endpoint of a peer: remote address and port, and the local address that it uses.

use kernel::fmt;
use kext::net::{
    addr::{
        Ipv4Addr,
        Ipv6Addr,
        SocketAddr, //
    },
    skb::UdpSource, //
};
use wg_proto::prefix::Address;

/// The local address that a remote party last sent to. Answers use it while it is ours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndpointSrc {
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

/// The endpoint of a peer: remote address and port, and the local address that it uses.
#[derive(Clone, Copy)]
pub(crate) struct Endpoint {
    /// Remote address and port, if known.
    pub(crate) remote: Option<SocketAddr>,
    /// Local address.
    pub(crate) src: EndpointSrc,
}

impl Endpoint {
    /// Returns whether both are the same endpoint, flow labels aside.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.is_same_remote(other) && self.src == other.src
    }

    /// Returns whether the remote address and port are the same.
    pub(crate) fn is_same_remote(&self, other: &Self) -> bool {
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
        place(self.remote) == place(other.remote)
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
                src: EndpointSrc::V4 {
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
                src: EndpointSrc::V6(Ipv6Addr(dst)),
            },
        }
    }
}

/// A remote address as the log shows it.
pub(crate) struct DisplayRemote(pub(crate) Option<SocketAddr>);

impl fmt::Display for DisplayRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(addr) => core::fmt::Display::fmt(addr, f),
            None => f.write_str("(einval)"),
        }
    }
}

/// An IP address as the log shows it.
pub(crate) struct DisplayIp(pub(crate) Address);

impl fmt::Display for DisplayIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::V4(bytes) => core::fmt::Display::fmt(&Ipv4Addr(bytes), f),
            Address::V6(bytes) => core::fmt::Display::fmt(&Ipv6Addr(bytes), f),
        }
    }
}
