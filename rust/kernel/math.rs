// SPDX-License-Identifier: GPL-2.0

//! Arithmetic that a 32-bit machine has no instruction for.
//!
//! C header: [`include/linux/math64.h`](srctree/include/linux/math64.h)

/// Returns `n / BY`, rounded down.
///
/// For the operator `/` the compiler of a 32-bit machine calls a function that kernels lack.
#[inline]
pub fn div<const BY: u32>(n: u64) -> u64 {
    const { assert!(BY != 0) };
    #[cfg(CONFIG_64BIT)]
    return n / u64::from(BY);
    #[cfg(not(CONFIG_64BIT))]
    // SAFETY: `BY` is not zero.
    return unsafe { crate::bindings::div_u64(n, BY) };
}

#[kernel::macros::kunit_tests(kext_math)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_down() {
        assert_eq!(div::<1_000_000>(999_999), 0);
        assert_eq!(div::<1_000_000>(1_000_000), 1);
        assert_eq!(div::<1_000>(u64::MAX), 18_446_744_073_709_551);
        assert_eq!(div::<{ u32::MAX }>(u64::MAX), 0x1_0000_0001);
    }
}
