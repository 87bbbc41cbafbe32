// SPDX-License-Identifier: GPL-2.0

//! Macs and cookies, both sides.

use wg_proto::{
    cookie::{
        CookieChecker,
        CookieGenerator,
        MacState, //
    },
    crypto::Crypto,
    key::PublicKey,
    message::{
        CookieReply,
        Index,
        Initiation,
        Message, //
    },
    DropReason, //
};
use wg_soft::{
    Node,
    Rng,
    Soft, //
};

const SECOND: u64 = 1_000_000_000;
const SOURCE: &[u8] = &[192, 0, 2, 1, 0x30, 0x39];

fn cookie(bytes: &[u8]) -> CookieReply {
    match Message::parse(bytes) {
        Ok(Message::Cookie(message)) => *message,
        _ => panic!("not a cookie"),
    }
}

/// Rotates the secret if it is time to, as the driver does before a check under load.
fn refresh(node: &mut Node) {
    if node.checker.is_stale(node.now) {
        node.checker.rotate(node.now, |bytes| node.rng.fill(bytes));
    }
}

/// Answers a message by a cookie.
fn reply(node: &mut Node, message: &[u8], sender: Index, source: &[u8]) -> CookieReply {
    let mut out = CookieReply::zeroed();
    let mut nonce = [0; 24];
    node.rng.fill(&mut nonce);
    refresh(node);
    node.checker
        .reply::<Soft>(&mut out, message, sender, source, &nonce)
        .expect("a cookie");
    cookie(out.as_bytes())
}

/// Two nodes, of which `a` has sent an initiation and got a cookie for it.
fn served(seed: u64) -> (Node, Node, Initiation) {
    let (mut a, mut b) = Node::pair(seed);
    let first = a.initiate().expect("an initiation");
    let answer = reply(&mut b, first.as_bytes(), first.sender(), SOURCE);
    assert_eq!(answer.receiver(), first.sender());
    assert_eq!(a.receive(answer.as_bytes(), &[]), Ok(Vec::new()));
    a.sleep(5_000);
    b.sleep(5_000);
    (a, b, first)
}

#[test]
fn the_first_mac_is_as_the_protocol_says() {
    let (mut a, b) = Node::pair(1);
    let message = a.initiate().expect("an initiation");
    let (mut key, mut mac) = ([0; 32], [0; 16]);
    Soft::hash(&mut key, &[b"mac1----", b.public().as_bytes()]);
    Soft::mac(&mut mac, &key, &message.as_bytes()[..116]);
    assert_eq!(message.as_bytes()[116..132], mac);
    assert_eq!(message.as_bytes()[132..], [0; 16]);
}

#[test]
// row C1
fn every_flipped_bit_is_found_by_the_first_mac() {
    let (mut a, b) = Node::pair(2);
    let bytes = a.initiate().expect("an initiation").as_bytes().to_vec();
    for at in 0..132 {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            for load in [false, true] {
                let state = b.checker.check::<Soft>(&changed, SOURCE, load);
                assert_eq!(state, MacState::Invalid);
            }
        }
    }
    assert_eq!(
        b.checker.check::<Soft>(&bytes, SOURCE, false),
        MacState::Valid
    );
    assert_eq!(
        a.checker.check::<Soft>(&bytes, SOURCE, false),
        MacState::Invalid
    );
}

#[test]
fn messages_too_short_for_macs_are_refused() {
    let (a, mut b) = Node::pair(3);
    refresh(&mut b);
    let mut generator = CookieGenerator::new();
    generator.set_remote(&a.public());
    for len in 0..32 {
        let mut bytes = vec![0; len];
        assert_eq!(
            generator.add_macs::<Soft>(&mut bytes, 0),
            Err(DropReason::BadLength)
        );
        assert_eq!(
            b.checker.check::<Soft>(&bytes, SOURCE, true),
            MacState::Invalid
        );
        assert_eq!(
            b.checker.reply::<Soft>(
                &mut CookieReply::zeroed(),
                &bytes,
                Index::new(0),
                SOURCE,
                &[0; 24]
            ),
            Err(DropReason::BadLength)
        );
    }
}

