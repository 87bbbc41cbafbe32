// SPDX-License-Identifier: GPL-2.0

//! Faults that a test provokes. Only in a module built with `WG_FAULTS=y`.

use kernel::{
    debugfs::{
        Reader,
        Writer, //
    },
    fmt,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    uaccess::UserSliceReader, //
};
use kext::context::Process;

const ARMED: u32 = 1;
const HELD: u32 = 2;

/// Holds a decryption back.
///
/// debugfs shows it as `wireguard/<interface>/hold`: after a 1 was written there, the next worker
/// that has a batch to decrypt makes it a 2 and waits until it is 0.
pub(crate) struct Hold(Atomic<u32>);

impl Hold {
    /// Creates the switch.
    pub(crate) fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Returns whether a decryption is or will be held back. CPUs share the work then.
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Relaxed) != 0
    }

    /// Waits if this decryption is the one to hold back.
    pub(crate) fn pass(&self, _ctx: &mut Process) {
        if self.0.cmpxchg(ARMED, HELD, Relaxed).is_err() {
            return;
        }
        while self.0.load(Relaxed) == HELD {
            fsleep(Delta::from_millis(1));
        }
    }
}

impl Writer for Hold {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0.load(Relaxed))
    }
}

impl Reader for Hold {
    fn read_from_slice(&self, reader: &mut UserSliceReader) -> Result {
        self.0.read_from_slice(reader)
    }
}
