// SPDX-License-Identifier: GPL-2.0

//! Reading attributes.
//!
//! An [`Attr`] gives no references to its payload, but copies of values. So a secret can be
//! [wiped](Attr::wipe) out of a request while code still reads other parts of the request.

use crate::bindings;
use crate::bindings::nlattr;
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    types::NotThreadSafe, //
};

/// `NLA_HDRLEN`: the size of the header before the payload of an attribute.
const HEADER: usize = size_of::<nlattr>();

/// An attribute of a request.
///
/// # Invariants
///
/// `0` points to an attribute that lies within its message with all of its length, may be read and
/// written, and exists for `'a`. Only this thread uses it, and no reference to any part of it
/// exists.
#[derive(Clone, Copy)]
pub struct Attr<'a>(NonNull<nlattr>, PhantomData<&'a ()>, NotThreadSafe);

impl<'a> Attr<'a> {
    /// # Safety
    ///
    /// `ptr` must be what the type invariants say.
    unsafe fn from_raw(ptr: NonNull<nlattr>) -> Self {
        // INVARIANT: By the requirements of this function.
        Self(ptr, PhantomData, NotThreadSafe)
    }

    /// Returns C's pointer to the attribute.
    pub(super) fn as_raw(&self) -> *const nlattr {
        self.0.as_ptr()
    }

    /// Returns the length of the payload.
    #[inline]
    pub fn len(&self) -> usize {
        // SAFETY: By the type invariants.
        let len = unsafe { (*self.0.as_ptr()).nla_len };
        usize::from(len).saturating_sub(HEADER)
    }

    /// Returns whether the payload is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a pointer to the payload.
    fn payload(&self) -> *mut u8 {
        self.0.as_ptr().cast::<u8>().wrapping_add(HEADER)
    }

    /// Copies the payload into `to`.
    ///
    /// Does nothing and returns `None` unless both are of the same length.
    pub fn copy_to(&self, to: &mut [u8]) -> Option<()> {
        if to.len() != self.len() {
            return None;
        }
        // SAFETY: By the type invariants there are as many bytes as `len` says behind the header.
        // They cannot overlap `to`, as no reference to them exists.
        unsafe { core::ptr::copy_nonoverlapping(self.payload(), to.as_mut_ptr(), to.len()) };
        Some(())
    }

    /// Returns a copy of the payload if its length is `N`.
    #[inline]
    pub fn read<const N: usize>(&self) -> Option<[u8; N]> {
        let mut value = [0; N];
        self.copy_to(&mut value)?;
        Some(value)
    }

    /// Returns the payload if it is one byte long.
    pub fn u8(&self) -> Option<u8> {
        self.read().map(u8::from_ne_bytes)
    }

    /// Returns the payload if it is two bytes long.
    pub fn u16(&self) -> Option<u16> {
        self.read().map(u16::from_ne_bytes)
    }

    /// Returns the payload if it is four bytes long.
    pub fn u32(&self) -> Option<u32> {
        self.read().map(u32::from_ne_bytes)
    }

    /// Returns a copy of the string in the payload, which ends at the first NUL.
    ///
    /// Returns `None` if there is no NUL within the first `N` bytes.
    pub fn nul_str<const N: usize>(&self) -> Option<NulStr<N>> {
        let mut bytes = [0; N];
        let len = self.len().min(N);
        // SAFETY: As in `copy_to`; both the payload and `bytes` have at least `len` bytes.
        unsafe { core::ptr::copy_nonoverlapping(self.payload(), bytes.as_mut_ptr(), len) };
        let end = bytes.get(..len)?.iter().position(|b| *b == 0)?;
        bytes.get_mut(end..)?.fill(0);
        // INVARIANT: `bytes[end]` is NUL.
        Some(NulStr(bytes))
    }

    /// Overwrites the payload with zeros, which the compiler does not optimise away.
    pub fn wipe(&self) {
        // SAFETY: By the type invariants there are that many bytes, and no reference to them
        // exists.
        unsafe { bindings::memzero_explicit(self.payload().cast(), self.len()) };
    }

