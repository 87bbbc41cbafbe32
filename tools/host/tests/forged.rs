// SPDX-License-Identifier: GPL-2.0

//! Messages that are not what their sender claims: changed, of another sender, or with keys that no host has.

use wg_proto::{
    crypto::Crypto,
    handshake::{
        pattern::{
            InitiationParts,
            SymmetricState,
            NAME, //
        },
        IncomingInitiation,
        IncomingResponse, //
    },
    kdf,
    key::{
        ChainingKey,
        PrivateKey,
        PublicKey,
        SharedSecret,
        SymmetricKey, //
    },
    message::{
        Initiation,
        Message,
        Response, //
    },
    DropReason, //
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

#[test]
fn another_responder_cannot_read_an_initiation() {
    let (mut a, _) = Node::pair(4);
    let (_, mut stranger) = Node::pair(5);
    let first = a.initiate().expect("an initiation");
    assert_eq!(
        stranger.consume_initiation(&first),
        Err(DropReason::BadStatic)
    );
}

#[test]
fn an_unknown_sender_is_refused() {
    let (mut a, mut b) = Node::pair(6);
    let first = a.initiate().expect("an initiation");
    let (stranger, _) = Node::pair(7);
    b.set_peer(stranger.public());
    assert_eq!(b.consume_initiation(&first), Err(DropReason::UnknownPeer));
    // The steps check themselves that they are given the sender's handshake.
    let mut work = IncomingInitiation::new();
    let opened = work
        .open::<Soft>(&b.identity, &first)
        .expect("a static key");
    assert_eq!(opened.sender(), &a.public());
    let refused = opened.snapshot::<Soft>(&b.identity, &mut b.handshake);
    assert_eq!(refused.err(), Some(DropReason::UnknownPeer));
    let mut right = Node::new([5; 32], 5);
    right.set_peer(a.public());
    let known = work
        .open::<Soft>(&b.identity, &first)
        .and_then(|opened| opened.snapshot::<Soft>(&b.identity, &mut right.handshake))
        .and_then(|known| known.authenticate::<Soft>(&first))
        .expect("an authentic initiation");
    assert_eq!(
        known.commit(&mut b.handshake, 0),
        Err(DropReason::UnknownPeer)
    );
}

#[test]
fn a_sender_without_its_private_key_is_refused() {
    // A sender that knows only the two public keys can make everything but the timestamp.
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
        Err(DropReason::BadStatic)
    );
    // With the ephemeral key it does, but then the timestamp is under another key.
    let mut bytes = stolen.as_bytes().to_vec();
    bytes[88..116].copy_from_slice(&message.as_bytes()[88..116]);
    assert_eq!(
        b.consume_initiation(&initiation(&bytes)),
        Err(DropReason::BadTimestamp)
    );
    assert_eq!(b.respond().err(), Some(DropReason::WrongState));
}

#[test]
fn a_stranger_has_to_hold_the_key_that_it_claims() {
    let (mut a, b) = Node::pair(18);
    let message = a.initiate().expect("an initiation");
    let check = |bytes: &[u8]| {
        let mut work = IncomingInitiation::new();
        let message = initiation(bytes);
        let opened = work.open::<Soft>(&b.identity, &message)?;
        assert_eq!(opened.sender(), &a.public());
        opened.authenticate_unknown::<Soft>(&b.identity, &message)
    };
    assert_eq!(check(message.as_bytes()), Ok(()));
    // The encrypted timestamp, which only the holder can make.
    for at in 88..116 {
        let mut bytes = message.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert_eq!(check(&bytes), Err(DropReason::BadTimestamp));
    }
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
                    4 => DropReason::UnknownSession,
                    _ => DropReason::BadLength,
                }),
                0..4 => Some(DropReason::BadType),
                4..132 => Some(DropReason::BadMac1),
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
                    8..88 => DropReason::BadStatic,
                    _ => DropReason::BadTimestamp,
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
                    4 => DropReason::UnknownSession,
                    _ => DropReason::BadLength,
                }),
                0 if changed[0] == 0 => Some(DropReason::BadType),
                0..4 => Some(DropReason::BadType),
                4..76 => Some(DropReason::BadMac1),
                _ => None,
            };
            if let Some(reason) = reason {
                assert_eq!(a.receive(&changed, &[]), Err(reason), "{at} {bit}");
            }
            if (8..60).contains(&at) {
                let reason = match at {
                    8..12 => DropReason::UnknownHandshake,
                    _ => DropReason::BadResponse,
                };
                let changed = response(&changed);
                assert_eq!(a.consume_response(&changed), Err(reason), "{at} {bit}");
            }
        }
    }
    assert_eq!(a.receive(&bytes, &[]), Ok(Vec::new()));
    a.agree(&b);
}

