// SPDX-License-Identifier: GPL-2.0

//! Writing messages and their attributes.

use crate::{
    bindings::{
        self,
        nlattr,
        sk_buff,
        NLA_F_NESTED, //
    },
    net::skb::raw, //
};
use core::{
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    ffi::{
        c_uint,
        c_void, //
    },
    prelude::*,
    types::NotThreadSafe, //
};

/// `NLA_HDRLEN`: the size of the header before the payload of an attribute.
const HEADER: usize = size_of::<nlattr>();

/// The largest payload that the 16 bits of an attribute's length have room for.
const MAX_PAYLOAD: usize = u16::MAX as usize - HEADER;

/// `NLA_ALIGNTO`: attributes begin at multiples of this.
const ALIGN: usize = 4;

/// A message under construction.
///
/// Each method fails with `EMSGSIZE` if its attribute does not fit. Attributes written before it
/// are kept, and nothing of that one.
///
/// Methods write attributes straight into the room behind the message's header. The buffer's length
/// grows once, when the message is complete, which saves calls for each attribute: see
/// [`DumpWriter::message`].
///
/// [`DumpWriter::message`]: super::DumpWriter::message
///
/// # Invariants
///
/// The first `used` bytes of `room` are initialised. `used` is a multiple of [`ALIGN`].
pub struct GenlMsg<'a> {
    room: &'a mut [MaybeUninit<u8>],
    used: usize,
    _thread: NotThreadSafe,
}

impl<'a> GenlMsg<'a> {
    /// Begins a message in `room`, which is aligned to [`ALIGN`].
    fn new(room: &'a mut [MaybeUninit<u8>]) -> Self {
        // INVARIANT: Nothing has to be initialised.
        Self {
            room,
            used: 0,
            _thread: NotThreadSafe,
        }
    }

    /// Returns the number of bytes written, which are initialised.
    fn used(&self) -> usize {
        self.used
    }

    /// Puts an attribute of arbitrary bytes.
    #[inline]
    pub fn put(&mut self, attribute: u16, value: &[u8]) -> Result {
        if value.len() > MAX_PAYLOAD {
            return Err(EMSGSIZE);
        }
        // No overflow: at most 64 KiB.
        let len = HEADER.wrapping_add(value.len());
        let end = self
            .used
            .checked_add(len.next_multiple_of(ALIGN))
            .ok_or(EMSGSIZE)?;
        let room = self.room.get_mut(self.used..end).ok_or(EMSGSIZE)?;
        let (head, room) = room.split_first_chunk_mut().ok_or(EMSGSIZE)?;
        let (payload, padding) = room.split_at_mut_checked(value.len()).ok_or(EMSGSIZE)?;
        *head = header(len, attribute);
        payload.copy_from_slice(as_uninit(value));
        padding.fill(MaybeUninit::new(0));
        // INVARIANT: Header, payload and padding were just written, and are a multiple of `ALIGN`.
        self.used = end;
        Ok(())
    }

    /// Puts a `u8`.
    #[inline]
    pub fn put_u8(&mut self, attribute: u16, value: u8) -> Result {
        self.put(attribute, &value.to_ne_bytes())
    }

    /// Puts a `u16`.
    #[inline]
    pub fn put_u16(&mut self, attribute: u16, value: u16) -> Result {
        self.put(attribute, &value.to_ne_bytes())
    }

    /// Puts a `u32`.
    #[inline]
    pub fn put_u32(&mut self, attribute: u16, value: u32) -> Result {
        self.put(attribute, &value.to_ne_bytes())
    }

    /// Puts a `u64`, aligned to eight bytes by an empty attribute `pad` before it where needed.
    #[inline]
    pub fn put_u64_64bit(&mut self, attribute: u16, value: u64, pad: u16) -> Result {
        let before = self.used;
        if !cfg!(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) {
            let end = self.room.as_ptr().addr().wrapping_add(before);
            // The payload comes after a header.
            if end.wrapping_add(HEADER) % size_of::<u64>() != 0 {
                self.put(pad, &[])?;
            }
        }
        self.put(attribute, &value.to_ne_bytes()).inspect_err(|_| {
            // INVARIANT: As it was.
            self.used = before;
        })
    }

