// SPDX-License-Identifier: GPL-2.0

//! Lists of packets.

use super::{
    raw,
    SkBuff, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// A first-in first-out list of packets.
///
/// # Invariants
///
/// `first` starts a chain of `len` buffers by their `next`, which ends with `last`. Each is owned by
/// the list, and fulfils the invariants of [`SkBuff`] but for being on it.
pub struct List {
    first: *mut bindings::sk_buff,
    last: *mut bindings::sk_buff,
    len: usize,
}

// SAFETY: The list owns its buffers, which are `Send`.
unsafe impl Send for List {}
// SAFETY: `&List` gives no more than `&SkBuff`.
unsafe impl Sync for List {}

impl List {
    /// Makes an empty list.
    #[inline]
    pub const fn new() -> Self {
        Self {
            first: null_mut(),
            last: null_mut(),
            len: 0,
        }
    }

    /// Returns the number of packets.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there is no packet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the sum of the lengths of the packets.
    pub fn byte_len(&self) -> usize {
        self.iter()
            .fold(0, |sum, skb| sum.saturating_add(skb.len()))
    }

    /// Puts a packet at the end.
    #[inline]
    pub fn push_back(&mut self, skb: SkBuff) {
        let new = skb.into_raw();
        if self.last.is_null() {
            self.first = new;
        } else {
            // SAFETY: By the type invariants.
            raw::set_next(unsafe { &mut *self.last }, new);
        }
        self.last = new;
        self.len = self.len.wrapping_add(1);
    }

    /// Takes the first packet.
    #[inline]
    pub fn pop_front(&mut self) -> Option<SkBuff> {
        let first = NonNull::new(self.first)?;
        // SAFETY: By the type invariants.
        self.first = raw::take_next(unsafe { &mut *first.as_ptr() });
        if self.first.is_null() {
            self.last = null_mut();
        }
        self.len = self.len.wrapping_sub(1);
        // INVARIANT: By those of the list; it is on it no more.
        Some(SkBuff(first))
    }

    /// Takes the first packets, up to `max`.
    #[inline]
    pub fn split_front(&mut self, max: usize) -> List {
        if self.len <= max {
            return core::mem::take(self);
        }
        let mut front = List::new();
        while front.len() < max {
            let Some(skb) = self.pop_front() else {
                break;
            };
            front.push_back(skb);
        }
        front
    }

    /// Returns the first packet.
    #[inline]
    pub fn front(&self) -> Option<Listed<'_>> {
        self.iter().next()
    }

    /// Returns the last packet.
    #[inline]
    pub fn back(&self) -> Option<Listed<'_>> {
        let last = NonNull::new(self.last)?;
        Some(Listed {
            skb: ManuallyDrop::new(SkBuff(last)),
            list: PhantomData,
        })
    }

    /// Moves all packets of `other` to the end.
    #[inline]
    pub fn append(&mut self, other: &mut List) {
        if other.first.is_null() {
            return;
        }
        if self.last.is_null() {
            core::mem::swap(self, other);
            return;
        }
        // SAFETY: By the type invariants.
        raw::set_next(unsafe { &mut *self.last }, other.first);
        self.last = other.last;
        self.len = self.len.wrapping_add(other.len);
        (other.first, other.last, other.len) = (null_mut(), null_mut(), 0);
    }

    /// Moves all packets of `other` to the front.
    #[inline]
    pub fn prepend(&mut self, other: &mut List) {
        core::mem::swap(self, other);
        self.append(other);
    }

    /// Gives the packets to C, as a chain by their `next`.
    #[inline]
    pub(super) fn into_raw(mut self) -> *mut bindings::sk_buff {
        self.len = 0;
        self.last = null_mut();
        core::mem::replace(&mut self.first, null_mut())
    }

    /// Returns the packets one after the other.
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            next: self.first,
            list: PhantomData,
        }
    }

    /// Returns the packets one after the other, with the right to change their control blocks.
    #[inline]
    pub fn iter_mut(&mut self) -> IterMut<'_> {
        IterMut {
            next: self.first,
            list: PhantomData,
        }
    }
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for List {
    #[inline]
    fn drop(&mut self) {
        while let Some(skb) = self.pop_front() {
            drop(skb);
        }
    }
}

/// A packet on a list.
pub struct Listed<'a> {
    skb: ManuallyDrop<SkBuff>,
    list: PhantomData<&'a List>,
}

impl Deref for Listed<'_> {
    type Target = SkBuff;

    #[inline]
    fn deref(&self) -> &SkBuff {
        &self.skb
    }
}

/// A packet on a list that is borrowed for changes.
pub struct ListedMut<'a> {
    skb: ManuallyDrop<SkBuff>,
    list: PhantomData<&'a mut List>,
}

impl ListedMut<'_> {
    /// Returns the control block for changes.
    #[inline]
    pub fn cb_mut<C: FromBytes + IntoBytes + Immutable + KnownLayout>(&mut self) -> &mut C {
        self.skb.cb_mut()
    }

    /// Returns the fields of the buffer for changes, but for its place on the list.
    #[inline]
    pub(super) fn c_mut(&mut self) -> &mut bindings::sk_buff {
        self.skb.c_mut()
    }

    /// See [`SkBuff::orphan`].
    #[inline]
    pub fn orphan(&mut self) {
        self.skb.orphan();
    }
}

impl Deref for ListedMut<'_> {
    type Target = SkBuff;

    #[inline]
    fn deref(&self) -> &SkBuff {
        &self.skb
    }
}

/// See [`List::iter`].
pub struct Iter<'a> {
    next: *mut bindings::sk_buff,
    list: PhantomData<&'a List>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Listed<'a>;

    #[inline]
    fn next(&mut self) -> Option<Listed<'a>> {
        let skb = NonNull::new(self.next)?;
        // SAFETY: By the type invariants of `List`, which does not change for `'a`.
        self.next = raw::next(unsafe { skb.as_ref() });
        Some(Listed {
            skb: ManuallyDrop::new(SkBuff(skb)),
            list: PhantomData,
        })
    }
}

/// See [`List::iter_mut`].
pub struct IterMut<'a> {
    next: *mut bindings::sk_buff,
    list: PhantomData<&'a mut List>,
}

impl<'a> Iterator for IterMut<'a> {
    type Item = ListedMut<'a>;

    #[inline]
    fn next(&mut self) -> Option<ListedMut<'a>> {
        let skb = NonNull::new(self.next)?;
        // SAFETY: By the type invariants of `List`, whose links do not change for `'a`.
        self.next = raw::next(unsafe { skb.as_ref() });
        Some(ListedMut {
            skb: ManuallyDrop::new(SkBuff(skb)),
            list: PhantomData,
        })
    }
}

impl<'a> IntoIterator for &'a List {
    type Item = Listed<'a>;
    type IntoIter = Iter<'a>;

    #[inline]
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
