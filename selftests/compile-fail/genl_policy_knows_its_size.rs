// E0080: a policy cannot have a rule for an attribute beyond its table
// SPDX-License-Identifier: GPL-2.0

//! A rule out of bounds.

#![forbid(unsafe_code)]

use kext::net::genl::Policy;

/// Fine.
pub static GOOD: Policy<3> = Policy::new().u32(1).u16(2);
/// Not so. //~
pub static BAD: Policy<3> = Policy::new().u32(1).u16(3); //~
