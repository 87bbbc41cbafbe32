// SPDX-License-Identifier: GPL-2.0

//! The command that reads.
//!
//! A dump keeps numbers between its messages, not references, as that of the first family does.

use super::{
    find::find_device,
    put,
    schema::{
        attr,
        command,
        DUMP_POLICY,
        GET_POLICY, //
    },
    state::PeerState, //
};
use crate::{
    config::Member,
    device::Device, //
};
use kernel::prelude::*;
use kext::{
    context::Process,
    net::{
        device::{
            DeviceRef,
            NetDevice, //
        },
        genl::{
            Do,
            Dump,
            DumpStatus,
            DumpWriter,
            Permission,
            PolicyRef,
            Request, //
        }, //
    }, //
};
use wg_proto::{
    key::PublicKey,
    prefix::Address, //
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// Reads an interface and its peers.
pub(super) enum Get {}

/// The place at which the next message of a dump goes on.
#[derive(FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(super) struct DiagDumpCtx {
    /// Number of the last peer that is complete; 0 before the first.
    peer: u64,
    /// Number of the interface, which no other one ever has.
    device: u64,
    /// Number of the one peer that is asked for; 0 for all.
    only: u64,
    /// The index to find the interface by.
    ifindex: u32,
    /// 1 if the interface itself was told, or is not asked for.
    skips_interface: u32,
    /// 1 if the reader may read without the interface's permission.
    is_admin: u32,
    _unused: u32,
}

impl Do for Get {
    const COMMAND: u8 = command::GET;
    const POLICY: PolicyRef = GET_POLICY.as_ref();
    const PERMISSION: Permission = Permission::Anyone;

    fn execute(request: &Request<'_>, ctx: &mut Process) -> Result {
        let dev = readable(request, ctx)?;
        let only = only(request, &dev, ctx)?;
        let has_identity = dev.data().identity().read(ctx).public().is_some();
        let mut config = dev.data().config().lock(ctx);
        if config.is_closed {
            return Err(ENODEV);
        }
        request.reply(command::GET, |message| {
            put::device(message, &dev, &config)?;
            if only == 0 {
                return put::interface(message, &dev, &config, ctx);
            }
            let mut result = Err(ENOENT);
            config.for_each_member(only, |id, member| {
                if id == only {
                    result = put::peer(message, member, has_identity, ctx);
                }
                false
            });
            result
        })
    }
}

impl Dump for Get {
    const COMMAND: u8 = command::GET;
    const POLICY: PolicyRef = DUMP_POLICY.as_ref();
    const PERMISSION: Permission = Permission::Anyone;

    type Ctx = DiagDumpCtx;

    fn start(request: &Request<'_>, cursor: &mut DiagDumpCtx, ctx: &mut Process) -> Result {
        let dev = readable(request, ctx)?;
        cursor.device = dev.data().id();
        cursor.ifindex = dev.ifindex();
        cursor.only = only(request, &dev, ctx)?;
        cursor.is_admin = u32::from(request.is_admin());
        let is_filtered = cursor.only != 0 || Filter::of(request).is_some();
        cursor.skips_interface = u32::from(is_filtered);
        Ok(())
    }

