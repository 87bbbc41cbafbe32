// SPDX-License-Identifier: GPL-2.0

//! Whether packets that come one by one are a stream, or questions and answers.

use kext::time;

/// Single packets in a jiffy, beyond those that were answered, from which on others are let gather behind them.
const MANY_UNANSWERED: u32 = 8;

/// The single packets that went one way between a peer and us lately.
pub(crate) struct Pace {
    jiffy: u64,
    /// Those in that jiffy, without those that something went the other way for.
    unanswered: u32,
}

impl Pace {
    /// Creates the pace of an idle peer.
    pub(crate) const fn new() -> Self {
        Self {
            jiffy: 0,
            unanswered: 0,
        }
    }

    /// Counts one packet that came alone, and returns whether its sender does not seem to wait for an answer.
    ///
    /// `is_answered` says whether something went the other way since the packet before.
    pub(crate) fn is_burst(&mut self, is_answered: bool) -> bool {
        let jiffy = time::jiffies();
        if jiffy != self.jiffy {
            *self = Self {
                jiffy,
                unanswered: 0,
            };
        }
        if !is_answered {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        self.unanswered > MANY_UNANSWERED
    }
}
