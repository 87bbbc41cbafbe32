// SPDX-License-Identifier: GPL-2.0

//! Two ends of a tunnel and the wire between them, under a virtual clock.
//!
//! It is the driver as short as can be: events of the timers become actions, and these are done.

#![allow(unreachable_pub)]

use std::collections::VecDeque;

use super::memory::{
    Host,
    Section,
    Shared, //
};
use wg_proto::{
    keypairs::{
        Keypairs,
        KeypairsWriter, //
    },
    memory::Reclaim,
    session::{
        long_ago,
        may_initiate,
        Lifetime, //
    },
    timers::{
        Action,
        Actions,
        PeerTimer,
        TimerState,
        JITTER_MS, //
    },
};

const NS: u64 = 1_000_000;

/// What is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    Initiation(u64),
    Response(u64),
    Keepalive(u64),
    Data(u64),
}

impl Message {
    pub fn is_initiation(&self) -> bool {
        matches!(self, Self::Initiation(_))
    }
}

pub struct Session {
    id: u64,
    lifetime: Lifetime,
}

/// One end: what the driver does with the actions, as short as can be.
pub struct End {
    state: TimerState,
    deadlines: [Option<u64>; 5],
    sessions: Keypairs<Host, Session>,
    token: KeypairsWriter,
    /// Identifier of the initiation that waits for its response.
    pending: Option<u64>,
    last_handshake_sent: u64,
    staged: VecDeque<bool>,
    pub interval: u16,
    pub sent: Vec<(u64, Message)>,
    pub received: Vec<(u64, Message)>,
    pub completed: Vec<u64>,
    pub purged: usize,
    pub wiped: Vec<u64>,
    pub sources_cleared: usize,
}

impl End {
    fn new() -> Self {
        Self {
            state: TimerState::new(),
            deadlines: [None; 5],
            sessions: Keypairs::new(),
            token: KeypairsWriter::new(),
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

    pub fn deadline(&mut self, timer: PeerTimer) -> &mut Option<u64> {
        &mut self.deadlines[timer as usize]
    }

    pub fn initiations(&self) -> Vec<u64> {
        self.times(Message::is_initiation)
    }

    pub fn times(&self, which: impl Fn(&Message) -> bool) -> Vec<u64> {
        self.sent
            .iter()
            .filter(|(_, message)| which(message))
            .map(|(time, _)| *time)
            .collect()
    }

    fn current(&self) -> Option<(u64, Lifetime)> {
        let section = Section::default();
        let current = self.sessions.current(&section)?;
        Some((current.id, current.lifetime))
    }

    pub fn has_sessions(&self) -> bool {
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
pub struct World {
    pub now: u64,
    pub ends: [End; 2],
    flying: Vec<(u64, usize, Message)>,
    /// Whether what an end sends is lost.
    pub cut: [bool; 2],
    /// Of either end.
    pub jitter: [u64; 2],
    count: u64,
}

pub const LATENCY: u64 = 7;

impl World {
    pub fn new(jitter: u64) -> Self {
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

    pub fn act(&mut self, end: usize, actions: Actions) {
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
                Action::Initiate => self.initiate(end),
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

    pub fn send(&mut self, end: usize) {
        self.ends[end].staged.push_back(true);
        self.flush(end);
    }

    fn flush(&mut self, end: usize) {
        if self.ends[end].staged.is_empty() {
            return;
        }
        let now = self.ns();
        let Some((id, lifetime)) = self.ends[end]
            .current()
            .filter(|(_, lifetime)| !lifetime.is_expired(now))
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
        if lifetime.rekeys_on_send(0, now) {
            self.want_initiation(end);
        }
    }

    fn derive(&mut self, end: usize, id: u64, initiator: bool) {
        let birth = self.ns();
        let lifetime = Lifetime { birth, initiator };
        let session = Host::share(Session { id, lifetime }, &mut ()).unwrap();
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
                if session.lifetime.is_expired(now) {
                    return;
                }
                let this = &mut self.ends[end];
                if this.sessions.confirm(&mut this.token, &session).is_some() {
                    self.complete(end);
                    self.flush(end);
                }
                if let Some((_, lifetime)) = self.ends[end].current() {
                    let actions = self.ends[end]
                        .state
                        .keep_key_fresh_on_receive(lifetime, now);
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
            let pending = self.ends[end].deadline(PeerTimer::SendKeepalive).is_some();
            let actions = self.ends[end].state.data_received(pending);
            self.act(end, actions);
        }
    }

    fn fire(&mut self, end: usize, timer: PeerTimer) {
        let interval = self.ends[end].interval;
        let state = &mut self.ends[end].state;
        let actions = match timer {
            PeerTimer::RetransmitHandshake => state.expired_retransmit_handshake(),
            PeerTimer::SendKeepalive => state.expired_send_keepalive(),
            PeerTimer::NewHandshake => state.expired_new_handshake(),
            PeerTimer::ZeroKeys => TimerState::expired_zero_keys(),
            PeerTimer::PersistentKeepalive => TimerState::expired_persistent_keepalive(interval),
        };
        self.act(end, actions);
    }

    /// Lets time pass, `each` being called every second.
    pub fn run(&mut self, seconds: u64, mut each: impl FnMut(&mut Self)) {
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
                    PeerTimer::RetransmitHandshake,
                    PeerTimer::SendKeepalive,
                    PeerTimer::NewHandshake,
                    PeerTimer::ZeroKeys,
                    PeerTimer::PersistentKeepalive,
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

    pub fn idle(&mut self, seconds: u64) {
        self.run(seconds, |_| {});
    }
}
