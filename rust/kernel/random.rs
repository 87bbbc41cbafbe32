// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::context::Process;
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

/// Fills `bytes`.
///
/// Before [`is_ready`] the bytes may be predictable.
#[inline]
pub fn fill(bytes: &mut [u8]) {
    // SAFETY: Valid for writes of that length.
    unsafe { bindings::get_random_bytes(bytes.as_mut_ptr().cast(), bytes.len()) };
}

/// Returns any number.
#[inline]
pub fn u32() -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::get_random_u32() }
}

/// Returns a number below `ceiling`, each with the same probability; any number if that is 0.
#[inline]
pub fn below(ceiling: u32) -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::__get_random_u32_below(ceiling) }
}

/// Returns whether the generator was seeded.
#[inline]
pub fn is_ready() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::rng_is_initialized() }
}

/// Waits until the generator was seeded.
///
/// # Errors
///
/// `ERESTARTSYS` if a signal comes.
pub fn wait_ready(_process: &mut Process) -> Result {
    // SAFETY: The thread may sleep.
    to_result(unsafe { bindings::wait_for_random_bytes() })
}
