// SPDX-License-Identifier: GPL-2.0

//! Counters against a set of all that were taken.
//!
//! Each step takes nine bytes: how to use the number, and the number.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use wg_proto::replay::{
    Window,
    REJECT_AFTER_MESSAGES,
    WINDOW, //
};

fuzz_target!(|bytes: &[u8]| {
    let mut window = Window::new();
    let mut seen = HashSet::new();
    let mut highest = 0u64;
    for step in bytes.chunks_exact(9) {
        let number = u64::from_le_bytes(step[1..].try_into().unwrap());
        let counter = match step[0] % 8 {
            0 => number,
            1 => highest.saturating_add(number % 3),
            2 => highest.saturating_add(number % 200),
            3 => highest.saturating_add(number % 20_000),
            4 => highest.saturating_sub(number % 10_000),
            5 => highest.saturating_sub(WINDOW).saturating_add(number % 130),
            6 => highest.saturating_sub(WINDOW).saturating_sub(number % 130),
            _ => REJECT_AFTER_MESSAGES
                .wrapping_sub(number % 10_000)
                .wrapping_add(5),
        };
        let fresh =
            counter < REJECT_AFTER_MESSAGES && counter + WINDOW >= highest && seen.insert(counter);
        assert_eq!(window.accept(counter), fresh);
        if fresh {
            highest = highest.max(counter);
            assert_eq!(window.next(), highest + 1);
        }
    }
});
