// SPDX-License-Identifier: GPL-2.0

//! Handshakes of the core with itself, and everything that it has to refuse.

use wg_proto::{
    crypto::Crypto,
    handshake::{
        Identity,
        IncomingInitiation,
        IncomingResponse,
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
        Message,
        Response, //
    },
    Reject,
    Tai64N, //
};
use wg_soft::{
    unhex,
    Node,
    Soft, //
};

/// Reads back what was written, perhaps after a change.
fn initiation(bytes: &[u8]) -> Initiation {
    match Message::parse(bytes) {
        Ok(Message::Initiation(message)) => *message,
        _ => panic!("not an initiation"),
    }
}

/// Reads back what was written, perhaps after a change.
fn response(bytes: &[u8]) -> Response {
    match Message::parse(bytes) {
        Ok(Message::Response(message)) => *message,
        _ => panic!("not a response"),
    }
}

/// Takes both through a handshake that `a` begins.
fn shake(a: &mut Node, b: &mut Node) {
    let message = a.initiate().expect("an initiation");
    b.consume_initiation(&message).expect("a new initiation");
    let message = b.respond().expect("a response");
    a.consume_response(&message).expect("the response");
    a.begin().expect("a session");
}

/// Checks that both have the same session.
fn agree(a: &Node, b: &Node) {
    assert_eq!(a.session.sending.as_bytes(), b.session.receiving.as_bytes());
    assert_eq!(a.session.receiving.as_bytes(), b.session.sending.as_bytes());
    assert_ne!(a.session.sending.as_bytes(), a.session.receiving.as_bytes());
    assert_ne!(a.session.sending.as_bytes(), &[0; 32]);
    assert_eq!(a.session.local, b.session.remote);
    assert_eq!(a.session.remote, b.session.local);
}

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
                shake(&mut a, &mut b);
                assert_eq!(
                    (a.session.role, b.session.role),
                    (Role::Initiator, Role::Responder)
                );
                assert!(a.session.age().initiator && !b.session.age().initiator);
            } else {
                shake(&mut b, &mut a);
                assert_eq!(
                    (b.session.role, a.session.role),
                    (Role::Initiator, Role::Responder)
                );
            }
            agree(&a, &b);
            assert_eq!(a.session.age().birth, a.now);
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
    shake(&mut a, &mut b);
    let (sending, receiving) = (
        *a.session.sending.as_bytes(),
        *a.session.receiving.as_bytes(),
    );
    a.sleep(25);
    b.sleep(25);
    shake(&mut a, &mut b);
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
    assert_eq!(a.consume_response(&answer), Err(Reject::BadResponse));
    assert_eq!(a.begin(), Err(Reject::WrongState));
}

#[test]
fn another_responder_cannot_read_an_initiation() {
    let (mut a, _) = Node::pair(4);
    let (_, mut stranger) = Node::pair(5);
    let first = a.initiate().expect("an initiation");
    assert_eq!(stranger.consume_initiation(&first), Err(Reject::BadStatic));
}

#[test]
fn an_unknown_sender_is_refused() {
    let (mut a, mut b) = Node::pair(6);
    let first = a.initiate().expect("an initiation");
    let (stranger, _) = Node::pair(7);
    b.set_peer(stranger.public());
    assert_eq!(b.consume_initiation(&first), Err(Reject::UnknownPeer));
    // The steps check themselves that they are given the sender's handshake.
    let mut work = IncomingInitiation::new();
    let opened = work
        .open::<Soft>(&b.identity, &first)
        .expect("a static key");
    assert_eq!(opened.sender(), &a.public());
    let refused = opened.attach::<Soft>(&b.identity, &mut b.handshake);
    assert_eq!(refused.err(), Some(Reject::UnknownPeer));
    let mut right = Node::new([5; 32], 5);
    right.set_peer(a.public());
    let known = work
        .open::<Soft>(&b.identity, &first)
        .and_then(|opened| opened.attach::<Soft>(&b.identity, &mut right.handshake))
        .and_then(|known| known.authenticate::<Soft>(&first))
        .expect("an authentic initiation");
    assert_eq!(known.commit(&mut b.handshake, 0), Err(Reject::UnknownPeer));
}

