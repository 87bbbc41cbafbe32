// SPDX-License-Identifier: GPL-2.0

//! The attributes, commands and groups of the family, and what requests may hold.
//!
//! Schema: `docs/netlink/wireguard-diag.yaml`.

use super::settings::{
    EndpointPin,
    MAX_NAME, //
};
use kext::net::genl::Policy;

/// Attributes of a message.
pub(super) mod attr {
    pub(in crate::diag) const IFINDEX: u16 = 1;
    pub(in crate::diag) const IFNAME: u16 = 2;
    pub(in crate::diag) const UNPRIVILEGED_READ: u16 = 3;
    pub(in crate::diag) const PEER: u16 = 4;
    pub(in crate::diag) const PUBLIC_KEY: u16 = 5;
    pub(in crate::diag) const OWNER_OF: u16 = 6;
    pub(in crate::diag) const CHANGED_SINCE: u16 = 7;
    pub(in crate::diag) const ONLY_TROUBLE: u16 = 8;
    pub(in crate::diag) const GENERATION: u16 = 9;
    pub(in crate::diag) const INTERFACE: u16 = 10;
    pub(in crate::diag) const EVENT: u16 = 11;
    pub(in crate::diag) const SEQUENCE: u16 = 12;
    pub(in crate::diag) const LEFT_OUT: u16 = 13;
    pub(in crate::diag) const LIMIT: u16 = 14;
    pub(in crate::diag) const ANNOUNCE_UNKNOWN: u16 = 15;
}

/// Attributes of an interface.
pub(super) mod interface_attr {
    pub(in crate::diag) const UP: u16 = 1;
    pub(in crate::diag) const PUBLIC_KEY: u16 = 2;
    pub(in crate::diag) const LISTEN_PORT: u16 = 3;
    pub(in crate::diag) const FWMARK: u16 = 4;
    pub(in crate::diag) const PEERS: u16 = 5;
    pub(in crate::diag) const REFUSAL: u16 = 6;
    pub(in crate::diag) const UNDER_LOAD: u16 = 7;
    pub(in crate::diag) const REFUSED_DESTINATION: u16 = 8;
    pub(in crate::diag) const UNKNOWN_INITIATOR: u16 = 9;
    pub(in crate::diag) const REFUSED_REMOTE: u16 = 10;
    pub(in crate::diag) const UNKNOWN_INITIATOR_REMOTE: u16 = 11;
}

/// Attributes of an endpoint.
pub(super) mod endpoint_attr {
    pub(in crate::diag) const ADDRESS: u16 = 1;
    pub(in crate::diag) const PORT: u16 = 2;
    pub(in crate::diag) const SCOPE: u16 = 3;
}

/// Attributes of the drops for one reason.
pub(super) mod refusal_attr {
    pub(in crate::diag) const REASON: u16 = 1;
    pub(in crate::diag) const COUNT: u16 = 2;
    pub(in crate::diag) const AGE: u16 = 3;
}

