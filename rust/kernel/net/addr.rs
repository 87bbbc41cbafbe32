// SPDX-License-Identifier: GPL-2.0

//! Internet addresses.
//!
//! Values in network byte order, which code can read from and write into packets and messages as
//! they are, and the socket addresses that C passes around as bytes.
//!
//! C headers: [`include/uapi/linux/in.h`](srctree/include/uapi/linux/in.h),
//! [`include/uapi/linux/in6.h`](srctree/include/uapi/linux/in6.h)

use crate::bindings;
use core::fmt::{
    self,
    Display,
    Formatter, //
};
use zerocopy::transmute;
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout,
    Unaligned, //
};

/// An IPv4 address.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(transparent)]
pub struct Ipv4Addr(pub [u8; 4]);

impl Ipv4Addr {
    /// `0.0.0.0`.
    pub const UNSPECIFIED: Self = Self([0; 4]);

    /// Returns the bytes in the order of the wire.
    #[inline]
    pub const fn octets(self) -> [u8; 4] {
        self.0
    }

    /// Returns whether this is `0.0.0.0`.
    #[inline]
    pub const fn is_unspecified(self) -> bool {
        u32::from_ne_bytes(self.0) == 0
    }

    /// Returns the address as C's `__be32`.
    #[inline]
    pub(crate) const fn to_be32(self) -> u32 {
        u32::from_ne_bytes(self.0)
    }

    /// Takes an address from C's `__be32`.
    #[inline]
    pub(crate) const fn from_be32(be: u32) -> Self {
        Self(be.to_ne_bytes())
    }
}

impl Display for Ipv4Addr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0;
        write!(f, "{a}.{b}.{c}.{d}")
    }
}

/// An IPv6 address.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(transparent)]
pub struct Ipv6Addr(pub [u8; 16]);

impl Ipv6Addr {
    /// `::`.
    pub const UNSPECIFIED: Self = Self([0; 16]);

    /// Returns the bytes in the order of the wire.
    #[inline]
    pub const fn octets(self) -> [u8; 16] {
        self.0
    }

    /// Returns whether this is `::`.
    #[inline]
    pub const fn is_unspecified(self) -> bool {
        u128::from_ne_bytes(self.0) == 0
    }

    /// Returns the address as C's `struct in6_addr`.
    #[inline]
    pub(crate) const fn to_in6(self) -> bindings::in6_addr {
        bindings::in6_addr {
            in6_u: bindings::in6_addr__bindgen_ty_1 { u6_addr8: self.0 },
        }
    }

    /// Takes an address from C's `struct in6_addr`.
    #[inline]
    pub(crate) fn from_in6(c: &bindings::in6_addr) -> Self {
        // SAFETY: All members of the union are plain integers that cover all of it.
        Self(unsafe { c.in6_u.u6_addr8 })
    }
}

impl Display for Ipv6Addr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // Compresses zeros and writes mapped addresses in dotted form, as `%pI6c` does.
        Display::fmt(&core::net::Ipv6Addr::from(self.0), f)
    }
}

/// The address and port of a socket.
///
/// Displayed as the kernel's `%pISpfsc`: `192.0.2.1:51820`, `[2001:db8::1]:51820/0%0`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SocketAddr {
    /// IPv4.
    V4 {
        /// Address.
        addr: Ipv4Addr,
        /// Port.
        port: u16,
    },
    /// IPv6.
    V6 {
        /// Address.
        addr: Ipv6Addr,
        /// Port.
        port: u16,
        /// Traffic class and flow label, in host byte order.
        flowinfo: u32,
        /// Index of the interface that a link-local address belongs to.
        scope: u32,
    },
}

/// `sizeof(struct sockaddr_in)`.
const SOCKADDR_IN: usize = size_of::<bindings::sockaddr_in>();
/// `sizeof(struct sockaddr_in6)`.
const SOCKADDR_IN6: usize = size_of::<bindings::sockaddr_in6>();
/// `AF_INET` as it stands in memory.
const FAMILY_INET: [u8; 2] = (bindings::AF_INET as u16).to_ne_bytes();
/// `AF_INET6` as it stands in memory.
const FAMILY_INET6: [u8; 2] = (bindings::AF_INET6 as u16).to_ne_bytes();

impl SocketAddr {
    /// The size in bytes of the larger one of the two structures.
    pub const MAX_LEN: usize = SOCKADDR_IN6;