    /// Puts a number as `NLA_UINT`: in four bytes if they suffice, else in eight.
    pub fn put_uint(&mut self, attribute: u16, value: u64) -> Result {
        match u32::try_from(value) {
            Ok(value) => self.put_u32(attribute, value),
            Err(_) => self.put(attribute, &value.to_ne_bytes()),
        }
    }

    /// Puts a string and its NUL.
    pub fn put_str(&mut self, attribute: u16, value: &CStr) -> Result {
        self.put(attribute, value.to_bytes_with_nul())
    }

    /// Puts a string of any bytes, and a NUL. More than 63 bytes are refused with `EMSGSIZE`.
    pub fn put_string(&mut self, attribute: u16, value: &[u8]) -> Result {
        let mut bytes = [0; 64];
        let with_nul = value.len().checked_add(1).ok_or(EMSGSIZE)?;
        let text = bytes.get_mut(..with_nul).ok_or(EMSGSIZE)?;
        for (to, from) in text.iter_mut().zip(value) {
            *to = *from;
        }
        self.put(attribute, text)
    }

    /// Puts a nested attribute, whose content `fill` puts.
    ///
    /// If `fill` returns an error, this removes the whole attribute. To keep what fits, return
    /// `Ok`.
    #[inline]
    pub fn nest<R>(
        &mut self,
        attribute: u16,
        fill: impl FnOnce(&mut Self) -> Result<R>,
    ) -> Result<R> {
        let start = self.used;
        self.put(attribute | NLA_F_NESTED as u16, &[])?;
        let result = fill(self).and_then(|value| {
            let len = self.used.saturating_sub(start);
            let room = self.room.get_mut(start..).ok_or(EMSGSIZE)?;
            let head = room.first_chunk_mut().ok_or(EMSGSIZE)?;
            if len > MAX_PAYLOAD.wrapping_add(HEADER) {
                return Err(EMSGSIZE);
            }
            *head = header(len, attribute | NLA_F_NESTED as u16);
            Ok(value)
        });
        if result.is_err() {
            // INVARIANT: As it was; bytes that were initialised stay so.
            self.used = start;
        }
        result
    }
}