#[test]
fn a_sender_without_its_private_key_is_refused() {
    // Who knows both public keys only can make everything but the timestamp.
    let (mut a, mut b) = Node::pair(8);
    let (mut thief, _) = Node::pair(9);
    thief.set_peer(b.public());
    let (real, fake) = (a.public(), thief.public());
    assert_ne!(real, fake);
    // The thief's initiation with the victim's encrypted static key in it does not fit its hash.
    let message = thief.initiate().expect("an initiation");
    let stolen = a.initiate().expect("an initiation");
    let mut bytes = message.as_bytes().to_vec();
    bytes[40..88].copy_from_slice(&stolen.as_bytes()[40..88]);
    assert_eq!(
        b.consume_initiation(&initiation(&bytes)),
        Err(Reject::BadStatic)
    );
    // With the ephemeral key it does, but then the timestamp is under another key.
    let mut bytes = stolen.as_bytes().to_vec();
    bytes[88..116].copy_from_slice(&message.as_bytes()[88..116]);
    assert_eq!(
        b.consume_initiation(&initiation(&bytes)),
        Err(Reject::BadTimestamp)
    );
    assert_eq!(b.respond().err(), Some(Reject::WrongState));
}

#[test]
fn every_flipped_bit_of_an_initiation_is_refused() {
    let (mut a, mut b) = Node::pair(10);
    let bytes = a.initiate().expect("an initiation").as_bytes().to_vec();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            // The first mac covers everything before it.
            let reason = match at {
                0 if matches!(changed[0], 2..=4) => Some(match changed[0] {
                    4 => Reject::UnknownSession,
                    _ => Reject::BadLength,
                }),
                0..4 => Some(Reject::BadType),
                4..132 => Some(Reject::BadMac1),
                // The second mac is not looked at.
                _ => None,
            };
            if let Some(reason) = reason {
                assert_eq!(b.receive(&changed, &[]), Err(reason), "{at} {bit}");
            }
            if (4..116).contains(&at) {
                // Without the mac the handshake finds it out itself.
                let reason = match at {
                    // The sender's index is not authenticated but by the mac.
                    4..8 => continue,
                    // The top bit of the ephemeral key is hashed, too.
                    8..88 => Reject::BadStatic,
                    _ => Reject::BadTimestamp,
                };
                let changed = initiation(&changed);
                assert_eq!(b.consume_initiation(&changed), Err(reason), "{at} {bit}");
            }
        }
    }
    assert!(b.receive(&bytes, &[]).is_ok());
}

#[test]
fn every_flipped_bit_of_a_response_is_refused() {
    let (mut a, mut b) = Node::pair(11);
    let first = a.initiate().expect("an initiation");
    let bytes = b.receive(first.as_bytes(), &[]).expect("a response");
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let reason = match at {
                0 if matches!(changed[0], 1 | 3 | 4) => Some(match changed[0] {
                    4 => Reject::UnknownSession,
                    _ => Reject::BadLength,
                }),
                0 if changed[0] == 0 => Some(Reject::BadType),
                0..4 => Some(Reject::BadType),
                4..76 => Some(Reject::BadMac1),
                _ => None,
            };
            if let Some(reason) = reason {
                assert_eq!(a.receive(&changed, &[]), Err(reason), "{at} {bit}");
            }
            if (8..60).contains(&at) {
                let reason = match at {
                    8..12 => Reject::UnknownHandshake,
                    _ => Reject::BadResponse,
                };
                let changed = response(&changed);
                assert_eq!(a.consume_response(&changed), Err(reason), "{at} {bit}");
            }
        }
    }
    assert_eq!(a.receive(&bytes, &[]), Ok(Vec::new()));
    agree(&a, &b);
}

#[test]
fn every_flipped_bit_of_a_data_message_is_refused() {
    let (mut a, mut b) = Node::pair(12);
    shake(&mut a, &mut b);
    let bytes = a.send(3, b"some text");
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let reason = match at {
                0..4 => Reject::BadType,
                4..8 => Reject::UnknownSession,
                _ => Reject::BadData,
            };
            assert_eq!(b.receive(&changed, &[]), Err(reason), "{at} {bit}");
        }
    }
    assert_eq!(b.receive(&bytes, &[]), Ok(b"some text".to_vec()));
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
    assert_eq!(a.initiate().err(), Some(Reject::NoIdentity));
    assert_eq!(a.consume_response(&second), Err(Reject::NoIdentity));
    b.sleep(25);
    assert_eq!(b.consume_initiation(&first), Err(Reject::NoIdentity));
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
    shake(&mut a, &mut b);
    a.set_private([0x33; 32]);
    b.set_peer(a.public());
    a.sleep(25);
    b.sleep(25);
    shake(&mut a, &mut b);
    agree(&a, &b);
    // Nor is the old product of the static keys used by the responder.
    b.set_private([0x44; 32]);
    a.set_peer(b.public());
    a.sleep(25);
    b.sleep(25);
    shake(&mut a, &mut b);
    agree(&a, &b);
    a.sleep(25);
    b.sleep(25);
    shake(&mut b, &mut a);
    agree(&a, &b);
}

