// SPDX-License-Identifier: GPL-2.0

//! Handshakes of the core with itself: the sessions that come of them, and the order of their steps.

use wg_proto::{
    crypto::Crypto,
    handshake::{
        Identity,
        Role,
        SessionKeys, //
    },
    key::{
        PrivateKey,
        PublicKey, //
    },
    message::{
        Index,
        Initiation,
        Response, //
    },
    DropReason,
    Tai64N, //
};
use wg_soft::{
    Node,
    Soft, //
};

#[test]
fn both_sides_derive_the_same_session() {
    for preshared in [None, Some([9; 32])] {
        let (mut a, mut b) = Node::pair(1);
        if let Some(key) = preshared {
            a.set_preshared(key);
            b.set_preshared(key);
        }
        for round in 0..4u64 {
            a.sleep(25);
            b.sleep(25);
            if round % 2 == 0 {
                a.shake(&mut b);
                assert_eq!(
                    (a.session.role, b.session.role),
                    (Role::Initiator, Role::Responder)
                );
                assert!(a.session.lifetime().initiator && !b.session.lifetime().initiator);
            } else {
                b.shake(&mut a);
                assert_eq!(
                    (b.session.role, a.session.role),
                    (Role::Initiator, Role::Responder)
                );
            }
            a.agree(&b);
            assert_eq!(a.session.lifetime().birth, a.now);
            for text in [&b""[..], b"sixteen bytes   "] {
                let packet = a.send(round, text);
                assert_eq!(b.receive(&packet, &[]), Ok(text.to_vec()));
                let packet = b.send(round, text);
                assert_eq!(a.receive(&packet, &[]), Ok(text.to_vec()));
            }
            assert_eq!(a.handshake.local_index(), None);
            assert_eq!(b.handshake.local_index(), None);
        }
    }
}

#[test]
fn two_handshakes_have_nothing_in_common() {
    let (mut a, mut b) = Node::pair(2);
    a.shake(&mut b);
    let (sending, receiving) = (
        *a.session.sending.as_bytes(),
        *a.session.receiving.as_bytes(),
    );
    a.sleep(25);
    b.sleep(25);
    a.shake(&mut b);
    for key in [a.session.sending.as_bytes(), a.session.receiving.as_bytes()] {
        assert!(key != &sending && key != &receiving);
    }
}

#[test]
fn another_preshared_key_is_refused() {
    let (mut a, mut b) = Node::pair(3);
    a.set_preshared([1; 32]);
    let first = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&first), Ok(()));
    let answer = b.respond().expect("a response");
    assert_eq!(a.consume_response(&answer), Err(DropReason::BadResponse));
    assert_eq!(a.begin(), Err(DropReason::WrongState));
}

#[test]
// row H2
fn without_an_identity_there_is_no_handshake() {
    let (mut a, mut b) = Node::pair(13);
    let first = a.initiate().expect("an initiation");
    let second = {
        b.consume_initiation(&first).expect("a new initiation");
        b.respond().expect("a response")
    };
    a.set_private([0; 32]);
    b.set_private([0; 32]);
    assert_eq!(a.identity.public(), None);
    assert!(a.identity.private().is_none());
    assert_eq!(a.initiate().err(), Some(DropReason::NoIdentity));
    assert_eq!(a.consume_response(&second), Err(DropReason::NoIdentity));
    b.sleep(25);
    assert_eq!(b.consume_initiation(&first), Err(DropReason::NoIdentity));
}

#[test]
fn private_keys_are_clamped_and_recognised() {
    let mut private = PrivateKey::zeroed();
    *private.as_mut_bytes() = [0xff; 32];
    let mut identity = Identity::new();
    identity.set::<Soft>(&private);
    let stored = *identity.private().expect("a key").as_bytes();
    assert_eq!((stored[0], stored[1], stored[31]), (0xf8, 0xff, 0x7f));
    assert!(!identity.is_private::<Soft>(&private));
    private.clamp();
    assert!(identity.is_private::<Soft>(&private));
    let mut public = [0; 32];
    assert!(Soft::x25519_public(&mut public, &stored));
    assert_eq!(identity.public().map(PublicKey::as_bytes), Some(&public));
}

#[test]
fn a_new_private_key_is_used_at_once() {
    let (mut a, mut b) = Node::pair(14);
    a.shake(&mut b);
    a.set_private([0x33; 32]);
    b.set_peer(a.public());
    a.sleep(25);
    b.sleep(25);
    a.shake(&mut b);
    a.agree(&b);
    // Nor is the old product of the static keys used by the responder.
    b.set_private([0x44; 32]);
    a.set_peer(b.public());
    a.sleep(25);
    b.sleep(25);
    a.shake(&mut b);
    a.agree(&b);
    a.sleep(25);
    b.sleep(25);
    b.shake(&mut a);
    a.agree(&b);
}

