// SPDX-License-Identifier: GPL-2.0

//! The attributes of the family, and what they may hold.
//!
//! Schema: `Documentation/netlink/specs/wireguard.yaml`; numbers: `include/uapi/linux/wireguard.h`.

use kext::net::genl::Policy;

/// Attributes of a device.
pub(super) mod device_attr {
    pub(in crate::netlink) const IFINDEX: u16 = 1;
    pub(in crate::netlink) const IFNAME: u16 = 2;
    pub(in crate::netlink) const PRIVATE_KEY: u16 = 3;
    pub(in crate::netlink) const PUBLIC_KEY: u16 = 4;
    pub(in crate::netlink) const FLAGS: u16 = 5;
    pub(in crate::netlink) const LISTEN_PORT: u16 = 6;
    pub(in crate::netlink) const FWMARK: u16 = 7;
    pub(in crate::netlink) const PEERS: u16 = 8;
}

/// Attributes of a peer.
pub(super) mod peer_attr {
    pub(in crate::netlink) const UNSPEC: u16 = 0;
    pub(in crate::netlink) const PUBLIC_KEY: u16 = 1;
    pub(in crate::netlink) const PRESHARED_KEY: u16 = 2;
    pub(in crate::netlink) const FLAGS: u16 = 3;
    pub(in crate::netlink) const ENDPOINT: u16 = 4;
    pub(in crate::netlink) const PERSISTENT_KEEPALIVE_INTERVAL: u16 = 5;
    pub(in crate::netlink) const LAST_HANDSHAKE_TIME: u16 = 6;
    pub(in crate::netlink) const RX_BYTES: u16 = 7;
    pub(in crate::netlink) const TX_BYTES: u16 = 8;
    pub(in crate::netlink) const ALLOWEDIPS: u16 = 9;
    pub(in crate::netlink) const PROTOCOL_VERSION: u16 = 10;
    /// One more than the last.
    pub(in crate::netlink) const COUNT: usize = 11;
}

/// Attributes of an allowed IP.
pub(super) mod allowed_ip_attr {
    pub(in crate::netlink) const FAMILY: u16 = 1;
    pub(in crate::netlink) const IPADDR: u16 = 2;
    pub(in crate::netlink) const CIDR_MASK: u16 = 3;
    pub(in crate::netlink) const FLAGS: u16 = 4;
    /// One more than the last.
    pub(in crate::netlink) const COUNT: usize = 5;
}

pub(super) const AF_INET: u16 = 2;
pub(super) const AF_INET6: u16 = 10;

/// The version of the protocol, the only one there is.
pub(super) const PROTOCOL_VERSION: u32 = 1;

const KEY_LEN: u16 = 32;

static ALLOWED_IP_POLICY: Policy<{ allowed_ip_attr::COUNT }> = Policy::new()
    .u16(allowed_ip_attr::FAMILY)
    .min_len(allowed_ip_attr::IPADDR, 4)
    .u8(allowed_ip_attr::CIDR_MASK)
    .u32_mask(allowed_ip_attr::FLAGS, 0x1);

static PEER_POLICY: Policy<{ peer_attr::COUNT }> = Policy::new()
    .exact_len(peer_attr::PUBLIC_KEY, KEY_LEN)
    .exact_len(peer_attr::PRESHARED_KEY, KEY_LEN)
    .u32_mask(peer_attr::FLAGS, 0x7)
    .min_len(peer_attr::ENDPOINT, 16)
    .u16(peer_attr::PERSISTENT_KEEPALIVE_INTERVAL)
    .exact_len(peer_attr::LAST_HANDSHAKE_TIME, 16)
    .u64(peer_attr::RX_BYTES)
    .u64(peer_attr::TX_BYTES)
    .nested_array(peer_attr::ALLOWEDIPS, &ALLOWED_IP_POLICY)
    .u32(peer_attr::PROTOCOL_VERSION);

pub(super) static GET_POLICY: Policy<3> = Policy::new()
    .u32(device_attr::IFINDEX)
    .nul_string(device_attr::IFNAME, 15);

pub(super) static SET_POLICY: Policy<9> = Policy::new()
    .u32(device_attr::IFINDEX)
    .nul_string(device_attr::IFNAME, 15)
    .exact_len(device_attr::PRIVATE_KEY, KEY_LEN)
    .exact_len(device_attr::PUBLIC_KEY, KEY_LEN)
    .u32_mask(device_attr::FLAGS, 0x1)
    .u16(device_attr::LISTEN_PORT)
    .u32(device_attr::FWMARK)
    .nested_array(device_attr::PEERS, &PEER_POLICY);
