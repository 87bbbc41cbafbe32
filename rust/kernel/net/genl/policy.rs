// SPDX-License-Identifier: GPL-2.0

//! Attribute policies.
//!
//! A policy is the table by which the core checks the attributes of a request, nested ones
//! included, before it calls the command. User space can read it.

use crate::bindings::{
    self,
    nla_policy,
    nla_policy__bindgen_ty_1 as Details,
    nla_policy__bindgen_ty_1__bindgen_ty_1 as Range, //
};

/// A policy for the attributes `1..N`.
///
/// Attributes without a rule are refused.
///
/// # Invariants
///
/// Each rule that nests points to the table of a `'static` policy and carries its highest
/// attribute; no other rule makes use of a pointer.
///
/// # Examples
///
/// ```ignore
/// static INNER: Policy<3> = Policy::new().u16(1).min_len(2, 4);
/// static OUTER: Policy<4> = Policy::new().exact_len(1, 32).u32_mask(2, 1).nested_array(3, &INNER);
/// ```
#[repr(transparent)]
pub struct Policy<const N: usize>([nla_policy; N]);

// SAFETY: The table is not changed after it was built.
unsafe impl<const N: usize> Sync for Policy<N> {}
// SAFETY: As above; what it points to is shared, `'static` and `Sync`.
unsafe impl<const N: usize> Send for Policy<N> {}

impl<const N: usize> Policy<N> {
    const EMPTY: nla_policy = pin_init::zeroed();

