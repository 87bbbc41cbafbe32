// SPDX-License-Identifier: GPL-2.0

//! Padded lengths.

use proptest::prelude::*;
use wg_proto::padding::padding;

#[test]
// row K17
fn packets_are_rounded_up_within_their_mtu() {
    for (len, mtu, expected) in [
        (0, 1420, 0),
        (1, 1420, 15),
        (15, 1420, 1),
        (16, 1420, 0),
        (17, 1420, 15),
        (1408, 1420, 0),
        (1409, 1420, 11),
        (1420, 1420, 0),
        // A route with a small mtu.
        (1297, 1299, 2),
        // No mtu.
        (1, 0, 15),
        (16, 0, 0),
        (65_535, 0, 1),
        // Beyond the mtu only the rest counts.
        (1421, 1420, 15),
        (2840, 1420, 0),
        (2839, 1420, 1),
        (3, 1, 0),
    ] {
        assert_eq!(padding(len, mtu), expected, "{len} of {mtu}");
    }
    assert_eq!(padding(usize::MAX, 0), 0);
}

proptest! {
    #[test]
    fn padding_is_short_and_stays_within_the_mtu(len in 0..100_000usize, mtu in 0..100_000usize) {
        let more = padding(len, mtu);
        prop_assert!(more < 16);
        if len <= mtu {
            prop_assert!(len + more <= mtu);
            prop_assert!((len + more) % 16 == 0 || len + more == mtu);
        }
    }
}
