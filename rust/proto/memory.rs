// SPDX-License-Identifier: GPL-2.0

//! What the lock-free structures of this crate ask of memory.
//!
//! The kernel answers with RCU, the host tests with reference counts. The structures are written
//! once against [`Memory`].

use core::ops::Deref;

/// Counted values that readers reach without taking a lock.
///
/// Every value lives in a [`Shared`](Self::Shared) and is published through a [`Slot`](Self::Slot).
/// The holder of a [`Guard`](Self::Guard) may use what it loaded until the guard ends, even if the
/// value was removed from its slot and its last count dropped meanwhile.
///
/// Orders: [`swap`](Self::swap) releases what the caller wrote before and acquires what others
/// released; [`load`](Self::load) and [`get`](Self::get) acquire, also when they find nothing.
pub trait Memory: Sized + 'static {
    /// A section in which loaded values stay.
    type Guard<'a>;

    /// A counted pointer. Dropping the last one must not destroy its target before every guard of
    /// that time has ended, and must not destroy it by recursion from the destructor of another
    /// target.
    type Shared<T: Send + Sync + 'static>: Clone + Deref<Target = T> + Send + Sync;

    /// A place that holds at most one [`Shared`](Self::Shared).
    type Slot<T: Send + Sync + 'static>: Send + Sync;

    /// A value loaded from a slot.
    type Ref<'g, T: Send + Sync + 'static>: Copy + Deref<Target = T>;

    /// A number that is only read and written by one writer at a time; no order is asked of it.
    type Word: Send + Sync;

    /// Why nothing could be allocated.
    type Error;

    /// Allocates a counted value. May sleep; only writers that say so call it.
    fn share<T: Send + Sync + 'static>(value: T) -> Result<Self::Shared<T>, Self::Error>;

    /// Creates a slot.
    fn slot<T: Send + Sync + 'static>(value: Option<Self::Shared<T>>) -> Self::Slot<T>;

    /// Reads a slot for as long as the guard lives.
    fn load<'g, T: Send + Sync + 'static>(
        slot: &'g Self::Slot<T>,
        guard: &'g Self::Guard<'_>,
    ) -> Option<Self::Ref<'g, T>>;

    /// Takes a count on what a slot holds. Needs no guard.
    fn get<T: Send + Sync + 'static>(slot: &Self::Slot<T>) -> Option<Self::Shared<T>>;

    /// Exchanges what a slot holds.
    fn swap<T: Send + Sync + 'static>(
        slot: &Self::Slot<T>,
        value: Option<Self::Shared<T>>,
    ) -> Option<Self::Shared<T>>;

    /// Returns the target of a loaded value for the whole life of the guard.
    ///
    /// Implementations have to write `Self::Ref<'_, T>` too, not their own type, or the lifetimes
    /// are said to differ (E0195).
    fn target<T: Send + Sync + 'static>(value: Self::Ref<'_, T>) -> &T;

    /// Takes a count on a loaded value, unless the last count is gone already.
    fn upgrade<T: Send + Sync + 'static>(value: Self::Ref<'_, T>) -> Option<Self::Shared<T>>;

    /// Creates a word.
    fn word(value: u64) -> Self::Word;

    /// Reads a word.
    fn read(word: &Self::Word) -> u64;

    /// Writes a word.
    fn write(word: &Self::Word, value: u64);
}

/// Returns whether both pointers lead to the same value.
#[inline]
pub fn same<T>(a: &T, b: &T) -> bool {
    core::ptr::eq(a, b)
}
