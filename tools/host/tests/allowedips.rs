// SPDX-License-Identifier: GPL-2.0

//! The trie against a linear list; what readers see while it changes is in allowedips_readers.rs.

mod memory;
mod pair;

use memory::{
    deepest_drop,
    fail_after,
    live,
    Host,
    Section, //
};
use pair::{
    address,
    any_prefix,
    apply,
    borders,
    op,
    prefix,
    v4,
    v6,
    Pair, //
};
use proptest::prelude::*;
use wg_proto::{
    allowedips::AllowedIpsWriter,
    prefix::{
        Address,
        Prefix, //
    },
};

#[test]
// row A1
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
// row A4
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
fn a_prefix_of_either_family_makes_it_not_empty() {
    for net in [
        prefix(v4(192, 0, 2, 0), 24),
        prefix(v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0]), 32),
    ] {
        let mut pair = Pair::new(1);
        assert!(pair.trie.is_empty(&Section::default()));
        pair.insert(net, 0);
        assert!(!pair.trie.is_empty(&Section::default()));
        pair.remove(net, 0);
        assert!(pair.trie.is_empty(&Section::default()));
    }
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
    assert!(!prefix(v4(255, 255, 255, 255), 1).is_empty());
    assert!(!prefix(v4(0, 0, 0, 0), 32).is_empty());
}

#[test]
// row A6
fn the_deepest_trie_can_be_built_and_cleared() {
    for owned in [false, true] {
        for ones in [false, true] {
            let spine = |len: u32| {
                let bits = u128::MAX.checked_shl(128 - len).unwrap_or(0);
                Address::V6((if ones { bits } else { !bits }).to_be_bytes())
            };
            let mut pair = Pair::new(129);
            for len in 0..=128 {
                // The spine, whose nodes are forks if not more, and a leaf beside each of them.
                if owned {
                    let all = Address::V6([if ones { 0xff } else { 0 }; 16]);
                    pair.insert(prefix(all, len as u8), len as u8);
                }
                pair.insert(prefix(spine(len), 128), len as u8);
            }
            pair.check_size();
            for len in 0..=128 {
                pair.check(spine(len));
            }
            // The trie has the last counts of the owners.
            pair.peers.clear();
            pair.clear();
            assert!(pair.trie.is_empty(&Section::default()));
            assert_eq!(live(), 0);
        }
    }
    // Each node was taken apart first, so that nothing waited for a node above it.
    assert_eq!(deepest_drop(), 1);
}

#[test]
// row A5
fn dropping_the_trie_frees_all() {
    let mut pair = Pair::new(3);
    for last in 0..200 {
        pair.insert(prefix(v4(10, 0, last, last), 32 - last % 9), last % 3);
    }
    drop(pair);
    assert_eq!(live(), 0);
    assert_eq!(deepest_drop(), 1);
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
    let mut token = AllowedIpsWriter::new();
    let removed = trie.remove(&mut token, prefix(v4(10, 0, 0, 0), 8), &peers[0]);
    assert_eq!(removed, Some(1));
    peers.clear();
    assert_eq!(*owner, 0);
    assert!(Host::upgrade(owner).is_none());
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
        let result = pair.trie.insert(&mut pair.token, new, &pair.peers[0], 77, &mut ());
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
}
