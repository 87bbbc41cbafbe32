// SPDX-License-Identifier: GPL-2.0

//! Whether packets that come one by one are a stream, or questions and answers.

use kext::time;

/// Single packets in a second, nothing having gone the other way in between, from which on others may gather behind them.
const MANY_UNANSWERED: u64 = 2000;

/// The single packets that went one way between a peer and us in this jiffy.
pub(crate) struct Pace {
    jiffy: u64,
    unanswered: u64,
}

impl Pace {
    /// Creates the pace of an idle peer.
    pub(crate) const fn new() -> Self {
        Self {
            jiffy: 0,
            unanswered: 0,
        }
    }

    /// Counts one that nothing went the other way for, and returns whether its sender does not seem to wait for an answer.
    pub(crate) fn is_stream(&mut self) -> bool {
        let jiffy = time::jiffies();
        if jiffy != self.jiffy {
            *self = Self {
                jiffy,
                unanswered: 0,
            };
        }
        self.unanswered = self.unanswered.saturating_add(1);
        self.unanswered > MANY_UNANSWERED / time::HZ
    }
}
