// SPDX-License-Identifier: GPL-2.0

//! The trie against a linear list, and what readers may see while it changes.

mod memory;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        Arc,
    },
};

use memory::{
    fail_after,
    live,
    with_load_hook,
    with_swap_hook,
    Host,
    Section,
    Shared, //
};
use proptest::prelude::*;
use wg_proto::{
    allowedips::{
        AllowedIps,
        WriterToken, //
    },
    memory::Memory,
    prefix::{
        Address,
        Prefix, //
    },
};

type Peer = u8;
type Peers = Vec<Shared<Peer>>;

fn peers(count: u8) -> Peers {
    (0..count)
        .map(|number| Host::share(number).unwrap())
        .collect()
}

fn v4(a: u8, b: u8, c: u8, d: u8) -> Address {
    Address::V4([a, b, c, d])
}

fn v6(groups: [u16; 8]) -> Address {
    let mut bytes = [0; 16];
    for (place, group) in bytes.chunks_mut(2).zip(groups) {
        place.copy_from_slice(&group.to_be_bytes());
    }
    Address::V6(bytes)
}

fn prefix(address: Address, len: u8) -> Prefix {
    Prefix::new(address, len).unwrap()
}

fn holds(prefix: &Prefix, address: Address) -> bool {
    Prefix::new(address, prefix.len()) == Some(*prefix)
}

/// A trie and the list it has to agree with.
struct Pair {
    trie: Rc<AllowedIps<Host, Peer>>,
    token: WriterToken,
    list: Vec<(Prefix, Peer, u64)>,
    peers: Peers,
    tag: u64,
}

impl Pair {
    fn new(count: u8) -> Self {
        Self {
            trie: Rc::new(AllowedIps::new()),
            token: WriterToken::new(),
            list: Vec::new(),
            peers: peers(count),
            tag: 0,
        }
    }

