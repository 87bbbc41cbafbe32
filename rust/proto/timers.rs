// SPDX-License-Identifier: GPL-2.0

//! The timers of a peer: which events arm or cancel them, and what the driver does when one fires.
//!
//! Nothing here runs a timer. Each event is a function, which returns [`Actions`], and the driver
//! carries them out in the given order. The driver arms a timer only while the interface is up and
//! the peer has not been removed; it always carries out [`Action::Cancel`].

use crate::session::{
    Lifetime,
    KEEPALIVE_TIMEOUT,
    REJECT_AFTER_TIME,
    REKEY_TIMEOUT, //
};

/// [`TimerState::expired_retransmit_handshake`] gives up when more retries than this were made.
const MAX_ATTEMPTS: u32 = 90 / REKEY_TIMEOUT as u32;

const MSEC_PER_SEC: u64 = 1_000;

/// The timers of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerTimer {
    /// No response came: send the initiation again.
    RetransmitHandshake,
    /// Data came and nothing was sent since: send a keepalive.
    SendKeepalive,
    /// Data was sent and nothing came since: begin a new handshake.
    NewHandshake,
    /// No new session for long: forget all keys.
    ZeroKeys,
    /// The user asked for persistent keepalives: send one.
    PersistentKeepalive,
}

impl PeerTimer {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::RetransmitHandshake,
        Self::SendKeepalive,
        Self::NewHandshake,
        Self::ZeroKeys,
        Self::PersistentKeepalive,
    ];
}

/// A step that the driver has to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Sets a timer.
    Arm {
        /// Which one.
        timer: PeerTimer,
        /// When it fires, from now on.
        after_ms: u64,
        /// Whether a random time below [`JITTER_MS`] is added.
        jitter: bool,
        /// Whether a timer that is already running is left as it is.
        if_idle: bool,
    },
    /// Stops a timer.
    Cancel(PeerTimer),
    /// Sends a keepalive, or what is staged.
    SendKeepalive,
    /// Queues a handshake initiation, unless one was sent within [`REKEY_TIMEOUT`].
    Initiate,
    /// Drops the packets that wait for a session, and counts them.
    PurgeStaged,
    /// Drops the local address and the route used to reach the peer.
    ClearSource,
    /// Ends the handshake and all sessions, in process context.
    ZeroKeys,
    /// Stores the wall clock time as that of the latest handshake.
    StampHandshake,
}

/// Upper bound of the jitter: a third of a second, in milliseconds.
pub const JITTER_MS: u64 = 333;

/// Up to three actions, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Actions([Option<Action>; 3]);

impl Actions {
    /// No action.
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
const fn arm(timer: PeerTimer, seconds: u64) -> Action {
    Action::Arm {
        timer,
        after_ms: seconds.saturating_mul(MSEC_PER_SEC),
        jitter: false,
        if_idle: false,
    }
}

/// The state that the timers of a peer need between events.
///
/// Events that need no state are associated functions without `self`, so the hot paths take no lock
/// for them.
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
    /// Makes the state of a new peer.
    pub const fn new() -> Self {
        Self {
            attempts: 0,
            need_another_keepalive: false,
            sent_lastminute: false,
        }
    }

    /// Returns how often the current initiation was repeated.
    #[inline]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Event: a data packet (no keepalive) is about to be sent.
    #[inline]
    pub const fn data_sent() -> Actions {
        Actions::one(Action::Arm {
            timer: PeerTimer::NewHandshake,
            after_ms: (KEEPALIVE_TIMEOUT + REKEY_TIMEOUT) * MSEC_PER_SEC,
            jitter: true,
            if_idle: true,
        })
    }

    /// Event: an authentic data packet (no keepalive) was received while the interface is up.
    ///
    /// `pending` says whether [`PeerTimer::SendKeepalive`] is pending. If it is not, this does not
    /// use `self`: callers may then call [`keepalive_after_data`](Self::keepalive_after_data)
    /// without a lock.
    #[inline]
    pub fn data_received(&mut self, pending: bool) -> Actions {
        if pending {
            self.need_another_keepalive = true;
            Actions::NONE
        } else {
            Self::keepalive_after_data()
        }
    }

    /// Event: as [`data_received`](Self::data_received), while [`PeerTimer::SendKeepalive`] is
    /// idle.
    #[inline]
    pub const fn keepalive_after_data() -> Actions {
        Actions::one(arm(PeerTimer::SendKeepalive, KEEPALIVE_TIMEOUT))
    }