#[test]
fn an_ephemeral_key_of_zeros_is_clamped_to_a_key() {
    // Randomness that fails is not the core's to find out, but it does not break it either.
    let (mut a, b) = Node::pair(18);
    let mut out = Initiation::zeroed();
    let made = a.handshake.create_initiation::<Soft>(
        &a.identity,
        &mut out,
        Index::new(1),
        Tai64N::from_unix(1, 0),
        |_| {},
    );
    assert_eq!(made, Ok(None));
    assert_ne!(a.public(), b.public());
}

#[test]
fn steps_out_of_order_are_refused() {
    let (mut a, mut b) = Node::pair(28);
    let mut keys = SessionKeys::zeroed();
    assert_eq!(
        a.handshake.begin_session::<Soft>(0, &mut keys),
        Err(DropReason::WrongState)
    );
    assert_eq!(a.respond().err(), Some(DropReason::WrongState));
    let first = a.initiate().expect("an initiation");
    assert_eq!(a.begin(), Err(DropReason::WrongState));
    assert_eq!(a.respond().err(), Some(DropReason::WrongState));
    b.consume_initiation(&first).expect("a new initiation");
    assert_eq!(b.begin(), Err(DropReason::WrongState));
    b.handshake.clear();
    assert_eq!(b.respond().err(), Some(DropReason::WrongState));
    a.handshake.clear();
    assert_eq!(a.begin(), Err(DropReason::WrongState));
    assert_eq!(keys.sending.as_bytes(), &[0; 32]);
}

#[test]
fn indices_are_given_back_once() {
    let (mut a, mut b) = Node::pair(29);
    let entropy = |bytes: &mut [u8; 32]| *bytes = [3; 32];
    let stamp = |n| Tai64N::from_unix(n, 0);
    let mut first = Initiation::zeroed();
    let mut create = |a: &mut Node, index, n| {
        a.handshake.create_initiation::<Soft>(
            &a.identity,
            &mut first,
            Index::new(index),
            stamp(n),
            entropy,
        )
    };
    assert_eq!(create(&mut a, 1, 1), Ok(None));
    assert_eq!(create(&mut a, 2, 2), Ok(Some(Index::new(1))));
    // Replaced by an initiation of the remote, the index lives until the response.
    let theirs = b.initiate().expect("an initiation");
    a.consume_initiation(&theirs).expect("a new initiation");
    assert_eq!(a.handshake.local_index(), Some(Index::new(2)));
    let mut out = Response::zeroed();
    assert_eq!(
        a.handshake
            .create_response::<Soft>(&mut out, Index::new(3), entropy),
        Ok(Some(Index::new(2)))
    );
    assert_eq!(a.handshake.local_index(), Some(Index::new(3)));
    assert_eq!(
        (out.sender(), out.receiver()),
        (Index::new(3), theirs.sender())
    );
    a.begin().expect("a session");
    assert_eq!(a.session.local, Index::new(3));
    assert_eq!(a.handshake.clear(), None);
    // Or by nothing.
    assert_eq!(create(&mut a, 4, 3), Ok(None));
    assert_eq!(a.handshake.clear(), Some(Index::new(4)));
    assert_eq!(a.handshake.clear(), None);
}

#[test]
fn a_failed_attempt_leaves_the_one_before() {
    let (mut a, mut b) = Node::pair(30);
    let first = a.initiate().expect("an initiation");
    let private = *a.identity.private().expect("a key").as_bytes();
    a.set_private([0; 32]);
    assert_eq!(a.initiate().err(), Some(DropReason::NoIdentity));
    a.set_private(private);
    b.consume_initiation(&first).expect("a new initiation");
    let answer = b.respond().expect("a response");
    assert_eq!(a.consume_response(&answer), Ok(()));
}

#[test]
fn hundreds_of_random_handshakes_agree() {
    for seed in 100..400 {
        let (mut a, mut b) = Node::pair(seed);
        let mut key = [0; 32];
        a.rng.fill(&mut key);
        if seed % 3 != 0 {
            a.set_preshared(key);
            b.set_preshared(key);
        }
        a.shake(&mut b);
        a.agree(&b);
        a.sleep(30);
        b.sleep(30);
        b.shake(&mut a);
        a.agree(&b);
    }
}
