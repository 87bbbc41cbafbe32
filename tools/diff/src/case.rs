// SPDX-License-Identifier: GPL-2.0

//! Which statements a request and its outcome have put to the test.

use crate::{
    answer::Answer,
    grammar::clamp,
    message::{
        allowed_ip, attrs, device, messages, peer, u16_at, u32_at, Attr, Message, Sender, DUMP,
        ERROR, GET, NESTED, SET,
    },
    rows::Table,
    side::{Birth, FOREIGN},
    state::{Key, State},
};
use std::collections::HashSet;

/// Not permitted.
pub(crate) const EPERM: i32 = -1;
const ENODEV: i32 = -19;
const EINVAL: i32 = -22;
const ERANGE: i32 = -34;
const EBADR: i32 = -53;
const EOPNOTSUPP: i32 = -95;
const EPFNOSUPPORT: i32 = -96;
const EADDRINUSE: i32 = -98;

/// All there is to know about a request and its outcome.
pub(crate) struct Case<'a> {
    pub(crate) message: &'a Message,
    pub(crate) answer: &'a Answer,
    pub(crate) status: Option<i32>,
    pub(crate) before: &'a State,
    pub(crate) after: &'a State,
    pub(crate) is_up: bool,
    pub(crate) birth: Birth,
}

/// The last attribute of that type: the one that counts.
fn get(list: &[Attr], kind: u16) -> Option<&Attr> {
    list.iter().rev().find(|attr| attr.kind() == kind)
}

fn number(list: &[Attr], kind: u16) -> Option<u32> {
    let bytes = get(list, kind)?.bytes();
    match bytes.len() {
        2 => Some(u16_at(bytes, 0).into()),
        4 => Some(u32_at(bytes, 0)),
        1 => Some(bytes[0].into()),
        _ => None,
    }
}

/// Whether the error tells the place in the request (NLMSGERR_ATTR_OFFS), which no driver does.
fn has_place(answer: &Answer) -> bool {
    answer.datagrams().any(|datagram| {
        messages(datagram).any(|(at, len)| {
            let message = &datagram[at..at + len];
            if u16_at(message, 4) != ERROR || u16_at(message, 6) & 0x200 == 0 || len < 36 {
                return false;
            }
            let skip = if u16_at(message, 6) & 0x100 != 0 {
                16
            } else {
                (u32_at(message, 20) as usize).next_multiple_of(4)
            };
            attrs(message.get(20 + skip..).unwrap_or_default()).any(|(ty, _)| ty & 0x3fff == 2)
        })
    })
}

fn same_state(a: &State, b: &State) -> bool {
    let key = |state: &State| {
        let peers = state.peers.iter();
        let peers: Vec<_> = peers
            .map(|it| {
                (
                    it.key,
                    it.psk,
                    it.keepalive,
                    it.endpoint.clone(),
                    it.ips.clone(),
                )
            })
            .collect();
        (state.port, state.identity, peers)
    };
    key(a) == key(b)
}

fn elements(message: &Message) -> impl Iterator<Item = &Attr> {
    let peers = message
        .attrs
        .iter()
        .filter(|attr| attr.kind() == device::PEERS);
    let peers = peers.flat_map(|attr| attr.children());
    peers.clone().chain(peers.flat_map(|peer| {
        let lists = peer
            .children()
            .iter()
            .filter(|attr| attr.kind() == peer::ALLOWEDIPS);
        lists.flat_map(|attr| attr.children())
    }))
}

fn has_twice(list: &[Attr]) -> bool {
    let mut seen = HashSet::new();
    list.iter().any(|attr| !seen.insert(attr.kind()))
}

