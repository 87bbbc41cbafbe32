// SPDX-License-Identifier: GPL-2.0

//! What each event means to the timers, by itself.

use wg_proto::{
    session::Lifetime,
    timers::{
        Action,
        Actions,
        PeerTimer,
        TimerState, //
    },
};

const NS: u64 = 1_000_000;

fn arm(timer: PeerTimer, after_ms: u64) -> Action {
    Action::Arm {
        timer,
        after_ms,
        jitter: false,
        if_idle: false,
    }
}

fn list(actions: Actions) -> Vec<Action> {
    actions.into_iter().collect()
}

#[test]
fn events_without_memory() {
    assert_eq!(
        list(TimerState::data_sent()),
        [Action::Arm {
            timer: PeerTimer::NewHandshake,
            after_ms: 15_000,
            jitter: true,
            if_idle: true,
        }]
    );
    assert_eq!(
        list(TimerState::any_authenticated_packet_sent()),
        [Action::Cancel(PeerTimer::SendKeepalive)]
    );
    assert_eq!(
        list(TimerState::any_authenticated_packet_received()),
        [Action::Cancel(PeerTimer::NewHandshake)]
    );
    assert_eq!(list(TimerState::any_authenticated_packet_traversal(0)), []);
    assert_eq!(
        list(TimerState::any_authenticated_packet_traversal(u16::MAX)),
        [arm(PeerTimer::PersistentKeepalive, 65_535_000)]
    );
    assert_eq!(
        list(TimerState::handshake_initiated()),
        [Action::Arm {
            timer: PeerTimer::RetransmitHandshake,
            after_ms: 5_000,
            jitter: true,
            if_idle: false,
        }]
    );
    assert_eq!(
        list(TimerState::session_derived()),
        [arm(PeerTimer::ZeroKeys, 540_000)]
    );
    assert_eq!(list(TimerState::expired_zero_keys()), [Action::ZeroKeys]);
    assert_eq!(list(TimerState::expired_persistent_keepalive(0)), []);
    assert_eq!(
        list(TimerState::expired_persistent_keepalive(1)),
        [Action::SendKeepalive]
    );
}

#[test]
fn a_new_interval_sends_at_once_only_when_there_was_none() {
    for (old, new, sends) in [(0, 0, 0), (0, 25, 1), (25, 0, 0), (25, 30, 0), (25, 25, 0)] {
        assert_eq!(list(TimerState::interval_changed(old, new)).len(), sends);
    }
}

#[test]
fn received_data_wants_one_answer_and_at_most_one_more() {
    let mut state = TimerState::new();
    let soon = arm(PeerTimer::SendKeepalive, 10_000);
    assert_eq!(list(state.data_received(false)), [soon]);
    assert_eq!(state, TimerState::new());
    assert_eq!(
        list(state.expired_send_keepalive()),
        [Action::SendKeepalive]
    );
    assert_eq!(list(state.data_received(true)), []);
    assert_eq!(list(state.data_received(true)), []);
    assert_eq!(
        list(state.expired_send_keepalive()),
        [soon, Action::SendKeepalive]
    );
    assert_eq!(
        list(state.expired_send_keepalive()),
        [Action::SendKeepalive]
    );
}

#[test]
// row T1
fn nineteen_retries_then_all_is_given_up() {
    let mut state = TimerState::new();
    let retry = [Action::ClearSource, Action::Initiate];
    for attempt in 1..=19 {
        assert_eq!(list(state.expired_retransmit_handshake()), retry);
        assert_eq!(state.attempts(), attempt);
    }
    let give_up = [
        Action::Cancel(PeerTimer::SendKeepalive),
        Action::PurgeStaged,
        Action::Arm {
            timer: PeerTimer::ZeroKeys,
            after_ms: 540_000,
            jitter: false,
            if_idle: true,
        },
    ];
    assert_eq!(list(state.expired_retransmit_handshake()), give_up);
    assert_eq!(list(state.expired_retransmit_handshake()), give_up);

    // Each of these begins a new count.
    let mut other = state.clone();
    let _ = other.handshake_complete();
    assert_eq!(other.attempts(), 0);
    let mut other = state.clone();
    assert_eq!(list(other.initiation_wanted()), [Action::Initiate]);
    assert_eq!(other.attempts(), 0);
    assert_eq!(
        list(state.expired_new_handshake()),
        [Action::ClearSource, Action::Initiate]
    );
    assert_eq!(state.attempts(), 0);
}

#[test]
fn the_last_minute_is_noticed_once_per_session() {
    let mut state = TimerState::new();
    let lifetime = Lifetime {
        birth: 0,
        initiator: true,
    };
    let at = |seconds: u64| seconds * 1_000 * NS;
    assert_eq!(
        list(state.keep_key_fresh_on_receive(lifetime, at(165) - 1)),
        []
    );
    let wanted = [Action::Initiate];
    assert_eq!(
        list(state.keep_key_fresh_on_receive(lifetime, at(165))),
        wanted
    );
    assert_eq!(list(state.keep_key_fresh_on_receive(lifetime, at(166))), []);
    assert_eq!(
        list(state.handshake_complete()),
        [
            Action::Cancel(PeerTimer::RetransmitHandshake),
            Action::StampHandshake
        ]
    );
    assert_eq!(
        list(state.keep_key_fresh_on_receive(lifetime, at(170))),
        wanted
    );
    let responder = Lifetime {
        initiator: false,
        ..lifetime
    };
    let mut state = TimerState::new();
    assert_eq!(
        list(state.keep_key_fresh_on_receive(responder, at(179))),
        []
    );
}
