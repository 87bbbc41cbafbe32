// SPDX-License-Identifier: GPL-2.0

//! Whether who sends to a peer waits for answers.

use kext::time;

/// Single packets in a jiffy, with nothing received in between, from which on a worker sends them.
const MANY_UNANSWERED: u32 = 8;

/// The single packets that were sent to a peer lately.
pub(super) struct Pace {
    jiffy: u64,
    /// Those in that jiffy since something was received.
    unanswered: u32,
}

impl Pace {
    /// Creates the pace of an idle peer.
    pub(super) const fn new() -> Self {
        Self {
            jiffy: 0,
            unanswered: 0,
        }
    }

    /// Counts one packet sent alone, and returns whether its sender does not seem to wait for an answer.
    pub(super) fn is_burst(&mut self, is_answered: bool) -> bool {
        let jiffy = time::jiffies();
        if is_answered || jiffy != self.jiffy {
            self.jiffy = jiffy;
            self.unanswered = 0;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        self.unanswered > MANY_UNANSWERED
    }
}
