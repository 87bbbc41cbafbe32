// SPDX-License-Identifier: GPL-2.0

//! The CPU that a peer's packets leave from.

use crate::jiffies::JiffyStamp;
use kext::time;

/// Jiffies after which another CPU may take over from one that has no packets of its own any more.
const HOLD: u64 = time::HZ / 50;

/// The CPU that a peer's packets leave from.
///
/// Queues behind the tunnel are often per CPU: packets that leave from different CPUs one after the
/// other may arrive in another order. So one CPU sends for all, as `serial_work_cpu` does in the C
/// driver (padata: `cb_cpu`). It is one that has packets of its own, so that a single sender needs
/// no other CPU.
pub(crate) struct TxCpu {
    cpu: u32,
    /// When it had packets of its own.
    last: Option<JiffyStamp>,
}

impl TxCpu {
    /// Creates the state of an idle peer.
    pub(crate) const fn new() -> Self {
        Self { cpu: 0, last: None }
    }

    /// Returns the CPU that the packets leave from.
    pub(crate) fn cpu(&self) -> u32 {
        self.cpu
    }

    /// Moves the peer to another CPU.
    pub(crate) fn set(&mut self, cpu: u32) {
        self.cpu = cpu;
        self.last = Some(JiffyStamp::now());
    }

    /// Notes that `cpu` has packets to send, and returns whether they leave from it.
    pub(crate) fn claim(&mut self, cpu: u32) -> bool {
        if self.cpu == cpu || self.last.is_none_or(|last| last.age() > HOLD) {
            self.set(cpu);
        }
        self.cpu == cpu
    }
}
