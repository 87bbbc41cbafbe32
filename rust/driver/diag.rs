// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family `wireguard-diag`: facts about peers, events, and settings that the
//! first family lacks.
//!
//! The driver tells this module what happens, by [`PeerDiag`] and [`InterfaceDiag`]; user space
//! reads it, listens to events, and sets what the first family does not know.
//!
//! Schema: `docs/netlink/wireguard-diag.yaml`.

mod event;
mod facts;
mod find;
mod get;
mod interface;
mod peer;
mod put;
mod set;
mod settings;
mod state;
mod stream;
mod trace;
mod unknown;

pub(crate) use self::{
    event::{
        configured,
        of_unknown, //
    },
    facts::Learnt,
    interface::InterfaceDiag,
    peer::{
        refused,
        PeerDiag, //
    },
    settings::{
        Label,
        Pin, //
    },
    trace::sender, //
};

use kext::net::genl::{
    Command,
    Family,
    MulticastGroup,
    Permission,
    Policy, //
};

/// Attributes of a message.
mod attr {
    pub(super) const IFINDEX: u16 = 1;
    pub(super) const IFNAME: u16 = 2;
    pub(super) const UNPRIVILEGED_READ: u16 = 3;
    pub(super) const PEER: u16 = 4;
    pub(super) const PUBLIC_KEY: u16 = 5;
    pub(super) const OWNER_OF: u16 = 6;
    pub(super) const CHANGED_SINCE: u16 = 7;
    pub(super) const ONLY_TROUBLE: u16 = 8;
    pub(super) const GENERATION: u16 = 9;
    pub(super) const INTERFACE: u16 = 10;
    pub(super) const EVENT: u16 = 11;
    pub(super) const SEQUENCE: u16 = 12;
    pub(super) const LEFT_OUT: u16 = 13;
    pub(super) const LIMIT: u16 = 14;
    pub(super) const ANNOUNCE_UNKNOWN: u16 = 15;
}

/// Attributes of an interface.
mod interface_attr {
    pub(super) const UP: u16 = 1;
    pub(super) const PUBLIC_KEY: u16 = 2;
    pub(super) const LISTEN_PORT: u16 = 3;
    pub(super) const FWMARK: u16 = 4;
    pub(super) const PEERS: u16 = 5;
    pub(super) const REFUSAL: u16 = 6;
    pub(super) const UNDER_LOAD: u16 = 7;
    pub(super) const REFUSED_DESTINATION: u16 = 8;
    pub(super) const UNKNOWN_INITIATOR: u16 = 9;
    pub(super) const REFUSED_REMOTE: u16 = 10;
    pub(super) const UNKNOWN_INITIATOR_REMOTE: u16 = 11;
}

/// Attributes of an endpoint.
mod endpoint_attr {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const PORT: u16 = 2;
    pub(super) const SCOPE: u16 = 3;
}

/// Attributes of a kind of refusals.
mod refusal_attr {
    pub(super) const REASON: u16 = 1;
    pub(super) const COUNT: u16 = 2;
    pub(super) const AGE: u16 = 3;
}

