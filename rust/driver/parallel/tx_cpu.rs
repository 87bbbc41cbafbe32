// SPDX-License-Identifier: GPL-2.0

//! The CPU that a peer's packets leave from.

use crate::pace::Moment;
use kext::time;

/// Jiffies after which another CPU may take the place of one that has nothing to send any more.
const HOLD: u64 = time::HZ / 50;

/// The CPU that a peer's packets leave from.
///
/// Queues behind the tunnel are often kept by each CPU for itself: packets that left from different CPUs one after the
/// other may arrive in another order. So one CPU sends for all, as in the C driver, but it is one that has packets of
/// its own, so that nobody else is needed as long as only one CPU has some.
pub(crate) struct Outlet {
    cpu: u32,
    /// When it had packets of its own.
    last: Option<Moment>,
}

impl Outlet {
    /// Creates the state of an idle peer.
    pub(crate) const fn new() -> Self {
        Self { cpu: 0, last: None }
    }

    /// Returns the CPU that the packets leave from.
    pub(crate) fn cpu(&self) -> u32 {
        self.cpu
    }

    /// Lets the packets leave from another CPU.
    pub(crate) fn seize(&mut self, cpu: u32) {
        self.cpu = cpu;
        self.last = Some(Moment::now());
    }

    /// Notes that a CPU has packets, and returns whether they leave from it.
    pub(crate) fn is(&mut self, cpu: u32) -> bool {
        if self.cpu == cpu || self.last.is_none_or(|last| last.age() > HOLD) {
            self.cpu = cpu;
            self.last = Some(Moment::now());
        }
        self.cpu == cpu
    }
}
