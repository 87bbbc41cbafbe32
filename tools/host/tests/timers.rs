// SPDX-License-Identifier: GPL-2.0

//! Two ends talk: which of them sends what when, and which stays silent.

mod memory;
mod world;

use wg_proto::timers::{
    PeerTimer,
    TimerState,
    JITTER_MS, //
};
use world::{
    End,
    Message,
    World,
    LATENCY, //
};

const A: usize = 0;
const B: usize = 1;

fn is_keepalive(message: &Message) -> bool {
    matches!(message, Message::Keepalive(_))
}

fn is_data(message: &Message) -> bool {
    matches!(message, Message::Data(_))
}

#[test]
fn only_the_initiator_rekeys_after_two_minutes() {
    let mut world = World::new(100);
    world.send(A);
    world.idle(1);
    world.run(1_000, |world| {
        world.send(A);
        world.send(B);
    });
    let initiations = world.ends[A].initiations();
    assert_eq!(initiations.len(), 9, "{initiations:?}");
    for pair in initiations.windows(2) {
        let distance = pair[1] - pair[0];
        assert!((120_000..=121_100).contains(&distance), "{distance}");
    }
    assert_eq!(world.ends[B].initiations(), []);
    // Key confirmation, when nothing else is to be sent.
    assert_eq!(world.ends[A].times(is_keepalive).len(), 8);
    assert_eq!(world.ends[B].times(is_keepalive), []);
    world.idle(1);
    for (end, count) in world.ends.iter().zip([1_000, 1_001]) {
        let data = end.received.iter().filter(|(_, message)| is_data(message));
        assert_eq!(data.count(), count);
        assert!(end.wiped.is_empty());
    }
}

#[test]
// row K5
fn jitter_ends_the_stalemate_of_crossing_handshakes() {
    let mut world = World::new(0);
    world.jitter = [40, 300];
    world.send(A);
    world.send(B);
    world.idle(30);
    assert_eq!(world.ends[A].initiations(), [0, 5_040]);
    assert_eq!(world.ends[B].initiations(), [0]);
    for end in &mut world.ends {
        assert_eq!(
            end.received
                .iter()
                .filter(|(_, message)| is_data(message))
                .count(),
            1
        );
        assert_eq!(end.completed.len(), 1);
        assert_eq!(end.deadline(PeerTimer::RetransmitHandshake), &None);
    }
}

#[test]
// rows T2 T8
fn data_is_answered_after_ten_seconds_and_keepalives_are_not() {
    let mut world = World::new(0);
    world.send(A);
    world.idle(600);
    // Handshake, data; B confirms nothing by itself and answers after ten seconds.
    assert_eq!(world.ends[A].sent.len(), 2);
    let arrived = 3 * LATENCY;
    assert_eq!(world.ends[B].times(is_keepalive), [arrived + 10_000]);
    assert_eq!(world.ends[B].sent.len(), 2);
    assert_eq!(world.ends[A].sources_cleared, 0);
}

#[test]
fn a_keepalive_answers_all_data_before_it() {
    let mut world = World::new(0);
    world.send(A);
    world.idle(1);
    world.send(A);
    world.send(A);
    world.idle(100);
    let first = 3 * LATENCY + 10_000;
    assert_eq!(world.ends[B].times(is_keepalive), [first]);
}

#[test]
// row T6
fn an_answer_makes_the_keepalive_needless() {
    let mut world = World::new(0);
    world.run(100, |world| {
        world.send(A);
        if world.now % 9_000 == 1_000 {
            world.send(B);
        }
    });
    assert_eq!(world.ends[B].times(is_keepalive), []);
}

#[test]
// rows T3 D18
fn silence_after_data_starts_a_handshake_after_fifteen_seconds() {
    for jitter in [0, 200, JITTER_MS] {
        let mut world = World::new(jitter);
        world.send(A);
        world.idle(20);
        world.cut[B] = true;
        let start = world.now;
        world.run(14, |world| world.send(A));
        assert_eq!(world.ends[A].initiations().len(), 1);
        world.idle(1);
        world.idle(1);
        assert_eq!(world.ends[A].initiations()[1..], [start + 15_000 + jitter]);
        assert_eq!(world.ends[A].sources_cleared, 1);
        // The answer comes through again: all is well.
        world.cut[B] = false;
        world.idle(10);
        assert_eq!(world.ends[A].completed.len(), 2);
        assert_eq!(
            world.ends[A].deadline(PeerTimer::RetransmitHandshake),
            &None
        );
    }
}

#[test]
fn twenty_initiations_then_the_packets_are_given_up() {
    for jitter in [0, 166, JITTER_MS] {
        let mut world = World::new(jitter);
        world.cut[A] = true;
        world.send(A);
        world.send(A);
        world.idle(300);
        let initiations = world.ends[A].initiations();
        assert_eq!(initiations.len(), 20);
        for pair in initiations.windows(2) {
            assert_eq!(pair[1] - pair[0], 5_000 + jitter);
        }
        assert_eq!(world.ends[A].purged, 2);
        assert_eq!(world.ends[A].sources_cleared, 19);
        // What is left of the handshake goes nine minutes after that.
        let wipe = 20 * (5_000 + jitter) + 540_000;
        world.idle(400);
        assert_eq!(world.ends[A].wiped, [wipe]);
        // New packets begin anew.
        world.send(A);
        world.idle(1);
        assert_eq!(world.ends[A].initiations().len(), 21);
        world.idle(200);
        assert_eq!(world.ends[A].initiations().len(), 40);
    }
}

