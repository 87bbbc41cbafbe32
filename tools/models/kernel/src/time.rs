// SPDX-License-Identifier: GPL-2.0

//! Time, which a model lets pass.

/// Waiting.
pub mod delay {
    /// Lets others run.
    pub fn fsleep(_span: super::Delta) {
        engine::pause();
    }
}

/// A span.
pub struct Delta;

impl Delta {
    /// Makes one.
    pub const fn from_millis(_ms: i64) -> Self {
        Self
    }
}
