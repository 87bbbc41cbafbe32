// SPDX-License-Identifier: GPL-2.0

//! What events mean for the timers of a peer.
//!
//! Nothing here runs a timer. Events go in, [`Actions`] come out, and the driver carries them out
//! in the given order. A timer is only armed while the interface is up and the peer has not been
//! removed; [`Action::Cancel`] is always carried out.

use crate::session::{
    Age,
    KEEPALIVE_TIMEOUT,
    REJECT_AFTER_TIME,
    REKEY_TIMEOUT, //
};

/// Retries after the first initiation before [`TimerState::expired_retransmit_handshake`] gives up,
/// less one.
const MAX_ATTEMPTS: u32 = 90 / REKEY_TIMEOUT as u32;

const MSEC_PER_SEC: u64 = 1_000;

/// The timers of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// No response came: send the initiation again.
    RetransmitHandshake,
    /// Data came and nothing was sent since: send a keepalive.
    SendKeepalive,
    /// Data was sent and nothing came since: begin a new handshake.
    NewHandshake,
    /// No new session for long: forget all keys.
    ZeroKeys,
    /// The user wants regular traffic.
    PersistentKeepalive,
}

/// One thing the driver has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Sets a timer.
    Arm {
        /// Which one.
        timer: Timer,
        /// When it fires, from now on.
        after_ms: u64,
        /// Whether a random time below [`JITTER_MS`] is added.
        jitter: bool,
        /// Whether a timer that is already running is left as it is.
        if_idle: bool,
    },
    /// Stops a timer.
    Cancel(Timer),
    /// Sends a keepalive, or what is staged.
    SendKeepalive,
    /// Queues a handshake initiation, unless one was sent within [`REKEY_TIMEOUT`].
    Initiate {
        /// Whether this goes on with a handshake that was not answered. The count of attempts is
        /// kept by this module.
        retry: bool,
    },
    /// Drops the packets that wait for a session, and counts them.
    PurgeStaged,
    /// Forgets the local address and the route used to reach the peer.
    ClearSource,
    /// Forgets the handshake and all sessions, in process context.
    ZeroKeys,
    /// Notes the wall clock as time of the latest handshake.
    StampHandshake,
}

/// Bound of the jitter: below a third of a second.
pub const JITTER_MS: u64 = 333;

/// A short list of actions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Actions([Option<Action>; 3]);

impl Actions {
    /// Nothing to do.
    pub const NONE: Self = Self([None; 3]);

    #[inline]
    const fn one(a: Action) -> Self {
        Self([Some(a), None, None])
    }

    #[inline]
    const fn two(a: Action, b: Action) -> Self {
        Self([Some(a), Some(b), None])
    }

    #[inline]
    const fn three(a: Action, b: Action, c: Action) -> Self {
        Self([Some(a), Some(b), Some(c)])
    }
}

impl IntoIterator for Actions {
    type Item = Action;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<Action>, 3>>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

#[inline]
const fn arm(timer: Timer, seconds: u64) -> Action {
    Action::Arm {
        timer,
        after_ms: seconds.saturating_mul(MSEC_PER_SEC),
        jitter: false,
        if_idle: false,
    }
}

/// What the timers of a peer have to remember.
///
/// Events that need no memory are associated functions without `self`, so the hot paths take no
/// lock for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimerState {
    attempts: u32,
    need_another_keepalive: bool,
    sent_lastminute: bool,
}

impl Default for TimerState {
    fn default() -> Self {
        Self::new()
    }
}

impl TimerState {
    /// Creates the state of a new peer.
    pub const fn new() -> Self {
        Self {
            attempts: 0,
            need_another_keepalive: false,
            sent_lastminute: false,
        }
    }

    /// Returns how often the initiation was repeated.
    #[inline]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// A data packet (no keepalive) is about to be sent.
    #[inline]
    pub const fn data_sent() -> Actions {
        Actions::one(Action::Arm {
            timer: Timer::NewHandshake,
            after_ms: (KEEPALIVE_TIMEOUT + REKEY_TIMEOUT) * MSEC_PER_SEC,
            jitter: true,
            if_idle: true,
        })
    }

    /// An authentic data packet (no keepalive) was received while the interface is up.
    ///
    /// `pending` tells whether [`Timer::SendKeepalive`] is running. If it does not, `self` is left
    /// alone: callers may then use [`keepalive_after_data`](Self::keepalive_after_data) without a
    /// lock.
    #[inline]
    pub fn data_received(&mut self, pending: bool) -> Actions {
        if pending {
            self.need_another_keepalive = true;
            Actions::NONE
        } else {
            Self::keepalive_after_data()
        }
    }

