// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family, by which user space configures interfaces.
//!
//! Schema: `Documentation/netlink/specs/wireguard.yaml`; numbers: `include/uapi/linux/wireguard.h`.

mod get;
mod set;

use crate::device::Device;
use kernel::prelude::*;
use kext::compat::code::{
    EBADR,
    EOPNOTSUPP, //
};
use kext::{
    context::Process,
    net::{
        device::{
            DeviceRef,
            NetDevice, //
        },
        genl::{
            Command,
            Do,
            Dump,
            DumpStatus,
            DumpWriter,
            Family,
            Permission,
            Policy,
            Request,
            Table, //
        },
        rtnl, //
    }, //
};

/// Attributes of a device.
mod device_attr {
    pub(super) const IFINDEX: u16 = 1;
    pub(super) const IFNAME: u16 = 2;
    pub(super) const PRIVATE_KEY: u16 = 3;
    pub(super) const PUBLIC_KEY: u16 = 4;
    pub(super) const FLAGS: u16 = 5;
    pub(super) const LISTEN_PORT: u16 = 6;
    pub(super) const FWMARK: u16 = 7;
    pub(super) const PEERS: u16 = 8;
}

/// Attributes of a peer.
mod peer_attr {
    pub(super) const UNSPEC: u16 = 0;
    pub(super) const PUBLIC_KEY: u16 = 1;
    pub(super) const PRESHARED_KEY: u16 = 2;
    pub(super) const FLAGS: u16 = 3;
    pub(super) const ENDPOINT: u16 = 4;
    pub(super) const PERSISTENT_KEEPALIVE_INTERVAL: u16 = 5;
    pub(super) const LAST_HANDSHAKE_TIME: u16 = 6;
    pub(super) const RX_BYTES: u16 = 7;
    pub(super) const TX_BYTES: u16 = 8;
    pub(super) const ALLOWEDIPS: u16 = 9;
    pub(super) const PROTOCOL_VERSION: u16 = 10;
    /// One more than the last.
    pub(super) const COUNT: usize = 11;
}

/// Attributes of an allowed IP.
mod allowed_ip_attr {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const IPADDR: u16 = 2;
    pub(super) const CIDR_MASK: u16 = 3;
    pub(super) const FLAGS: u16 = 4;
    /// One more than the last.
    pub(super) const COUNT: usize = 5;
}

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// The version of the protocol, the only one there is.
const PROTOCOL_VERSION: u32 = 1;

const KEY_LEN: u16 = 32;

static ALLOWED_IP_POLICY: Policy<{ allowed_ip_attr::COUNT }> = Policy::new()
    .u16(allowed_ip_attr::FAMILY)
    .min_len(allowed_ip_attr::IPADDR, 4)
    .u8(allowed_ip_attr::CIDR_MASK)
    .u32_mask(allowed_ip_attr::FLAGS, 0x1);

static PEER_POLICY: Policy<{ peer_attr::COUNT }> = Policy::new()
    .exact_len(peer_attr::PUBLIC_KEY, KEY_LEN)
    .exact_len(peer_attr::PRESHARED_KEY, KEY_LEN)
    .u32_mask(peer_attr::FLAGS, 0x7)
    .min_len(peer_attr::ENDPOINT, 16)
    .u16(peer_attr::PERSISTENT_KEEPALIVE_INTERVAL)
    .exact_len(peer_attr::LAST_HANDSHAKE_TIME, 16)
    .u64(peer_attr::RX_BYTES)
    .u64(peer_attr::TX_BYTES)
    .nested_array(peer_attr::ALLOWEDIPS, &ALLOWED_IP_POLICY)
    .u32(peer_attr::PROTOCOL_VERSION);

static GET_POLICY: Policy<3> = Policy::new()
    .u32(device_attr::IFINDEX)
    .nul_string(device_attr::IFNAME, 15);

static SET_POLICY: Policy<9> = Policy::new()
    .u32(device_attr::IFINDEX)
    .nul_string(device_attr::IFNAME, 15)
    .exact_len(device_attr::PRIVATE_KEY, KEY_LEN)
    .exact_len(device_attr::PUBLIC_KEY, KEY_LEN)
    .u32_mask(device_attr::FLAGS, 0x1)
    .u16(device_attr::LISTEN_PORT)
    .u32(device_attr::FWMARK)
    .nested_array(device_attr::PEERS, &PEER_POLICY);

/// `WG_CMD_GET_DEVICE`
enum GetDevice {}

impl Dump for GetDevice {
    const COMMAND: u8 = 0;
    const POLICY: Table = GET_POLICY.table();
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
    const POLICY: Table = SET_POLICY.table();
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
