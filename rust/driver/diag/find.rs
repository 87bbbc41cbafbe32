// SPDX-License-Identifier: GPL-2.0

//! Which interface a request is about.

use super::schema::attr;
use crate::{
    device::Device,
    netlink, //
};
use kernel::prelude::*;
use kext::{
    compat::code::{
        EBADR,
        EOPNOTSUPP, //
    },
    context::Process,
    net::{
        device::DeviceRef,
        genl::Request, //
    }, //
};

/// Finds the interface that a request names.
pub(super) fn find_device(request: &Request<'_>, ctx: &mut Process) -> Result<DeviceRef<Device>> {
    netlink::find_device(request, ctx).map_err(|error| match error {
        EBADR => request.missing(
            None,
            attr::IFINDEX,
            c"name the interface by either its index or its name",
        ),
        ENODEV => request.refuse(
            error,
            c"there is no such interface in this network namespace",
        ),
        EOPNOTSUPP => request.refuse(error, c"this interface is none of WireGuard"),
        _ => error,
    })
}