#[test]
// row H3
fn points_of_low_order_are_refused() {
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // The top bit is ignored.
        "0000000000000000000000000000000000000000000000000000000000000080",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
    ];
    for point in points {
        let point: [u8; 32] = unhex(point).try_into().expect("32 bytes");
        // As the peer's public key.
        let (mut a, mut b) = Node::pair(15);
        a.set_peer(PublicKey::from_bytes(point));
        assert_eq!(a.initiate().err(), Some(Reject::LowOrder));
        assert_eq!(a.handshake.local_index(), None);
        assert_eq!(a.respond().err(), Some(Reject::WrongState));
        a.set_peer(b.public());
        // As the ephemeral key of an initiation.
        let first = a.initiate().expect("an initiation");
        let mut bytes = first.as_bytes().to_vec();
        bytes[8..40].copy_from_slice(&point);
        assert_eq!(
            b.consume_initiation(&initiation(&bytes)),
            Err(Reject::LowOrder)
        );
        // As the ephemeral key of a response.
        b.consume_initiation(&first).expect("a new initiation");
        let mut bytes = b.respond().expect("a response").as_bytes().to_vec();
        bytes[12..44].copy_from_slice(&point);
        assert_eq!(a.consume_response(&response(&bytes)), Err(Reject::LowOrder));
    }
}

/// A peer of low order that is known passes the static key, which is not multiplied, but not the
/// product of the static keys.
#[test]
fn an_initiation_of_a_sender_of_low_order_is_refused() {
    use wg_proto::handshake::pattern::{
        InitiationParts,
        Symmetric, //
    };
    let (_, mut b) = Node::pair(16);
    let zero = PublicKey::ZERO;
    b.set_peer(zero);
    // Nobody has an identity of low order, so its initiation is put together by hand: as that of
    // a real sender, with the hashes over the other static key.
    let mut ephemeral = [0; 32];
    let mut secret = PrivateKey::zeroed();
    *secret.as_mut_bytes() = [0x77; 32];
    assert!(Soft::x25519_public(&mut ephemeral, secret.as_bytes()));
    let mut bytes = [0; 148];
    bytes[0] = 1;
    bytes[8..40].copy_from_slice(&ephemeral);
    let mut chain = wg_proto::key::ChainingKey::zeroed();
    let mut symmetric = Symmetric::zeroed();
    symmetric.start::<Soft>(&b.public());
    Soft::blake2s(
        chain.as_mut_bytes(),
        &[],
        &[wg_proto::handshake::pattern::NAME],
    );
    let mut hash = *symmetric.hash();
    let mut next = [0; 32];
    Soft::blake2s(&mut next, &[], &[&hash, &ephemeral]);
    hash = next;
    wg_proto::kdf::kdf1::<Soft>(&mut chain, &ephemeral);
    let mut shared = [0; 32];
    assert!(Soft::x25519(
        &mut shared,
        secret.as_bytes(),
        b.public().as_bytes()
    ));
    let mut key = wg_proto::key::SymmetricKey::zeroed();
    wg_proto::kdf::kdf2::<Soft, _>(&mut chain, &mut key, &shared);
    Soft::seal(key.as_bytes(), 0, &hash, &mut bytes[40..88]);
    let message = initiation(&bytes);
    let mut work = IncomingInitiation::new();
    let opened = work
        .open::<Soft>(&b.identity, &message)
        .expect("a static key");
    assert_eq!(opened.sender(), &zero);
    assert_eq!(b.consume_initiation(&message), Err(Reject::LowOrder));
    // The writer's side of the same check.
    let (a, b) = Node::pair(17);
    let mut out = [0; 32];
    let mut identity = [0; 48];
    let mut payload = [0; 28];
    let zero = wg_proto::key::SharedSecret::zeroed();
    let refused = symmetric.write_initiation::<Soft>(
        &a.identity,
        &b.public(),
        &zero,
        &secret,
        InitiationParts {
            ephemeral: &mut out,
            identity: &mut identity,
            payload: &mut payload,
        },
    );
    assert_eq!(refused, Err(Reject::LowOrder));
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
fn a_timestamp_is_taken_once() {
    let (mut a, mut b) = Node::pair(19);
    let old = a.initiate().expect("an initiation");
    a.sleep(40);
    let new = a.initiate().expect("an initiation");
    b.consume_initiation(&new).expect("a new initiation");
    b.sleep(1_000);
    assert_eq!(b.consume_initiation(&new), Err(Reject::ReplayedTimestamp));
    assert_eq!(b.consume_initiation(&old), Err(Reject::ReplayedTimestamp));
    // Two within a quantum are one timestamp.
    a.wall.1 &= !((1 << 24) - 1);
    a.sleep(20);
    let one = a.initiate().expect("an initiation");
    a.wall.1 |= (1 << 24) - 1;
    let other = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&one), Ok(()));
    b.sleep(1_000);
    assert_eq!(b.consume_initiation(&other), Err(Reject::ReplayedTimestamp));
    // The greatest timestamp outlives the handshake.
    b.handshake.clear();
    assert_eq!(b.consume_initiation(&one), Err(Reject::ReplayedTimestamp));
    a.wall.1 += 1;
    a.sleep(0);
    let next = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&next), Ok(()));
}

