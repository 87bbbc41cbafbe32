// SPDX-License-Identifier: GPL-2.0

//! Makes requests: valid ones, ones that the drivers refuse, and ones that are wrong in any other way.

use crate::{
    message::{
        allowed_ip, device, peer, Attr, Body, Message, Sender, ACK, DUMP, DUMP_INTR, ECHO, GET,
        MULTI, NESTED, REQUEST, SET,
    },
    rng::Rng,
    side::{CHOSEN, FOREIGN, IFINDEX, TAKEN4, TAKEN6},
    state::{Key, State},
};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// What requests are about to be like.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mood {
    /// Interfaces grow, so that dumps take several messages.
    pub(crate) is_big: bool,
    /// And that because of one peer.
    pub(crate) is_fat: bool,
    /// Interfaces have private keys. Every new peer costs the C driver a multiplication on the curve then.
    pub(crate) has_keys: bool,
}

/// Makes requests.
pub(crate) struct Grammar {
    /// Public keys that come again and again.
    pub(crate) publics: Vec<Key>,
    /// Private keys that do.
    pub(crate) privates: Vec<Key>,
}

/// A key as the kernel keeps it.
pub(crate) fn clamp(mut key: Key) -> Key {
    key[0] &= 248;
    key[31] = (key[31] & 127) | 64;
    key
}

fn random_key(rng: &mut Rng) -> Key {
    rng.bytes(32).try_into().unwrap_or_default()
}