    /// Event: an authentic packet is about to be sent, be it data, a keepalive or a handshake
    /// message.
    #[inline]
    pub const fn any_authenticated_packet_sent() -> Actions {
        Actions::one(Action::Cancel(PeerTimer::SendKeepalive))
    }

    /// Event: an authentic packet was received, be it data, a keepalive or a handshake message.
    #[inline]
    pub const fn any_authenticated_packet_received() -> Actions {
        Actions::one(Action::Cancel(PeerTimer::NewHandshake))
    }

    /// Event: an authentic packet is about to be sent, or was received. `interval` is the
    /// persistent keepalive in seconds.
    #[inline]
    pub const fn any_authenticated_packet_traversal(interval: u16) -> Actions {
        if interval == 0 {
            return Actions::NONE;
        }
        // CAST: Widening.
        Actions::one(arm(PeerTimer::PersistentKeepalive, interval as u64))
    }

    /// Event: an initiation is about to be sent.
    #[inline]
    pub const fn handshake_initiated() -> Actions {
        Actions::one(Action::Arm {
            timer: PeerTimer::RetransmitHandshake,
            after_ms: REKEY_TIMEOUT * MSEC_PER_SEC,
            jitter: true,
            if_idle: false,
        })
    }

    /// Event: the handshake is complete, by a response or by the first data packet of a session.
    pub fn handshake_complete(&mut self) -> Actions {
        self.attempts = 0;
        self.sent_lastminute = false;
        Actions::two(
            Action::Cancel(PeerTimer::RetransmitHandshake),
            Action::StampHandshake,
        )
    }

    /// Event: the keys of a session were derived, before a response is sent or after one was
    /// received.
    #[inline]
    pub const fn session_derived() -> Actions {
        Actions::one(Self::wipe(false))
    }

    /// Event: a new initiation is needed: there is no key, the key is old, or the user asked.
    ///
    /// The count of attempts restarts even if the driver then sends none, because another one was
    /// just sent.
    #[inline]
    pub fn initiation_wanted(&mut self) -> Actions {
        self.attempts = 0;
        Actions::one(Action::Initiate)
    }

    /// Event: a packet was received, and the session in use, `current`, may still send. Asks for a
    /// new session once, when this one is about to end.
    #[inline]
    pub fn keep_key_fresh_on_receive(&mut self, current: Lifetime, now: u64) -> Actions {
        if !current.rekeys_on_receive(now) || self.sent_lastminute {
            return Actions::NONE;
        }
        self.sent_lastminute = true;
        self.initiation_wanted()
    }

    /// Event: the user changed the persistent keepalive from `old` to `new` seconds while the
    /// interface is up.
    pub const fn interval_changed(old: u16, new: u16) -> Actions {
        if old == 0 && new != 0 {
            Actions::one(Action::SendKeepalive)
        } else {
            Actions::NONE
        }
    }

    /// Event: [`PeerTimer::RetransmitHandshake`] fired.
    pub fn expired_retransmit_handshake(&mut self) -> Actions {
        if self.attempts > MAX_ATTEMPTS {
            return Actions::three(
                Action::Cancel(PeerTimer::SendKeepalive),
                Action::PurgeStaged,
                Self::wipe(true),
            );
        }
        self.attempts = self.attempts.saturating_add(1);
        Actions::two(Action::ClearSource, Action::Initiate)
    }

    /// Event: [`PeerTimer::SendKeepalive`] fired.
    ///
    /// More data has come since it was armed, perhaps. Arms it again first: a keepalive that leaves
    /// answers that data too, and cancels it. One that waits for a session does not.
    pub fn expired_send_keepalive(&mut self) -> Actions {
        if core::mem::take(&mut self.need_another_keepalive) {
            Actions::two(
                arm(PeerTimer::SendKeepalive, KEEPALIVE_TIMEOUT),
                Action::SendKeepalive,
            )
        } else {
            Actions::one(Action::SendKeepalive)
        }
    }

    /// Event: [`PeerTimer::NewHandshake`] fired.
    pub fn expired_new_handshake(&mut self) -> Actions {
        self.attempts = 0;
        Actions::two(Action::ClearSource, Action::Initiate)
    }

    /// Event: [`PeerTimer::ZeroKeys`] fired.
    pub const fn expired_zero_keys() -> Actions {
        Actions::one(Action::ZeroKeys)
    }

    /// Event: [`PeerTimer::PersistentKeepalive`] fired. `interval` is the persistent keepalive in
    /// seconds, as it is now.
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
            timer: PeerTimer::ZeroKeys,
            after_ms: REJECT_AFTER_TIME * 3 * MSEC_PER_SEC,
            jitter: false,
            if_idle,
        }
    }
}