#[test]
// row H10
fn a_clock_that_went_back_is_refused_until_it_caught_up() {
    let (mut a, mut b) = Node::pair(20);
    let first = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&first), Ok(()));
    a.wall.0 -= 3_600;
    for _ in 0..3 {
        a.sleep(1_000);
        b.sleep(1_000);
        let message = a.initiate().expect("an initiation");
        assert_eq!(
            b.consume_initiation(&message),
            Err(Reject::ReplayedTimestamp)
        );
    }
    a.wall.0 += 3_600;
    let message = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&message), Ok(()));
}

#[test]
// rows K9 H6
fn initiations_are_taken_every_twenty_milliseconds() {
    let (mut a, mut b) = Node::pair(21);
    let mut next = || {
        a.sleep(1_000);
        a.initiate().expect("an initiation")
    };
    assert_eq!(b.consume_initiation(&next()), Ok(()));
    assert_eq!(b.consume_initiation(&next()), Err(Reject::Flood));
    b.now += 19_999_999;
    let late = next();
    assert_eq!(b.consume_initiation(&late), Err(Reject::Flood));
    b.now += 1;
    // One that was refused for this may come again.
    assert_eq!(b.consume_initiation(&late), Ok(()));
    // Right after boot nothing was taken yet.
    let (mut a, mut b) = Node::pair(22);
    b.now = 0;
    let first = a.initiate().expect("an initiation");
    assert_eq!(b.consume_initiation(&first), Ok(()));
}

#[test]
fn a_response_to_a_replaced_initiation_is_refused() {
    // The remote answers the old initiation; meanwhile there is a new one.
    let (mut a, mut b) = Node::pair(23);
    let old = a.initiate().expect("an initiation");
    b.consume_initiation(&old).expect("a new initiation");
    let answer = b.respond().expect("a response");

    // The response was found right while the handshake still was the old one.
    let mut work = IncomingResponse::new();
    let authentic = work
        .snapshot(&a.handshake)
        .and_then(|expected| expected.authenticate::<Soft>(&a.identity, &answer))
        .expect("an authentic response");
    a.sleep(6_000);
    // The state is the same again, and so is the index.
    a.index -= 1;
    let new = a.initiate().expect("an initiation");
    assert_eq!(new.sender(), old.sender());
    assert_eq!(
        authentic.commit::<Soft>(&mut a.handshake),
        Err(Reject::Superseded)
    );
    assert_eq!(a.begin(), Err(Reject::WrongState));

    // Nor is it right for the new one.
    assert_eq!(a.consume_response(&answer), Err(Reject::BadResponse));
    // The new one goes on undisturbed.
    b.sleep(6_000);
    b.consume_initiation(&new).expect("a new initiation");
    let answer = b.respond().expect("a response");
    assert_eq!(a.consume_response(&answer), Ok(()));
    assert_eq!(a.begin(), Ok(()));
    agree(&a, &b);
}

