// SPDX-License-Identifier: GPL-2.0

//! IP addresses as bits, and prefixes of them.

/// An address of either family, in network order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Address {
    /// An IPv4 address.
    V4([u8; 4]),
    /// An IPv6 address.
    V6([u8; 16]),
}

/// A set of addresses that agree in their first bits.
///
/// # Invariants
///
/// The length is at most the width of the address, and the bits behind it are zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Prefix {
    address: Address,
    len: u8,
}

impl Prefix {
    /// Makes a prefix of the first `len` bits of `address`, and clears the others. Returns `None`
    /// if `len` exceeds the length of the address.
    pub fn new(address: Address, len: u8) -> Option<Self> {
        let address = match address {
            Address::V4(bytes) if len <= u32::WIDTH => {
                Address::V4((u32::from_be_bytes(bytes) & u32::mask(len)).to_be_bytes())
            }
            Address::V6(bytes) if len <= u128::WIDTH => {
                Address::V6((u128::from_be_bytes(bytes) & u128::mask(len)).to_be_bytes())
            }
            _ => return None,
        };
        // INVARIANT: The length was compared and the rest was masked above.
        Some(Self { address, len })
    }

    /// Returns the first address of the prefix.
    #[inline]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Returns the length of the prefix in bits (`cidr` in the netlink interface).
    #[inline]
    pub const fn len(&self) -> u8 {
        self.len
    }

    /// Returns whether the length is zero: the prefix holds every address of its family.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// An address as a number, with the first bit as the highest one.
pub(crate) trait Bits: Copy + Send + Sync + 'static {
    /// Number of bits.
    const WIDTH: u8;

    /// Returns a number whose first `len` bits are set.
    fn mask(len: u8) -> Self;

    /// Returns how many leading bits both have in common.
    fn common(self, other: Self) -> u8;

    /// Returns bit number `at`, counted from the first one.
    fn bit(self, at: u8) -> bool;

    /// Returns the first `len` bits, the others cleared.
    fn first(self, len: u8) -> Self;
}

macro_rules! impl_bits {
    ($type:ty) => {
        impl Bits for $type {
            // CAST: 32 or 128.
            const WIDTH: u8 = <$type>::BITS as u8;

            #[inline]
            fn mask(len: u8) -> Self {
                let rest = u32::from(Self::WIDTH.saturating_sub(len));
                <$type>::MAX.checked_shl(rest).unwrap_or(0)
            }

            #[inline]
            fn common(self, other: Self) -> u8 {
                // CAST: At most the width.
                (self ^ other).leading_zeros() as u8
            }

            #[inline]
            fn bit(self, at: u8) -> bool {
                self.wrapping_shl(u32::from(at)).leading_zeros() == 0
            }

            #[inline]
            fn first(self, len: u8) -> Self {
                self & Self::mask(len)
            }
        }
    };
}

impl_bits!(u32);
impl_bits!(u128);