    fn insert(&mut self, prefix: Prefix, peer: Peer) {
        self.tag += 1;
        let before = self.token.generation();
        let loss = self
            .trie
            .insert(
                &mut self.token,
                prefix,
                &self.peers[usize::from(peer)],
                self.tag,
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

    fn remove(&mut self, prefix: Prefix, peer: Peer) {
        let tag = self
            .trie
            .remove(&mut self.token, prefix, &self.peers[usize::from(peer)]);
        let place = self
            .list
            .iter()
            .position(|entry| (entry.0, entry.1) == (prefix, peer));
        assert_eq!(tag, place.map(|place| self.list.remove(place).2));
    }

    fn remove_all(&mut self, peer: Peer) {
        let prefixes: Vec<_> = self
            .list
            .iter()
            .filter(|entry| entry.1 == peer)
            .map(|entry| entry.0)
            .collect();
        self.trie
            .remove_all(&mut self.token, prefixes, &self.peers[usize::from(peer)]);
        self.list.retain(|entry| entry.1 != peer);
    }

    fn clear(&mut self) {
        self.trie.clear(&mut self.token);
        self.list.clear();
    }

    fn expected(&self, address: Address) -> Option<Peer> {
        self.list
            .iter()
            .filter(|entry| holds(&entry.0, address))
            .max_by_key(|entry| entry.0.len())
            .map(|entry| entry.1)
    }

    fn actual(&self, address: Address) -> Option<Peer> {
        let section = Section::default();
        let owner = self.trie.lookup(address, &section).map(|owner| *owner);
        assert_eq!(self.trie.find(address, &section).map(|owner| *owner), owner);
        owner
    }

    fn check(&self, address: Address) {
        assert_eq!(self.actual(address), self.expected(address), "{address:?}");
    }

    /// Checks that there are no more nodes than prefixes and forks between them.
    fn check_size(&self) {
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
fn fork(a: &Prefix, b: &Prefix) -> Option<Prefix> {
    (0..=a.len().min(b.len()))
        .rev()
        .filter_map(|len| {
            let fork = Prefix::new(a.address(), len)?;
            (Prefix::new(b.address(), len)? == fork).then_some(fork)
        })
        .next()
}

#[test]
fn the_longest_prefix_wins() {
    let mut pair = Pair::new(5);
    pair.insert(prefix(v4(192, 0, 2, 0), 24), 0);
    pair.insert(prefix(v4(192, 0, 2, 4), 32), 1);
    pair.insert(prefix(v4(192, 0, 0, 0), 16), 2);
    pair.insert(prefix(v4(198, 51, 100, 64), 27), 3);
    // The same after masking.
    pair.insert(prefix(v4(198, 51, 100, 65), 27), 2);
    let six = [0x2001, 0xdb8, 7, 8, 0, 0, 0, 0];
    pair.insert(prefix(v6([0x2001, 0xdb8, 7, 8, 1, 2, 3, 4]), 64), 2);
    pair.insert(prefix(v6([0x2001, 0xdb8, 7, 8, 1, 2, 3, 4]), 128), 0);

    assert_eq!(pair.actual(v4(192, 0, 2, 20)), Some(0));
    assert_eq!(pair.actual(v4(192, 0, 2, 4)), Some(1));
    assert_eq!(pair.actual(v4(192, 0, 200, 4)), Some(2));
    assert_eq!(pair.actual(v4(198, 51, 100, 95)), Some(2));
    assert_eq!(pair.actual(v4(198, 51, 100, 96)), None);
    assert_eq!(pair.actual(v6(six)), Some(2));
    assert_eq!(pair.actual(v6([0x2001, 0xdb8, 7, 8, 1, 2, 3, 4])), Some(0));
    assert_eq!(pair.actual(v6([0x2001, 0xdb8, 7, 9, 1, 2, 3, 4])), None);

    pair.insert(prefix(v4(1, 2, 3, 4), 0), 4);
    pair.insert(prefix(v6(six), 0), 4);
    assert_eq!(pair.actual(v4(198, 51, 100, 96)), Some(4));
    assert_eq!(pair.actual(v6([0x2001, 0xdb8, 7, 9, 1, 2, 3, 4])), Some(4));
    assert_eq!(pair.actual(v4(0, 0, 0, 0)), Some(4));
    assert_eq!(pair.actual(v4(255, 255, 255, 255)), Some(4));
    pair.insert(prefix(v6(six), 0), 3);
    assert_eq!(pair.actual(v6([0; 8])), Some(3));
    pair.check_size();
}

#[test]
fn only_the_owner_removes_exactly_its_prefix() {
    let mut pair = Pair::new(2);
    let net = prefix(v4(192, 0, 2, 0), 24);
    pair.insert(net, 0);
    pair.remove(prefix(v4(192, 0, 2, 0), 32), 0);
    pair.remove(prefix(v4(192, 0, 2, 0), 23), 0);
    pair.remove(net, 1);
    assert_eq!(pair.actual(v4(192, 0, 2, 1)), Some(0));
    pair.remove(net, 0);
    assert_eq!(pair.actual(v4(192, 0, 2, 1)), None);
    assert!(pair.trie.is_empty(&Section::default()));
    assert_eq!(live(), 2);
}

#[test]
fn lengths_beyond_the_address_are_refused_and_host_bits_cut() {
    assert!(Prefix::new(v4(1, 2, 3, 4), 33).is_none());
    assert!(Prefix::new(v6([1; 8]), 129).is_none());
    assert_eq!(
        prefix(v4(203, 0, 113, 255), 25).address(),
        v4(203, 0, 113, 128)
    );
    assert_eq!(prefix(v6([0xffff; 8]), 0).address(), v6([0; 8]));
    assert_eq!(
        prefix(v6([0xffff; 8]), 21).address(),
        v6([0xffff, 0xf800, 0, 0, 0, 0, 0, 0])
    );
    assert_eq!(prefix(v4(255, 255, 255, 255), 32).len(), 32);
    assert!(prefix(v4(255, 255, 255, 255), 0).is_empty());
}

#[test]
fn the_deepest_trie_can_be_built_and_cleared() {
    for keep_glue in [false, true] {
        let mut pair = Pair::new(1);
        for len in 0..=128u32 {
            // Ones down the spine, and a leaf beside each node of it.
            let spine = u128::MAX.checked_shl(128 - len).unwrap_or(0);
            if !keep_glue {
                pair.insert(prefix(Address::V6(spine.to_be_bytes()), len as u8), 0);
            }
            pair.insert(prefix(Address::V6(spine.to_be_bytes()), 128), 0);
        }
        pair.check_size();
        for len in 0..=128u32 {
            let spine = u128::MAX.checked_shl(128 - len).unwrap_or(0);
            pair.check(Address::V6(spine.to_be_bytes()));
        }
        pair.clear();
        assert!(pair.trie.is_empty(&Section::default()));
        assert_eq!(live(), 1);
        drop(pair);
    }
    assert_eq!(live(), 0);
}

#[test]
fn dropping_the_trie_frees_all() {
    let mut pair = Pair::new(3);
    for last in 0..200 {
        pair.insert(prefix(v4(10, 0, last, last), 32 - last % 9), last % 3);
    }
    drop(pair);
    assert_eq!(live(), 0);
}

#[test]
fn an_owner_stays_counted_by_its_prefixes_only_while_it_has_them() {
    let mut pair = Pair::new(1);
    pair.insert(prefix(v4(10, 0, 0, 0), 8), 0);
    let section = Section::default();
    let Pair {
        ref trie,
        ref mut peers,
        ..
    } = pair;
    let owner = trie.lookup(v4(10, 1, 1, 1), &section).unwrap();
    let mut token = WriterToken::new();
    let removed = trie.remove(&mut token, prefix(v4(10, 0, 0, 0), 8), &peers[0]);
    assert_eq!(removed, Some(1));
    peers.clear();
    assert_eq!(*owner, 0);
    assert!(Host::upgrade(owner).is_none());
}

/// Addresses close to each other, so that prefixes meet.
fn address() -> impl Strategy<Value = Address> {
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

fn any_prefix() -> impl Strategy<Value = Prefix> {
    (address(), any::<u8>()).prop_map(|(address, len)| {
        let width = match address {
            Address::V4(_) => 33,
            Address::V6(_) => 129,
        };
        prefix(address, len % width)
    })
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Prefix, Peer),
    /// The n-th of the list, and whether by its owner.
    Remove(usize, bool),
    Miss(Prefix, Peer),
    Move(usize, Peer),
    RemoveAll(Peer),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        20 => (any_prefix(), 0..6u8).prop_map(|(prefix, peer)| Op::Insert(prefix, peer)),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(n, owner)| Op::Remove(n, owner)),
        2 => (any_prefix(), 0..6u8).prop_map(|(prefix, peer)| Op::Miss(prefix, peer)),
        4 => (any::<usize>(), 0..6u8).prop_map(|(n, peer)| Op::Move(n, peer)),
        1 => (0..6u8).prop_map(Op::RemoveAll),
        1 => Just(Op::Clear),
    ]
}

fn apply(pair: &mut Pair, op: &Op) {
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
fn borders(pair: &Pair) -> Vec<Address> {
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_agrees_with_a_list(ops in prop::collection::vec(op(), 1..80), probes in prop::collection::vec(address(), 30)) {
        let mut pair = Pair::new(6);
        for op in &ops {
            apply(&mut pair, op);
            pair.check_size();
        }
        for address in probes.into_iter().chain(borders(&pair)) {
            pair.check(address);
        }
        for peer in 0..6 {
            pair.remove_all(peer);
            for address in borders(&pair) {
                pair.check(address);
            }
            pair.check_size();
        }
        prop_assert!(pair.trie.is_empty(&Section::default()));
        drop(pair);
        prop_assert_eq!(live(), 0);
    }

    #[test]
    fn failed_insertions_change_nothing(ops in prop::collection::vec(op(), 0..40), new in any_prefix(), room in 0..2usize) {
        let mut pair = Pair::new(6);
        for op in &ops {
            apply(&mut pair, op);
        }
        let before = live();
        fail_after(Some(room));
        let result = pair.trie.insert(&mut pair.token, new, &pair.peers[0], 77);
        fail_after(None);
        match result {
            Err(_) => {
                prop_assert_eq!(live(), before);
                pair.check_size();
                for address in borders(&pair) {
                    pair.check(address);
                }
            }
            Ok(loss) => {
                // It was there, or a fork could be given an owner, or the room was enough.
                let place = pair.list.iter().position(|entry| entry.0 == new);
                prop_assert_eq!(place.is_some(), loss.is_some());
                if let Some(place) = place {
                    pair.list.remove(place);
                }
                pair.list.push((new, 0, 77));
                pair.check_size();
                for address in borders(&pair) {
                    pair.check(address);
                }
            }
        }
    }

    /// After each single step of a writer, a reader sees the state before or the one after.
    #[test]
    fn readers_between_the_steps_of_a_writer_see_old_or_new(ops in prop::collection::vec(op(), 0..30), last in op()) {
        let mut pair = Pair::new(6);
        for op in &ops {
            apply(&mut pair, op);
        }
        // Bulk operations are many changes.
        if matches!(last, Op::RemoveAll(_) | Op::Clear) {
            return Ok(());
        }
        let mut probes = borders(&pair);
        if let Op::Insert(prefix, _) | Op::Miss(prefix, _) = &last {
            probes.push(prefix.address());
        }
        let before: Vec<_> = probes.iter().map(|address| pair.expected(*address)).collect();
        let pair = Rc::new(RefCell::new(pair));
        let trie = pair.borrow().trie.clone();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let (hook_probes, hook_seen) = (probes.clone(), seen.clone());
        with_swap_hook(
            move || {
                let section = Section::default();
                let view: Vec<_> = hook_probes
                    .iter()
                    .map(|address| trie.lookup(*address, &section).map(|owner| *owner))
                    .collect();
                hook_seen.borrow_mut().push(view);
            },
            || apply(&mut pair.borrow_mut(), &last),
        );
        let pair = pair.borrow();
        for view in seen.borrow().iter() {
            for ((address, old), now) in probes.iter().zip(&before).zip(view) {
                prop_assert!(now == old || *now == pair.expected(*address), "{:?}", address);
            }
        }
    }

    /// A writer that acts at any step of a reader: what comes out held at some moment of the reading.
    #[test]
    fn writers_between_the_steps_of_a_reader_do_not_mislead_it(
        ops in prop::collection::vec(op(), 1..40),
        meanwhile in prop::collection::vec(op(), 1..12),
        at in 0..12usize,
        every in 1..4usize,
        probe in any::<prop::sample::Index>(),
    ) {
        let mut pair = Pair::new(6);
        for op in &ops {
            apply(&mut pair, op);
        }
        let probes = borders(&pair);
        let address = *probe.get(&probes);
        let pair = Rc::new(RefCell::new(pair));
        let allowed = Rc::new(RefCell::new(vec![pair.borrow().expected(address)]));
        let trie = pair.borrow().trie.clone();
        let mut step = 0;
        let mut meanwhile = meanwhile.into_iter();
        let (hook_pair, hook_allowed) = (pair.clone(), allowed.clone());
        let section = Section::default();
        let seen = with_load_hook(
            move || {
                step += 1;
                if step < at || step % every != 0 {
                    return;
                }
                if let Some(op) = meanwhile.next() {
                    // Bulk operations pass through states of their own.
                    let ops = match op {
                        Op::RemoveAll(peer) => hook_pair.borrow().list.iter().filter(|entry| entry.1 == peer).map(|entry| Op::Miss(entry.0, peer)).collect(),
                        Op::Clear => Vec::new(),
                        op => vec![op],
                    };
                    for op in ops {
                        apply(&mut hook_pair.borrow_mut(), &op);
                        hook_allowed.borrow_mut().push(hook_pair.borrow().expected(address));
                    }
                }
            },
            || {
                trie.lookup(address, &section).map(|owner| *owner)
            },
        );
        prop_assert!(allowed.borrow().contains(&seen), "{:?} not in {:?}", seen, allowed.borrow());
    }

    /// While all is torn down, a reader finds the right owner or nobody.
    #[test]
    fn clearing_never_shows_a_wrong_owner(ops in prop::collection::vec(op(), 1..40), at in 1..12usize, probe in any::<prop::sample::Index>()) {
        let mut pair = Pair::new(6);
        for op in &ops {
            apply(&mut pair, op);
        }
        let probes = borders(&pair);
        let address = *probe.get(&probes);
        let right = pair.expected(address);
        // A reader that stops after `at` loads, while the writer stops after each step.
        let pair = Rc::new(RefCell::new(pair));
        let trie = pair.borrow().trie.clone();
        let section = Section::default();
        let hook_pair = pair.clone();
        let mut step = 0;
        let seen = with_load_hook(
            move || {
                step += 1;
                if step == at {
                    hook_pair.borrow_mut().clear();
                }
            },
            || {
                trie.lookup(address, &section).map(|owner| *owner)
            },
        );
        prop_assert!(seen.is_none() || seen == right);
    }
}

#[test]
fn unrelated_changes_never_uncover_an_address() {
    let trie = Arc::new(AllowedIps::<Host, Peer>::new());
    let mut token = WriterToken::new();
    let peers = peers(2);
    let cover = prefix(v4(10, 0, 0, 0), 8);
    trie.insert(&mut token, cover, &peers[0], 0).ok().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (trie, stop) = (trie.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut count = 0u64;
                while !stop.load(Ordering::Relaxed) {
                    let section = Section::default();
                    let owner = trie.lookup(v4(10, 1, 2, 3), &section);
                    assert_eq!(owner.map(|owner| *owner), Some(0));
                    count += 1;
                }
                count
            })
        })
        .collect();
    let around: Vec<_> = [
        (0, 0),
        (9, 8),
        (10, 7),
        (10, 9),
        (10, 16),
        (10, 32),
        (11, 8),
    ]
    .into_iter()
    .map(|(first, len)| prefix(v4(first, 0, 0, 0), len))
    .filter(|prefix| !(prefix.len() > 8 && holds(prefix, v4(10, 1, 2, 3))))
    .collect();
    for round in 0..20_000usize {
        let prefix = around[round * 7 % around.len()];
        if trie.remove(&mut token, prefix, &peers[1]).is_none() {
            trie.insert(&mut token, prefix, &peers[1], 0).ok().unwrap();
        }
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
}
