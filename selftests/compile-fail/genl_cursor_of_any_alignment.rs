// ok: a cursor is copied in and out, so it may want more than the callback of a dump is aligned to
// SPDX-License-Identifier: GPL-2.0

//! A dump with a cursor that is aligned to 16 bytes, in a callback that is aligned to a `long`.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::{
    context::Process,
    net::genl::{
        Commands,
        DumpWriter,
        Family,
        Policy,
        Progress,
        Request,
        Table, //
    },
};

static POLICY: Policy<2> = Policy::new().u32(1);

/// Commands.
pub struct Wide;

impl Commands for Wide {
    const NAME: &'static CStr = c"dump";
    const VERSION: u32 = 1;
    const GET: u8 = 0;
    const GET_POLICY: Table = POLICY.table();
    const SET: u8 = 1;
    const SET_POLICY: Table = POLICY.table();

    type Cursor = u128;

    fn set(_: &Request<'_>, _: &mut Process) -> Result {
        Ok(())
    }

    fn dump_start(_: &Request<'_>, _: &mut u128, _: &mut Process) -> Result {
        Ok(())
    }

    fn dump(
        _: &Request<'_>,
        _: &mut u128,
        _: &mut DumpWriter<'_>,
        _: &mut Process,
    ) -> Result<Progress> {
        Ok(Progress::Done)
    }
}

/// The family.
pub static FAMILY: Family<Wide> = Family::new();
