// E0277: what a dump keeps between its messages is plain bytes, so it cannot keep anything alive
// SPDX-License-Identifier: GPL-2.0

//! A dump with a cursor that owns memory.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::{
    context::Process,
    net::genl::{
        Commands,
        DumpWriter,
        Policy,
        Progress,
        Request,
        Table, //
    },
};

static POLICY: Policy<2> = Policy::new().u32(1);

macro_rules! commands {
    ($name:ident, $cursor:ty) => {
        /// Commands.
        pub struct $name;

        impl Commands for $name {
            const NAME: &'static CStr = c"dump";
            const VERSION: u32 = 1;
            const GET: u8 = 0;
            const GET_POLICY: Table = POLICY.table();
            const SET: u8 = 1;
            const SET_POLICY: Table = POLICY.table();

            type Cursor = $cursor;

            fn set(_: &Request<'_>, _: &mut Process) -> Result {
                Ok(())
            }

            fn dump_start(_: &Request<'_>, _: &mut $cursor, _: &mut Process) -> Result {
                Ok(())
            }

            fn dump(
                _: &Request<'_>,
                _: &mut $cursor,
                _: &mut DumpWriter<'_>,
                _: &mut Process,
            ) -> Result<Progress> {
                Ok(Progress::Done)
            }
        }
    };
}

commands!(Plain, u64);
commands!(Owning, Option<KBox<u64>>); //~