    /// The part of [`data_received`](Self::data_received) for an idle [`Timer::SendKeepalive`].
    #[inline]
    pub const fn keepalive_after_data() -> Actions {
        Actions::one(arm(Timer::SendKeepalive, KEEPALIVE_TIMEOUT))
    }

    /// Any authentic packet was sent: data, keepalive or handshake.
    #[inline]
    pub const fn any_authenticated_packet_sent() -> Actions {
        Actions::one(Action::Cancel(Timer::SendKeepalive))
    }

    /// Any authentic packet was received: data, keepalive or handshake.
    #[inline]
    pub const fn any_authenticated_packet_received() -> Actions {
        Actions::one(Action::Cancel(Timer::NewHandshake))
    }

    /// Any authentic packet is about to be sent or was received; `interval` is the persistent
    /// keepalive in seconds.
    #[inline]
    pub const fn any_authenticated_packet_traversal(interval: u16) -> Actions {
        if interval == 0 {
            return Actions::NONE;
        }
        // CAST: Widening.
        Actions::one(arm(Timer::PersistentKeepalive, interval as u64))
    }

    /// An initiation was sent.
    #[inline]
    pub const fn handshake_initiated() -> Actions {
        Actions::one(Action::Arm {
            timer: Timer::RetransmitHandshake,
            after_ms: REKEY_TIMEOUT * MSEC_PER_SEC,
            jitter: true,
            if_idle: false,
        })
    }

    /// A response was taken, or the first data packet of a session confirmed it.
    pub fn handshake_complete(&mut self) -> Actions {
        self.attempts = 0;
        self.sent_lastminute = false;
        Actions::two(
            Action::Cancel(Timer::RetransmitHandshake),
            Action::StampHandshake,
        )
    }

    /// Session keys were derived: before a response is sent, or after one was received.
    #[inline]
    pub const fn session_derived() -> Actions {
        Actions::one(Self::wipe(false))
    }

    /// An initiation is wanted that goes on with none before: no key, an old key, or the user
    /// asked.
    ///
    /// Counts anew also when the initiation is then held back because another one was just sent.
    #[inline]
    pub fn initiation_wanted(&mut self) -> Actions {
        self.attempts = 0;
        Actions::one(Action::Initiate { retry: false })
    }

    /// A packet was received while `current` (if valid for sending) is the session in use: asks
    /// once per session for a new one when it is about to end.
    #[inline]
    pub fn keep_key_fresh_on_receive(&mut self, current: Age, now: u64) -> Actions {
        if !current.rekeys_on_receive(now) || self.sent_lastminute {
            return Actions::NONE;
        }
        self.sent_lastminute = true;
        self.initiation_wanted()
    }

    /// The user changed the persistent keepalive from `old` to `new` seconds while the interface is
    /// up.
    pub const fn interval_changed(old: u16, new: u16) -> Actions {
        if old == 0 && new != 0 {
            Actions::one(Action::SendKeepalive)
        } else {
            Actions::NONE
        }
    }

    /// [`Timer::RetransmitHandshake`] fired.
    pub fn expired_retransmit_handshake(&mut self) -> Actions {
        if self.attempts > MAX_ATTEMPTS {
            return Actions::three(
                Action::Cancel(Timer::SendKeepalive),
                Action::PurgeStaged,
                Self::wipe(true),
            );
        }
        self.attempts = self.attempts.saturating_add(1);
        Actions::two(Action::ClearSource, Action::Initiate { retry: true })
    }

    /// [`Timer::SendKeepalive`] fired.
    pub fn expired_send_keepalive(&mut self) -> Actions {
        if core::mem::take(&mut self.need_another_keepalive) {
            Actions::two(
                Action::SendKeepalive,
                arm(Timer::SendKeepalive, KEEPALIVE_TIMEOUT),
            )
        } else {
            Actions::one(Action::SendKeepalive)
        }
    }

    /// [`Timer::NewHandshake`] fired.
    pub fn expired_new_handshake(&mut self) -> Actions {
        self.attempts = 0;
        Actions::two(Action::ClearSource, Action::Initiate { retry: false })
    }

    /// [`Timer::ZeroKeys`] fired.
    pub const fn expired_zero_keys() -> Actions {
        Actions::one(Action::ZeroKeys)
    }

    /// [`Timer::PersistentKeepalive`] fired; `interval` is the persistent keepalive in seconds, as
    /// it is now.
    pub const fn expired_persistent_keepalive(interval: u16) -> Actions {
        if interval == 0 {
            Actions::NONE
        } else {
            Actions::one(Action::SendKeepalive)
        }
    }

    #[inline]
    const fn wipe(if_idle: bool) -> Action {
        Action::Arm {
            timer: Timer::ZeroKeys,
            after_ms: REJECT_AFTER_TIME * 3 * MSEC_PER_SEC,
            jitter: false,
            if_idle,
        }
    }
}
