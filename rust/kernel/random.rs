// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! Secrets are drawn through [`Seeded`], the proof that the generator is seeded. [`is_ready`]
//! returns it and, in process context, [`wait_ready`]. Functions that need no proof must not make
//! secrets.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::bindings;
use crate::context::Process;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Proof that the generator is seeded. It stays so, hence the proof may be kept and copied.
#[derive(Clone, Copy)]
pub struct Seeded(());

impl Seeded {
    /// Fills `bytes` with random bytes.
    #[inline]
    pub fn fill(self, bytes: &mut [u8]) {
        fill_early(bytes);
    }

    /// Returns a random number of 32 bits.
    #[inline]
    pub fn u32(self) -> u32 {
        // SAFETY: No requirements.
        unsafe { bindings::get_random_u32() }
    }
}

/// Fills `bytes` with random bytes, which are predictable while the generator is not seeded.
///
/// For the keys of hash tables, which are made too early to wait for the seed. Drivers get such
/// keys as opaque values only.
#[inline]
pub(crate) fn fill_early(bytes: &mut [u8]) {
    // SAFETY: Valid for writes of that length.
    unsafe { bindings::get_random_bytes(bytes.as_mut_ptr().cast(), bytes.len()) };
}

/// Returns a random number below `ceiling`, evenly distributed; any number if `ceiling` is 0.
///
/// It may be predictable, so use it to spread events over time, not for secrets.
#[inline]
pub fn below(ceiling: u32) -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::__get_random_u32_below(ceiling) }
}

/// Returns the proof if the generator is seeded.
#[inline]
pub fn is_ready() -> Option<Seeded> {
    // SAFETY: No requirements.
    unsafe { bindings::rng_is_initialized() }.then_some(Seeded(()))
}

/// Waits until the generator is seeded. The kernel feeds it meanwhile, so on most machines this
/// takes a second at most.
///
/// # Errors
///
/// `ERESTARTSYS` if a signal comes.
pub fn wait_ready(_process: &mut Process) -> Result<Seeded> {
    // SAFETY: The thread may sleep.
    to_result(unsafe { bindings::wait_for_random_bytes() })?;
    Ok(Seeded(()))
}