#[test]
fn every_flipped_bit_of_a_data_message_is_refused() {
    let (mut a, mut b) = Node::pair(12);
    a.shake(&mut b);
    let bytes = a.send(3, b"some text");
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            let reason = match at {
                0..4 => DropReason::BadType,
                4..8 => DropReason::UnknownSession,
                _ => DropReason::BadData,
            };
            assert_eq!(b.receive(&changed, &[]), Err(reason), "{at} {bit}");
        }
    }
    assert_eq!(b.receive(&bytes, &[]), Ok(b"some text".to_vec()));
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
        assert_eq!(a.initiate().err(), Some(DropReason::LowOrder));
        assert_eq!(a.handshake.local_index(), None);
        assert_eq!(a.respond().err(), Some(DropReason::WrongState));
        a.set_peer(b.public());
        // As the ephemeral key of an initiation.
        let first = a.initiate().expect("an initiation");
        let mut bytes = first.as_bytes().to_vec();
        bytes[8..40].copy_from_slice(&point);
        assert_eq!(
            b.consume_initiation(&initiation(&bytes)),
            Err(DropReason::LowOrder)
        );
        // As the ephemeral key of a response.
        b.consume_initiation(&first).expect("a new initiation");
        let mut bytes = b.respond().expect("a response").as_bytes().to_vec();
        bytes[12..44].copy_from_slice(&point);
        assert_eq!(
            a.consume_response(&response(&bytes)),
            Err(DropReason::LowOrder)
        );
    }
}

/// A peer of low order that is known passes the static key, which is not multiplied, but not the
/// product of the static keys.
#[test]
fn an_initiation_of_a_sender_of_low_order_is_refused() {
    let (_, mut b) = Node::pair(16);
    let zero = PublicKey::ZERO;
    b.set_peer(zero);
    // No host has an identity of low order, so its initiation is put together by hand: as that of
    // a real sender, with the hashes over the other static key.
    let mut ephemeral = [0; 32];
    let mut secret = PrivateKey::zeroed();
    *secret.as_mut_bytes() = [0x77; 32];
    assert!(Soft::x25519_public(&mut ephemeral, secret.as_bytes()));
    let mut bytes = [0; 148];
    bytes[0] = 1;
    bytes[8..40].copy_from_slice(&ephemeral);
    let mut chain = ChainingKey::zeroed();
    let mut symmetric = SymmetricState::zeroed();
    symmetric.start::<Soft>(&b.public());
    Soft::hash(chain.as_mut_bytes(), &[NAME]);
    let mut hash = *symmetric.hash();
    let mut next = [0; 32];
    Soft::hash(&mut next, &[&hash, &ephemeral]);
    hash = next;
    kdf::kdf1::<Soft>(&mut chain, &ephemeral);
    let mut shared = [0; 32];
    assert!(Soft::x25519(
        &mut shared,
        secret.as_bytes(),
        b.public().as_bytes()
    ));
    let mut key = SymmetricKey::zeroed();
    kdf::kdf2::<Soft, _>(&mut chain, &mut key, &shared);
    Soft::seal(key.as_bytes(), 0, &hash, &mut bytes[40..88]);
    let message = initiation(&bytes);
    let mut work = IncomingInitiation::new();
    let opened = work
        .open::<Soft>(&b.identity, &message)
        .expect("a static key");
    assert_eq!(opened.sender(), &zero);
    assert_eq!(b.consume_initiation(&message), Err(DropReason::LowOrder));
    // The writer's side of the same check.
    let (a, b) = Node::pair(17);
    let mut out = [0; 32];
    let mut identity = [0; 48];
    let mut payload = [0; 28];
    let zero = SharedSecret::zeroed();
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
    assert_eq!(refused, Err(DropReason::LowOrder));
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
    assert_eq!(refused.err(), Some(DropReason::Superseded));
}