    /// Returns a policy without rules.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        const { assert!(N >= 2 && N <= u16::MAX as usize) };
        Self([Self::EMPTY; N])
    }

    const fn rule(
        mut self,
        attribute: u16,
        kind: u32,
        check: u32,
        len: u16,
        with: Details,
    ) -> Self {
        // PANIC: Policies are built at compile time, where this is an error of compilation.
        assert!(attribute != 0 && (attribute as usize) < N);
        self.0[attribute as usize] = nla_policy {
            // CAST: Both enumerations are small; the fields of C are bytes.
            type_: kind as u8,
            validation_type: check as u8,
            len,
            __bindgen_anon_1: with,
        };
        self
    }

    const fn plain(self, attribute: u16, kind: u32, len: u16) -> Self {
        let check = bindings::nla_policy_validation_NLA_VALIDATE_NONE;
        self.rule(attribute, kind, check, len, pin_init::zeroed())
    }

    const fn binary(self, attribute: u16, check: u32, min: u16, max: u16) -> Self {
        // PANIC: As in `rule`.
        assert!(min <= i16::MAX as u16 && max <= i16::MAX as u16);
        // The rest of the union has to be zero for the table to equal that of C.
        let mut with: Details = pin_init::zeroed();
        with.__bindgen_anon_1 = Range {
            // CAST: Checked just above.
            min: min as i16,
            max: max as i16,
        };
        self.rule(attribute, bindings::NLA_BINARY, check, 0, with)
    }

    /// Requires `attribute` to be a `u8`.
    pub const fn u8(self, attribute: u16) -> Self {
        self.plain(attribute, bindings::NLA_U8, 0)
    }

    /// Requires `attribute` to be a `u16`.
    pub const fn u16(self, attribute: u16) -> Self {
        self.plain(attribute, bindings::NLA_U16, 0)
    }

    /// Requires `attribute` to be a `u32`.
    pub const fn u32(self, attribute: u16) -> Self {
        self.plain(attribute, bindings::NLA_U32, 0)
    }

    /// Requires `attribute` to be a `u64`.
    pub const fn u64(self, attribute: u16) -> Self {
        self.plain(attribute, bindings::NLA_U64, 0)
    }

    /// Requires `attribute` to be a `u32` that has no bits but those in `mask`.
    pub const fn u32_mask(self, attribute: u16, mask: u32) -> Self {
        let check = bindings::nla_policy_validation_NLA_VALIDATE_MASK;
        let mut with: Details = pin_init::zeroed();
        with.mask = mask;
        self.rule(attribute, bindings::NLA_U32, check, 0, with)
    }

    /// Requires `attribute` to be a `u8` of at most `max`.
    pub const fn u8_max(self, attribute: u16, max: u8) -> Self {
        let check = bindings::nla_policy_validation_NLA_VALIDATE_MAX;
        // CAST: Widening.
        self.rule(
            attribute,
            bindings::NLA_U8,
            check,
            0,
            Self::up_to(max as i16),
        )
    }

    /// Requires `attribute` to be a `u32` of at most `max`.
    pub const fn u32_max(self, attribute: u16, max: u16) -> Self {
        // PANIC: As in `rule`.
        assert!(max <= i16::MAX as u16);
        let check = bindings::nla_policy_validation_NLA_VALIDATE_MAX;
        // CAST: Checked just above.
        self.rule(
            attribute,
            bindings::NLA_U32,
            check,
            0,
            Self::up_to(max as i16),
        )
    }

    const fn up_to(max: i16) -> Details {
        let mut with: Details = pin_init::zeroed();
        with.__bindgen_anon_1 = Range { min: 0, max };
        with
    }

    /// Requires `attribute` to be a flag, which has no payload.
    pub const fn flag(self, attribute: u16) -> Self {
        self.plain(attribute, bindings::NLA_FLAG, 0)
    }

    /// Requires `attribute` to have exactly `len` bytes.
    pub const fn exact_len(self, attribute: u16, len: u16) -> Self {
        let check = bindings::nla_policy_validation_NLA_VALIDATE_RANGE;
        self.binary(attribute, check, len, len)
    }

    /// Requires `attribute` to have `min` to `max` bytes.
    pub const fn len_range(self, attribute: u16, min: u16, max: u16) -> Self {
        let check = bindings::nla_policy_validation_NLA_VALIDATE_RANGE;
        self.binary(attribute, check, min, max)
    }

    /// Requires `attribute` to have at least `min` bytes.
    pub const fn min_len(self, attribute: u16, min: u16) -> Self {
        let check = bindings::nla_policy_validation_NLA_VALIDATE_MIN;
        self.binary(attribute, check, min, 0)
    }

    /// Requires `attribute` to be a string of at most `max` bytes and a NUL.
    pub const fn nul_string(self, attribute: u16, max: u16) -> Self {
        self.plain(attribute, bindings::NLA_NUL_STRING, max)
    }

    /// Requires `attribute` to hold attributes that obey `inner`.
    pub const fn nested<const M: usize>(self, attribute: u16, inner: &'static Policy<M>) -> Self {
        self.nesting(attribute, bindings::NLA_NESTED, inner)
    }

    /// Requires `attribute` to be a list of elements, each of which holds attributes that obey
    /// `inner`.
    ///
    /// The core ignores the types of the elements themselves.
    pub const fn nested_array<const M: usize>(
        self,
        attribute: u16,
        inner: &'static Policy<M>,
    ) -> Self {
        self.nesting(attribute, bindings::NLA_NESTED_ARRAY, inner)
    }

    const fn nesting<const M: usize>(
        self,
        attribute: u16,
        kind: u32,
        inner: &'static Policy<M>,
    ) -> Self {
        let check = bindings::nla_policy_validation_NLA_VALIDATE_NONE;
        let inner = inner.as_ref();
        // INVARIANT: `inner` is a `'static` table that ends with the attribute `inner.max`.
        let mut with: Details = pin_init::zeroed();
        with.nested_policy = inner.rules;
        self.rule(attribute, kind, check, inner.max, with)
    }

    /// Returns a reference to the policy, whose type does not depend on `N`.
    pub const fn as_ref(&'static self) -> PolicyRef {
        // INVARIANT: `rules` has entries up to and with `N - 1`. It is never written through.
        PolicyRef {
            rules: (&raw const self.0).cast(),
            // CAST: `new` has made sure that it fits.
            max: (N - 1) as u16,
        }
    }
}

/// A reference to a [`Policy`] of any size.
///
/// # Invariants
///
/// `rules` is the table of a `'static` [`Policy`] whose highest attribute is `max`.
#[derive(Clone, Copy)]
pub struct PolicyRef {
    pub(super) rules: *const nla_policy,
    pub(super) max: u16,
}

// SAFETY: As for `Policy`.
unsafe impl Sync for PolicyRef {}
// SAFETY: As for `Policy`.
unsafe impl Send for PolicyRef {}
