// E0505: a device is known to be up only in the section in which it was seen up
// SPDX-License-Identifier: GPL-2.0

//! A running device used with bottom halves on.

#![forbid(unsafe_code)]

use kext::{
    context::Process,
    net::device::{
        DeviceRef,
        Operations, //
    },
};

/// Counts a packet when the counters may be gone.
pub fn counts<T: Operations>(ctx: &mut Process, dev: &DeviceRef<T>) {
    let bh = ctx.bh();
    let Some(running) = dev.running(&bh) else {
        return;
    };
    drop(bh); //~
    running.rx_add(1);
}
