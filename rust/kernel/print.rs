// SPDX-License-Identifier: GPL-2.0

//! Debug messages that can be turned on at run time, and messages that must not fill the log.
//!
//! Unlike those of `kernel::pr_debug!` the former go through dynamic debug, under the name of the
//! module: one site for each of the two macros. The kernel formats a message only if it prints it.
//!
//! C header: [`include/linux/dynamic_debug.h`](srctree/include/linux/dynamic_debug.h)

use crate::bindings;
use core::fmt::Arguments;

#[doc(hidden)]
pub use kernel::prelude::fmt as __fmt;

/// Logs a debug message; it should end in a newline.
#[macro_export]
macro_rules! debug {
    ($($arg:tt)*) => { $crate::print::log($crate::print::__fmt!($($arg)*)) };
}
pub use debug;

/// Logs a debug message, unless there were too many of them lately.
#[macro_export]
macro_rules! debug_ratelimited {
    ($($arg:tt)*) => { $crate::print::log_ratelimited($crate::print::__fmt!($($arg)*)) };
}
pub use debug_ratelimited;

/// Logs a message, unless there were too many of them lately; it should end in a newline.
#[macro_export]
macro_rules! info_ratelimited {
    ($($arg:tt)*) => { $crate::print::info($crate::print::__fmt!($($arg)*)) };
}
pub use info_ratelimited;

/// Logs a debug message; see [`debug!`].
#[inline]
pub fn log(message: Arguments<'_>) {
    // SAFETY: `%pA` takes a pointer to `Arguments`, alive during the call.
    unsafe { bindings::pr_debug((&raw const message).cast()) };
}

/// Logs a debug message; see [`debug_ratelimited!`].
#[inline]
pub fn log_ratelimited(message: Arguments<'_>) {
    // SAFETY: `%pA` takes a pointer to `Arguments`, alive during the call.
    unsafe { bindings::net_dbg_ratelimited((&raw const message).cast()) };
}

/// Logs a message; see [`info_ratelimited!`].
#[inline]
pub fn info(message: Arguments<'_>) {
    // SAFETY: `%pA` takes a pointer to `Arguments`, alive during the call.
    unsafe { bindings::net_info_ratelimited((&raw const message).cast()) };
}
