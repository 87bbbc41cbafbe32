// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family, by which user space configures interfaces.
//!
//! `schema.rs` describes its messages.

mod find;
mod get;
mod schema;
mod set;

pub(crate) use find::find_device;

use kernel::prelude::*;
use kext::{
    context::Process,
    net::genl::{
        Command,
        Do,
        Dump,
        DumpStatus,
        DumpWriter,
        Family,
        Permission,
        PolicyRef,
        Request, //
    }, //
};
use schema::{
    GET_POLICY,
    SET_POLICY, //
};

/// `WG_CMD_GET_DEVICE`
enum GetDevice {}

impl Dump for GetDevice {
    const COMMAND: u8 = 0;
    const POLICY: PolicyRef = GET_POLICY.as_ref();
    const PERMISSION: Permission = Permission::NetAdmin;

    type Ctx = get::DumpCtx;

    fn start(request: &Request<'_>, cursor: &mut get::DumpCtx, ctx: &mut Process) -> Result {
        get::start(request, cursor, ctx)
    }

    fn dump(
        request: &Request<'_>,
        cursor: &mut get::DumpCtx,
        out: &mut DumpWriter<'_>,
        ctx: &mut Process,
    ) -> Result<DumpStatus> {
        get::dump(request, cursor, out, ctx)
    }
}

/// `WG_CMD_SET_DEVICE`
enum SetDevice {}

impl Do for SetDevice {
    const COMMAND: u8 = 1;
    const POLICY: PolicyRef = SET_POLICY.as_ref();
    const PERMISSION: Permission = Permission::NetAdmin;

    fn execute(request: &Request<'_>, ctx: &mut Process) -> Result {
        set::set_device(request, ctx)
    }
}

/// The family.
pub(crate) static FAMILY: Family = Family::new(
    c"wireguard",
    1,
    &[
        Command::new_dump::<GetDevice>(),
        Command::new_do::<SetDevice>(),
    ],
    &[],
);
