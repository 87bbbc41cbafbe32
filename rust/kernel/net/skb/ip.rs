// SPDX-License-Identifier: GPL-2.0

//! Reading and writing the IP and UDP headers of a packet.

use super::{
    raw,
    tcp,
    SkBuff, //
};
use crate::bindings::{
    ETH_P_IP,
    ETH_P_IPV6, //
};
use kernel::{
    prelude::*, //
};

/// A version of IP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// Returns the EtherType of the version, in network byte order.
    #[inline]
    pub(super) fn protocol(self) -> u16 {
        // CAST: The constants have 16 bits.
        match self {
            IpVersion::V4 => (ETH_P_IP as u16).to_be(),
            IpVersion::V6 => (ETH_P_IPV6 as u16).to_be(),
        }
    }

    /// Returns the version that an EtherType in network byte order stands for.
    #[inline]
    fn of_protocol(protocol: u16) -> Option<Self> {
        [IpVersion::V4, IpVersion::V6]
            .into_iter()
            .find(|v| v.protocol() == protocol)
    }

    /// Returns the version that the first byte of an IP header contains.
    #[inline]
    fn of_byte(byte: u8) -> Option<Self> {
        match byte >> 4 {
            4 => Some(IpVersion::V4),
            6 => Some(IpVersion::V6),
            _ => None,
        }
    }

    /// Returns the length of the header without options, in bytes.
    #[inline]
    pub const fn header_len(self) -> usize {
        match self {
            IpVersion::V4 => 20,
            IpVersion::V6 => 40,
        }
    }
}

/// The source and destination addresses of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum IpAddrs {
    /// Those of an IPv4 packet.
    V4 {
        /// The source.
        src: [u8; 4],
        /// The destination.
        dst: [u8; 4],
    },
    /// Those of an IPv6 packet.
    V6 {
        /// The source.
        src: [u8; 16],
        /// The destination.
        dst: [u8; 16],
    },
}

/// What the IP header of a packet says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IpHeader {
    /// The version of IP.
    pub version: IpVersion,
    /// The length of the packet in bytes, with this header.
    pub len: usize,
    /// Source and destination.
    pub addresses: IpAddrs,
    /// The protocol behind the header, and where its header begins. [`None`] for a fragment other
    /// than the first.
    transport: Option<(u8, u16)>,
}

/// The source of a received UDP datagram, and where it arrived. The port is in host byte order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum UdpSource {
    /// Over IPv4.
    V4 {
        /// The address of the sender.
        src: [u8; 4],
        /// The port of the sender.
        sport: u16,
        /// The local address.
        dst: [u8; 4],
        /// The index of the device that the datagram arrived on.
        iif: i32,
    },
    /// Over IPv6.
    V6 {
        /// The address of the sender.
        src: [u8; 16],
        /// The port of the sender.
        sport: u16,
        /// The local address.
        dst: [u8; 16],
        /// The scope of the sender's address: the index of a device, or 0.
        scope: u32,
    },
}

/// The header fields that datagrams of one flow have in common, as they are on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    /// The first two bytes of the IP header, which contain the traffic class.
    class: [u8; 2],
    addresses: IpAddrs,
    ports: [u8; 4],
}

/// Returns the `N` bytes from `at` on.
#[inline]
fn part<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Returns whether an IPv6 address is link-local, unicast or multicast, so that it needs a scope.
fn needs_scope(address: &[u8; 16]) -> bool {
    match address {
        [0xfe, b, ..] => b & 0xc0 == 0x80,
        [0xff, b, ..] => matches!(b & 0x0f, 1 | 2),
        _ => false,
    }
}

impl SkBuff {
    #[inline]
    fn network_header(&self) -> u16 {
        raw::headers(self.c()).network_header
    }

    #[inline]
    pub(super) fn transport_header(&self) -> u16 {
        raw::headers(self.c()).transport_header
    }

    #[inline]
    fn protocol(&self) -> u16 {
        raw::headers(self.c()).protocol
    }

    #[inline]
    fn set_protocol(&mut self, version: IpVersion) {
        raw::headers_mut(self.c_mut()).protocol = version.protocol();
    }

    #[inline]
    fn ip4(&self) -> Option<&[u8; 20]> {
        self.header(self.network_header())
    }

    #[inline]
    fn ip6(&self) -> Option<&[u8; 40]> {
        self.header(self.network_header())
    }

