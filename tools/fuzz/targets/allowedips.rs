// SPDX-License-Identifier: GPL-2.0

//! A sequence of changes to the trie, against a linear list.
//!
//! Each step takes a byte that says what to do and with whom, then an address and a length.

#![no_main]

#[path = "../../host/tests/memory/mod.rs"]
mod memory;

use libfuzzer_sys::fuzz_target;
use memory::{
    fail_after,
    live,
    Host,
    Section,
    Shared, //
};
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

const PEERS: usize = 8;

/// What is left of the input.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    /// Addresses of few distinct bytes, so that they have much in common.
    fn address(&mut self, v6: bool) -> Option<Address> {
        Some(if v6 {
            let short: [u8; 4] = self.bytes()?;
            let mut long = [0; 16];
            for (place, byte) in long.chunks_mut(4).zip(short) {
                place.fill(byte);
            }
            Address::V6(long)
        } else {
            Address::V4(self.bytes()?)
        })
    }
}

fn holds(prefix: &Prefix, address: Address) -> bool {
    Prefix::new(address, prefix.len()) == Some(*prefix)
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let peers: Vec<Shared<usize>> = (0..PEERS)
        .map(|peer| Host::share(peer, &mut ()).unwrap())
        .collect();
    let trie = AllowedIps::<Host, usize>::new();
    let mut token = AllowedIpsWriter::new();
    let mut list: Vec<(Prefix, usize, u64)> = Vec::new();
    let mut tag = 0;
    let check = |list: &[(Prefix, usize, u64)], address: Address| {
        let section = Section::default();
        let expected = list
            .iter()
            .filter(|entry| holds(&entry.0, address))
            .max_by_key(|entry| entry.0.len())
            .map(|entry| entry.1);
        assert_eq!(trie.lookup(address, &section).map(|peer| *peer), expected);
    };
    while let Some(what) = input.byte() {
        let (peer, v6, what) = (usize::from(what & 7), what & 8 != 0, what >> 4);
        let (Some(address), Some(len)) = (input.address(v6), input.byte()) else {
            break;
        };
        let Some(prefix) = Prefix::new(address, len) else {
            assert!(len > if v6 { 128 } else { 32 });
            continue;
        };
        let place = list.iter().position(|entry| entry.0 == prefix);
        match what {
            0..=8 => {
                tag += 1;
                // Sometimes memory is short.
                fail_after((what == 0).then_some(usize::from(len & 1)));
                let before = live();
                let result = trie.insert(&mut token, prefix, &peers[peer], tag, &mut ());
                fail_after(None);
                match result {
                    Ok(loss) => {
                        let old = place.map(|place| list.remove(place));
                        assert_eq!(
                            loss.map(|loss| (*loss.owner, loss.tag)),
                            old.map(|old| (old.1, old.2))
                        );
                        list.push((prefix, peer, tag));
                    }
                    Err(_) => {
                        assert_eq!(what, 0);
                        assert_eq!(live(), before);
                    }
                }
            }
            9..=13 => {
                let place = place.filter(|place| list[*place].1 == peer);
                let tag = trie.remove(&mut token, prefix, &peers[peer]);
                assert_eq!(tag, place.map(|place| list.remove(place).2));
            }
            14 => {
                // All that a peer has.
                for entry in list.iter().filter(|entry| entry.1 == peer) {
                    assert_eq!(
                        trie.remove(&mut token, entry.0, &peers[peer]),
                        Some(entry.2)
                    );
                }
                list.retain(|entry| entry.1 != peer);
            }
            _ => {
                trie.clear(&mut token);
                list.clear();
            }
        }
        check(&list, address);
        check(&list, prefix.address());
        assert!(live() - PEERS <= 2 * list.len());
    }
    for (prefix, ..) in &list {
        check(&list, prefix.address());
    }
    assert_eq!(trie.is_empty(&Section::default()), list.is_empty());
    drop(trie);
    assert_eq!(live(), PEERS);
    drop(peers);
    assert_eq!(live(), 0);
});
