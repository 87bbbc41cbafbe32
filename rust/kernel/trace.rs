// SPDX-License-Identifier: GPL-2.0

//! The tracepoints of the module.
//!
//! `rust/helpers/trace.h` declares them: what tracefs, perf and BTF know of their fields comes from
//! macros of C. Each is a type here. `is_on` is a static branch, so a driver asks it first and
//! collects what it tells only then:
//!
//! ```ignore
//! if trace::DropEvent::is_on() {
//!     trace::DropEvent::record(dev, &owner, &reason, &remote, 1);
//! }
//! ```
//!
//! All of them have texts, made from what can be displayed, and so no pointer to anything.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h)

// Without tracepoints, both macros below do nothing.
#![cfg_attr(not(CONFIG_TRACEPOINTS), allow(unused_imports, unused_unsafe))]

use crate::{
    bindings,
    net::device::{
        NetDevice,
        Operations, //
    }, //
};
use core::fmt::{
    Display,
    Write, //
};
use kernel::{
    ffi::c_char,
    fmt, //
};

/// Bytes of the longest text, with the zero behind it. The rest of a longer one is left out.
const MAX_TEXT: usize = 96;

/// A text for C.
///
/// # Invariants
///
/// The last byte is zero.
struct Text {
    bytes: [u8; MAX_TEXT],
    len: usize,
}

impl Text {
    /// Writes the text of a value.
    fn of(value: &dyn Display) -> Self {
        // INVARIANT: All bytes are zero.
        let mut text = Self {
            bytes: [0; MAX_TEXT],
            len: 0,
        };
        // An error would be the value's own. What is there of the text then is recorded.
        let _ = write!(text, "{value}");
        text
    }

    /// Returns the text as C sees it.
    fn as_char_ptr(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        // INVARIANT: The last byte is left out.
        let room = self.bytes.iter_mut().take(MAX_TEXT - 1).skip(self.len);
        for (to, from) in room.zip(s.bytes()) {
            *to = from;
        }
        self.len = self.len.saturating_add(s.len());
        Ok(())
    }
}

/// Whether a tracepoint of C is on. Its caller states that it is one.
#[cfg(all(CONFIG_TRACEPOINTS, CONFIG_JUMP_LABEL))]
macro_rules! is_on {
    ($tracepoint:ident) => {
        kernel::jump_label::arch_static_branch! {
            bindings::$tracepoint,
            bindings::tracepoint,
            key,
            false
        }
    };
}

/// Without `CONFIG_JUMP_LABEL`: reads the key.
#[cfg(all(CONFIG_TRACEPOINTS, not(CONFIG_JUMP_LABEL)))]
macro_rules! is_on {
    ($tracepoint:ident) => {
        bindings::tracepoint_enabled(&raw const bindings::$tracepoint)
    };
}

/// Without `CONFIG_TRACEPOINTS`: never.
#[cfg(not(CONFIG_TRACEPOINTS))]
macro_rules! is_on {
    ($tracepoint:ident) => {
        false
    };
}

/// Calls what listens to a tracepoint of C. Its caller states that the arguments are valid.
#[cfg(CONFIG_TRACEPOINTS)]
macro_rules! call {
    ($function:ident, $($argument:expr),*) => {
        bindings::$function($($argument),*)
    };
}

/// Without `CONFIG_TRACEPOINTS`: does nothing.
#[cfg(not(CONFIG_TRACEPOINTS))]
macro_rules! call {
    ($function:ident, $($argument:expr),*) => {{
        $(let _ = $argument;)*
    }};
}

/// Tracepoint: packets were dropped.
pub enum DropEvent {}

impl DropEvent {
    /// Returns whether the tracepoint is enabled.
    #[inline(always)]
    pub fn is_on() -> bool {
        // SAFETY: C defines this tracepoint.
        unsafe { is_on!(__tracepoint_wg_refusal) }
    }