    /// Returns the version in the network header. [`None`] if that is incomplete or not of IP.
    #[inline]
    fn ip_version(&self) -> Option<IpVersion> {
        let version = IpVersion::of_byte(*self.ip4()?.first()?)?;
        (version == IpVersion::V4 || self.ip6().is_some()).then_some(version)
    }

    /// Returns the version of IP, if `skb->protocol` and a complete header agree on it.
    #[inline]
    pub fn ip_version_checked(&self) -> Option<IpVersion> {
        self.ip_version()
            .filter(|v| v.protocol() == self.protocol())
    }

    /// Returns the header in front of the data, pulls it into the linear part and sets
    /// `skb->protocol`. [`None`] if it is incomplete or not of IP.
    ///
    /// The packet must have been prepared by [`SkBuff::reset_for_decap`].
    #[inline]
    pub fn read_ip_header(&mut self) -> Option<IpHeader> {
        let offset = usize::from(self.network_header()).checked_sub(self.headroom())?;
        let first = *self.pull_head(offset.checked_add(20)?)?.get(offset)?;
        let version = IpVersion::of_byte(first)?;
        if !self.may_pull(offset.checked_add(version.header_len())?) {
            return None;
        }
        self.set_protocol(version);
        self.ip_header_of(version)
    }

    /// Returns the network header. [`None`] if it is not in the linear part or not of IP.
    #[inline]
    fn ip_header(&self) -> Option<IpHeader> {
        let version = IpVersion::of_byte(*self.ip4()?.first()?)?;
        self.ip_header_of(version)
    }

    #[inline(always)]
    fn ip_header_of(&self, version: IpVersion) -> Option<IpHeader> {
        Some(match version {
            IpVersion::V4 => {
                let ip = self.ip4()?;
                let is_first = ip[6] & 0x1f == 0 && ip[7] == 0;
                IpHeader {
                    version,
                    len: usize::from(u16::from_be_bytes(part(ip, 2)?)),
                    addresses: IpAddrs::V4 {
                        src: part(ip, 12)?,
                        dst: part(ip, 16)?,
                    },
                    transport: is_first.then_some((ip[9], u16::from(ip[0] & 15).wrapping_mul(4))),
                }
            }
            IpVersion::V6 => {
                let ip = self.ip6()?;
                let payload = usize::from(u16::from_be_bytes(part(ip, 4)?));
                IpHeader {
                    version,
                    len: payload.checked_add(40)?,
                    addresses: IpAddrs::V6 {
                        src: part(ip, 8)?,
                        dst: part(ip, 24)?,
                    },
                    transport: Some((ip[6], 40)),
                }
            }
        })
    }

    /// Returns the addresses in the network header. [`None`] if that is incomplete or not of IP.
    #[inline]
    pub fn inner_addresses(&self) -> Option<IpAddrs> {
        self.ip_header().map(|header| header.addresses)
    }

    /// As [`Self::is_bare_ack_of`], for the packet's network header. `false` if the headers are not
    /// in the linear part.
    #[inline]
    pub fn is_bare_ack(&self) -> bool {
        let header = self.ip_header();
        header.is_some_and(|header| self.is_bare_ack_of(&header))
    }

    /// Returns whether this is a TCP segment that only acknowledges: one without payload, SYN, FIN
    /// or RST. `header` is its network header. `false` if that of TCP is not in the linear part.
    #[inline]
    pub fn is_bare_ack_of(&self, header: &IpHeader) -> bool {
        let Some((tcp::NUMBER, ip_len)) = header.transport else {
            return false;
        };
        let is_bare = || {
            let start = self.network_header().checked_add(ip_len)?;
            let tcp_len = tcp::bare_len(self.header(start)?)?;
            Some(!self.is_gso() && header.len == usize::from(ip_len).checked_add(tcp_len)?)
        };
        is_bare().unwrap_or(false)
    }

    /// Returns the field of the network header that holds DSCP and ECN, or 0 if the packet is not
    /// IP.
    #[inline]
    pub fn dsfield(&self) -> u8 {
        let field = || match IpVersion::of_protocol(self.protocol())? {
            IpVersion::V4 => self.ip4()?.get(1).copied(),
            IpVersion::V6 => {
                let [high, low] = part(self.ip6()?, 0)?;
                Some((high << 4) | (low >> 4))
            }
        };
        field().unwrap_or(0)
    }

