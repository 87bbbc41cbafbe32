// SPDX-License-Identifier: GPL-2.0

//! [`SkbList`], a first-in first-out list of packets.

use super::{
    raw,
    reason,
    SkBuff, //
};
use crate::{
    bindings,
    context::Bh, //
};
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

/// A type of packet that a [`SkbList`] can hold: an [`SkBuff`], or a wrapper with more or fewer
/// rights.
///
/// # Safety
///
/// The type must be [`SkBuff`] or a transparent wrapper of it. Its invariants must hold whatever is
/// written to the control block, and without an owner. [`Packet::segs`] must not change while the
/// packet is on a list.
pub unsafe trait Packet: Send + Sync {
    /// Returns the number of packets that this one becomes on the wire, at least one.
    fn segs(&self) -> usize;
}

// SAFETY: The type itself.
unsafe impl Packet for SkBuff {
    #[inline]
    fn segs(&self) -> usize {
        1
    }
}

/// A first-in first-out list of packets.
///
/// # Invariants
///
/// `first` starts a chain of `len` buffers, linked by `next`, which ends with `last`. The list owns
/// each of them, and the invariants of `P` hold for each, except that it is on a list.
pub struct SkbList<P: Packet = SkBuff> {
    first: *mut bindings::sk_buff,
    last: *mut bindings::sk_buff,
    len: usize,
    segs: usize,
    packets: PhantomData<P>,
}

// SAFETY: The list owns its buffers, which are `Send`.
unsafe impl<P: Packet> Send for SkbList<P> {}
// SAFETY: `&SkbList` gives access to `&P` only, and `P` is `Sync`.
unsafe impl<P: Packet> Sync for SkbList<P> {}

/// Makes the value of a buffer.
///
/// # Safety
///
/// The invariants of `P` must hold for the buffer, except that it may be on a list.
#[inline]
unsafe fn wrap<P: Packet>(skb: NonNull<bindings::sk_buff>) -> P {
    const { assert!(size_of::<P>() == size_of::<NonNull<bindings::sk_buff>>()) };
    // SAFETY: `P` is a transparent wrapper of `SkBuff`, which is one of such a pointer. The rest
    // holds by the requirements.
    unsafe { core::mem::transmute_copy(&skb) }
}

/// Returns the buffer of a value, whose reference then belongs to the caller.
#[inline]
fn unwrap<P: Packet>(packet: P) -> *mut bindings::sk_buff {
    const { assert!(size_of::<P>() == size_of::<*mut bindings::sk_buff>()) };
    let packet = ManuallyDrop::new(packet);
    // SAFETY: As in `wrap`. The original is not used again.
    unsafe { core::mem::transmute_copy(&packet) }
}

impl<P: Packet> SkbList<P> {
    /// Makes an empty list.
    #[inline]
    pub const fn new() -> Self {
        Self {
            first: null_mut(),
            last: null_mut(),
            len: 0,
            segs: 0,
            packets: PhantomData,
        }
    }

    /// Returns the number of packets that these become on the wire.
    #[inline]
    pub fn segs(&self) -> usize {
        self.segs
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

    /// Puts a packet at the end.
    #[inline]
    pub fn push_back(&mut self, packet: P) {
        let segs = packet.segs();
        let new = unwrap(packet);
        if self.last.is_null() {
            self.first = new;
        } else {
            // SAFETY: By the type invariants.
            raw::set_next(unsafe { &mut *self.last }, new);
        }
        self.last = new;
        self.len = self.len.wrapping_add(1);
        self.segs = self.segs.wrapping_add(segs);
    }

    /// Takes the first packet.
    #[inline]
    pub fn pop_front(&mut self) -> Option<P> {
        let first = NonNull::new(self.first)?;
        // SAFETY: By the type invariants.
        self.first = raw::take_next(unsafe { &mut *first.as_ptr() });
        if self.first.is_null() {
            self.last = null_mut();
        }
        self.len = self.len.wrapping_sub(1);
        // INVARIANT: Those of `P` hold by those of the list, which the buffer has just left.
        // SAFETY: As above.
        let packet: P = unsafe { wrap(first) };
        self.segs = self.segs.wrapping_sub(packet.segs());
        Some(packet)
    }

    /// Takes the first packets, as many as become at most `max` packets on the wire.
    #[inline]
    pub fn split_front(&mut self, max: usize) -> Self {
        if self.segs <= max {
            return core::mem::take(self);
        }
        let mut front = Self::new();
        while let Some(next) = self.front() {
            if front.segs.saturating_add(next.segs()) > max {
                break;
            }
            let Some(packet) = self.pop_front() else {
                break;
            };
            front.push_back(packet);
        }
        front
    }

    /// Returns the first packet.
    #[inline]
    pub fn front(&self) -> Option<Listed<'_, P>> {
        self.iter().next()
    }