/// Attributes of a peer.
mod peer_attr {
    pub(super) const PUBLIC_KEY: u16 = 1;
    pub(super) const NAME: u16 = 2;
    pub(super) const PIN: u16 = 3;
    pub(super) const IN_MARK: u16 = 4;
    pub(super) const IN_PRIORITY: u16 = 5;
    pub(super) const OUT_MARK: u16 = 6;
    pub(super) const OUT_PRIORITY: u16 = 7;
    pub(super) const PSK_GENERATION: u16 = 8;
    pub(super) const SESSION_PSK_GENERATION: u16 = 9;
    pub(super) const CHANGED: u16 = 10;
    pub(super) const STATE: u16 = 11;
    pub(super) const SESSION_AGE: u16 = 12;
    pub(super) const SESSION_ROLE: u16 = 13;
    pub(super) const RX_PACKETS: u16 = 14;
    pub(super) const RX_BYTES: u16 = 15;
    pub(super) const TX_PACKETS: u16 = 16;
    pub(super) const TX_BYTES: u16 = 17;
    pub(super) const HANDSHAKES_BEGUN: u16 = 18;
    pub(super) const HANDSHAKES_ANSWERED: u16 = 19;
    pub(super) const HANDSHAKES_COMPLETED: u16 = 20;
    pub(super) const HANDSHAKES_GIVEN_UP: u16 = 21;
    pub(super) const ATTEMPT: u16 = 22;
    pub(super) const INITIATION_AGE: u16 = 23;
    pub(super) const ROUND_TRIP: u16 = 24;
    pub(super) const ENDPOINT: u16 = 25;
    pub(super) const ENDPOINT_SOURCE: u16 = 26;
    pub(super) const ENDPOINT_AGE: u16 = 27;
    pub(super) const STAGED: u16 = 28;
    pub(super) const KEEPALIVE: u16 = 29;
    pub(super) const LAST_HANDSHAKE: u16 = 30;
    pub(super) const AWAITING: u16 = 31;
    pub(super) const REFUSAL: u16 = 32;
    pub(super) const REFUSED_SOURCE: u16 = 33;
    pub(super) const OLD_ENDPOINT: u16 = 34;
    pub(super) const LAST_REFUSAL: u16 = 35;
    pub(super) const RECENT_MOVES: u16 = 36;
    pub(super) const ATTEMPTS_AGE: u16 = 37;
    pub(super) const COOKIES: u16 = 38;
    /// One more than the last that a request may have.
    pub(super) const SETTABLE: usize = 9;
}

/// Numbers of the commands and of the events.
mod command {
    pub(super) const GET: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const PEER_NTF: u8 = 3;
    pub(super) const CONFIG_NTF: u8 = 4;
    pub(super) const UNKNOWN_NTF: u8 = 5;
}

/// Places of the groups.
mod group {
    pub(super) const PEERS: usize = 0;
    pub(super) const CONFIG: usize = 1;
    pub(super) const UNKNOWN: usize = 2;
}

const KEY_LEN: u16 = 32;

static GET_POLICY: Policy<7> = Policy::new()
    .u32(attr::IFINDEX)
    .nul_string(attr::IFNAME, 15)
    .exact_len(attr::PUBLIC_KEY, KEY_LEN)
    .len_range(attr::OWNER_OF, 4, 16);

static DUMP_POLICY: Policy<9> = Policy::new()
    .u32(attr::IFINDEX)
    .nul_string(attr::IFNAME, 15)
    .exact_len(attr::PUBLIC_KEY, KEY_LEN)
    .len_range(attr::OWNER_OF, 4, 16)
    .u32(attr::CHANGED_SINCE)
    .flag(attr::ONLY_TROUBLE);

static PEER_POLICY: Policy<{ peer_attr::SETTABLE }> = Policy::new()
    .exact_len(peer_attr::PUBLIC_KEY, KEY_LEN)
    .nul_string(peer_attr::NAME, settings::MAX_NAME)
    .u32_max(peer_attr::PIN, Pin::MAX)
    .u32(peer_attr::IN_MARK)
    .u32(peer_attr::IN_PRIORITY)
    .u32(peer_attr::OUT_MARK)
    .u32(peer_attr::OUT_PRIORITY)
    .u32(peer_attr::PSK_GENERATION);

static SET_POLICY: Policy<16> = Policy::new()
    .u32(attr::IFINDEX)
    .nul_string(attr::IFNAME, 15)
    .u8_max(attr::UNPRIVILEGED_READ, 1)
    .nested(attr::PEER, &PEER_POLICY)
    .u8_max(attr::ANNOUNCE_UNKNOWN, 1);

/// The family.
pub(crate) static FAMILY: Family = Family::new(
    c"wireguard-diag",
    1,
    &[
        Command::new_do::<get::Get>(),
        Command::new_dump::<get::Get>(),
        Command::new_do::<set::Set>(),
    ],
    &[
        MulticastGroup::new(c"peers", Permission::NetAdmin),
        MulticastGroup::new(c"config", Permission::NetAdmin),
        MulticastGroup::new(c"unknown", Permission::NetAdmin),
    ],
);
