// SPDX-License-Identifier: GPL-2.0

//! Writing attributes.

use crate::bindings;
use core::{
    fmt::Write,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    fmt,
    prelude::*,
    types::NotThreadSafe, //
};

/// The largest payload that the 16 bits of an attribute's length have room for.
const MAX_PAYLOAD: usize = u16::MAX as usize - size_of::<bindings::nlattr>();

/// A message under construction.
///
/// Everything fails with `EMSGSIZE` when there is no room left; what was written before is kept,
/// and nothing of the attribute that did not fit.
///
/// # Invariants
///
/// `skb` is a buffer that is valid for `'a`, and into which nobody else writes meanwhile. It ends
/// with a message that has a header.
pub struct Message<'a> {
    skb: NonNull<bindings::sk_buff>,
    _skb: PhantomData<&'a mut ()>,
    _thread: NotThreadSafe,
}

impl Message<'_> {
    /// # Safety
    ///
    /// `skb` must be what the type invariants say, for as long as the result is in use.
    pub(super) unsafe fn from_raw(skb: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            skb,
            _skb: PhantomData,
            _thread: NotThreadSafe,
        }
    }

    /// Puts an attribute of arbitrary bytes.
    pub fn put(&mut self, attribute: u16, value: &[u8]) -> Result {
        if value.len() > MAX_PAYLOAD {
            return Err(EMSGSIZE);
        }
        // SAFETY: The buffer is valid by the type invariants, and `value` is as long as is said.
        to_result(unsafe {
            kernel::bindings::nla_put(
                self.skb.as_ptr(),
                c_int::from(attribute),
                // CAST: At most `MAX_PAYLOAD`.
                value.len() as c_int,
                value.as_ptr().cast(),
            )
        })
    }

    /// Puts a `u8`.
    pub fn put_u8(&mut self, attribute: u16, value: u8) -> Result {
        self.put(attribute, &value.to_ne_bytes())
    }

    /// Puts a `u16`.
    pub fn put_u16(&mut self, attribute: u16, value: u16) -> Result {
        self.put(attribute, &value.to_ne_bytes())
    }

    /// Puts a `u32`.
    pub fn put_u32(&mut self, attribute: u16, value: u32) -> Result {
        self.put(attribute, &value.to_ne_bytes())
    }

    /// Puts a `u64`, aligned to eight bytes by an empty attribute `pad` before it where needed.
    pub fn put_u64_64bit(&mut self, attribute: u16, value: u64, pad: u16) -> Result {
        // SAFETY: The buffer is valid by the type invariants, and `value` has eight bytes.
        to_result(unsafe {
            kernel::bindings::nla_put_64bit(
                self.skb.as_ptr(),
                c_int::from(attribute),
                size_of::<u64>() as c_int,
                (&raw const value).cast(),
                c_int::from(pad),
            )
        })
    }

    /// Puts a string and its NUL.
    pub fn put_str(&mut self, attribute: u16, value: &CStr) -> Result {
        self.put(attribute, value.to_bytes_with_nul())
    }

    /// Puts what `value` is displayed as, and a NUL.
    ///
    /// For short values such as names: more than 63 bytes are refused with `EMSGSIZE`.
    pub fn put_display(&mut self, attribute: u16, value: impl fmt::Display) -> Result {
        let mut text = Text {
            bytes: [0; 64],
            len: 0,
        };
        text.write_fmt(fmt!("{value}")).map_err(|_| EMSGSIZE)?;
        let with_nul = text.len.checked_add(1).ok_or(EMSGSIZE)?;
        self.put(attribute, text.bytes.get(..with_nul).ok_or(EMSGSIZE)?)
    }

    /// Puts a nested attribute that holds what `fill` puts.
    ///
    /// If `fill` returns an error the whole attribute is taken back. To keep what has fitted so
    /// far, return `Ok`.
    pub fn nest<R>(
        &mut self,
        attribute: u16,
        fill: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        // SAFETY: The buffer is valid by the type invariants.
        let start = unsafe { bindings::nla_nest_start(self.skb.as_ptr(), c_int::from(attribute)) };
        let start = NonNull::new(start).ok_or(EMSGSIZE)?;
        let before = self.len();
        let result = fill(self).and_then(|value| {
            let grown = self.len().saturating_sub(before);
            (grown <= MAX_PAYLOAD).then_some(value).ok_or(EMSGSIZE)
        });
        if result.is_ok() {
            // SAFETY: `start` was begun above in this buffer, which only ever grows at its end, and
            // nests that were begun after it have been ended or cancelled.
            unsafe { bindings::nla_nest_end(self.skb.as_ptr(), start.as_ptr()) };
        } else {
            // SAFETY: As above.
            unsafe { bindings::nla_nest_cancel(self.skb.as_ptr(), start.as_ptr()) };
        }
        result
    }

    /// Returns how many bytes there are in the buffer.
    fn len(&self) -> usize {
        // SAFETY: The buffer is valid by the type invariants. CAST: From 32 bits to 64.
        unsafe { (*self.skb.as_ptr()).len as usize }
    }
}

/// A short text.
struct Text {
    bytes: [u8; 64],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.len.checked_add(s.len()).ok_or(fmt::Error)?;
        // The last byte stays NUL.
        if end >= self.bytes.len() {
            return Err(fmt::Error);
        }
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        for (to, from) in room.iter_mut().zip(s.bytes()) {
            *to = from;
        }
        self.len = end;
        Ok(())
    }
}