impl Grammar {
    /// With keys of its own.
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self {
            publics: (0..8).map(|_| random_key(rng)).collect(),
            privates: (0..3).map(|_| clamp(random_key(rng))).collect(),
        }
    }

    fn key(&self, rng: &mut Rng, state: &State, mood: Mood) -> Key {
        match rng.below(100) {
            0..15 if !state.peers.is_empty() => rng.pick(&state.peers).key,
            15..18 => state.identity.map_or([0; 32], |it| it.1),
            18 => random_key(rng),
            20..50 if mood.is_big => random_key(rng),
            _ => *rng.pick(&self.publics),
        }
    }

    fn private(&self, rng: &mut Rng, state: &State, mood: Mood) -> Key {
        match rng.below(10) {
            0..3 => state.identity.map_or([0; 32], |it| it.0),
            3..5 => {
                // The same, but not as it is stored.
                let mut key = state.identity.map_or([0; 32], |it| it.0);
                key[0] |= 1 + rng.below(7) as u8;
                key
            }
            5..7 => [0; 32],
            _ if mood.has_keys || rng.percent(10) => *rng.pick(&self.privates),
            _ => [0; 32],
        }
    }

    fn port(rng: &mut Rng, state: &State) -> u16 {
        match rng.below(8) {
            0 => state.port,
            1 => 0,
            2 => TAKEN4,
            3 => TAKEN6,
            4 => CHOSEN,
            _ => 2000 + rng.below(20) as u16,
        }
    }

    fn name(rng: &mut Rng) -> Attr {
        if rng.percent(50) {
            Attr::u32(device::IFINDEX, IFINDEX)
        } else {
            Attr::new(device::IFNAME, *b"wg0\0")
        }
    }

    /// A request to set what the interface is.
    pub(crate) fn set(&self, rng: &mut Rng, state: &State, mood: Mood) -> Message {
        let mut attrs = vec![Self::name(rng)];
        let is_large = state.peers.len() > if mood.is_big { 60 } else { 14 };
        if rng.permille(if is_large {
            200
        } else if mood.is_big {
            3
        } else {
            25
        }) {
            attrs.push(Attr::u32(device::FLAGS, u32::from(rng.percent(80))));
        }
        if rng.percent(6) {
            attrs.push(Attr::u16(device::LISTEN_PORT, Self::port(rng, state)));
        }
        if rng.percent(6) {
            attrs.push(Attr::u32(device::FWMARK, rng.below(3) as u32));
        }
        if rng.permille(if mood.is_big { 3 } else { 30 }) {
            attrs.push(Attr::new(
                device::PRIVATE_KEY,
                self.private(rng, state, mood),
            ));
        }
        if rng.percent(1) {
            attrs.push(Attr::new(device::PUBLIC_KEY, random_key(rng)));
        }
        if rng.percent(85) {
            let count = if mood.is_big && rng.percent(10) {
                12
            } else {
                *rng.pick(&[0, 1, 1, 1, 1, 1, 2, 2, 3])
            };
            let peers = (0..count).map(|n| self.peer(rng, state, mood, n)).collect();
            attrs.push(Attr::nest(device::PEERS, peers));
        }
        let echo = if rng.percent(2) { ECHO } else { 0 };
        let mut message = Message::new(SET, REQUEST | ACK | echo, attrs);
        if rng.percent(2) {
            message.version = rng.below(256) as u8;
        }
        message
    }

    fn peer(&self, rng: &mut Rng, state: &State, mood: Mood, number: usize) -> Attr {
        let key = self.key(rng, state, mood);
        let mut attrs = vec![Attr::new(peer::PUBLIC_KEY, key)];
        if rng.percent(20) {
            let psk = if rng.percent(30) {
                [0; 32]
            } else {
                random_key(rng)
            };
            attrs.push(Attr::new(peer::PRESHARED_KEY, psk));
        }
        if rng.percent(35) {
            let flags = match rng.below(10) {
                0..3 => peer::REMOVE_ME,
                3..6 => peer::REPLACE_ALLOWEDIPS,
                6..8 => peer::UPDATE_ONLY,
                _ => rng.below(8) as u32,
            };
            attrs.push(Attr::u32(peer::FLAGS, flags));
        }
        if rng.percent(25) {
            attrs.push(Attr::new(peer::ENDPOINT, Self::endpoint(rng)));
        }
        if rng.percent(12) {
            let seconds = *rng.pick(&[0, 0, 1, 25, 65535]);
            attrs.push(Attr::u16(peer::KEEPALIVE, seconds));
        }
        if rng.percent(2) {
            attrs.push(Attr::new(peer::LAST_HANDSHAKE, rng.bytes(16)));
        }
        if rng.percent(2) {
            attrs.push(Attr::new(peer::RX_BYTES, rng.bytes(8)));
            attrs.push(Attr::new(peer::TX_BYTES, rng.bytes(8)));
        }
        if rng.percent(6) {
            let version = if rng.percent(90) {
                1
            } else {
                rng.below(4) as u32
            };
            attrs.push(Attr::u32(peer::VERSION, version));
        }
        if rng.percent(60) {
            let count = if mood.is_big && rng.percent(20) {
                20
            } else {
                rng.below(4)
            };
            let ips = (0..count)
                .map(|_| Self::allowed_ip(rng, state, &key, mood))
                .collect();
            attrs.push(Attr::nest(peer::ALLOWEDIPS, ips));
        }
        // wg says 0 there, systemd-networkd counts.
        Attr::nest(if rng.percent(20) { number as u16 } else { 0 }, attrs)
    }

    fn endpoint(rng: &mut Rng) -> Vec<u8> {
        let mut bytes = vec![0; 28];
        let is_six = rng.percent(50);
        let family = if is_six { AF_INET6 } else { AF_INET };
        bytes[..2].copy_from_slice(&family.to_ne_bytes());
        bytes[2..4].copy_from_slice(&rng.bytes(2));
        if is_six {
            if rng.percent(20) {
                bytes[4..8].copy_from_slice(&rng.bytes(4));
                // Not this machine, to which there is a route for moments.
                if bytes[4] == 127 {
                    bytes[4] = 10;
                }
            }
            bytes[8..24].copy_from_slice(&rng.bytes(16));
            if rng.percent(20) {
                bytes[24] = rng.below(3) as u8;
            }
        } else {
            bytes[4..8].copy_from_slice(&rng.bytes(4));
            // Not this machine, to which there is a route for moments.
            if bytes[4] == 127 {
                bytes[4] = 10;
            }
            if rng.percent(5) {
                bytes[8..16].copy_from_slice(&rng.bytes(8));
            }
            bytes.truncate(16);
        }
        match rng.below(40) {
            // What neither driver takes for an endpoint.
            0 => bytes[..2].copy_from_slice(&(rng.below(12) as u16).to_ne_bytes()),
            1 => bytes.resize(16 + rng.below(24), 0),
            _ => {}
        }
        bytes
    }

    fn allowed_ip(rng: &mut Rng, state: &State, key: &Key, mood: Mood) -> Attr {
        let (mut len, mut address) = Self::prefix(rng, state, key, mood);
        let mut family = if address.len() == 16 {
            AF_INET6
        } else {
            AF_INET
        };
        match rng.below(150) {
            // What the drivers refuse, but no policy.
            0 => len = len.saturating_add(rng.below(200) as u8),
            1 => address.resize(4 + rng.below(20), 0),
            2 => family = rng.below(12) as u16,
            _ => {}
        }
        let mut attrs = vec![
            Attr::u16(allowed_ip::FAMILY, family),
            Attr::new(allowed_ip::IPADDR, address),
            Attr::u8(allowed_ip::CIDR_MASK, len),
        ];
        if rng.percent(15) {
            attrs.push(Attr::u32(allowed_ip::FLAGS, u32::from(rng.percent(80))));
        }
        Attr::nest(
            if rng.percent(10) {
                rng.below(9) as u16
            } else {
                0
            },
            attrs,
        )
    }

    fn prefix(rng: &mut Rng, state: &State, key: &Key, mood: Mood) -> (u8, Vec<u8>) {
        if rng.percent(35) {
            // One that is there: this peer's own or any.
            let own = state.peer(key).filter(|_| rng.percent(60));
            let from = own.or_else(|| (!state.peers.is_empty()).then(|| rng.pick(&state.peers)));
            if let Some(found) = from.filter(|peer| !peer.ips.is_empty()) {
                return rng.pick(&found.ips).clone();
            }
        }
        let is_random = mood.is_big && rng.percent(70);
        if rng.percent(50) {
            let mut address = vec![10, 0, 0, 0];
            if is_random {
                address = rng.bytes(4);
            } else {
                address[1] = rng.below(3) as u8 * 64;
                address[3] = rng.below(4) as u8;
            }
            (*rng.pick(&[0, 1, 8, 9, 16, 24, 30, 31, 32]), address)
        } else {
            let mut address = vec![0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            if is_random {
                address = rng.bytes(16);
            } else {
                address[7] = rng.below(3) as u8;
                address[8] = rng.below(3) as u8 * 64;
                address[15] = rng.below(4) as u8;
            }
            (*rng.pick(&[0, 7, 8, 32, 63, 64, 65, 127, 128]), address)
        }
    }

    /// A request for a dump, or for nothing.
    pub(crate) fn get(&self, rng: &mut Rng) -> Message {
        let mut attrs = match rng.below(6) {
            0 => vec![],
            1 => vec![
                Attr::u32(device::IFINDEX, IFINDEX),
                Attr::new(device::IFNAME, *b"wg0\0"),
            ],
            _ => vec![Self::name(rng)],
        };
        if rng.percent(10) {
            attrs.push(Attr::u16(device::LISTEN_PORT, 1));
        }
        let mut message = Message::new(GET, REQUEST | DUMP, attrs);
        if rng.percent(20) {
            message.flags |= ACK;
        }
        Self::other_interface(rng, &mut message, 25);
        message
    }

    /// Names another interface than wg0, so often.
    fn other_interface(rng: &mut Rng, message: &mut Message, chance: usize) {
        if !rng.percent(chance) {
            return;
        }
        let name = |name: &[u8]| Attr::new(device::IFNAME, name);
        let wrong = match rng.below(8) {
            0 => Attr::u32(device::IFINDEX, 1),
            1 => Attr::u32(device::IFINDEX, FOREIGN),
            2 => Attr::u32(device::IFINDEX, 0),
            3 => Attr::u32(device::IFINDEX, rng.next() as u32),
            4 => name(b"lo\0"),
            5 => name(b"wgx\0"),
            6 => name(b"\0"),
            _ => name(b"fifteen-letters\0"),
        };
        if let Some(first) = message.attrs.first_mut() {
            *first = wrong;
        }
    }

    /// Makes a request wrong in one or two ways, mostly.
    pub(crate) fn spoil(&self, rng: &mut Rng, message: &mut Message) {
        match rng.below(100) {
            0..6 => Self::spoil_header(rng, message),
            6..9 => message.sender = Sender::Nobody,
            9..16 => Self::other_interface(rng, message, 100),
            16..20 => {
                let extra = Self::name(rng);
                message.attrs.push(extra);
            }
            20..22 => drop(message.attrs.remove(0)),
            22..24 => message.tail = rng.some_bytes(7),
            _ => {
                for _ in 0..1 + usize::from(rng.percent(15)) {
                    spoil_somewhere(rng, &mut message.attrs, 0);
                }
            }
        }
    }

    fn spoil_header(rng: &mut Rng, message: &mut Message) {
        match rng.below(8) {
            0 => message.reserved = 1 << rng.below(16),
            1 => {
                message.flags ^= *rng.pick(&[
                    MULTI, DUMP_INTR, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800,
                ])
            }
            2 => message.flags ^= 1 << rng.below(16),
            3 => message.flags ^= DUMP,
            4 => message.cmd = *rng.pick(&[2, 3, 255]),
            5 => message.cmd ^= 1,
            6 => message.cut = Some(rng.below(4)),
            _ => message.flags ^= ACK,
        }
    }
}

