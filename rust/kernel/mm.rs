// SPDX-License-Identifier: GPL-2.0

//! Memory.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use crate::bindings;
use kernel::page::PAGE_SIZE;

/// Returns the size of the machine's memory in bytes.
pub fn total() -> usize {
    // SAFETY: No requirements.
    let pages = unsafe { bindings::totalram_pages() };
    // CAST: From `unsigned long`.
    (pages as usize).saturating_mul(PAGE_SIZE)
}
