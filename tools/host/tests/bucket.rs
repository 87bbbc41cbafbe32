// SPDX-License-Identifier: GPL-2.0

//! The token bucket: a burst, then its rate, whatever the pauses.

use wg_proto::bucket::Bucket;

const BURST: u64 = 4;
const INTERVAL: u64 = 10;
const START: u64 = 1_000;

/// Returns how many tokens there are at `now`.
fn drain(bucket: &mut Bucket<BURST, INTERVAL>, now: u64) -> u64 {
    let mut taken = 0;
    while bucket.take(now) {
        taken += 1;
        assert!(taken <= BURST);
    }
    assert!(!bucket.has_token(now));
    taken
}

#[test]
fn a_full_bucket_lets_one_burst_pass() {
    let mut bucket = Bucket::new();
    assert!(bucket.has_token(START));
    assert_eq!(drain(&mut bucket, START), BURST);
    assert_eq!(drain(&mut bucket, START + INTERVAL - 1), 0);
}

#[test]
fn it_gains_a_token_with_each_interval() {
    let mut bucket = Bucket::new();
    drain(&mut bucket, START);
    for n in 1..20 {
        assert_eq!(drain(&mut bucket, START + n * INTERVAL), 1);
    }
    // The remainder of an interval counts for the next token.
    assert_eq!(drain(&mut bucket, START + 22 * INTERVAL + 5), 3);
    assert_eq!(drain(&mut bucket, START + 23 * INTERVAL), 1);
}

#[test]
fn it_never_holds_more_than_a_burst() {
    let mut bucket = Bucket::new();
    drain(&mut bucket, START);
    assert_eq!(drain(&mut bucket, START + 1_000 * INTERVAL), BURST);
    assert_eq!(drain(&mut bucket, u64::MAX / 2), BURST);
    assert_eq!(drain(&mut bucket, u64::MAX / 2), 0);
}

#[test]
fn it_fills_right_after_boot() {
    let mut bucket = Bucket::new();
    assert_eq!(drain(&mut bucket, INTERVAL - 1), 0);
    assert_eq!(drain(&mut bucket, 2 * INTERVAL), 2);
}