#[test]
fn a_response_is_refused_in_every_other_state() {
    let (mut a, mut b) = Node::pair(24);
    let first = a.initiate().expect("an initiation");
    b.consume_initiation(&first).expect("a new initiation");
    let answer = b.respond().expect("a response");

    // Twice.
    let (mut one, mut two) = (IncomingResponse::new(), IncomingResponse::new());
    let one = one
        .snapshot(&a.handshake)
        .and_then(|expected| expected.authenticate::<Soft>(&a.identity, &answer))
        .expect("an authentic response");
    let two = two
        .snapshot(&a.handshake)
        .and_then(|expected| expected.authenticate::<Soft>(&a.identity, &answer))
        .expect("an authentic response");
    assert_eq!(one.commit::<Soft>(&mut a.handshake), Ok(()));
    assert_eq!(
        two.commit::<Soft>(&mut a.handshake),
        Err(Reject::Superseded)
    );
    assert_eq!(a.consume_response(&answer), Err(Reject::WrongState));
    assert_eq!(a.begin(), Ok(()));
    assert_eq!(a.begin(), Err(Reject::WrongState));
    // After the session began the index is no handshake's.
    assert_eq!(a.consume_response(&answer), Err(Reject::UnknownHandshake));
    let mut work = IncomingResponse::new();
    assert_eq!(work.snapshot(&a.handshake).err(), Some(Reject::WrongState));

    // After an initiation of the remote, and after our response to it.
    let (mut a, mut b) = Node::pair(25);
    let ours = a.initiate().expect("an initiation");
    b.consume_initiation(&ours).expect("a new initiation");
    let answer = b.respond().expect("a response");
    b.sleep(25);
    let theirs = b.initiate().expect("an initiation");
    a.consume_initiation(&theirs).expect("a new initiation");
    assert_eq!(a.consume_response(&answer), Err(Reject::WrongState));
    a.respond().expect("a response");
    assert_eq!(a.consume_response(&answer), Err(Reject::UnknownHandshake));
}

#[test]
fn a_response_for_another_index_is_refused() {
    let (mut a, mut b) = Node::pair(26);
    let first = a.initiate().expect("an initiation");
    b.consume_initiation(&first).expect("a new initiation");
    let answer = b.respond().expect("a response");
    let mut bytes = answer.as_bytes().to_vec();
    bytes[8] ^= 1;
    let mut work = IncomingResponse::new();
    let refused = work
        .snapshot(&a.handshake)
        .and_then(|expected| expected.authenticate::<Soft>(&a.identity, &response(&bytes)));
    assert_eq!(refused.err(), Some(Reject::Superseded));
}

#[test]
fn initiations_that_cross_end_in_a_session() {
    let (mut a, mut b) = Node::pair(27);
    let from_a = a.initiate().expect("an initiation");
    let from_b = b.initiate().expect("an initiation");
    a.consume_initiation(&from_b).expect("a new initiation");
    b.consume_initiation(&from_a).expect("a new initiation");
    let to_b = a.respond().expect("a response");
    let to_a = b.respond().expect("a response");
    // Both gave their own up, so neither response is expected; both are responders, and the next
    // initiation of either settles it.
    assert_eq!(b.consume_response(&to_b), Err(Reject::UnknownHandshake));
    assert_eq!(a.consume_response(&to_a), Err(Reject::UnknownHandshake));
    a.sleep(5_100);
    b.sleep(5_100);
    shake(&mut a, &mut b);
    agree(&a, &b);
}

#[test]
fn steps_out_of_order_are_refused() {
    let (mut a, mut b) = Node::pair(28);
    let mut keys = SessionKeys::zeroed();
    assert_eq!(
        a.handshake.begin_session::<Soft>(0, &mut keys),
        Err(Reject::WrongState)
    );
    assert_eq!(a.respond().err(), Some(Reject::WrongState));
    let first = a.initiate().expect("an initiation");
    assert_eq!(a.begin(), Err(Reject::WrongState));
    assert_eq!(a.respond().err(), Some(Reject::WrongState));
    b.consume_initiation(&first).expect("a new initiation");
    assert_eq!(b.begin(), Err(Reject::WrongState));
    b.handshake.clear();
    assert_eq!(b.respond().err(), Some(Reject::WrongState));
    a.handshake.clear();
    assert_eq!(a.begin(), Err(Reject::WrongState));
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
    assert_eq!(a.initiate().err(), Some(Reject::NoIdentity));
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
        shake(&mut a, &mut b);
        agree(&a, &b);
        a.sleep(30);
        b.sleep(30);
        shake(&mut b, &mut a);
        agree(&a, &b);
    }
}
