// SPDX-License-Identifier: GPL-2.0

//! How this crate's lock-free structures share values with readers and free them; the kernel does
//! it by RCU.
//!
//! The driver implements [`Reclaim`] by the kernel's RCU, the host tests by reference counts. The
//! structures are written once.

use core::ops::Deref;

/// Counted values that readers reach without taking a lock, and how they are freed.
///
/// A [`Shared`](Self::Shared) owns a count of a value, and a [`Slot`](Self::Slot) publishes it. The
/// holder of a [`Guard`](Self::Guard) may use what it loaded until the guard ends, even if a writer
/// has removed the value from its slot and dropped its last count meanwhile.
///
/// Orders: [`swap`](Self::swap) releases what the caller wrote before and acquires what others
/// released; [`load`](Self::load) and [`get`](Self::get) acquire, also when they find nothing.
pub trait Reclaim: Sized + 'static {
    /// The proof that the caller may sleep.
    type Process;

    /// A read-side section, in which loaded values stay valid.
    type Guard<'a>;

    /// A counted pointer. Dropping the last one must not destroy its target before all guards that
    /// exist at that time have ended. It must not destroy the target by recursion from the
    /// destructor of another target, either.
    type Shared<T: Send + Sync + 'static>: Clone + Deref<Target = T> + Send + Sync;

    /// A slot that holds at most one [`Shared`](Self::Shared).
    type Slot<T: Send + Sync + 'static>: Send + Sync;

    /// A value loaded from a slot.
    type Ref<'g, T: Send + Sync + 'static>: Copy + Deref<Target = T>;

    /// A number that one writer at a time reads and writes, so accesses need no order.
    type Word: Send + Sync;

    /// The error of an allocation that failed.
    type Error;

    /// Allocates a counted value, and may sleep.
    fn share<T: Send + Sync + 'static>(
        value: T,
        ctx: &mut Self::Process,
    ) -> Result<Self::Shared<T>, Self::Error>;

    /// Makes a slot.
    fn slot<T: Send + Sync + 'static>(value: Option<Self::Shared<T>>) -> Self::Slot<T>;

    /// Borrows the content of a slot for as long as the guard exists.
    fn load<'g, T: Send + Sync + 'static>(
        slot: &'g Self::Slot<T>,
        guard: &'g Self::Guard<'_>,
    ) -> Option<Self::Ref<'g, T>>;

    /// Takes a count of the content of a slot. Needs no guard.
    fn get<T: Send + Sync + 'static>(slot: &Self::Slot<T>) -> Option<Self::Shared<T>>;

    /// Exchanges the content of a slot.
    fn swap<T: Send + Sync + 'static>(
        slot: &Self::Slot<T>,
        value: Option<Self::Shared<T>>,
    ) -> Option<Self::Shared<T>>;

    /// Returns the target of a loaded value for the whole lifetime of the guard.
    ///
    /// Implementations have to write `Self::Ref<'_, T>` too, not their own type, or the lifetimes
    /// are said to differ (E0195).
    fn target<T: Send + Sync + 'static>(value: Self::Ref<'_, T>) -> &T;

    /// Makes a word.
    fn word(value: u64) -> Self::Word;

    /// Reads a word.
    fn read(word: &Self::Word) -> u64;

    /// Writes a word.
    fn write(word: &Self::Word, value: u64);
}

/// Returns whether both references are to the same value.
#[inline]
pub fn same<T>(a: &T, b: &T) -> bool {
    core::ptr::eq(a, b)
}
