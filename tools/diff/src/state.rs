// SPDX-License-Identifier: GPL-2.0

//! What a dump says about an interface.

use crate::message::{allowed_ip, attrs, device, messages, peer, u16_at, DUMP_INTR};

/// A key.
pub(crate) type Key = [u8; 32];

/// A peer.
#[derive(Clone, Default)]
pub(crate) struct Peer {
    /// Public key
    pub(crate) key: Key,
    /// Preshared key
    pub(crate) psk: Key,
    /// Seconds
    pub(crate) keepalive: u16,
    /// As it stands in the message
    pub(crate) endpoint: Option<Vec<u8>>,
    /// Length, then bytes of the address
    pub(crate) ips: Vec<(u8, Vec<u8>)>,
}

/// An interface, and what its dump was like.
#[derive(Clone, Default)]
pub(crate) struct State {
    /// Port
    pub(crate) port: u16,
    /// Private and public key
    pub(crate) identity: Option<(Key, Key)>,
    /// In order
    pub(crate) peers: Vec<Peer>,
    /// Datagrams
    pub(crate) parts: usize,
    /// How often the attributes of the device came
    pub(crate) heads: usize,
    /// Peers that went on in a next message
    pub(crate) splits: usize,
    /// Whether a message said that the dump is torn
    pub(crate) torn: bool,
    /// Bytes of the longest datagram
    pub(crate) longest: usize,
}

fn key(bytes: &[u8]) -> Key {
    bytes.try_into().unwrap_or_default()
}

impl State {
    /// Reads a dump.
    pub(crate) fn read<'a>(datagrams: impl Iterator<Item = &'a [u8]>, family: u16) -> Self {
        let mut state = Self::default();
        for datagram in datagrams {
            for (at, len) in messages(datagram) {
                let message = &datagram[at..at + len];
                state.torn |= u16_at(message, 6) & DUMP_INTR != 0;
                if u16_at(message, 4) == family && len >= 20 {
                    state.parts += 1;
                    state.longest = state.longest.max(datagram.len());
                    state.take(&message[20..]);
                }
            }
        }
        state
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut private = None;
        for (ty, value) in attrs(bytes) {
            match ty & 0x3fff {
                device::LISTEN_PORT => {
                    self.port = u16_at(value, 0);
                    self.heads += 1;
                }
                device::PRIVATE_KEY => private = Some(key(value)),
                device::PUBLIC_KEY => self.identity = private.map(|it| (it, key(value))),
                device::PEERS => attrs(value).for_each(|(_, value)| self.take_peer(value)),
                _ => {}
            }
        }
    }

    fn take_peer(&mut self, bytes: &[u8]) {
        let mut found = Peer::default();
        let mut goes_on = true;
        for (ty, value) in attrs(bytes) {
            match ty & 0x3fff {
                peer::PUBLIC_KEY => found.key = key(value),
                peer::PRESHARED_KEY => {
                    found.psk = key(value);
                    goes_on = false;
                }
                peer::KEEPALIVE => found.keepalive = u16_at(value, 0),
                peer::ENDPOINT => found.endpoint = Some(value.to_vec()),
                peer::ALLOWEDIPS => {
                    for (_, value) in attrs(value) {
                        let mut ip = (0, Vec::new());
                        for (ty, value) in attrs(value) {
                            match ty & 0x3fff {
                                allowed_ip::CIDR_MASK => ip.0 = value[0],
                                allowed_ip::IPADDR => ip.1 = value.to_vec(),
                                _ => {}
                            }
                        }
                        found.ips.push(ip);
                    }
                }
                _ => {}
            }
        }
        match self.peers.last_mut() {
            Some(last) if goes_on && last.key == found.key => {
                self.splits += 1;
                last.ips.append(&mut found.ips);
            }
            _ => self.peers.push(found),
        }
    }

    /// The peer with that key.
    pub(crate) fn peer(&self, key: &[u8]) -> Option<&Peer> {
        self.peers.iter().find(|peer| peer.key == key)
    }

    /// Who owns a prefix.
    pub(crate) fn owner(&self, len: u8, address: &[u8]) -> Option<&Key> {
        let owns = |peer: &&Peer| peer.ips.iter().any(|ip| ip.0 == len && ip.1 == address);
        self.peers.iter().find(owns).map(|peer| &peer.key)
    }
}
