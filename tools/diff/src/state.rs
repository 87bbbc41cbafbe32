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

    /// The key of the peer that owns a prefix.
    pub(crate) fn owner(&self, len: u8, address: &[u8]) -> Option<&Key> {
        let owns = |peer: &&Peer| peer.ips.iter().any(|ip| ip.0 == len && ip.1 == address);
        self.peers.iter().find(owns).map(|peer| &peer.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Attr, Message};

    const FAMILY: u16 = 0x21;

    fn ip(last: u8) -> Attr {
        let address = Attr::new(allowed_ip::IPADDR, [10, 0, 0, last]);
        Attr::nest(0, vec![address, Attr::u8(allowed_ip::CIDR_MASK, 32)])
    }

    fn part(flags: u16, attrs: Vec<Attr>) -> Vec<u8> {
        let mut bytes = Vec::new();
        Message::new(0, flags, attrs).write(FAMILY, 1, &mut bytes);
        bytes
    }

    fn read(parts: &[Vec<u8>]) -> State {
        State::read(parts.iter().map(Vec::as_slice), FAMILY)
    }

    #[test]
    fn a_peer_in_two_messages_is_one() {
        let key = |byte| Attr::new(peer::PUBLIC_KEY, [byte; 32]);
        let begun = vec![
            key(1),
            Attr::new(peer::PRESHARED_KEY, [0; 32]),
            Attr::nest(peer::ALLOWEDIPS, vec![ip(1), ip(2)]),
        ];
        let rest = vec![key(1), Attr::nest(peer::ALLOWEDIPS, vec![ip(3)])];
        let other = vec![key(2), Attr::new(peer::PRESHARED_KEY, [5; 32])];
        let peers = |list: Vec<Vec<Attr>>| {
            let list = list.into_iter().map(|attrs| Attr::nest(0, attrs));
            Attr::nest(device::PEERS, list.collect())
        };
        let port = Attr::u16(device::LISTEN_PORT, 9);
        let state = read(&[
            part(2, vec![port, peers(vec![begun])]),
            part(2, vec![peers(vec![rest, other])]),
        ]);
        assert_eq!((state.parts, state.heads, state.splits), (2, 1, 1));
        assert_eq!((state.port, state.torn), (9, false));
        assert_eq!(state.peers.len(), 2);
        let lasts: Vec<_> = state.peers[0].ips.iter().map(|it| it.1[3]).collect();
        assert_eq!(lasts, [1, 2, 3]);
        assert_eq!(state.peers[1].psk, [5; 32]);
        assert_eq!(state.owner(32, &[10, 0, 0, 3]), Some(&[1; 32]));
        assert_eq!(state.owner(31, &[10, 0, 0, 3]), None);
    }

    #[test]
    fn one_torn_message_makes_a_torn_dump() {
        assert!(!read(&[part(2, vec![]), part(2, vec![])]).torn);
        assert!(read(&[part(2, vec![]), part(2 | DUMP_INTR, vec![])]).torn);
    }
}