#[test]
fn an_impatient_user_keeps_the_attempts_going() {
    let mut world = World::new(0);
    world.cut[A] = true;
    world.run(300, |world| world.send(A));
    assert_eq!(world.ends[A].initiations().len(), 61);
    assert_eq!(world.ends[A].purged, 0);
}

#[test]
fn keys_are_wiped_nine_minutes_after_the_last_session() {
    let mut world = World::new(0);
    world.send(A);
    world.idle(539);
    assert!(world.ends.iter().all(End::has_sessions));
    world.idle(2);
    assert!(!world.ends.iter().any(End::has_sessions));
    assert_eq!(world.ends[A].wiped, [2 * LATENCY + 540_000]);
    assert_eq!(world.ends[B].wiped, [LATENCY + 540_000]);
}

#[test]
fn a_new_session_puts_the_wiping_off() {
    let mut world = World::new(0);
    world.send(A);
    world.idle(300);
    world.send(A);
    world.idle(539);
    assert!(world.ends.iter().all(End::has_sessions));
    world.idle(2);
    assert!(!world.ends.iter().any(End::has_sessions));
}

#[test]
fn a_responder_does_not_rekey_but_begins_anew_when_the_session_ended() {
    for (seconds, initiates) in [(164, false), (179, false), (181, true)] {
        let mut world = World::new(0);
        world.send(A);
        world.idle(seconds);
        world.send(B);
        world.idle(5);
        assert_eq!(world.ends[B].initiations().len(), usize::from(initiates));
        assert!(world.ends[A]
            .received
            .iter()
            .any(|(_, message)| is_data(message)));
        // It is the initiator who notices that the session is about to end.
        assert_eq!(
            world.ends[A].initiations().len(),
            1 + usize::from(seconds == 179)
        );
    }
}

#[test]
// row T11
fn an_initiator_that_only_receives_rekeys_in_the_last_minute_once() {
    let mut world = World::new(0);
    world.send(A);
    world.idle(164);
    world.send(B);
    // Nothing more comes from A, so that its keepalive does not ask for a session first.
    world.cut[A] = true;
    world.idle(2);
    assert_eq!(world.ends[A].initiations(), [0]);
    world.send(B);
    world.send(B);
    world.idle(1);
    world.send(B);
    world.idle(4);
    assert_eq!(world.ends[A].initiations(), [0, 166_000 + LATENCY]);
    world.cut[A] = false;
    world.idle(10);
    assert_eq!(world.ends[A].completed.len(), 2);
    assert_eq!(world.ends[A].initiations().len(), 3);
}

#[test]
fn a_persistent_keepalive_keeps_the_tunnel_alive() {
    let mut world = World::new(50);
    world.ends[A].interval = 25;
    let actions = TimerState::interval_changed(0, 25);
    world.act(A, actions);
    world.idle(1_000);
    let received: Vec<_> = world.ends[B]
        .received
        .iter()
        .map(|(time, _)| *time)
        .collect();
    for pair in received.windows(2) {
        assert!(pair[1] - pair[0] <= 25_000 + LATENCY);
    }
    assert!(received.last().is_some_and(|time| *time > 974_000));
    // An idle tunnel is not chatty either: one keepalive per interval, and what handshakes take.
    let handshakes = world.ends[A].initiations().len();
    assert_eq!(handshakes, 8);
    assert!(world.ends[A].sent.len() <= 41 + 2 * handshakes);
    assert_eq!(world.ends[B].sent.len(), handshakes);
    // Off again: the timer fires in vain.
    world.ends[A].interval = 0;
    let sent = world.ends[A].sent.len();
    world.idle(500);
    assert_eq!(world.ends[A].sent.len(), sent);
}

#[test]
// row T5
fn a_busy_tunnel_needs_no_persistent_keepalive() {
    let mut world = World::new(0);
    world.ends[A].interval = 2;
    world.run(100, |world| world.send(A));
    // One comes with the confirmation of the handshake, if nothing is staged.
    assert_eq!(world.ends[A].times(is_keepalive), []);
}

#[test]
fn a_persistent_keepalive_never_gives_up() {
    let mut world = World::new(0);
    world.ends[A].interval = 25;
    world.cut[A] = true;
    let actions = TimerState::interval_changed(0, 25);
    world.act(A, actions);
    world.idle(600);
    // Twenty, silence for an interval, twenty, and so on.
    let initiations = world.ends[A].initiations();
    assert_eq!(initiations.len(), 101);
    assert_eq!(initiations[19..=20], [95_000, 120_000]);
}
