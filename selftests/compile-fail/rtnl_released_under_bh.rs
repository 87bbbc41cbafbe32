// E0505: RTNL is released where one may sleep
// SPDX-License-Identifier: GPL-2.0

//! The release of RTNL, which finishes devices, in an RCU read-side section.

#![forbid(unsafe_code)]

use kext::{
    context::Process,
    net::rtnl, //
};

/// Releases the lock with bottom halves off.
pub fn releases(ctx: &mut Process) -> u32 {
    let mut held = rtnl::lock(ctx);
    let (_, ctx) = held.parts();
    let bh = ctx.bh();
    drop(held); //~
    bh.cpu()
}
