// SPDX-License-Identifier: GPL-2.0

//! Handshake messages that several workers look at: each takes a snapshot under the lock, computes
//! without it, and commits under it (`rust/proto/handshake`, as `rust/driver/handshake/incoming.rs`
//! uses it).

use super::{bounds, process};
use engine::explore_with;
use kernel::{
    alloc::{flags::GFP_KERNEL, KBox},
    model::machine::Machine,
};
use kext::{new_mutex, sync::lock::Mutex};
use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
};
use wg_proto::{
    handshake::{Handshake, Identity, IncomingInitiation, IncomingResponse, SessionKeys},
    message::{Index, Initiation, Response},
    DropReason, Tai64N,
};
use wg_soft::{Node, Soft};

const NOW: u64 = 1_000_000_000_000;

type Lock = Arc<Pin<KBox<Mutex<Handshake>>>>;

fn lock(handshake: Handshake) -> Lock {
    Arc::new(KBox::pin_init(new_mutex!(handshake), GFP_KERNEL).expect("memory"))
}

/// What does not differ between executions: made once, as it takes long.
struct Known {
    ours: Identity,
    theirs: Identity,
    initiations: [Initiation; 2],
}

fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let (mut a, b) = Node::pair(7);
        let first = a.initiate().expect("an initiation");
        a.sleep(100);
        let second = a.initiate().expect("an initiation");
        Known {
            ours: b.identity,
            theirs: a.identity,
            initiations: [first, second],
        }
    })
}

/// `accept_initiation` of the driver.
fn accept(lock: &Lock, message: &Initiation, now: u64) -> Result<(), DropReason> {
    let mut ctx = process();
    let mut scratch = IncomingInitiation::new();
    let opened = scratch.open::<Soft>(&known().ours, message)?;
    let known_peer = {
        let mut handshake = lock.lock(&mut ctx);
        opened.snapshot::<Soft>(&known().ours, &mut handshake)?
    };
    let authentic = known_peer.authenticate::<Soft>(message)?;
    let mut handshake = lock.lock(&mut ctx);
    authentic.commit(&mut handshake, now)
}

/// Which of two workers accepted its message, out of the numbers of messages.
fn accepted(first: usize, second: usize) -> [bool; 2] {
    let handshake = lock(Handshake::new(*known().theirs.public().expect("a key")));
    let results: Arc<[OnceLock<bool>; 2]> = Arc::default();
    let mut machine = Machine::new();
    for (nth, message) in [first, second].into_iter().enumerate() {
        let (handshake, results) = (handshake.clone(), results.clone());
        machine = machine.cpu(move || {
            // A second apart, so that it is no flood.
            let now = NOW + nth as u64 * 1_000_000_000;
            let accepted = accept(&handshake, &known().initiations[message], now).is_ok();
            results[nth].set(accepted).expect("once");
        });
    }
    machine.finish();
    [0, 1].map(|nth| *results[nth].get().expect("ran"))
}

/// One initiation twice, at the same time: one of them is a replay.
#[test]
fn an_initiation_is_taken_once() {
    known();
    explore_with(bounds(3), || {
        let [first, second] = accepted(0, 0);
        assert!(
            first != second,
            "taken {}",
            if first { "twice" } else { "never" }
        );
    });
}

/// A newer initiation and an older one: the newer one is never turned away for the older one's
/// sake.
#[test]
fn the_newer_initiation_is_taken_or_flooded() {
    known();
    explore_with(bounds(3), || {
        let [old, new] = accepted(0, 1);
        assert!(old || new);
    });
}

/// A response comes on one CPU, as another one begins the handshake anew: the session is made of
/// the handshake that the response belongs to, or of none.
#[test]
fn a_response_fits_its_initiation() {
    known();
    // On a thread of its own, as the first one has a small stack.
    explore_with(bounds(3), || engine::spawn(answered));
}

fn answered() {
    let (mut a, mut b) = Node::pair(9);
    let initiation = a.initiate().expect("an initiation");
    b.consume_initiation(&initiation).expect("it is good");
    let response: Response = b.respond().expect("a response");
    let identity = Arc::new(a.identity);
    let handshake = lock(a.handshake);
    let anew = {
        let (handshake, identity) = (handshake.clone(), identity.clone());
        move || {
            let mut ctx = process();
            let mut message = Initiation::zeroed();
            let mut handshake = handshake.lock(&mut ctx);
            let done = handshake.create_initiation::<Soft>(
                &identity,
                &mut message,
                Index::new(77),
                Tai64N::from_unix(1_700_000_001, 0),
                |bytes| bytes.fill(3),
            );
            assert!(done.is_ok());
        }
    };
    let takes = {
        let handshake = handshake.clone();
        move || {
            let mut ctx = process();
            let mut scratch = IncomingResponse::new();
            let expected = {
                let handshake = handshake.lock(&mut ctx);
                scratch.snapshot(&handshake)
            };
            let Ok(expected) = expected else {
                return;
            };
            let Ok(authentic) = expected.authenticate::<Soft>(&identity, &response) else {
                return;
            };
            let committed = {
                let mut handshake = handshake.lock(&mut ctx);
                authentic.commit::<Soft>(&mut handshake).is_ok()
            };
            if committed {
                let mut keys = SessionKeys::zeroed();
                let mut handshake = handshake.lock(&mut ctx);
                if handshake.begin_session::<Soft>(NOW, &mut keys).is_ok() {
                    assert_eq!(keys.local, response.receiver());
                    assert_eq!(keys.sending.as_bytes(), b.session.receiving.as_bytes());
                }
            }
        }
    };
    Machine::new().cpu(anew).cpu(takes).finish();
}
