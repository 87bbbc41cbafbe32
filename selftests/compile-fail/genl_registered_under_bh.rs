// E0499: a family is registered under mutexes, so not with bottom halves off
// SPDX-License-Identifier: GPL-2.0

//! A family that is registered in a read-side section.

#![forbid(unsafe_code)]

use kext::{
    context::Process,
    net::genl::Family, //
};

/// Registers.
pub fn breaks(family: &'static Family, process: &mut Process) {
    let bh = process.bh();
    drop(family.register(process)); //~
    drop(bh);
}
