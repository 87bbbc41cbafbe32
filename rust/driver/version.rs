// SPDX-License-Identifier: GPL-2.0

//! The version of this implementation.

use kernel::{
    debugfs::Writer,
    fmt, //
};

/// The version, with the end of its line.
///
/// `rust/VERSION` is the only place that has it. `modinfo` and the log show the C driver's, because
/// programs compare that.
const VERSION: &str = include_str!("../VERSION");

/// Shown by debugfs as `wireguard/rust-module-version`.
///
/// The name is longer than that of any interface, which would have a folder beside it.
pub(crate) struct Version;

impl Writer for Version {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)
    }
}
