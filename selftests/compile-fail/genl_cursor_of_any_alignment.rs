// ok: a cursor is copied in and out, so it may want more than the callback of a dump is aligned to
// SPDX-License-Identifier: GPL-2.0

//! A dump with a cursor that is aligned to 16 bytes, in a callback that is aligned to a `long`.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::{
    context::Process,
    net::genl::{
        Command,
        Dump,
        DumpStatus,
        DumpWriter,
        Family,
        Permission,
        Policy,
        PolicyRef,
        Request, //
    },
};

static POLICY: Policy<2> = Policy::new().u32(1);

/// A command.
pub struct Wide;

impl Dump for Wide {
    const COMMAND: u8 = 0;
    const POLICY: PolicyRef = POLICY.as_ref();
    const PERMISSION: Permission = Permission::NetAdmin;

    type Ctx = u128;

    fn start(_: &Request<'_>, _: &mut u128, _: &mut Process) -> Result {
        Ok(())
    }

    fn dump(
        _: &Request<'_>,
        _: &mut u128,
        _: &mut DumpWriter<'_>,
        _: &mut Process,
    ) -> Result<DumpStatus> {
        Ok(DumpStatus::Done)
    }
}

/// The family.
pub static FAMILY: Family = Family::new(c"dump", 1, &[Command::new_dump::<Wide>()], &[]);