impl Case<'_> {
    /// Counts what this case has put to the test.
    pub(crate) fn count(&self, table: &mut Table) {
        self.count_common(table);
        self.count_dump(table);
        // Whether the driver saw it: there was no error, or one of its own.
        let is_driver = match self.status {
            Some(EPERM) => self.message.sender == Sender::Admin,
            Some(EBADR | ENODEV | EOPNOTSUPP) => false,
            Some(EINVAL | ERANGE) => {
                !has_place(self.answer) && self.message.cut.is_none() && self.message.reserved == 0
            }
            _ => true,
        };
        if self.message.cmd == SET && is_driver && self.status.is_some() {
            self.count_set(table);
        }
    }

    fn count_common(&self, table: &mut Table) {
        let message = self.message;
        let status = self.status.unwrap_or(0);
        let is_odd_dump = match message.cmd {
            GET => message.flags & DUMP != DUMP,
            SET => message.flags & DUMP == DUMP,
            _ => true,
        };
        let place = has_place(self.answer);
        let ifindex = number(&message.attrs, device::IFINDEX);
        let ifname = get(&message.attrs, device::IFNAME).map(Attr::bytes);
        match status {
            EINVAL
                if message.cut.is_some()
                    || message.reserved != 0
                    || message.flags & 0xf0f2 != 0 =>
            {
                table.hit("2.1 1")
            }
            EOPNOTSUPP if is_odd_dump => table.hit("2.1 2"),
            EPERM if message.sender == Sender::Nobody => table.hit("2.1 3"),
            EINVAL if place => table.hit("2.1 4a"),
            ERANGE if place => table.hit("2.1 4b"),
            EBADR => table.hit("2.1 5"),
            ENODEV => table.hit("2.1 6"),
            EOPNOTSUPP
                if matches!(ifindex, Some(1 | FOREIGN))
                    || matches!(ifname, Some(b"lo\0" | b"wgx\0")) =>
            {
                table.hit("2.1 7");
            }
            _ => {}
        }
        if matches!(status, EINVAL | ERANGE) && place {
            if same_state(self.before, self.after) {
                table.hit("2.1 whole");
            }
            if message.cmd == GET
                && message
                    .attrs
                    .iter()
                    .any(|attr| attr.kind() > device::IFNAME)
            {
                table.hit("2.1 GET");
            }
        }
        let get_status = self.status.filter(|_| message.is_dump());
        if matches!(get_status, Some(EBADR | ENODEV | EOPNOTSUPP)) {
            table.hit("G1");
        }
        if message.cmd != SET {
            return;
        }
        if status == EINVAL && elements(message).any(|attr| attr.ty & NESTED == 0) {
            table.hit("2.1 nest");
        }
        if status == EINVAL
            && !place
            && elements(message).any(|attr| attr.children().is_empty() && attr.bytes().is_empty())
        {
            table.hit("2.1 empty");
        }
        if self.status != Some(0) {
            return;
        }
        if elements(message).any(|attr| attr.kind() != 0) {
            table.hit("2.1 type");
        }
        let mut lists = elements(message).map(Attr::children);
        if has_twice(&message.attrs) || lists.any(has_twice) {
            table.hit("2.1 twice");
        }
        let in_peers = elements(message).flat_map(Attr::children);
        let read_only = [peer::LAST_HANDSHAKE, peer::RX_BYTES, peer::TX_BYTES];
        if get(&message.attrs, device::PUBLIC_KEY).is_some()
            || in_peers
                .into_iter()
                .any(|attr| read_only.contains(&attr.kind()))
        {
            table.hit("2.1 ro");
        }
    }

    fn count_dump(&self, table: &mut Table) {
        let after = self.after;
        if after.parts == 0 {
            return;
        }
        table.hit("G2");
        if after.identity.is_none() || after.peers.is_empty() {
            table.hit("G2 none");
        }
        if after.parts > after.heads {
            table.hit("G3");
        }
        if after.heads > 1 {
            table.hit("G3 again");
        }
        if !after.peers.is_empty() {
            table.hit("G4");
        }
        if after.splits > 0 {
            table.hit("G6");
        }
        if after.peers.len() >= 40 || after.peers.iter().any(|peer| peer.ips.len() >= 197) {
            table.hit("G12");
        }
    }

    fn count_set(&self, table: &mut Table) {
        let attrs = &self.message.attrs;
        let before = self.before;
        let status = self.status.unwrap_or(0);
        let port = number(attrs, device::LISTEN_PORT).map(|port| port as u16);
        let mark = number(attrs, device::FWMARK);
        if self.birth == Birth::Nowhere && (port.is_some() || mark.is_some()) {
            if status == EPERM {
                table.hit("2.3 2");
            }
            return;
        }
        let flags = number(attrs, device::FLAGS);
        if flags.is_some() {
            table.hit("2.3 1");
        }
        if mark.is_some() {
            table.hit("SP3");
            if !before.peers.is_empty() {
                table.hit("2.3 4");
            }
        }
        if let Some(port) = port {
            let is_taken = status == EADDRINUSE;
            table.hit(match (port == before.port, self.is_up, is_taken) {
                (true, _, _) => "SP1 same",
                (_, false, _) => "SP1 down",
                (_, true, true) => "SP1 fails",
                (_, true, false) if port == 0 => "SP1 0",
                (_, true, false) => "SP1 up",
            });
            if is_taken {
                table.hit("2.3 5");
                return;
            }
            if port != before.port && self.is_up && !before.peers.is_empty() {
                table.hit("SP2");
            }
        }
        let mut known: HashSet<Key> = before.peers.iter().map(|peer| peer.key).collect();
        if flags == Some(1) {
            if !known.is_empty() {
                table.hit("2.3 6");
            }
            known.clear();
        }
        let list = get(attrs, device::PEERS);
        let private = get(attrs, device::PRIVATE_KEY).map(Attr::bytes);
        if let Some(key) = private.and_then(|bytes| Key::try_from(bytes).ok()) {
            let old = before.identity.map_or([0; 32], |it| it.0);
            if key == old {
                table.hit("SK1 same");
            } else if key == [0; 32] {
                table.hit("SK3");
            } else if clamp(key) == old {
                table.hit("SK1 form");
            } else {
                table.hit("SK2");
            }
            let own = self.after.identity.map(|it| it.1);
            if own.is_some_and(|own| key != old && known.remove(&own)) {
                table.hit("SK2 peer");
            }
            if list.is_some() {
                table.hit("2.3 7");
            }
        }
        let psk =
            elements(self.message).any(|it| get(it.children(), peer::PRESHARED_KEY).is_some());
        if status != 0 && (private.is_some() || psk) {
            table.hit("2.3 wipe");
        }
        if status != 0 && !same_state(before, self.after) {
            table.hit("2.3 8");
        }
        for element in list.map(Attr::children).unwrap_or_default() {
            if !self.count_peer(table, element.children(), &mut known) {
                return;
            }
        }
    }

    /// Returns whether the request goes on after this peer.
    fn count_peer(&self, table: &mut Table, attrs: &[Attr], known: &mut HashSet<Key>) -> bool {
        let status = self.status.unwrap_or(0);
        let key = get(attrs, peer::PUBLIC_KEY).map(Attr::bytes);
        let Some(key) = key.and_then(|bytes| Key::try_from(bytes).ok()) else {
            if status == EINVAL {
                table.hit("P1");
            }
            return false;
        };
        let version = number(attrs, peer::VERSION);
        if version.is_some_and(|version| version != 1) {
            if status == EPFNOSUPPORT {
                table.hit("P2");
            }
            return false;
        }
        let flags = number(attrs, peer::FLAGS).unwrap_or(0);
        if !known.contains(&key) {
            if flags & peer::REMOVE_ME != 0 {
                table.hit("P3 remove");
                return true;
            }
            if flags & peer::UPDATE_ONLY != 0 {
                table.hit("P3 update");
                return true;
            }
            if self.after.identity.is_some_and(|it| it.1 == key) {
                table.hit("SF1");
                return true;
            }
            known.insert(key);
            table.hit("P3 new");
            if flags & peer::REPLACE_ALLOWEDIPS != 0 {
                table.hit("P3 replace");
            }
        } else if flags & peer::REMOVE_ME != 0 {
            known.remove(&key);
            table.hit("P4");
            return true;
        } else if flags & peer::REPLACE_ALLOWEDIPS != 0 {
            table.hit("P7");
        }
        if get(attrs, peer::PRESHARED_KEY).is_some() {
            table.hit("P5");
        }
        if let Some(endpoint) = get(attrs, peer::ENDPOINT) {
            let bytes = endpoint.bytes();
            let family = if bytes.len() >= 2 {
                u16_at(bytes, 0)
            } else {
                0
            };
            let is_one = matches!((bytes.len(), family), (16, 2) | (28, 10));
            table.hit(if is_one { "P6" } else { "P6 odd" });
        }
        let list = get(attrs, peer::ALLOWEDIPS);
        for element in list.map(Attr::children).unwrap_or_default() {
            if !self.count_ip(table, element.children(), &key) {
                return false;
            }
        }
        if self.is_up {
            table.hit("P11");
            if get(attrs, peer::KEEPALIVE).is_some() {
                table.hit("P10");
            }
        }
        true
    }

    fn count_ip(&self, table: &mut Table, attrs: &[Attr], key: &Key) -> bool {
        let family = number(attrs, allowed_ip::FAMILY);
        let address = get(attrs, allowed_ip::IPADDR)
            .map(Attr::bytes)
            .unwrap_or_default();
        let len = number(attrs, allowed_ip::CIDR_MASK).unwrap_or(255);
        let is_one = match (family, address.len()) {
            (Some(2), 4) => len <= 32,
            (Some(10), 16) => len <= 128,
            _ => false,
        };
        if !is_one {
            if self.status == Some(EINVAL) {
                table.hit("P8 EINVAL");
            }
            return false;
        }
        let mut masked = address.to_vec();
        for (at, byte) in masked.iter_mut().enumerate() {
            let keep = (len as usize).saturating_sub(at * 8).min(8);
            *byte &= (0xff00u16 >> keep) as u8;
        }
        let owner = self.before.owner(len as u8, &masked);
        if number(attrs, allowed_ip::FLAGS).unwrap_or(0) & 1 != 0 {
            table.hit(if owner == Some(key) { "P9" } else { "P9 not" });
            return true;
        }
        table.hit("P8");
        if masked != address {
            table.hit("P8 bits");
        }
        match owner {
            Some(owner) if owner == key => table.hit("G5"),
            Some(_) => table.hit("P8 moves"),
            None => {}
        }
        true
    }
}
