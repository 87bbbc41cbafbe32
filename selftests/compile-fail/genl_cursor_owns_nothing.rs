// E0277: what a dump keeps between its messages is plain bytes, so it cannot keep anything alive
// SPDX-License-Identifier: GPL-2.0

//! A dump with a cursor that owns memory.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::{
    context::Process,
    net::genl::{
        Dump,
        DumpStatus,
        DumpWriter,
        Permission,
        Policy,
        PolicyRef,
        Request, //
    },
};

static POLICY: Policy<2> = Policy::new().u32(1);

macro_rules! commands {
    ($name:ident, $cursor:ty) => {
        /// A command.
        pub struct $name;

        impl Dump for $name {
            const COMMAND: u8 = 0;
            const POLICY: PolicyRef = POLICY.as_ref();
            const PERMISSION: Permission = Permission::NetAdmin;

            type Ctx = $cursor;

            fn start(_: &Request<'_>, _: &mut $cursor, _: &mut Process) -> Result {
                Ok(())
            }

            fn dump(
                _: &Request<'_>,
                _: &mut $cursor,
                _: &mut DumpWriter<'_>,
                _: &mut Process,
            ) -> Result<DumpStatus> {
                Ok(DumpStatus::Done)
            }
        }
    };
}

commands!(Plain, u64);
commands!(Owning, Option<KBox<u64>>); //~