    /// Removes the headers in front of a UDP datagram's payload, and what follows the datagram. The
    /// headers stay in the headroom, for [`SkBuff::udp_source`].
    ///
    /// Fails with `EINVAL` if the headers do not describe the packet, or if it is a GSO packet, and
    /// with `ENOMEM`.
    #[inline]
    pub fn strip_udp(&mut self) -> Result {
        if self.is_gso() {
            return Err(EINVAL);
        }
        self.ip_version_checked().ok_or(EINVAL)?;
        let transport = self.transport_header();
        let udp: &[u8; 8] = self.header(transport).ok_or(EINVAL)?;
        let udp_len = usize::from(u16::from_be_bytes(part(udp, 4).ok_or(EINVAL)?));
        let start = usize::from(transport)
            .checked_sub(self.headroom())
            .ok_or(EINVAL)?;
        let available = self.len().checked_sub(start).ok_or(EINVAL)?;
        if udp_len < 8 || udp_len > available {
            return Err(EINVAL);
        }
        let payload = start.checked_add(8).ok_or(EINVAL)?;
        let end = start.checked_add(udp_len).ok_or(EINVAL)?;
        self.trim(end)?;
        self.pull(payload).ok_or(EINVAL)
    }

    /// Returns the flow of a UDP datagram whose headers are in the linear part. [`None`] if they
    /// are not.
    pub(super) fn flow(&self) -> Option<Flow> {
        Some(Flow {
            class: *self.header(self.network_header())?,
            addresses: self.inner_addresses()?,
            ports: *self.header(self.transport_header())?,
        })
    }

    /// Writes the header fields of `flow` to this UDP datagram, which must be over the same version
    /// of IP. Checksums stay as they are.
    pub(super) fn set_flow(&mut self, flow: &Flow) -> Result {
        let network = usize::from(self.network_header());
        let transport = usize::from(self.transport_header());
        self.make_private()?;
        match (flow.addresses, self.ip_version().ok_or(EINVAL)?) {
            (IpAddrs::V4 { src, dst }, IpVersion::V4) => {
                self.write(network.saturating_add(12), src)?;
                self.write(network.saturating_add(16), dst)?;
            }
            (IpAddrs::V6 { src, dst }, IpVersion::V6) => {
                self.write(network.saturating_add(8), src)?;
                self.write(network.saturating_add(24), dst)?;
            }
            _ => return Err(EINVAL),
        }
        self.write(network, flow.class)?;
        self.write(transport, flow.ports)
    }

    /// Writes bytes at offset `at` of the buffer. Fails with `EINVAL` if they do not end before its
    /// tail, or if a clone shares the data.
    fn write<const N: usize>(&mut self, at: usize, bytes: [u8; N]) -> Result {
        if at.checked_add(N).ok_or(EINVAL)? > raw::tail(self.c()) || raw::is_cloned(self.c()) {
            return Err(EINVAL);
        }
        let to = self.c_mut().head.wrapping_add(at).cast::<[u8; N]>();
        // SAFETY: The bytes lie before the tail, so they are part of the buffer. No clone shares
        // them.
        unsafe { to.write(bytes) };
        Ok(())
    }

    /// Sets the length field of the UDP header at offset `start` of the buffer to the length of the
    /// packet.
    pub(super) fn set_udp_len(&mut self, start: usize) {
        // CAST: Limited just now.
        let len = self.len().min(usize::from(u16::MAX)) as u16;
        let _ = self.write(start.saturating_add(4), len.to_be_bytes());
    }

    /// Returns the source of a datagram from which [`SkBuff::strip_udp`] has removed the headers.
    pub fn udp_source(&self) -> Option<UdpSource> {
        let version = self.ip_version_checked()?;
        let udp: &[u8; 8] = self.header(self.transport_header())?;
        let sport = u16::from_be_bytes(part(udp, 0)?);
        let iif = raw::headers(self.c()).skb_iif;
        Some(match (version, self.inner_addresses()?) {
            (IpVersion::V4, IpAddrs::V4 { src, dst }) => UdpSource::V4 {
                src,
                sport,
                dst,
                iif,
            },
            (IpVersion::V6, IpAddrs::V6 { src, dst }) => UdpSource::V6 {
                src,
                sport,
                dst,
                // CAST: The index of a device is not negative.
                scope: if needs_scope(&src) { iif as u32 } else { 0 },
            },
            _ => return None,
        })
    }
}