#[test]
// rows C2 C3
fn a_cookie_makes_the_second_mac() {
    let (mut a, mut b, _) = served(4);
    let second = a.initiate().expect("an initiation");
    refresh(&mut b);
    let check = |source: &[u8], load| b.checker.check::<Soft>(second.as_bytes(), source, load);
    assert_eq!(check(SOURCE, true), MacState::ValidWithCookie);
    assert_eq!(check(SOURCE, false), MacState::Valid);
    // From another port, address or family.
    assert_eq!(check(&[192, 0, 2, 1, 0x30, 0x3a], true), MacState::Valid);
    assert_eq!(check(&[192, 0, 2, 2, 0x30, 0x39], true), MacState::Valid);
    assert_eq!(check(&[0; 18], true), MacState::Valid);
    for at in 132..148 {
        for bit in 0..8 {
            let mut changed = second.as_bytes().to_vec();
            changed[at] ^= 1 << bit;
            let state = b.checker.check::<Soft>(&changed, SOURCE, true);
            assert_eq!(state, MacState::Valid);
        }
    }
    // A response carries one, too.
    b.consume_initiation(&second).expect("a new initiation");
    let answer = b.respond().expect("a response");
    let other = reply(&mut a, answer.as_bytes(), answer.sender(), SOURCE);
    assert_eq!(other.receiver(), answer.sender());
    assert_eq!(b.generator.consume::<Soft>(&other, b.now), Ok(()));
}

#[test]
fn without_a_cookie_there_is_no_second_mac() {
    let (mut a, mut b) = Node::pair(5);
    let first = a.initiate().expect("an initiation");
    refresh(&mut b);
    assert_eq!(
        b.checker.check::<Soft>(first.as_bytes(), SOURCE, true),
        MacState::Valid
    );
}

#[test]
fn a_checker_without_secret_gives_no_cookies() {
    let (mut a, b) = Node::pair(6);
    let first = a.initiate().expect("an initiation");
    let made = b.checker.reply::<Soft>(
        &mut CookieReply::zeroed(),
        first.as_bytes(),
        first.sender(),
        SOURCE,
        &[0; 24],
    );
    assert_eq!(made, Err(DropReason::RngNotReady));
    // Nor does it take those that would follow from the secret zero.
    let (mut cookie, mut mac) = ([0; 16], [0; 16]);
    Soft::mac(&mut cookie, &[0; 32], SOURCE);
    Soft::mac(&mut mac, &cookie, &first.as_bytes()[..132]);
    let mut bytes = first.as_bytes().to_vec();
    bytes[132..].copy_from_slice(&mac);
    let state = b.checker.check::<Soft>(&bytes, SOURCE, true);
    assert_eq!(state, MacState::Valid);
}

#[test]
// rows K11 C6
fn a_cookie_is_used_for_115_seconds() {
    let (mut a, _, _) = served(7);
    let born = a.now - 5 * SECOND;
    let mut mac2 = |now| {
        a.now = now;
        a.initiate().expect("an initiation").as_bytes()[132..].to_vec()
    };
    assert_ne!(mac2(born + 115 * SECOND - 1), [0; 16]);
    assert_eq!(mac2(born + 115 * SECOND), [0; 16]);
}

#[test]
// row K11
fn the_secret_is_replaced_after_120_seconds() {
    let (mut a, mut b, _) = served(8);
    let born = b.now - 5 * SECOND;
    let second = a.initiate().expect("an initiation");
    let mut state = |now| {
        b.now = now;
        refresh(&mut b);
        b.checker.check::<Soft>(second.as_bytes(), SOURCE, true)
    };
    assert_eq!(state(born + 120 * SECOND - 1), MacState::ValidWithCookie);
    assert_eq!(state(born + 120 * SECOND), MacState::Valid);
    // A second caller does not replace it again.
    let mut checker = CookieChecker::new();
    assert!(checker.is_stale(0));
    checker.rotate(0, |bytes| *bytes = [1; 32]);
    assert!(!checker.is_stale(0));
    checker.rotate(1, |_| panic!("replaced twice"));
    assert!(checker.is_stale(120 * SECOND));
}

#[test]
fn a_cookie_is_taken_once_for_each_message() {
    let (mut a, mut b) = Node::pair(9);
    let first = a.initiate().expect("an initiation");
    let one = reply(&mut b, first.as_bytes(), first.sender(), SOURCE);
    let two = reply(&mut b, first.as_bytes(), first.sender(), SOURCE);
    assert_ne!(one.as_bytes(), two.as_bytes());
    assert_eq!(a.generator.consume::<Soft>(&one, a.now), Ok(()));
    assert_eq!(
        a.generator.consume::<Soft>(&one, a.now),
        Err(DropReason::UnexpectedCookie)
    );
    assert_eq!(
        a.generator.consume::<Soft>(&two, a.now),
        Err(DropReason::UnexpectedCookie)
    );
    // It answers the last message, not one before.
    a.initiate().expect("an initiation");
    assert_eq!(
        a.generator.consume::<Soft>(&two, a.now),
        Err(DropReason::BadCookie)
    );
}

