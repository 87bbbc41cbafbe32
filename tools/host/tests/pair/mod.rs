// SPDX-License-Identifier: GPL-2.0

//! A trie beside a linear list that has to agree with it, and changes for both.

#![allow(dead_code, unreachable_pub)]

use std::rc::Rc;

use super::memory::{
    live,
    Host,
    Section,
    Shared, //
};
use proptest::prelude::*;
use wg_proto::{
    allowedips::{
        AllowedIps,
        AllowedIpsWriter, //
    },
    memory::Reclaim,
    prefix::{
        Address,
        Prefix, //
    },
};

pub type Peer = u8;
pub type Peers = Vec<Shared<Peer>>;

pub fn peers(count: u8) -> Peers {
    (0..count)
        .map(|number| Host::share(number, &mut ()).unwrap())
        .collect()
}

pub fn v4(a: u8, b: u8, c: u8, d: u8) -> Address {
    Address::V4([a, b, c, d])
}

pub fn v6(groups: [u16; 8]) -> Address {
    let mut bytes = [0; 16];
    for (place, group) in bytes.chunks_mut(2).zip(groups) {
        place.copy_from_slice(&group.to_be_bytes());
    }
    Address::V6(bytes)
}

pub fn prefix(address: Address, len: u8) -> Prefix {
    Prefix::new(address, len).unwrap()
}

pub fn holds(prefix: &Prefix, address: Address) -> bool {
    Prefix::new(address, prefix.len()) == Some(*prefix)
}

/// Returns who owns the longest prefix of a list that holds an address.
pub fn owner(list: &[(Prefix, Peer, u64)], address: Address) -> Option<Peer> {
    list.iter()
        .filter(|entry| holds(&entry.0, address))
        .max_by_key(|entry| entry.0.len())
        .map(|entry| entry.1)
}

/// A trie and the list it has to agree with.
pub struct Pair {
    pub trie: Rc<AllowedIps<Host, Peer>>,
    pub token: AllowedIpsWriter,
    pub list: Vec<(Prefix, Peer, u64)>,
    pub peers: Peers,
    pub tag: u64,
}

impl Pair {
    pub fn new(count: u8) -> Self {
        Self {
            trie: Rc::new(AllowedIps::new()),
            token: AllowedIpsWriter::new(),
            list: Vec::new(),
            peers: peers(count),
            tag: 0,
        }
    }

    pub fn insert(&mut self, prefix: Prefix, peer: Peer) {
        self.tag += 1;
        let before = self.token.generation();
        let loss = self
            .trie
            .insert(
                &mut self.token,
                prefix,
                &self.peers[usize::from(peer)],
                self.tag,
                &mut (),
            )
            .unwrap();
        assert_ne!(self.token.generation(), before);
        let place = self.list.iter().position(|entry| entry.0 == prefix);
        let old = place.map(|place| self.list.remove(place));
        assert_eq!(
            loss.map(|loss| (*loss.owner, loss.tag)),
            old.map(|old| (old.1, old.2))
        );
        self.list.push((prefix, peer, self.tag));
    }

    pub fn remove(&mut self, prefix: Prefix, peer: Peer) {
        let tag = self
            .trie
            .remove(&mut self.token, prefix, &self.peers[usize::from(peer)]);
        let place = self
            .list
            .iter()
            .position(|entry| (entry.0, entry.1) == (prefix, peer));
        assert_eq!(tag, place.map(|place| self.list.remove(place).2));
    }

    pub fn remove_all(&mut self, peer: Peer) {
        let prefixes: Vec<_> = self
            .list
            .iter()
            .filter(|entry| entry.1 == peer)
            .map(|entry| entry.0)
            .collect();
        for prefix in prefixes {
            self.remove(prefix, peer);
        }
    }

    pub fn clear(&mut self) {
        self.trie.clear(&mut self.token);
        self.list.clear();
    }

    pub fn expected(&self, address: Address) -> Option<Peer> {
        owner(&self.list, address)
    }

    pub fn actual(&self, address: Address) -> Option<Peer> {
        let section = Section::default();
        self.trie.lookup(address, &section).map(|owner| *owner)
    }

    pub fn check(&self, address: Address) {
        assert_eq!(self.actual(address), self.expected(address), "{address:?}");
    }