/// Changes something among these attributes or below.
fn spoil_somewhere(rng: &mut Rng, attrs: &mut Vec<Attr>, depth: usize) {
    if attrs.is_empty() {
        attrs.push(Attr::new(rng.below(12) as u16, vec![0; rng.below(9)]));
        return;
    }
    let at = rng.below(attrs.len());
    let nests: Vec<_> = (0..attrs.len())
        .filter(|&n| matches!(attrs[n].body, Body::Nest(_)))
        .collect();
    if !nests.is_empty() && rng.percent(if depth == 0 { 80 } else { 60 }) {
        let nest = *rng.pick(&nests);
        if let Body::Nest(children) = &mut attrs[nest].body {
            return spoil_somewhere(rng, children, depth + 1);
        }
    }
    match rng.below(14) {
        0 => {
            let copy = attrs[at].clone();
            attrs.push(copy);
        }
        1 => drop(attrs.remove(at)),
        2 => attrs[at].ty ^= NESTED,
        3 => attrs[at].ty = rng.below(14) as u16 | (attrs[at].ty & NESTED),
        4 => attrs[at].ty ^= 0x4000,
        5 => attrs[at].ty = rng.next() as u16,
        6 => attrs[at].len = Some(rng.below(40) as u16),
        7 => attrs[at].body = Body::Bytes(Vec::new()),
        8 => {
            let other = rng.below(attrs.len());
            attrs.swap(at, other);
        }
        9 => {
            let kind = rng.below(14) as u16;
            let bytes = rng.below(36);
            attrs.insert(at, Attr::new(kind, vec![0; bytes]));
        }
        _ => {
            if let Body::Bytes(bytes) = &mut attrs[at].body {
                match rng.below(5) {
                    0 => bytes.push(0),
                    1 => drop(bytes.pop()),
                    2 => bytes.truncate(rng.below(bytes.len() + 1)),
                    3 => bytes.resize(bytes.len() + 1 + rng.below(8), b'x'),
                    _ => {
                        for byte in bytes.iter_mut() {
                            *byte ^= 1 << rng.below(8);
                        }
                    }
                }
            } else {
                attrs[at].body = Body::Bytes(rng.some_bytes(8));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::attrs;

    /// Bytes of some requests as the worker makes them.
    fn requests(seed: u64) -> Vec<Vec<u8>> {
        let mut rng = Rng::new(seed);
        let grammar = Grammar::new(&mut rng);
        let state = State::default();
        let requests = (0..200).map(|n| {
            let mut request = grammar.set(&mut rng, &state, Mood::default());
            if n % 2 != 0 {
                grammar.spoil(&mut rng, &mut request);
            }
            let mut bytes = Vec::new();
            request.write(0x21, n, &mut bytes);
            bytes
        });
        requests.collect()
    }

    #[test]
    fn a_seed_names_its_requests() {
        assert!(requests(1) == requests(1));
        assert!(requests(1) != requests(2));
    }

    #[test]
    fn what_is_not_spoilt_is_well_formed() {
        for bytes in requests(3).iter().step_by(2) {
            let all: usize = attrs(&bytes[20..])
                .map(|(_, value)| 4 + value.len().next_multiple_of(4))
                .sum();
            assert_eq!(20 + all, bytes.len());
        }
    }

    #[test]
    fn a_key_is_clamped_as_curve25519_wants_it() {
        let key = clamp([0xff; 32]);
        assert_eq!((key[0], key[1], key[31]), (0xf8, 0xff, 0x7f));
        assert_eq!(clamp([0; 32])[31], 0x40);
    }
}
