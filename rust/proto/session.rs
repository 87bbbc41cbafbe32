// SPDX-License-Identifier: GPL-2.0

//! How long a session may be used, by age and by messages.
//!
//! All times are nanoseconds of a clock that counts suspended time too.

pub use crate::replay::REJECT_AFTER_MESSAGES;

/// Sent messages after which a peer asks for a new session.
pub const REKEY_AFTER_MESSAGES: u64 = 1 << 60;
/// Seconds after which the initiator of a session asks for a new one.
pub const REKEY_AFTER_TIME: u64 = 120;
/// Seconds after which a session is not used any more.
pub const REJECT_AFTER_TIME: u64 = 180;
/// Seconds between two handshake initiations.
pub const REKEY_TIMEOUT: u64 = 5;
/// Seconds after which received data is answered by something.
pub const KEEPALIVE_TIMEOUT: u64 = 10;

const NSEC_PER_SEC: u64 = 1_000_000_000;

/// Returns whether `seconds` have passed since `birth`.
///
/// Birthdays before the start of the clock are allowed (a wrapped difference), so the comparison is
/// signed.
#[inline]
pub const fn has_expired(birth: u64, seconds: u64, now: u64) -> bool {
    // CAST: Same width; the clock does not reach the sign bit within three hundred years.
    birth.wrapping_add(seconds.wrapping_mul(NSEC_PER_SEC)) as i64 <= now as i64
}

/// Returns a birthday that has expired by any of the timeouts used with [`has_expired`] for
/// handshakes.
///
/// Meant for the clock of sent initiations, to allow the next one at once.
#[inline]
pub const fn long_ago(now: u64) -> u64 {
    now.wrapping_sub((REKEY_TIMEOUT + 1) * NSEC_PER_SEC)
}

/// Returns whether an initiation may be sent, given when the last initiation or response was.
#[inline]
pub const fn may_initiate(last_sent: u64, now: u64) -> bool {
    has_expired(last_sent, REKEY_TIMEOUT, now)
}

/// What the limits of a session depend on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// When the keys were derived.
    pub birth: u64,
    /// Whether this side sent the initiation.
    pub initiator: bool,
}

impl Age {
    /// Returns whether the session is too old to be used in either direction.
    #[inline]
    pub const fn is_expired(self, now: u64) -> bool {
        has_expired(self.birth, REJECT_AFTER_TIME, now)
    }

    /// Returns whether sending asks for a new session; `sent` is the next counter to be used.
    #[inline]
    pub const fn rekeys_on_send(self, sent: u64, now: u64) -> bool {
        sent > REKEY_AFTER_MESSAGES
            || (self.initiator && has_expired(self.birth, REKEY_AFTER_TIME, now))
    }

    /// Returns whether receiving asks for a new session, because little time is left to answer with
    /// this one.
    #[inline]
    pub const fn rekeys_on_receive(self, now: u64) -> bool {
        const LAST_MINUTE: u64 = REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT;
        self.initiator && has_expired(self.birth, LAST_MINUTE, now)
    }
}

/// Returns whether a packet may be sent under `counter`.
#[inline]
pub const fn may_send(counter: u64) -> bool {
    counter < REJECT_AFTER_MESSAGES
}
