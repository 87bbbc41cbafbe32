// E0451: only a poll can hand packets to the stack
// SPDX-License-Identifier: GPL-2.0

//! The right to hand packets to the stack, made up.

#![forbid(unsafe_code)]

use kext::net::{
    device::{
        Operations,
        Running, //
    },
    napi::Gro, //
};

/// Takes one from a real one.
pub fn makes<'a, T: Operations>(gro: Gro<'a, T>, running: Option<Running<'a, T>>) {
    let _ = Gro { running, ..gro }; //~
}