#[test]
fn a_cookie_that_nobody_asked_for_is_refused() {
    let (a, mut b) = Node::pair(10);
    let answer = reply(&mut b, &[7; 148], Index::new(1), SOURCE);
    let mut generator = CookieGenerator::new();
    generator.set_remote(&b.public());
    assert_eq!(
        generator.consume::<Soft>(&answer, a.now),
        Err(DropReason::UnexpectedCookie)
    );
}

#[test]
fn every_flipped_bit_of_a_cookie_is_refused() {
    let (mut a, mut b) = Node::pair(11);
    let first = a.initiate().expect("an initiation");
    let answer = reply(&mut b, first.as_bytes(), first.sender(), SOURCE);
    for at in 0..64 {
        for bit in 0..8 {
            let mut changed = answer.as_bytes().to_vec();
            changed[at] ^= 1 << bit;
            let reason = match at {
                0 if matches!(changed[0], 1 | 2) => DropReason::BadLength,
                0..4 => DropReason::BadType,
                4..8 => DropReason::UnknownCookie,
                _ => DropReason::BadCookie,
            };
            assert_eq!(a.receive(&changed, &[]), Err(reason), "{at} {bit}");
        }
    }
    // None of them spoiled the right one.
    assert_eq!(a.receive(answer.as_bytes(), &[]), Ok(Vec::new()));
}

#[test]
fn a_forged_cookie_is_refused() {
    let (mut a, mut b) = Node::pair(12);
    let first = a.initiate().expect("an initiation");
    // By a sender that does not know the public key that the message was for.
    let (mut stranger, _) = Node::pair(13);
    let answer = reply(&mut stranger, first.as_bytes(), first.sender(), SOURCE);
    assert_eq!(
        a.generator.consume::<Soft>(&answer, a.now),
        Err(DropReason::BadCookie)
    );
    // By a sender that did not see the message.
    let mut rng = Rng::new(99);
    let mut other = first.as_bytes().to_vec();
    rng.fill(&mut other[116..132]);
    let answer = reply(&mut b, &other, first.sender(), SOURCE);
    assert_eq!(
        a.generator.consume::<Soft>(&answer, a.now),
        Err(DropReason::BadCookie)
    );
}

#[test]
fn a_failed_cookie_does_not_replace_the_good_one() {
    let (mut a, mut b, first) = served(14);
    let second = a.initiate().expect("an initiation");
    let answer = reply(&mut b, first.as_bytes(), second.sender(), SOURCE);
    assert_eq!(
        a.generator.consume::<Soft>(&answer, a.now),
        Err(DropReason::BadCookie)
    );
    let third = a.initiate().expect("an initiation");
    refresh(&mut b);
    assert_eq!(
        b.checker.check::<Soft>(third.as_bytes(), SOURCE, true),
        MacState::ValidWithCookie
    );
}

#[test]
fn a_checker_without_identity_takes_nothing_of_the_old_one() {
    let (mut a, mut b) = Node::pair(15);
    let first = a.initiate().expect("an initiation");
    refresh(&mut b);
    b.checker.set_identity::<Soft>(None);
    let check = |node: &Node| node.checker.check::<Soft>(first.as_bytes(), SOURCE, false);
    assert_eq!(check(&b), MacState::Invalid);
    let answer = &mut CookieReply::zeroed();
    let made = b
        .checker
        .reply::<Soft>(answer, first.as_bytes(), first.sender(), SOURCE, &[0; 24]);
    assert_eq!(made, Err(DropReason::NoIdentity));
    // Nor is a mac under the key zero right.
    let mut bytes = first.as_bytes().to_vec();
    let mut mac = [0; 16];
    Soft::mac(&mut mac, &[0; 32], &bytes[..116]);
    bytes[116..132].copy_from_slice(&mac);
    let state = b.checker.check::<Soft>(&bytes, SOURCE, true);
    assert_eq!(state, MacState::Invalid);
    let public = b.public();
    b.checker.set_identity::<Soft>(Some(&public));
    assert_eq!(check(&b), MacState::Valid);
    b.checker
        .set_identity::<Soft>(Some(&PublicKey::from_bytes([1; 32])));
    assert_eq!(check(&b), MacState::Invalid);
}