/// Attributes of a peer.
pub(super) mod peer_attr {
    pub(in crate::diag) const PUBLIC_KEY: u16 = 1;
    pub(in crate::diag) const NAME: u16 = 2;
    pub(in crate::diag) const PIN: u16 = 3;
    pub(in crate::diag) const IN_MARK: u16 = 4;
    pub(in crate::diag) const IN_PRIORITY: u16 = 5;
    pub(in crate::diag) const OUT_MARK: u16 = 6;
    pub(in crate::diag) const OUT_PRIORITY: u16 = 7;
    pub(in crate::diag) const PSK_GENERATION: u16 = 8;
    pub(in crate::diag) const SESSION_PSK_GENERATION: u16 = 9;
    pub(in crate::diag) const CHANGED: u16 = 10;
    pub(in crate::diag) const STATE: u16 = 11;
    pub(in crate::diag) const SESSION_AGE: u16 = 12;
    pub(in crate::diag) const SESSION_ROLE: u16 = 13;
    pub(in crate::diag) const RX_PACKETS: u16 = 14;
    pub(in crate::diag) const RX_BYTES: u16 = 15;
    pub(in crate::diag) const TX_PACKETS: u16 = 16;
    pub(in crate::diag) const TX_BYTES: u16 = 17;
    pub(in crate::diag) const HANDSHAKES_BEGUN: u16 = 18;
    pub(in crate::diag) const HANDSHAKES_ANSWERED: u16 = 19;
    pub(in crate::diag) const HANDSHAKES_COMPLETED: u16 = 20;
    pub(in crate::diag) const HANDSHAKES_GIVEN_UP: u16 = 21;
    pub(in crate::diag) const ATTEMPT: u16 = 22;
    pub(in crate::diag) const INITIATION_AGE: u16 = 23;
    pub(in crate::diag) const ROUND_TRIP: u16 = 24;
    pub(in crate::diag) const ENDPOINT: u16 = 25;
    pub(in crate::diag) const ENDPOINT_SOURCE: u16 = 26;
    pub(in crate::diag) const ENDPOINT_AGE: u16 = 27;
    pub(in crate::diag) const STAGED: u16 = 28;
    pub(in crate::diag) const KEEPALIVE: u16 = 29;
    pub(in crate::diag) const LAST_HANDSHAKE: u16 = 30;
    pub(in crate::diag) const AWAITING: u16 = 31;
    pub(in crate::diag) const REFUSAL: u16 = 32;
    pub(in crate::diag) const REFUSED_SOURCE: u16 = 33;
    pub(in crate::diag) const OLD_ENDPOINT: u16 = 34;
    pub(in crate::diag) const LAST_REFUSAL: u16 = 35;
    pub(in crate::diag) const RECENT_MOVES: u16 = 36;
    pub(in crate::diag) const ATTEMPTS_AGE: u16 = 37;
    pub(in crate::diag) const COOKIES: u16 = 38;
    /// One more than the last that a request may have.
    pub(in crate::diag) const SETTABLE: usize = 9;
}

/// Numbers of the commands and of the events.
pub(super) mod command {
    pub(in crate::diag) const GET: u8 = 1;
    pub(in crate::diag) const SET: u8 = 2;
    pub(in crate::diag) const PEER_NTF: u8 = 3;
    pub(in crate::diag) const CONFIG_NTF: u8 = 4;
    pub(in crate::diag) const UNKNOWN_NTF: u8 = 5;
}

/// Places of the groups.
pub(super) mod group {
    pub(in crate::diag) const PEERS: usize = 0;
    pub(in crate::diag) const CONFIG: usize = 1;
    pub(in crate::diag) const UNKNOWN: usize = 2;
}

const KEY_LEN: u16 = 32;

pub(super) static GET_POLICY: Policy<7> = Policy::new()
    .u32(attr::IFINDEX)
    .nul_string(attr::IFNAME, 15)
    .exact_len(attr::PUBLIC_KEY, KEY_LEN)
    .len_range(attr::OWNER_OF, 4, 16);

pub(super) static DUMP_POLICY: Policy<9> = Policy::new()
    .u32(attr::IFINDEX)
    .nul_string(attr::IFNAME, 15)
    .exact_len(attr::PUBLIC_KEY, KEY_LEN)
    .len_range(attr::OWNER_OF, 4, 16)
    .u32(attr::CHANGED_SINCE)
    .flag(attr::ONLY_TROUBLE);

static PEER_POLICY: Policy<{ peer_attr::SETTABLE }> = Policy::new()
    .exact_len(peer_attr::PUBLIC_KEY, KEY_LEN)
    .nul_string(peer_attr::NAME, MAX_NAME)
    .u32_max(peer_attr::PIN, EndpointPin::MAX)
    .u32(peer_attr::IN_MARK)
    .u32(peer_attr::IN_PRIORITY)
    .u32(peer_attr::OUT_MARK)
    .u32(peer_attr::OUT_PRIORITY)
    .u32(peer_attr::PSK_GENERATION);

pub(super) static SET_POLICY: Policy<16> = Policy::new()
    .u32(attr::IFINDEX)
    .nul_string(attr::IFNAME, 15)
    .u8_max(attr::UNPRIVILEGED_READ, 1)
    .nested(attr::PEER, &PEER_POLICY)
    .u8_max(attr::ANNOUNCE_UNKNOWN, 1);
