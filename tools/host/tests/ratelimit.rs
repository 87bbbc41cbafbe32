// SPDX-License-Identifier: GPL-2.0

//! The limiter: rates, sharing of buckets, full sets.

use wg_proto::ratelimit::{
    allow,
    RateLimitKey,
    RateLimiterEntry,
    WAYS, //
};

const MS: u64 = 1_000_000;

fn source(last: u8) -> RateLimitKey {
    RateLimitKey::v4(0, [192, 0, 2, last])
}

#[test]
// row K15
fn five_at_once_then_twenty_a_second() {
    let mut table = [RateLimiterEntry::EMPTY; WAYS];
    let mut now = 7_000 * MS;
    let mut ask = |table: &mut [RateLimiterEntry], after: u64| {
        now += after * MS;
        allow(table, source(1), 0, now)
    };
    for _ in 0..5 {
        assert!(ask(&mut table, 0));
    }
    assert!(!ask(&mut table, 0));
    assert!(!ask(&mut table, 49));
    assert!(ask(&mut table, 1));
    assert!(!ask(&mut table, 0));
    assert!(ask(&mut table, 100));
    assert!(ask(&mut table, 0));
    assert!(!ask(&mut table, 0));
    // Asking in vain costs nothing: a flood gets its twenty a second.
    let passed = (0..1000).filter(|_| ask(&mut table, 1)).count();
    assert_eq!(passed, 20);
    // And no more than the burst is saved up.
    assert!(ask(&mut table, 900));
    for _ in 0..4 {
        assert!(ask(&mut table, 0));
    }
    assert!(!ask(&mut table, 0));
}

#[test]
// row K15
fn sources_are_told_apart() {
    let mut table = [RateLimiterEntry::EMPTY; WAYS];
    let six = |net: u16, host: u16| {
        let mut bytes = [0x20; 16];
        bytes[6..8].copy_from_slice(&net.to_be_bytes());
        bytes[14..16].copy_from_slice(&host.to_be_bytes());
        RateLimitKey::v6(0, bytes)
    };
    for host in 0..5 {
        assert!(allow(&mut table, six(1, host), 0, 0));
    }
    assert!(!allow(&mut table, six(1, 77), 0, 0));
    assert!(allow(&mut table, six(2, 77), 0, 0));
    // Same bits, other family or namespace.
    let four = RateLimitKey::v4(0, [0; 4]);
    let zero_six = RateLimitKey::v6(0, [0; 16]);
    let elsewhere = RateLimitKey::v4(1, [0; 4]);
    for source in [four, zero_six, elsewhere] {
        for _ in 0..5 {
            assert!(allow(&mut table, source, 0, 0));
        }
        assert!(!allow(&mut table, source, 0, 0));
    }
    let bytes = [four, zero_six, elsewhere, six(1, 1), six(2, 1)].map(|source| source.to_bytes());
    for (i, a) in bytes.iter().enumerate() {
        assert!(!bytes[i + 1..].contains(a));
    }
    assert_eq!(six(1, 1).to_bytes(), six(1, 2).to_bytes());
}

#[test]
fn a_full_set_refuses_newcomers_until_one_is_idle() {
    let mut table = [RateLimiterEntry::EMPTY; WAYS * 2];
    for last in 0..WAYS as u8 {
        assert!(allow(&mut table, source(last), 4, u64::from(last) * MS));
    }
    assert!(!allow(&mut table, source(99), 4, 10 * MS));
    // The other set has room.
    assert!(allow(&mut table, source(99), 5, 10 * MS));
    // Source 0 may still come, which keeps its bucket; then source 1 is the first to go.
    assert!(allow(&mut table, source(0), 4, 900 * MS));
    assert!(!allow(&mut table, source(98), 4, 1_001 * MS));
    assert!(allow(&mut table, source(98), 4, 1_001 * MS + 1));
    assert!(!allow(&mut table, source(97), 4, 1_001 * MS + 1));
    assert!(allow(&mut table, source(0), 4, 1_001 * MS + 1));
}

#[test]
fn odd_tables_and_clocks_do_no_harm() {
    assert!(!allow(&mut [], source(1), 3, 0));
    assert!(!allow(
        &mut [RateLimiterEntry::EMPTY; WAYS - 1],
        source(1),
        u64::MAX,
        0
    ));
    let mut table = [RateLimiterEntry::default(); WAYS + 3];
    assert!(allow(&mut table, source(1), u64::MAX, u64::MAX));
    assert!(allow(&mut table, source(1), u64::MAX, 0));
    for _ in 0..3 {
        assert!(allow(&mut table, source(1), u64::MAX, 0));
    }
    assert!(!allow(&mut table, source(1), u64::MAX, 0));
}