    /// Checks that there are no more nodes than prefixes and forks between them.
    pub fn check_size(&self) {
        let nodes = live() - self.peers.len();
        let list = &self.list;
        let mut forks = std::collections::HashSet::new();
        for a in list {
            for b in list {
                if let Some(fork) = fork(&a.0, &b.0) {
                    forks.insert(fork);
                }
            }
        }
        let owned: std::collections::HashSet<_> = list.iter().map(|entry| entry.0).collect();
        assert_eq!(nodes, forks.union(&owned).count());
    }
}

/// Returns the longest prefix that holds both.
pub fn fork(a: &Prefix, b: &Prefix) -> Option<Prefix> {
    (0..=a.len().min(b.len()))
        .rev()
        .filter_map(|len| {
            let fork = Prefix::new(a.address(), len)?;
            (Prefix::new(b.address(), len)? == fork).then_some(fork)
        })
        .next()
}

/// Addresses close to each other, so that prefixes meet.
pub fn address() -> impl Strategy<Value = Address> {
    prop_oneof![
        (any::<u32>(), 0..=32u32, any::<u32>()).prop_map(|(bits, shift, low)| {
            let high = 0xcb00_7100 ^ bits.checked_shr(shift).unwrap_or(0);
            Address::V4((high ^ (low & 3)).to_be_bytes())
        }),
        (any::<u128>(), 0..=128u32).prop_map(|(bits, shift)| {
            let base = 0x2001_0db8_0000_0000_0000_0000_0000_0000_u128;
            Address::V6((base ^ bits.checked_shr(shift).unwrap_or(0)).to_be_bytes())
        }),
    ]
}

pub fn any_prefix() -> impl Strategy<Value = Prefix> {
    (address(), any::<u8>()).prop_map(|(address, len)| {
        let width = match address {
            Address::V4(_) => 33,
            Address::V6(_) => 129,
        };
        prefix(address, len % width)
    })
}

#[derive(Clone, Debug)]
pub enum Op {
    Insert(Prefix, Peer),
    /// The n-th of the list, and whether by its owner.
    Remove(usize, bool),
    Miss(Prefix, Peer),
    Move(usize, Peer),
    RemoveAll(Peer),
    Clear,
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (any_prefix(), 0..6u8).prop_map(|(prefix, peer)| Op::Insert(prefix, peer)),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(n, owner)| Op::Remove(n, owner)),
        2 => (any_prefix(), 0..6u8).prop_map(|(prefix, peer)| Op::Miss(prefix, peer)),
        4 => (any::<usize>(), 0..6u8).prop_map(|(n, peer)| Op::Move(n, peer)),
        1 => (0..6u8).prop_map(Op::RemoveAll),
        1 => Just(Op::Clear),
    ]
}

pub fn apply(pair: &mut Pair, op: &Op) {
    match *op {
        Op::Insert(prefix, peer) => pair.insert(prefix, peer),
        Op::Remove(n, by_owner) => {
            if let Some(&(prefix, peer, _)) = pair.list.get(n % pair.list.len().max(1)) {
                pair.remove(prefix, if by_owner { peer } else { (peer + 1) % 6 });
            }
        }
        Op::Miss(prefix, peer) => pair.remove(prefix, peer),
        Op::Move(n, peer) => {
            if let Some(&(prefix, ..)) = pair.list.get(n % pair.list.len().max(1)) {
                pair.insert(prefix, peer);
            }
        }
        Op::RemoveAll(peer) => pair.remove_all(peer),
        Op::Clear => pair.clear(),
    }
}

/// Addresses at and around the borders of all prefixes.
pub fn borders(pair: &Pair) -> Vec<Address> {
    let mut all = vec![v4(0, 0, 0, 0), v6([0; 8])];
    for (prefix, ..) in &pair.list {
        match prefix.address() {
            Address::V4(bytes) => {
                let first = u32::from_be_bytes(bytes);
                let rest = u32::MAX.checked_shr(prefix.len().into()).unwrap_or(0);
                for bits in [
                    first,
                    first | rest,
                    first.wrapping_sub(1),
                    (first | rest).wrapping_add(1),
                ] {
                    all.push(Address::V4(bits.to_be_bytes()));
                }
            }
            Address::V6(bytes) => {
                let first = u128::from_be_bytes(bytes);
                let rest = u128::MAX.checked_shr(prefix.len().into()).unwrap_or(0);
                for bits in [
                    first,
                    first | rest,
                    first.wrapping_sub(1),
                    (first | rest).wrapping_add(1),
                ] {
                    all.push(Address::V6(bits.to_be_bytes()));
                }
            }
        }
    }
    all
}
