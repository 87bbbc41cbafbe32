// SPDX-License-Identifier: GPL-2.0

//! [`ReadOnce`], reads of atomics without a function call.

use kernel::sync::atomic::Atomic;

/// Relaxed reads (`READ_ONCE()`, `atomic_read()`) that the compiler places where they are called.
/// `Atomic::load()` calls a function of the kernel for each.
pub trait ReadOnce {
    /// The type of the value.
    type Value;

    /// Returns the value, as `load(Relaxed)` does.
    fn read_once(&self) -> Self::Value;
}

macro_rules! read_once {
    ($($kind:ty),*) => {
        $(
            impl ReadOnce for Atomic<$kind> {
                type Value = $kind;

                #[inline(always)]
                fn read_once(&self) -> $kind {
                    // SAFETY: The pointer is valid and aligned. Other accesses are atomic, and
                    // beside those, a volatile read of at most a word is one as well.
                    unsafe { self.as_ptr().read_volatile() }
                }
            }
        )*
    };
}

read_once!(bool, u32);
#[cfg(CONFIG_64BIT)]
read_once!(u64);

#[cfg(not(CONFIG_64BIT))]
impl ReadOnce for Atomic<u64> {
    type Value = u64;

    #[inline]
    fn read_once(&self) -> u64 {
        self.load(kernel::sync::atomic::Relaxed)
    }
}
