// SPDX-License-Identifier: GPL-2.0

//! Which interface a request is about.

use super::schema::device_attr;
use crate::device::Device;
use kernel::prelude::*;
use kext::{
    compat::code::{
        EBADR,
        EOPNOTSUPP, //
    },
    context::Process,
    net::{
        device::{
            DeviceRef,
            NetDevice, //
        },
        genl::Request,
        rtnl, //
    }, //
};

/// Finds the interface that a request names, by either its index or its name.
pub(crate) fn find_device(request: &Request<'_>, ctx: &mut Process) -> Result<DeviceRef<Device>> {
    match find_device_now(request) {
        // One that is just being made can be seen before it is known to be ours.
        Err(EOPNOTSUPP) => {
            let _held = rtnl::lock(ctx);
            find_device_now(request)
        }
        found => found,
    }
}

fn find_device_now(request: &Request<'_>) -> Result<DeviceRef<Device>> {
    match (
        request.get(device_attr::IFINDEX),
        request.get(device_attr::IFNAME),
    ) {
        (Some(index), None) => NetDevice::by_index(request.net(), index.u32().ok_or(EINVAL)?),
        (None, Some(name)) => {
            let name = name.nul_str::<16>().ok_or(EINVAL)?;
            NetDevice::by_name(request.net(), name.as_c_str())
        }
        _ => Err(EBADR),
    }
}