    /// Iterates over the elements of a list.
    pub fn elements(&self) -> Elements<'a> {
        // INVARIANT: By the type invariants of `self`.
        Elements {
            next: self.payload(),
            left: self.len(),
            _message: PhantomData,
            _thread: NotThreadSafe,
        }
    }

    /// Parses the attributes `1..N` that are nested in this one.
    ///
    /// This checks their numbers, and that they lie within this one. The policy of the command has
    /// checked what they hold. Of several attributes of the same number the last one counts.
    ///
    /// # Errors
    ///
    /// `EINVAL` if this attribute is not marked as nested, if it holds an attribute of zero or from
    /// `N` on, or if there are bytes left behind the last one.
    pub fn parse<const N: usize>(&self) -> Result<Parsed<'a, N>> {
        const { assert!(N >= 1 && N <= u16::MAX as usize) };
        let mut table = [null_mut(); N];
        // SAFETY: The attribute is sound by the type invariants, and `table` has room for the
        // attributes up to `N - 1`.
        to_result(unsafe {
            bindings::nla_parse_nested(
                table.as_mut_ptr(),
                // CAST: Small by the assertion above.
                (N - 1) as c_int,
                self.0.as_ptr(),
                core::ptr::null(),
                null_mut(),
            )
        })?;
        // INVARIANT: What the parser has found lies within this attribute.
        Ok(Parsed(table, PhantomData, NotThreadSafe))
    }
}

/// The elements of a list attribute, see [`Attr::elements`].
///
/// # Invariants
///
/// At `next` there are `left` bytes of a message, for which the invariants of [`Attr`] hold.
pub struct Elements<'a> {
    next: *mut u8,
    left: usize,
    _message: PhantomData<&'a ()>,
    _thread: NotThreadSafe,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Attr<'a>;

    fn next(&mut self) -> Option<Attr<'a>> {
        if self.left < HEADER {
            return None;
        }
        let attr = NonNull::new(self.next.cast::<nlattr>())?;
        // SAFETY: By the type invariants there is at least a header.
        let len = usize::from(unsafe { (*attr.as_ptr()).nla_len });
        if len < HEADER || len > self.left {
            return None;
        }
        // INVARIANT: Attributes are padded to four bytes; the last one may lack the padding.
        let step = len.next_multiple_of(4).min(self.left);
        self.next = self.next.wrapping_add(step);
        self.left = self.left.saturating_sub(step);
        // SAFETY: `len` bytes from `attr` on lie within the message, as was just checked.
        Some(unsafe { Attr::from_raw(attr) })
    }
}

/// The attributes of a request or of an element, by their number.
///
/// # Invariants
///
/// Each pointer is null or an attribute as described at [`Attr`].
#[derive(Clone, Copy)]
pub struct Attrs<'a>(&'a [*mut nlattr], NotThreadSafe);

impl<'a> Attrs<'a> {
    /// Returns the attributes that the core has parsed from a request.
    ///
    /// # Safety
    ///
    /// `table` must have entries for the attributes up to `max`, as the parser of the core fills
    /// them in. The message must exist for `'a`, and no other code may use it meanwhile.
    pub(super) unsafe fn from_raw(table: *mut *mut nlattr, max: u16) -> Self {
        if table.is_null() {
            return Self(&[], NotThreadSafe);
        }
        // SAFETY: By the requirements of this function.
        let table = unsafe { core::slice::from_raw_parts(table, usize::from(max).wrapping_add(1)) };
        Self(table, NotThreadSafe)
    }

    /// Returns the attribute `index`.
    pub fn get(&self, index: u16) -> Option<Attr<'a>> {
        let attr = NonNull::new(*self.0.get(usize::from(index))?)?;
        // SAFETY: By the type invariants.
        Some(unsafe { Attr::from_raw(attr) })
    }
}

/// The attributes that were found inside another one, see [`Attr::parse`].
///
/// # Invariants
///
/// Each pointer is null or an attribute as described at [`Attr`].
pub struct Parsed<'a, const N: usize>([*mut nlattr; N], PhantomData<&'a ()>, NotThreadSafe);

impl<'a, const N: usize> Parsed<'a, N> {
    /// Returns the attribute `index`.
    pub fn get(&self, index: u16) -> Option<Attr<'a>> {
        let attr = NonNull::new(*self.0.get(usize::from(index))?)?;
        // SAFETY: By the type invariants.
        Some(unsafe { Attr::from_raw(attr) })
    }
}

/// A copy of a string of fewer than `N` bytes.
///
/// # Invariants
///
/// There is a NUL in it.
pub struct NulStr<const N: usize>([u8; N]);

impl<const N: usize> NulStr<N> {
    /// Returns the string.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or_default()
    }
}