    /// Reads a `struct sockaddr_in` or `struct sockaddr_in6`.
    ///
    /// Returns `None` unless the length is exactly that of the family.
    pub fn from_sockaddr(bytes: &[u8]) -> Option<Self> {
        if let Ok(b) = <&[u8; SOCKADDR_IN]>::try_from(bytes) {
            let [f0, f1, p0, p1, a0, a1, a2, a3, ..] = *b;
            return ([f0, f1] == FAMILY_INET).then_some(Self::V4 {
                addr: Ipv4Addr([a0, a1, a2, a3]),
                port: u16::from_be_bytes([p0, p1]),
            });
        }
        let b = <&[u8; SOCKADDR_IN6]>::try_from(bytes).ok()?;
        let (head, rest) = b.split_first_chunk::<8>()?;
        let (addr, rest) = rest.split_first_chunk::<16>()?;
        let (scope, _) = rest.split_first_chunk::<4>()?;
        let [f0, f1, p0, p1, i0, i1, i2, i3] = *head;
        ([f0, f1] == FAMILY_INET6).then_some(Self::V6 {
            addr: Ipv6Addr(*addr),
            port: u16::from_be_bytes([p0, p1]),
            flowinfo: u32::from_be_bytes([i0, i1, i2, i3]),
            scope: u32::from_ne_bytes(*scope),
        })
    }

    /// Returns the address as a `struct sockaddr_in` or `struct sockaddr_in6`, padding zeroed.
    #[inline]
    pub fn to_sockaddr(&self) -> SockaddrBytes {
        match *self {
            Self::V4 { addr, port } => SockaddrBytes::V4(transmute!(SockaddrIn {
                family: FAMILY_INET,
                port: port.to_be_bytes(),
                addr,
                zero: [0; 8],
            })),
            Self::V6 {
                addr,
                port,
                flowinfo,
                scope,
            } => SockaddrBytes::V6(transmute!(SockaddrIn6 {
                family: FAMILY_INET6,
                port: port.to_be_bytes(),
                flowinfo: flowinfo.to_be_bytes(),
                addr,
                scope: scope.to_ne_bytes(),
            })),
        }
    }

    /// Returns the port.
    #[inline]
    pub const fn port(&self) -> u16 {
        match *self {
            Self::V4 { port, .. } | Self::V6 { port, .. } => port,
        }
    }
}

impl Display for SocketAddr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4 { addr, port } => write!(f, "{addr}:{port}"),
            Self::V6 {
                addr,
                port,
                flowinfo,
                scope,
            } => {
                let flowinfo = flowinfo & 0x0fff_ffff;
                write!(f, "[{addr}]:{port}/{flowinfo}%{scope}")
            }
        }
    }
}

// The kernel's formatting macros require the trait of the `kernel` crate.
impl kernel::fmt::Display for Ipv4Addr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl kernel::fmt::Display for Ipv6Addr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl kernel::fmt::Display for SocketAddr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// `struct sockaddr_in`, without its alignment.
#[derive(IntoBytes)]
#[repr(C)]
struct SockaddrIn {
    family: [u8; 2],
    port: [u8; 2],
    addr: Ipv4Addr,
    zero: [u8; 8],
}

/// `struct sockaddr_in6`, without its alignment.
#[derive(IntoBytes)]
#[repr(C)]
struct SockaddrIn6 {
    family: [u8; 2],
    port: [u8; 2],
    flowinfo: [u8; 4],
    addr: Ipv6Addr,
    scope: [u8; 4],
}

/// A `struct sockaddr_in` or `struct sockaddr_in6` as bytes.
pub enum SockaddrBytes {
    /// A `struct sockaddr_in`.
    V4([u8; SOCKADDR_IN]),
    /// A `struct sockaddr_in6`.
    V6([u8; SOCKADDR_IN6]),
}

impl SockaddrBytes {
    /// Returns the bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

#[kernel::macros::kunit_tests(kext_addr)]
mod tests {
    use super::*;

    #[test]
    fn v4_goes_through_its_sockaddr() {
        let addr = SocketAddr::V4 {
            addr: Ipv4Addr([192, 0, 2, 1]),
            port: 51820,
        };
        let raw = addr.to_sockaddr();
        assert!(raw.as_bytes() == [2, 0, 0xca, 0x6c, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert!(SocketAddr::from_sockaddr(raw.as_bytes()) == Some(addr));
    }

    #[test]
    fn v6_goes_through_its_sockaddr() {
        let addr = SocketAddr::V6 {
            addr: Ipv6Addr([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            port: 1,
            flowinfo: 0x1234_5678,
            scope: 7,
        };
        let raw = addr.to_sockaddr();
        assert!(raw.as_bytes().len() == 28);
        assert!(SocketAddr::from_sockaddr(raw.as_bytes()) == Some(addr));
    }

    #[test]
    fn other_families_and_lengths_are_refused() {
        assert!(SocketAddr::from_sockaddr(&[]).is_none());
        assert!(SocketAddr::from_sockaddr(&[2; 15]).is_none());
        assert!(SocketAddr::from_sockaddr(&[10; 16]).is_none());
        assert!(SocketAddr::from_sockaddr(&[2; 28]).is_none());
    }
}
