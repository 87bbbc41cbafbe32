// SPDX-License-Identifier: GPL-2.0

//! Numbers, all different, which collide in a small table.

use engine::PerRun;
use std::cell::Cell;

static NEXT: PerRun<Cell<u32>> = PerRun::new();

/// A right to draw some.
#[derive(Clone, Copy)]
pub struct Seeded;

impl Seeded {
    /// Draws one.
    pub fn u32(self) -> u32 {
        let next = NEXT.get(|| Cell::new(0));
        next.set(next.get() + 1);
        next.get()
    }
}
