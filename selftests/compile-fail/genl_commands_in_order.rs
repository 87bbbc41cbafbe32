// E0080: the core looks commands up by their order, so a family has them in order
// SPDX-License-Identifier: GPL-2.0

//! A family with its commands the wrong way round.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::{
    context::Process,
    net::genl::{
        Command,
        Do,
        Family,
        Permission,
        Policy,
        PolicyRef,
        Request, //
    },
};

static POLICY: Policy<2> = Policy::new().u32(1);

/// A command.
pub struct Numbered<const N: u8>;

impl<const N: u8> Do for Numbered<N> {
    const COMMAND: u8 = N;
    const POLICY: PolicyRef = POLICY.as_ref();
    const PERMISSION: Permission = Permission::NetAdmin;

    fn execute(_: &Request<'_>, _: &mut Process) -> Result {
        Ok(())
    }
}

const FIRST: Command = Command::new_do::<Numbered<1>>();
const SECOND: Command = Command::new_do::<Numbered<2>>();

/// Fine.
pub static GOOD: Family = Family::new(c"good", 1, &[FIRST, SECOND], &[]);
/// Not so. //~
pub static BAD: Family = Family::new(c"bad", 1, &[SECOND, FIRST], &[]); //~