    /// Records whose it was, why it was dropped, where it came from, and how many there were.
    #[cold]
    pub fn record<T: Operations>(
        dev: &NetDevice<T>,
        owner: &dyn Display,
        reason: &dyn Display,
        remote: &dyn Display,
        count: u64,
    ) {
        let [owner, reason, remote] = [owner, reason, remote].map(Text::of);
        // SAFETY: The device is alive, the texts end with a zero, and C copies what it records.
        unsafe {
            call!(
                rust_do_trace_wg_refusal,
                dev.as_raw(),
                owner.as_char_ptr(),
                reason.as_char_ptr(),
                remote.as_char_ptr(),
                count
            )
        };
    }
}

/// Tracepoint: a negotiation with a remote host reached a state.
pub enum NegotiationEvent {}

impl NegotiationEvent {
    /// Returns whether the tracepoint is enabled.
    #[inline(always)]
    pub fn is_on() -> bool {
        // SAFETY: C defines this tracepoint.
        unsafe { is_on!(__tracepoint_wg_handshake) }
    }

    /// Records with whom it is made, the state, where the other side is, and which attempt it is.
    #[cold]
    pub fn record<T: Operations>(
        dev: &NetDevice<T>,
        owner: &dyn Display,
        state: &dyn Display,
        remote: &dyn Display,
        attempt: u32,
    ) {
        let [owner, state, remote] = [owner, state, remote].map(Text::of);
        // SAFETY: As in `DropEvent::record`.
        unsafe {
            call!(
                rust_do_trace_wg_handshake,
                dev.as_raw(),
                owner.as_char_ptr(),
                state.as_char_ptr(),
                remote.as_char_ptr(),
                attempt
            )
        };
    }
}

/// Tracepoint: what was negotiated with a remote host has changed.
pub enum AssociationEvent {}

impl AssociationEvent {
    /// Returns whether the tracepoint is enabled.
    #[inline(always)]
    pub fn is_on() -> bool {
        // SAFETY: C defines this tracepoint.
        unsafe { is_on!(__tracepoint_wg_session) }
    }

    /// Records with whom, what has changed, the role of this side, and a number for what there is
    /// now.
    #[cold]
    pub fn record<T: Operations>(
        dev: &NetDevice<T>,
        owner: &dyn Display,
        change: &dyn Display,
        role: &dyn Display,
        number: u64,
    ) {
        let [owner, change, role] = [owner, change, role].map(Text::of);
        // SAFETY: As in `DropEvent::record`.
        unsafe {
            call!(
                rust_do_trace_wg_session,
                dev.as_raw(),
                owner.as_char_ptr(),
                change.as_char_ptr(),
                role.as_char_ptr(),
                number
            )
        };
    }
}

/// Tracepoint: a remote host has another address.
pub enum AddressEvent {}

impl AddressEvent {
    /// Returns whether the tracepoint is enabled.
    #[inline(always)]
    pub fn is_on() -> bool {
        // SAFETY: C defines this tracepoint.
        unsafe { is_on!(__tracepoint_wg_endpoint) }
    }

    /// Records the host, the source of the new address, and the old and new address.
    #[cold]
    pub fn record<T: Operations>(
        dev: &NetDevice<T>,
        owner: &dyn Display,
        learnt: &dyn Display,
        old: &dyn Display,
        new: &dyn Display,
    ) {
        let [owner, learnt, old, new] = [owner, learnt, old, new].map(Text::of);
        // SAFETY: As in `DropEvent::record`.
        unsafe {
            call!(
                rust_do_trace_wg_endpoint,
                dev.as_raw(),
                owner.as_char_ptr(),
                learnt.as_char_ptr(),
                old.as_char_ptr(),
                new.as_char_ptr()
            )
        };
    }
}

#[kernel::macros::kunit_tests(kext_trace)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_ends_with_zero() {
        let text = Text::of(&format_args!("{:>1$}", 7, 2 * MAX_TEXT));
        assert!(text.bytes.iter().take(MAX_TEXT - 1).all(|b| *b == b' '));
        assert!(text.bytes.last() == Some(&0));
    }

    #[test]
    fn a_text_may_come_in_parts() {
        let text = Text::of(&format_args!("{}-{}", "ab", 12));
        assert!(text.bytes.starts_with(b"ab-12\0"));
        assert!(text.len == 5);
    }
}
