// E0499: debugfs takes mutexes, so nothing is made there with bottom halves off
// SPDX-License-Identifier: GPL-2.0

//! A directory that is made in a read-side section.

#![forbid(unsafe_code)]

use kext::{
    context::Process,
    debugfs::Dir, //
};

/// Makes a directory.
pub fn breaks(process: &mut Process, dir: &Dir) {
    let bh = process.bh();
    drop(dir.subdir(c"name", process)); //~
    drop(bh);
}
