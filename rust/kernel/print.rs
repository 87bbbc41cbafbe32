// SPDX-License-Identifier: GPL-2.0

//! Debug messages that user space can turn on at run time, and rate-limited messages.
//!
//! The debug messages use dynamic debug under the name of the module, which those of
//! `kernel::pr_debug!` do not. Each of the two debug macros is one site. The kernel formats a
//! message only if it prints it.
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

/// Logs a debug message within the rate limit of networking (`net_ratelimit()`).
#[macro_export]
macro_rules! debug_ratelimited {
    ($($arg:tt)*) => { $crate::print::log_ratelimited($crate::print::__fmt!($($arg)*)) };
}
pub use debug_ratelimited;

/// Logs a message within the rate limit of networking; it should end in a newline.
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
