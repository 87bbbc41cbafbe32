// SPDX-License-Identifier: GPL-2.0

//! Arbitrary bytes to both ends of the cookie mechanism.
//!
//! The first bytes say what is changed where; the rest is a message and a cookie reply.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wg_proto::{
    cookie::{
        CookieChecker,
        CookieGenerator,
        MacState, //
    },
    key::PublicKey,
    message::{
        CookieReply,
        Index,
        Message, //
    },
};
use wg_soft::Soft;

const SECOND: u64 = 1_000_000_000;

fn flip(bytes: &mut [u8], at: u8, mask: u8) -> Option<usize> {
    let at = usize::from(at) % bytes.len().max(1);
    *bytes.get_mut(at)? ^= mask;
    Some(at)
}

fuzz_target!(|bytes: &[u8]| {
    let Some(([at, mask, seconds, len, source @ ..], rest)) = bytes.split_first_chunk::<10>()
    else {
        return;
    };
    let public = PublicKey::from_bytes([3; 32]);
    let mut checker = CookieChecker::new();
    checker.set_identity::<Soft>(Some(&public));
    let mut generator = CookieGenerator::new();
    generator.set_remote(&public);
    let now = 100 * SECOND;

    // Only the right first mac is known as such. (Anybody can compute it, fuzzers too.)
    let mut right = rest.to_vec();
    let known = generator.add_macs::<Soft>(&mut right, now).is_ok()
        && right.iter().rev().skip(16).eq(rest.iter().rev().skip(16));
    let expected = if known {
        MacState::Valid
    } else {
        MacState::Invalid
    };
    for loaded in [false, true] {
        assert_eq!(checker.check::<Soft>(rest, source, loaded), expected);
    }
    // A reply to nothing is not taken.
    let mut generator = CookieGenerator::new();
    generator.set_remote(&public);
    if let Ok(Message::Cookie(reply)) = Message::parse(rest) {
        assert!(generator.consume::<Soft>(reply, now).is_err());
    }

    // A message of any length gets its macs, and is known by them.
    let (body, rest) = rest.split_at(usize::from(*len).min(rest.len()));
    let mut message = body.to_vec();
    if generator.add_macs::<Soft>(&mut message, now).is_err() {
        assert!(body.len() < 32);
        return;
    }
    // Without a secret there is no load to speak of.
    assert_eq!(
        checker.check::<Soft>(&message, source, true),
        MacState::Valid
    );
    checker.rotate(now, |secret| secret.fill(9));
    assert_eq!(
        checker.check::<Soft>(&message, source, false),
        MacState::Valid
    );
    assert_eq!(
        checker.check::<Soft>(&message, source, true),
        MacState::Valid
    );
    let mut reply = CookieReply::zeroed();
    checker
        .reply::<Soft>(&mut reply, &message, Index::new(7), source, &[5; 24])
        .unwrap();

    // No changed reply is taken, nor one made up; the real one is, once.
    if let Ok(Message::Cookie(reply)) = Message::parse(rest) {
        assert!(generator.consume::<Soft>(reply, now).is_err());
    }
    let mut changed = reply.as_bytes().to_vec();
    if *mask != 0 && flip(&mut changed, *at, *mask).is_some_and(|at| at >= 8) {
        if let Ok(Message::Cookie(changed)) = Message::parse(&changed) {
            assert!(generator.consume::<Soft>(changed, now).is_err());
        }
    }
    generator.consume::<Soft>(&reply, now).unwrap();
    assert!(generator.consume::<Soft>(&reply, now).is_err());

    // The cookie is used while it is fresh, and only counts for its source and as it is.
    let later = now + u64::from(*seconds) * SECOND;
    generator.add_macs::<Soft>(&mut message, later).unwrap();
    let state = checker.check::<Soft>(&message, source, true);
    assert_eq!(state == MacState::ValidWithCookie, *seconds < 115);
    if state != MacState::ValidWithCookie {
        return;
    }
    assert!(!checker.is_stale(later));
    let mut elsewhere = source.to_vec();
    elsewhere[0] ^= 1;
    assert_eq!(
        checker.check::<Soft>(&message, &elsewhere, true),
        MacState::Valid
    );
    if *mask != 0 {
        if let Some(at) = flip(&mut message, *at, *mask) {
            let expected = if at >= message.len() - 16 {
                MacState::Valid
            } else {
                MacState::Invalid
            };
            assert_eq!(checker.check::<Soft>(&message, source, true), expected);
        }
    }
});