/// Has `fill` put the attributes behind the header of a message, and completes the message. If
/// `fill` returns an error, this removes the message.
///
/// # Errors
///
/// `EMSGSIZE` if there is no header because there was no room for it, and what `fill` returns.
///
/// # Safety
///
/// `header` must be what `genlmsg_put` has returned for `skb`, which is valid and which no other
/// code uses.
pub(super) unsafe fn complete<R>(
    skb: NonNull<sk_buff>,
    header: *mut c_void,
    fill: impl FnOnce(&mut GenlMsg<'_>) -> Result<R>,
) -> Result<R> {
    let header = NonNull::new(header).ok_or(EMSGSIZE)?;
    let (result, used) = {
        // SAFETY: The buffer is valid by the requirements.
        let skb = unsafe { skb.as_ref() };
        // A buffer of several pieces has room only in the last.
        let len = match skb.data_len {
            0 => raw::tailroom(skb),
            _ => 0,
        };
        let start = skb.head.wrapping_add(raw::tail(skb));
        // SAFETY: There is that much room behind the data, which by the requirements no other code
        // uses; it need not be initialised.
        let room = unsafe { core::slice::from_raw_parts_mut(start.cast(), len) };
        let mut message = GenlMsg::new(room);
        (fill(&mut message), message.used())
    };
    let skb = skb.as_ptr();
    if result.is_ok() {
        // SAFETY: The buffer is valid, and `used` bytes of its room were written.
        // CAST: At most the room behind the data of one buffer, less than 4 GiB.
        unsafe { bindings::skb_put(skb, used as c_uint) };
        // SAFETY: `header` was begun in this buffer.
        unsafe { bindings::genlmsg_end(skb, header.as_ptr()) };
    } else {
        // SAFETY: As above.
        unsafe { bindings::genlmsg_cancel(skb, header.as_ptr()) };
    }
    result
}

/// Returns the header of an attribute that is `len` bytes long, header included.
#[inline]
fn header(len: usize, attribute: u16) -> [MaybeUninit<u8>; HEADER] {
    // CAST: The callers have checked that it fits.
    let [l0, l1] = (len as u16).to_ne_bytes();
    let [t0, t1] = attribute.to_ne_bytes();
    [l0, l1, t0, t1].map(MaybeUninit::new)
}

/// Returns bytes as possibly uninitialised ones.
#[inline]
fn as_uninit(bytes: &[u8]) -> &[MaybeUninit<u8>] {
    let start = (&raw const *bytes) as *const [MaybeUninit<u8>];
    // SAFETY: A `MaybeUninit<u8>` may be any byte, and these are only read through the result.
    unsafe { &*start }
}

#[kernel::macros::kunit_tests(kext_genl_message)]
mod tests {
    use super::*;

    /// Returns the content of a message that `fill` writes into a room of `N` bytes.
    fn written<const N: usize>(
        fill: impl FnOnce(&mut GenlMsg<'_>) -> Result,
    ) -> Result<([u8; 64], usize)> {
        let mut room = [MaybeUninit::new(0xff); N];
        let mut message = GenlMsg::new(&mut room);
        fill(&mut message)?;
        let used = message.used();
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(&room).take(used) {
            // SAFETY: All were initialised.
            *to = unsafe { from.assume_init() };
        }
        Ok((bytes, used))
    }

    fn says(result: Result<([u8; 64], usize)>, expected: &[u8]) -> bool {
        matches!(result, Ok((bytes, used)) if bytes.get(..used) == Some(expected))
    }

    #[test]
    fn attributes_are_padded_with_zeros() {
        let result = written::<64>(|message| {
            message.put(1, &[7; 5])?;
            message.put_u8(2, 9)?;
            message.put_u16(0x0304, 0x0506)?;
            message.put(3, b"ab\0")?;
            assert!(message.put_string(4, &[b'a'; 64]) == Err(EMSGSIZE));
            // Not UTF-8.
            message.put_string(4, &[0xe9])
        });
        let expected = [
            &[9, 0, 1, 0, 7, 7, 7, 7, 7, 0, 0, 0, 5, 0, 2, 0, 9, 0, 0, 0][..],
            &[6, 0, 4, 3, 6, 5, 0, 0, 7, 0, 3, 0, b'a', b'b', 0, 0],
            &[6, 0, 4, 0, 0xe9, 0, 0, 0],
        ];
        let mut all = [0; 44];
        for (to, from) in all.iter_mut().zip(expected.iter().copied().flatten()) {
            *to = *from;
        }
        assert!(says(result, &all));
    }

    #[test]
    fn a_nest_has_the_length_of_all_that_is_in_it() {
        let result = written::<64>(|message| {
            message.nest(8, |message| {
                message.nest(0, |message| message.put_u32(1, 2))
            })
        });
        let expected = [16, 0, 8, 0x80, 12, 0, 0, 0x80, 8, 0, 1, 0, 2, 0, 0, 0];
        assert!(says(result, &expected));
    }

    #[test]
    fn what_does_not_fit_leaves_nothing() {
        // With the padding it would be 12.
        let result = written::<11>(|message| {
            assert!(message.put(1, &[7; 5]) == Err(EMSGSIZE));
            assert!(message.put_u64_64bit(1, 2, 0) == Err(EMSGSIZE));
            assert!(message.put(1, &[0; MAX_PAYLOAD + 1]) == Err(EMSGSIZE));
            assert!(message.used() == 0);
            message.put_u32(1, 2)?;
            assert!(message.nest(1, |_| Ok(())) == Err(EMSGSIZE));
            Ok(())
        });
        assert!(says(result, &[8, 0, 1, 0, 2, 0, 0, 0]));
    }

    #[test]
    fn a_number_is_as_short_as_it_can_be() {
        let result = written::<64>(|message| {
            message.put_uint(1, 0xffff_ffff)?;
            message.put_uint(2, 1 << 32)
        });
        let expected = [
            8, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 12, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0,
        ];
        assert!(says(result, &expected));
    }

    #[test]
    fn a_nest_that_fails_is_taken_back() {
        let result = written::<64>(|message| {
            message.put_u8(1, 1)?;
            let refused: Result = message.nest(2, |message| {
                message.put_u32(1, 2)?;
                Err(EINVAL)
            });
            assert!(refused == Err(EINVAL));
            message.put_u8(3, 3)
        });
        let expected = [5, 0, 1, 0, 1, 0, 0, 0, 5, 0, 3, 0, 3, 0, 0, 0];
        assert!(says(result, &expected));
    }
}