    fn dump(
        request: &Request<'_>,
        cursor: &mut DiagDumpCtx,
        out: &mut DumpWriter<'_>,
        ctx: &mut Process,
    ) -> Result<DumpStatus> {
        // In another namespace by now, perhaps, and its index another device's.
        let dev =
            NetDevice::<Device>::by_index(request.net(), cursor.ifindex).map_err(|_| ENODEV)?;
        if cursor.is_admin == 0 && !dev.data().diag().is_readable() {
            return Err(EPERM);
        }
        let has_identity = dev.data().identity().read(ctx).public().is_some();
        let mut config = dev.data().config().lock(ctx);
        if config.is_closed || cursor.device != dev.data().id() {
            return Err(ENODEV);
        }
        out.set_seq(config.generation());
        if cursor.skips_interface == 0 {
            out.message(|message| {
                put::device(message, &dev, &config)?;
                put::interface(message, &dev, &config, ctx)
            })?;
            cursor.skips_interface = 1;
        }
        let filter = Filter::of(request);
        let start = cursor.only.max(cursor.peer.wrapping_add(1));
        let generation = config.generation();
        let mut progress = DumpStatus::Done;
        config.for_each_member(start, |id, member| {
            if cursor.only != 0 && id != cursor.only {
                return false;
            }
            ctx.cond_resched();
            let passes = filter
                .as_ref()
                .is_none_or(|filter| filter.passes(member, has_identity, ctx));
            let told = !passes
                || out
                    .message(|message| {
                        message.put_u32(attr::IFINDEX, dev.ifindex())?;
                        message.put_u32(attr::GENERATION, generation)?;
                        put::peer(message, member, has_identity, ctx)
                    })
                    .is_ok();
            if told {
                cursor.peer = id;
            } else {
                progress = DumpStatus::More;
            }
            told
        });
        Ok(progress)
    }
}

/// Finds the interface that a request names, if its sender may read it.
fn readable(request: &Request<'_>, ctx: &mut Process) -> Result<DeviceRef<Device>> {
    let dev = find_device(request, ctx)?;
    if dev.data().diag().is_readable() || request.is_admin() {
        return Ok(dev);
    }
    Err(request.refuse(
        EPERM,
        c"reading this interface takes CAP_NET_ADMIN (see unprivileged-read)",
    ))
}

/// Returns the number of the one peer that a request asks for, or 0.
fn only(request: &Request<'_>, dev: &NetDevice<Device>, ctx: &mut Process) -> Result<u64> {
    let device = dev.data();
    let by_key = request.get(attr::PUBLIC_KEY);
    let by_owner = request.get(attr::OWNER_OF);
    if let (Some(_), Some(attr)) = (&by_key, &by_owner) {
        return Err(request.refuse_attr(
            EINVAL,
            attr,
            c"ask for a peer by either its key or an address, not both",
        ));
    }
    if let Some(attr) = by_key {
        let key = attr.read().map(PublicKey::from_bytes).ok_or(EINVAL)?;
        let peer = device.key_table().find(&key, ctx);
        return match peer {
            Some(peer) => Ok(peer.id()),
            None => Err(request.refuse_attr(ENOENT, &attr, c"no peer has this key")),
        };
    }
    let Some(attr) = by_owner else {
        return Ok(0);
    };
    let address = match attr.len() {
        4 => attr.read().map(Address::V4),
        16 => attr.read().map(Address::V6),
        _ => None,
    };
    let Some(address) = address else {
        return Err(request.refuse_attr(EINVAL, &attr, c"an address has 4 or 16 bytes"));
    };
    let bh = ctx.bh();
    let owner = device.allowed_ips().lookup(address, &bh);
    match owner {
        Some(peer) => Ok(peer.id()),
        None => {
            Err(request.refuse_attr(ENOENT, &attr, c"this address is in no peer's allowed IPs"))
        }
    }
}

/// Which peers a reader wants.
struct Filter {
    changed_since: Option<u32>,
    only_trouble: bool,
}

impl Filter {
    /// Returns the filter of a request, if it has one.
    fn of(request: &Request<'_>) -> Option<Self> {
        let filter = Self {
            changed_since: request.get(attr::CHANGED_SINCE).and_then(|attr| attr.u32()),
            only_trouble: request.get(attr::ONLY_TROUBLE).is_some(),
        };
        Some(filter).filter(|filter| filter.changed_since.is_some() || filter.only_trouble)
    }

    fn passes(&self, member: &Member, has_identity: bool, ctx: &mut Process) -> bool {
        let is_new = self.changed_since.is_none_or(|generation| {
            // CAST: A difference of generations, which wrap; to be taken as signed.
            (member.changed().wrapping_sub(generation) as i32) > 0
        });
        if !is_new || !self.only_trouble {
            return is_new;
        }
        let bh = ctx.bh();
        PeerState::of(member.peer(), has_identity, &bh).is_trouble(member.peer(), &bh)
    }
}
