// SPDX-License-Identifier: GPL-2.0

//! How long a session may be used, by age and by messages.
//!
//! All times are nanoseconds of a clock that counts suspended time too.

pub use crate::replay::REJECT_AFTER_MESSAGES;

/// Number of sent messages after which a peer asks for a new session.
pub const REKEY_AFTER_MESSAGES: u64 = 1 << 60;
/// Seconds after which the initiator of a session asks for a new one.
pub const REKEY_AFTER_TIME: u64 = 120;
/// Seconds after which a session is not used any more.
pub const REJECT_AFTER_TIME: u64 = 180;
/// Seconds after our last initiation or response before we may send an initiation.
pub const REKEY_TIMEOUT: u64 = 5;
/// Seconds after which a side that has received data, and sent nothing since, sends a keepalive.
pub const KEEPALIVE_TIMEOUT: u64 = 10;

const NSEC_PER_SEC: u64 = 1_000_000_000;

/// Returns whether `seconds` have passed since `birth`.
///
/// `birth` may be before the start of the clock (a wrapped difference), so the comparison is
/// signed.
#[inline]
pub const fn has_expired(birth: u64, seconds: u64, now: u64) -> bool {
    // CAST: Same width; the clock does not reach the sign bit within three hundred years.
    birth.wrapping_add(seconds.wrapping_mul(NSEC_PER_SEC)) as i64 <= now as i64
}

/// Returns a time so long before `now` that [`may_initiate`] allows an initiation at once.
///
/// A peer starts with it as the time of its last initiation, so that it may send one at once.
#[inline]
pub const fn long_ago(now: u64) -> u64 {
    now.wrapping_sub((REKEY_TIMEOUT + 1) * NSEC_PER_SEC)
}

/// Returns whether an initiation may be sent at `now`. `last_sent` is when the last initiation or
/// response was.
#[inline]
pub const fn may_initiate(last_sent: u64, now: u64) -> bool {
    has_expired(last_sent, REKEY_TIMEOUT, now)
}

/// The birth and role of a session, on which its limits depend.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// When the keys were derived.
    pub birth: u64,
    /// Whether this side sent the initiation.
    pub initiator: bool,
}

impl Lifetime {
    /// Returns whether the session is too old to be used in either direction.
    #[inline]
    pub const fn is_expired(self, now: u64) -> bool {
        has_expired(self.birth, REJECT_AFTER_TIME, now)
    }

    /// Returns whether sending a packet now triggers a rekey; `sent` is the next counter to use.
    #[inline]
    pub const fn rekeys_on_send(self, sent: u64, now: u64) -> bool {
        sent > REKEY_AFTER_MESSAGES
            || (self.initiator && has_expired(self.birth, REKEY_AFTER_TIME, now))
    }

    /// Returns whether receiving a packet now triggers a rekey, because little time is left to
    /// answer in this session.
    #[inline]
    pub const fn rekeys_on_receive(self, now: u64) -> bool {
        const LAST_MINUTE: u64 = REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT;
        self.initiator && has_expired(self.birth, LAST_MINUTE, now)
    }
}
