// SPDX-License-Identifier: GPL-2.0

//! What readers may see while the trie changes.

mod memory;
mod pair;

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{
        atomic::{
            AtomicBool,
            AtomicUsize,
            Ordering, //
        },
        mpsc::channel,
        Arc, //
    },
};

use memory::{
    with_load_hook,
    with_swap_hook,
    Host,
    Section, //
};
use pair::{
    apply,
    borders,
    holds,
    op,
    owner,
    peers,
    prefix,
    v4,
    Op,
    Pair,
    Peer, //
};
use proptest::prelude::*;
use wg_proto::allowedips::{
    AllowedIps,
    AllowedIpsWriter, //
};

#[test]
// rows A7 X2
fn an_owner_lost_on_the_way_is_looked_for_again() {
    let address = v4(10, 1, 2, 3);
    // At each step of the reader the best prefix goes, and then the next best.
    for at in 1..=16 {
        let mut pair = Pair::new(4);
        for (peer, len) in [(0, 0), (1, 8), (2, 16), (3, 24)] {
            pair.insert(prefix(address, len), peer);
        }
        let pair = Rc::new(RefCell::new(pair));
        let trie = pair.borrow().trie.clone();
        let mut step = 0;
        let section = Section::default();
        let seen = with_load_hook(
            move || {
                step += 1;
                if step == at {
                    pair.borrow_mut().remove(prefix(address, 24), 3);
                }
                if step == at + 2 {
                    pair.borrow_mut().remove(prefix(address, 16), 2);
                }
            },
            || trie.lookup(address, &section).map(|owner| *owner),
        );
        assert!(matches!(seen, Some(1..=3)), "{seen:?} at {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

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

    /// Writers that act at any step of a reader. What comes out of one change is the state before or the one after; of
    /// several, the reader may have seen the later but not the earlier, yet never less than what was there all the time.
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
        let states = Rc::new(RefCell::new(vec![pair.borrow().list.clone()]));
        let trie = pair.borrow().trie.clone();
        let mut step = 0;
        let mut meanwhile = meanwhile.into_iter();
        let (hook_pair, hook_states) = (pair.clone(), states.clone());
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
                        hook_states.borrow_mut().push(hook_pair.borrow().list.clone());
                    }
                }
            },
            || {
                trie.lookup(address, &section).map(|owner| *owner)
            },
        );
        let states = states.borrow();
        if states.len() <= 2 {
            let allowed: Vec<_> = states.iter().map(|list| owner(list, address)).collect();
            prop_assert!(allowed.contains(&seen), "{:?} not in {:?}", seen, allowed);
        }
        let always = states[0]
            .iter()
            .filter(|entry| holds(&entry.0, address))
            .filter(|entry| states.iter().all(|list| list.iter().any(|other| other.0 == entry.0)))
            .map(|entry| entry.0.len())
            .max();
        match seen {
            Some(seen) => prop_assert!(
                states.iter().flatten().any(|entry| {
                    entry.1 == seen && holds(&entry.0, address) && Some(entry.0.len()) >= always
                }),
                "{:?} owned nothing of {:?} or more", seen, always
            ),
            None => prop_assert_eq!(always, None),
        }
    }

    /// While all is torn down, a reader finds the right owner or none.
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

/// A reader that has come so far, while all is being torn down and has come so far.
#[test]
fn tearing_down_never_shows_the_owner_of_a_shorter_prefix() {
    let address = v4(10, 1, 2, 3);
    for loads in 1..=10 {
        for swaps in 1..=10 {
            let trie = Arc::new(AllowedIps::<Host, Peer>::new());
            let mut token = AllowedIpsWriter::new();
            let peers = peers(3);
            for (peer, len) in [(0, 8), (1, 16), (2, 24)] {
                trie.insert(&mut token, prefix(address, len), &peers[peer], 0, &mut ())
                    .ok()
                    .unwrap();
            }
            // The reader goes first, then the writer, then the reader to its end.
            let (reader_came, await_reader) = channel();
            let (writer_came, await_writer) = channel();
            let (reader_done, await_done) = channel();
            let shared = trie.clone();
            let reader = std::thread::spawn(move || {
                let mut count = 0;
                let came = reader_came.clone();
                let section = Section::default();
                let seen = with_load_hook(
                    move || {
                        count += 1;
                        if count == loads {
                            came.send(()).unwrap();
                            await_writer.recv().unwrap();
                        }
                    },
                    || shared.lookup(address, &section).map(|owner| *owner),
                );
                let _ = reader_came.send(());
                let _ = reader_done.send(());
                seen
            });
            await_reader.recv().unwrap();
            let mut count = 0;
            let came = writer_came.clone();
            with_swap_hook(
                move || {
                    count += 1;
                    if count == swaps {
                        let _ = came.send(());
                        let _ = await_done.recv();
                    }
                },
                || trie.clear(&mut token),
            );
            let _ = writer_came.send(());
            let seen = reader.join().unwrap();
            assert!(
                matches!(seen, None | Some(2)),
                "{seen:?} after {loads} loads and {swaps} swaps"
            );
        }
    }
}

#[test]
fn unrelated_changes_never_uncover_an_address() {
    let trie = Arc::new(AllowedIps::<Host, Peer>::new());
    let mut token = AllowedIpsWriter::new();
    let peers = peers(2);
    let cover = prefix(v4(10, 0, 0, 0), 8);
    trie.insert(&mut token, cover, &peers[0], 0, &mut ())
        .ok()
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let looks: [_; 2] = std::array::from_fn(|_| Arc::new(AtomicUsize::new(0)));
    let readers = looks.clone().map(|looks| {
        let (trie, stop) = (trie.clone(), stop.clone());
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let section = Section::default();
                let owner = trie.lookup(v4(10, 1, 2, 3), &section);
                assert_eq!(owner.map(|owner| *owner), Some(0));
                looks.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
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
    // Until all had their turn, however busy the machine is.
    for round in 0usize.. {
        let prefix = around[round * 7 % around.len()];
        if trie.remove(&mut token, prefix, &peers[1]).is_none() {
            trie.insert(&mut token, prefix, &peers[1], 0, &mut ())
                .ok()
                .unwrap();
        }
        let served = |looks: &Arc<AtomicUsize>| looks.load(Ordering::Relaxed) >= 2_000;
        if round >= 20_000 && (looks.iter().all(served) || readers.iter().any(|r| r.is_finished()))
        {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
}
