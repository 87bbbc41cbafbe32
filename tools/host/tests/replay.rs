// SPDX-License-Identifier: GPL-2.0

//! The replay window against a set of all counters ever taken.

use std::collections::HashSet;

use proptest::prelude::*;
use wg_proto::replay::{
    Window,
    REJECT_AFTER_MESSAGES,
    WINDOW, //
};

const LIMIT: u64 = WINDOW + 1;

/// Remembers everything.
#[derive(Default)]
struct Model {
    seen: HashSet<u64>,
    highest: u64,
}

impl Model {
    fn accept(&mut self, counter: u64) -> bool {
        if counter >= REJECT_AFTER_MESSAGES || counter + WINDOW < self.highest {
            return false;
        }
        self.highest = self.highest.max(counter);
        self.seen.insert(counter)
    }
}

fn steps(steps: &[(u64, bool)]) {
    let mut window = Window::new();
    for (step, (counter, fresh)) in steps.iter().enumerate() {
        assert_eq!(window.accept(*counter), *fresh, "step {}", step + 1);
    }
}

#[test]
// row K2
fn the_numbers_are_those_of_the_paper() {
    assert_eq!(WINDOW, 8128);
    assert_eq!(REJECT_AFTER_MESSAGES, u64::MAX - 8128 - 1);
}

#[test]
// row R2
fn counters_around_the_window_and_the_limit() {
    steps(&[
        (0, true),
        (1, true),
        (1, false),
        (9, true),
        (8, true),
        (7, true),
        (7, false),
        (LIMIT, true),
        (LIMIT - 1, true),
        (LIMIT - 1, false),
        (LIMIT - 2, true),
        (2, true),
        (2, false),
        (LIMIT + 16, true),
        (3, false),
        (LIMIT + 16, false),
        (LIMIT * 4, true),
        (LIMIT * 4 - (LIMIT - 1), true),
        (10, false),
        (LIMIT * 4 - LIMIT, false),
        (LIMIT * 4 - (LIMIT + 1), false),
        (LIMIT * 4 - (LIMIT - 2), true),
        (LIMIT * 4 + 1 - LIMIT, false),
        (0, false),
        (REJECT_AFTER_MESSAGES, false),
        (REJECT_AFTER_MESSAGES - 1, true),
        (REJECT_AFTER_MESSAGES, false),
        (REJECT_AFTER_MESSAGES - 1, false),
        (REJECT_AFTER_MESSAGES - 2, true),
        (REJECT_AFTER_MESSAGES + 1, false),
        (REJECT_AFTER_MESSAGES + 2, false),
        (REJECT_AFTER_MESSAGES - 2, false),
        (REJECT_AFTER_MESSAGES - 3, true),
        (0, false),
        (u64::MAX, false),
    ]);
}

#[test]
fn whole_windows_in_either_direction() {
    let fill = |counters: &mut dyn Iterator<Item = u64>, after: &[(u64, bool)]| {
        let mut window = Window::new();
        for counter in counters {
            assert!(window.accept(counter), "{counter}");
        }
        for (counter, fresh) in after {
            assert_eq!(window.accept(*counter), *fresh, "{counter}");
        }
    };
    fill(&mut (1..=WINDOW), &[(0, true), (0, false)]);
    fill(&mut (2..=WINDOW + 1), &[(1, true), (0, false)]);
    fill(&mut (0..=WINDOW).rev(), &[]);
    fill(&mut (1..=WINDOW + 1).rev(), &[(0, false)]);
    fill(&mut (1..=WINDOW).rev(), &[(WINDOW + 1, true), (0, false)]);
    fill(&mut (1..=WINDOW).rev(), &[(0, true), (WINDOW + 1, true)]);
}

#[test]
fn exhaustion_is_told() {
    let mut window = Window::new();
    assert_eq!(window.next(), 0);
    assert!(window.accept(41));
    assert_eq!(window.next(), 42);
    assert!(!window.is_exhausted());
    assert!(window.accept(REJECT_AFTER_MESSAGES - 2));
    assert!(!window.is_exhausted());
    assert!(window.accept(REJECT_AFTER_MESSAGES - 1));
    assert!(window.is_exhausted());
}

/// A small generator, so that a million numbers cost nothing.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn a_million_random_counters_agree_with_a_set() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut window = Window::new();
    let mut model = Model::default();
    let mut fresh = 0;
    for round in 0..1_000_000 {
        let number = random.next();
        let highest = model.highest;
        let counter = match number % 64 {
            // Forward by a word or so, by a window or so, or far.
            0..=7 => highest.saturating_add((number >> 8) & 0x7f),
            8 => highest.saturating_add((number >> 8) & 0x3fff),
            9 if round % 1000 == 0 => highest.saturating_add(number >> 20),
            // At the edges.
            10..=12 => highest.saturating_sub(WINDOW + ((number >> 8) & 7)),
            13..=15 => highest
                .saturating_sub(WINDOW)
                .saturating_add((number >> 8) & 0xff),
            // Anywhere in reach.
            _ => highest.saturating_sub((number >> 8) % (WINDOW + 70)),
        };
        let expected = model.accept(counter);
        assert_eq!(window.accept(counter), expected, "{counter} at {highest}");
        fresh += u32::from(expected);
    }
    assert!(fresh > 100_000);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_agrees_with_a_set(
        start in prop_oneof![Just(0), any::<u64>(), Just(REJECT_AFTER_MESSAGES - 20_000)],
        jumps in prop::collection::vec((any::<bool>(), prop_oneof![0..3u64, 0..200u64, 8000..8300u64, any::<u64>()]), 1..300),
    ) {
        let mut window = Window::new();
        let mut model = Model::default();
        let mut counter = start;
        for (up, by) in jumps {
            prop_assert_eq!(window.accept(counter), model.accept(counter));
            counter = if up { counter.saturating_add(by) } else { counter.saturating_sub(by) };
        }
    }
}
