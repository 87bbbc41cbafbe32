// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! What must be unknown to others is drawn through [`Seeded`], the proof that the generator was
//! seeded: from [`is_ready`] or, where one may sleep, from [`wait_ready`]. What needs no proof is
//! never a secret.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::bindings;
use crate::context::Process;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Proof that the generator was seeded. It stays so, hence the proof may be kept and copied.
#[derive(Clone, Copy)]
pub struct Seeded(());

impl Seeded {
    /// Fills `bytes`.
    #[inline]
    pub fn fill(self, bytes: &mut [u8]) {
        fill_early(bytes);
    }

    /// Returns any number.
    #[inline]
    pub fn u32(self) -> u32 {
        // SAFETY: No requirements.
        unsafe { bindings::get_random_u32() }
    }
}

/// Fills `bytes`, predictably if the generator was not seeded yet.
///
/// For the keys of hash tables, which are made too early to wait: a driver gets them as opaque
/// values only.
#[inline]
pub(crate) fn fill_early(bytes: &mut [u8]) {
    // SAFETY: Valid for writes of that length.
    unsafe { bindings::get_random_bytes(bytes.as_mut_ptr().cast(), bytes.len()) };
}

/// Returns a number below `ceiling`, each with the same probability; any number if that is 0.
///
/// It may be predictable, so it is for spreading things in time, not for secrets.
#[inline]
pub fn below(ceiling: u32) -> u32 {
    // SAFETY: No requirements.
    unsafe { bindings::__get_random_u32_below(ceiling) }
}

/// Returns the proof if the generator was seeded.
#[inline]
pub fn is_ready() -> Option<Seeded> {
    // SAFETY: No requirements.
    unsafe { bindings::rng_is_initialized() }.then_some(Seeded(()))
}

/// Waits until the generator was seeded. The kernel feeds it meanwhile, so on most machines this
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
