// SPDX-License-Identifier: GPL-2.0

//! The timers: each event by itself, and two ends talking under a virtual clock.

mod memory;

use std::collections::VecDeque;

use memory::{
    Host,
    Section,
    Shared, //
};
use wg_proto::{
    keypairs::{
        Keypairs,
        WriterToken, //
    },
    memory::Memory,
    session::{
        long_ago,
        may_initiate,
        Age, //
    },
    timers::{
        Action,
        Actions,
        Timer,
        TimerState,
        JITTER_MS, //
    },
};

const NS: u64 = 1_000_000;

fn arm(timer: Timer, after_ms: u64) -> Action {
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

mod table {
    use super::*;

    #[test]
    fn events_without_memory() {
        assert_eq!(
            list(TimerState::data_sent()),
            [Action::Arm {
                timer: Timer::NewHandshake,
                after_ms: 15_000,
                jitter: true,
                if_idle: true,
            }]
        );
        assert_eq!(
            list(TimerState::any_authenticated_packet_sent()),
            [Action::Cancel(Timer::SendKeepalive)]
        );
        assert_eq!(
            list(TimerState::any_authenticated_packet_received()),
            [Action::Cancel(Timer::NewHandshake)]
        );
        assert_eq!(list(TimerState::any_authenticated_packet_traversal(0)), []);
        assert_eq!(
            list(TimerState::any_authenticated_packet_traversal(u16::MAX)),
            [arm(Timer::PersistentKeepalive, 65_535_000)]
        );
        assert_eq!(
            list(TimerState::handshake_initiated()),
            [Action::Arm {
                timer: Timer::RetransmitHandshake,
                after_ms: 5_000,
                jitter: true,
                if_idle: false,
            }]
        );
        assert_eq!(
            list(TimerState::session_derived()),
            [arm(Timer::ZeroKeys, 540_000)]
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
        let soon = arm(Timer::SendKeepalive, 10_000);
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
            [Action::SendKeepalive, soon]
        );
        assert_eq!(
            list(state.expired_send_keepalive()),
            [Action::SendKeepalive]
        );
    }

    #[test]
    fn nineteen_retries_then_all_is_given_up() {
        let mut state = TimerState::new();
        let retry = [Action::ClearSource, Action::Initiate { retry: true }];
        for attempt in 1..=19 {
            assert_eq!(list(state.expired_retransmit_handshake()), retry);
            assert_eq!(state.attempts(), attempt);
        }
        let give_up = [
            Action::Cancel(Timer::SendKeepalive),
            Action::PurgeStaged,
            Action::Arm {
                timer: Timer::ZeroKeys,
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
        assert_eq!(
            list(other.initiation_wanted()),
            [Action::Initiate { retry: false }]
        );
        assert_eq!(other.attempts(), 0);
        assert_eq!(
            list(state.expired_new_handshake()),
            [Action::ClearSource, Action::Initiate { retry: false }]
        );
        assert_eq!(state.attempts(), 0);
    }

    #[test]
    fn the_last_minute_is_noticed_once_per_session() {
        let mut state = TimerState::new();
        let age = Age {
            birth: 0,
            initiator: true,
        };
        let at = |seconds: u64| seconds * 1_000 * NS;
        assert_eq!(list(state.received_under(age, at(165) - 1)), []);
        let wanted = [Action::Initiate { retry: false }];
        assert_eq!(list(state.received_under(age, at(165))), wanted);
        assert_eq!(list(state.received_under(age, at(166))), []);
        assert_eq!(
            list(state.handshake_complete()),
            [
                Action::Cancel(Timer::RetransmitHandshake),
                Action::StampHandshake
            ]
        );
        assert_eq!(list(state.received_under(age, at(170))), wanted);
        let responder = Age {
            initiator: false,
            ..age
        };
        let mut state = TimerState::new();
        assert_eq!(list(state.received_under(responder, at(179))), []);
    }
}

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Message {
    Initiation(u64),
    Response(u64),
    Keepalive(u64),
    Data(u64),
}

impl Message {
    fn is_initiation(&self) -> bool {
        matches!(self, Self::Initiation(_))
    }
}

struct Session {
    id: u64,
    age: Age,
}

/// One end: what the driver does with the actions, as short as can be.
struct End {
    state: TimerState,
    deadlines: [Option<u64>; 5],
    sessions: Keypairs<Host, Session>,
    token: WriterToken,
    /// Identifier of the initiation that waits for its response.
    pending: Option<u64>,
    last_handshake_sent: u64,
    staged: VecDeque<bool>,
    interval: u16,
    sent: Vec<(u64, Message)>,
    received: Vec<(u64, Message)>,
    completed: Vec<u64>,
    purged: usize,
    wiped: Vec<u64>,
    sources_cleared: usize,
}

impl End {
    fn new() -> Self {
        Self {
            state: TimerState::new(),
            deadlines: [None; 5],
            sessions: Keypairs::new(),
            token: WriterToken::new(),
            pending: None,
            last_handshake_sent: long_ago(0),
            staged: VecDeque::new(),
            interval: 0,
            sent: Vec::new(),
            received: Vec::new(),
            completed: Vec::new(),
            purged: 0,
            wiped: Vec::new(),
            sources_cleared: 0,
        }
    }

    fn deadline(&mut self, timer: Timer) -> &mut Option<u64> {
        &mut self.deadlines[timer as usize]
    }

    fn initiations(&self) -> Vec<u64> {
        self.times(Message::is_initiation)
    }

    fn times(&self, which: impl Fn(&Message) -> bool) -> Vec<u64> {
        self.sent
            .iter()
            .filter(|(_, message)| which(message))
            .map(|(time, _)| *time)
            .collect()
    }

    fn current(&self) -> Option<(u64, Age)> {
        let section = Section::default();
        let current = self.sessions.current(&section)?;
        Some((current.id, current.age))
    }

    fn has_sessions(&self) -> bool {
        let section = Section::default();
        self.sessions.current(&section).is_some()
            || self.sessions.next(&section).is_some()
            || self.sessions.previous(&section).is_some()
    }

    fn session(&self, id: u64) -> Option<Shared<Session>> {
        let section = Section::default();
        let mut all = [
            self.sessions.current(&section),
            self.sessions.next(&section),
            self.sessions.previous(&section),
        ]
        .into_iter()
        .flatten();
        let found = all.find(|session| session.id == id)?;
        Host::upgrade(found)
    }
}

/// Two ends and the wire between them.
struct World {
    now: u64,
    ends: [End; 2],
    flying: Vec<(u64, usize, Message)>,
    /// Whether what an end sends is lost.
    cut: [bool; 2],
    /// Of either end.
    jitter: [u64; 2],
    count: u64,
}

const LATENCY: u64 = 7;

impl World {
    fn new(jitter: u64) -> Self {
        assert!(jitter <= JITTER_MS);
        Self {
            now: 0,
            ends: [End::new(), End::new()],
            flying: Vec::new(),
            cut: [false; 2],
            jitter: [jitter; 2],
            count: 0,
        }
    }

    fn ns(&self) -> u64 {
        self.now * NS
    }

    fn transmit(&mut self, from: usize, message: Message) {
        self.ends[from].sent.push((self.now, message));
        if !self.cut[from] {
            self.flying.push((self.now + LATENCY, 1 - from, message));
        }
    }

    fn act(&mut self, end: usize, actions: Actions) {
        for action in actions {
            match action {
                Action::Arm {
                    timer,
                    after_ms,
                    jitter,
                    if_idle,
                } => {
                    let at = self.now + after_ms + if jitter { self.jitter[end] } else { 0 };
                    let deadline = self.ends[end].deadline(timer);
                    if deadline.is_none() || !if_idle {
                        *deadline = Some(at);
                    }
                }
                Action::Cancel(timer) => *self.ends[end].deadline(timer) = None,
                Action::SendKeepalive => {
                    if self.ends[end].staged.is_empty() {
                        self.ends[end].staged.push_back(false);
                    }
                    self.flush(end);
                }
                Action::Initiate { .. } => self.initiate(end),
                Action::PurgeStaged => {
                    self.ends[end].purged += self.ends[end].staged.len();
                    self.ends[end].staged.clear();
                }
                Action::ClearSource => self.ends[end].sources_cleared += 1,
                Action::ZeroKeys => {
                    let now = self.now;
                    let this = &mut self.ends[end];
                    this.pending = None;
                    drop(this.sessions.clear(&mut this.token));
                    this.wiped.push(now);
                }
                Action::StampHandshake => {
                    let now = self.now;
                    self.ends[end].completed.push(now);
                }
            }
        }
    }

    fn about_to_send(&mut self, end: usize) {
        let interval = self.ends[end].interval;
        self.act(
            end,
            TimerState::any_authenticated_packet_traversal(interval),
        );
        self.act(end, TimerState::any_authenticated_packet_sent());
    }

    fn initiate(&mut self, end: usize) {
        let now = self.ns();
        if !may_initiate(self.ends[end].last_handshake_sent, now) {
            return;
        }
        self.ends[end].last_handshake_sent = now;
        self.count += 1;
        self.ends[end].pending = Some(self.count);
        self.about_to_send(end);
        self.transmit(end, Message::Initiation(self.count));
        self.act(end, TimerState::handshake_initiated());
    }

    fn want_initiation(&mut self, end: usize) {
        let actions = self.ends[end].state.initiation_wanted();
        self.act(end, actions);
    }

    fn send(&mut self, end: usize) {
        self.ends[end].staged.push_back(true);
        self.flush(end);
    }

    fn flush(&mut self, end: usize) {
        if self.ends[end].staged.is_empty() {
            return;
        }
        let now = self.ns();
        let Some((id, age)) = self.ends[end]
            .current()
            .filter(|(_, age)| !age.is_expired(now))
        else {
            self.want_initiation(end);
            return;
        };
        self.about_to_send(end);
        let mut data = false;
        while let Some(packet) = self.ends[end].staged.pop_front() {
            data |= packet;
            self.transmit(
                end,
                if packet {
                    Message::Data(id)
                } else {
                    Message::Keepalive(id)
                },
            );
        }
        if data {
            self.act(end, TimerState::data_sent());
        }
        if age.rekeys_on_send(0, now) {
            self.want_initiation(end);
        }
    }

    fn derive(&mut self, end: usize, id: u64, initiator: bool) {
        let birth = self.ns();
        let session = Host::share(Session {
            id,
            age: Age { birth, initiator },
        })
        .unwrap();
        let this = &mut self.ends[end];
        let retired = if initiator {
            this.sessions.add_initiated(&mut this.token, session)
        } else {
            this.sessions.add_answered(&mut this.token, session)
        };
        drop(retired);
        self.act(end, TimerState::session_derived());
    }

    fn complete(&mut self, end: usize) {
        let actions = self.ends[end].state.handshake_complete();
        self.act(end, actions);
    }

    fn receive(&mut self, end: usize, message: Message) {
        let now = self.ns();
        match message {
            Message::Initiation(id) => {
                self.ends[end].pending = None;
                self.ends[end].last_handshake_sent = now;
                self.derive(end, id, false);
                self.about_to_send(end);
                self.transmit(end, Message::Response(id));
            }
            Message::Response(id) => {
                if self.ends[end]
                    .pending
                    .take_if(|pending| *pending == id)
                    .is_none()
                {
                    return;
                }
                self.derive(end, id, true);
                self.complete(end);
                self.act(end, TimerState::expired_persistent_keepalive(1));
            }
            Message::Data(id) | Message::Keepalive(id) => {
                let Some(session) = self.ends[end].session(id) else {
                    return;
                };
                if session.age.is_expired(now) {
                    return;
                }
                let this = &mut self.ends[end];
                if this.sessions.confirm(&mut this.token, &session).is_some() {
                    self.complete(end);
                    self.flush(end);
                }
                if let Some((_, age)) = self.ends[end].current() {
                    let actions = self.ends[end].state.received_under(age, now);
                    self.act(end, actions);
                }
            }
        }
        self.ends[end].received.push((self.now, message));
        self.act(end, TimerState::any_authenticated_packet_received());
        let interval = self.ends[end].interval;
        self.act(
            end,
            TimerState::any_authenticated_packet_traversal(interval),
        );
        if let Message::Data(_) = message {
            let pending = self.ends[end].deadline(Timer::SendKeepalive).is_some();
            let actions = self.ends[end].state.data_received(pending);
            self.act(end, actions);
        }
    }

    fn fire(&mut self, end: usize, timer: Timer) {
        let interval = self.ends[end].interval;
        let state = &mut self.ends[end].state;
        let actions = match timer {
            Timer::RetransmitHandshake => state.expired_retransmit_handshake(),
            Timer::SendKeepalive => state.expired_send_keepalive(),
            Timer::NewHandshake => state.expired_new_handshake(),
            Timer::ZeroKeys => TimerState::expired_zero_keys(),
            Timer::PersistentKeepalive => TimerState::expired_persistent_keepalive(interval),
        };
        self.act(end, actions);
    }

    /// Lets time pass, `each` being called every second.
    fn run(&mut self, seconds: u64, mut each: impl FnMut(&mut Self)) {
        let until = self.now + seconds * 1_000;
        loop {
            if self.now % 1_000 == 0 && self.now < until {
                each(self);
            }
            if self.now >= until {
                return;
            }
            self.now += 1;
            for (at, end, message) in std::mem::take(&mut self.flying) {
                if at <= self.now {
                    self.receive(end, message);
                } else {
                    self.flying.push((at, end, message));
                }
            }
            for end in 0..2 {
                for timer in [
                    Timer::RetransmitHandshake,
                    Timer::SendKeepalive,
                    Timer::NewHandshake,
                    Timer::ZeroKeys,
                    Timer::PersistentKeepalive,
                ] {
                    let deadline = self.ends[end].deadline(timer);
                    if deadline.is_some_and(|at| at <= self.now) {
                        *deadline = None;
                        self.fire(end, timer);
                    }
                }
            }
        }
    }

    fn idle(&mut self, seconds: u64) {
        self.run(seconds, |_| {});
    }
}

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
        assert_eq!(end.deadline(Timer::RetransmitHandshake), &None);
    }
}

#[test]
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
fn data_while_a_keepalive_is_due_is_answered_once_more() {
    let mut world = World::new(0);
    world.send(A);
    world.idle(1);
    world.send(A);
    world.send(A);
    world.idle(100);
    let first = 3 * LATENCY + 10_000;
    assert_eq!(world.ends[B].times(is_keepalive), [first, first + 10_000]);
}

#[test]
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
        assert_eq!(world.ends[A].deadline(Timer::RetransmitHandshake), &None);
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