    /// Returns the last packet.
    #[inline]
    pub fn back(&self) -> Option<Listed<'_, P>> {
        let last = NonNull::new(self.last)?;
        Some(Listed {
            // SAFETY: By the type invariants.
            packet: ManuallyDrop::new(unsafe { wrap(last) }),
            list: PhantomData,
        })
    }

    /// Moves all packets of `other` to the end.
    #[inline]
    pub fn append(&mut self, other: &mut Self) {
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
        self.segs = self.segs.wrapping_add(other.segs);
        (other.first, other.last) = (null_mut(), null_mut());
        (other.len, other.segs) = (0, 0);
    }

    /// Moves all packets of `other` to the front.
    #[inline]
    pub fn prepend(&mut self, other: &mut Self) {
        core::mem::swap(self, other);
        self.append(other);
    }

    /// Hands the buffers over to C, linked by `next`. Returns the first one, or null.
    #[inline]
    pub(super) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).first
    }

    /// Returns the packets in order.
    #[inline]
    pub fn iter(&self) -> Iter<'_, P> {
        Iter {
            next: self.first,
            list: PhantomData,
        }
    }

    /// Returns the packets in order, with the right to change their control blocks.
    #[inline]
    pub fn iter_mut(&mut self) -> IterMut<'_, P> {
        IterMut {
            next: self.first,
            list: PhantomData,
        }
    }
}

impl<P: Packet> Default for SkbList<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Packet> Drop for SkbList<P> {
    #[inline]
    fn drop(&mut self) {
        if !self.is_empty() {
            reason::free_list_unreasoned(core::mem::take(self));
        }
    }
}

/// A borrow of a packet on a list.
pub struct Listed<'a, P: Packet = SkBuff> {
    packet: ManuallyDrop<P>,
    list: PhantomData<&'a SkbList<P>>,
}

impl<P: Packet> Deref for Listed<'_, P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        &self.packet
    }
}

/// A borrow of a packet on a list, for changes of its control block and owner.
pub struct ListedMut<'a, P: Packet = SkBuff> {
    packet: ManuallyDrop<P>,
    list: PhantomData<&'a mut SkbList<P>>,
}

impl<P: Packet> ListedMut<'_, P> {
    /// Returns the buffer, which the caller must leave on its list and with the invariants of `P`.
    #[inline]
    fn skb_mut(&mut self) -> &mut SkBuff {
        let packet: *mut P = &mut *self.packet;
        // SAFETY: `P` is `SkBuff` or a transparent wrapper of it.
        unsafe { &mut *packet.cast() }
    }

    /// Returns the control block for changes.
    #[inline]
    pub fn cb_mut<C: FromBytes + IntoBytes + Immutable + KnownLayout>(&mut self) -> &mut C {
        self.skb_mut().cb_mut()
    }

    /// Returns the fields of the buffer for changes, except for its links.
    #[inline]
    pub(super) fn c_mut(&mut self) -> &mut bindings::sk_buff {
        self.skb_mut().c_mut()
    }

    /// See [`SkBuff::orphan`].
    #[inline]
    pub fn orphan(&mut self, bh: &Bh<'_>) {
        self.skb_mut().orphan(bh);
    }
}

impl<P: Packet> Deref for ListedMut<'_, P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        &self.packet
    }
}

/// See [`SkbList::iter`].
pub struct Iter<'a, P: Packet = SkBuff> {
    next: *mut bindings::sk_buff,
    list: PhantomData<&'a SkbList<P>>,
}

impl<'a, P: Packet> Iterator for Iter<'a, P> {
    type Item = Listed<'a, P>;

    #[inline]
    fn next(&mut self) -> Option<Listed<'a, P>> {
        let skb = NonNull::new(self.next)?;
        // SAFETY: By the type invariants of `SkbList`, which does not change for `'a`.
        self.next = raw::next(unsafe { skb.as_ref() });
        Some(Listed {
            // SAFETY: As above.
            packet: ManuallyDrop::new(unsafe { wrap(skb) }),
            list: PhantomData,
        })
    }
}

/// See [`SkbList::iter_mut`].
pub struct IterMut<'a, P: Packet = SkBuff> {
    next: *mut bindings::sk_buff,
    list: PhantomData<&'a mut SkbList<P>>,
}

impl<'a, P: Packet> Iterator for IterMut<'a, P> {
    type Item = ListedMut<'a, P>;

    #[inline]
    fn next(&mut self) -> Option<ListedMut<'a, P>> {
        let skb = NonNull::new(self.next)?;
        // SAFETY: By the type invariants of `SkbList`, whose links do not change for `'a`.
        self.next = raw::next(unsafe { skb.as_ref() });
        Some(ListedMut {
            // SAFETY: As above.
            packet: ManuallyDrop::new(unsafe { wrap(skb) }),
            list: PhantomData,
        })
    }
}

impl<'a, P: Packet> IntoIterator for &'a SkbList<P> {
    type Item = Listed<'a, P>;
    type IntoIter = Iter<'a, P>;

    #[inline]
    fn into_iter(self) -> Iter<'a, P> {
        self.iter()
    }
}
