// SPDX-License-Identifier: GPL-2.0

//! `WG_CMD_GET_DEVICE`: dumps an interface, in as many messages as it takes.
//!
//! Nothing is held between two messages: the cursor remembers numbers, not references.

use super::{
    find::find_device,
    schema::{
        allowed_ip_attr,
        device_attr,
        peer_attr,
        AF_INET,
        AF_INET6,
        PROTOCOL_VERSION, //
    }, //
};
use crate::{
    config::{
        Config,
        Member, //
    },
    device::Device, //
};
use kernel::prelude::*;
use kext::{
    context::Process,
    net::{
        device::NetDevice,
        genl::{
            DumpStatus,
            DumpWriter,
            GenlMsg,
            Request, //
        },
        rtnl, //
    }, //
};
use wg_proto::prefix::{
    Address,
    Prefix, //
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// The place at which the next message of a dump goes on.
#[derive(FromBytes, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct DumpCtx {
    /// Number of the last peer that is complete; 0 before the first.
    peer: u64,
    /// Tag of the next allowed IP of the peer after that; 0 if that peer was not begun.
    tag: u64,
    /// Generation of the allowed IPs when that peer was begun.
    allowed_ips: u64,
    /// Number of the interface, which no other one ever has.
    device: u64,
    /// The index to find it by.
    ifindex: u32,
    _unused: u32,
}

/// Begins a dump: notes which interface it is about.
pub(super) fn start(request: &Request<'_>, cursor: &mut DumpCtx, ctx: &mut Process) -> Result {
    let dev = find_device(request, ctx)?;
    cursor.device = dev.data().id();
    cursor.ifindex = dev.ifindex();
    Ok(())
}

/// Writes the next message.
pub(super) fn dump(
    request: &Request<'_>,
    cursor: &mut DumpCtx,
    out: &mut DumpWriter<'_>,
    ctx: &mut Process,
) -> Result<DumpStatus> {
    // The interface may be in another namespace by now, and its index may name another device.
    let dev = NetDevice::<Device>::by_index(request.net(), cursor.ifindex).map_err(|_| ENODEV)?;
    let mut held = rtnl::lock(ctx);
    let (_, ctx) = held.parts();
    let mut config = dev.data().config().lock(ctx);
    if config.is_closed || cursor.device != dev.data().id() {
        return Err(ENODEV);
    }
    out.set_seq(config.generation());
    out.message(|message| {
        if cursor.peer == 0 {
            put_device(message, &dev, &config, ctx)?;
        }
        // If the cursor's peer is gone, the generation has changed, and the reader begins again.
        let is_lost = cursor.peer != 0 && !config.has_peer(cursor.peer);
        if is_lost || config.peers().next().is_none() {
            return Ok(DumpStatus::Done);
        }
        message.nest(device_attr::PEERS, |message| {
            Ok(put_peers(message, &mut config, cursor, ctx))
        })
    })
}

/// Writes peers from the cursor on, as many as there is room for.
fn put_peers(
    message: &mut GenlMsg<'_>,
    config: &mut Config,
    cursor: &mut DumpCtx,
    ctx: &mut Process,
) -> DumpStatus {
    let allowed_ips = config.allowed_ips_generation();
    let mut progress = DumpStatus::Done;
    config.for_each_member(cursor.peer.wrapping_add(1), |id, member| {
        let Ok(DumpStatus::Done) = put_peer(message, allowed_ips, member, cursor, ctx) else {
            progress = DumpStatus::More;
            return false;
        };
        cursor.peer = id;
        cursor.tag = 0;
        cursor.allowed_ips = 0;
        true
    });
    progress
}

fn put_device(
    message: &mut GenlMsg<'_>,
    dev: &NetDevice<Device>,
    config: &Config,
    ctx: &mut Process,
) -> Result {
    message.put_u16(device_attr::LISTEN_PORT, config.incoming_port)?;
    message.put_u32(device_attr::FWMARK, dev.data().fwmark())?;
    message.put_u32(device_attr::IFINDEX, dev.ifindex())?;
    message.put_string(device_attr::IFNAME, dev.name().as_bytes())?;
    let identity = dev.data().identity().read(ctx);
    if let (Some(private), Some(public)) = (identity.private(), identity.public()) {
        message.put(device_attr::PRIVATE_KEY, private.as_bytes())?;
        message.put(device_attr::PUBLIC_KEY, public.as_bytes())?;
    }
    Ok(())
}

/// Writes a peer, or as much of it as fits. After an error nothing is written.
fn put_peer(
    message: &mut GenlMsg<'_>,
    allowed_ips: u64,
    member: &mut Member,
    cursor: &mut DumpCtx,
    ctx: &mut Process,
) -> Result<DumpStatus> {
    message.nest(0, |message| {
        let key = member.peer().public_key();
        message.put(peer_attr::PUBLIC_KEY, key.as_bytes())?;
        if cursor.tag == 0 {
            put_state(message, member, ctx)?;
        }
        if cursor.allowed_ips == 0 {
            cursor.allowed_ips = allowed_ips;
        } else if cursor.allowed_ips != allowed_ips {
            // The allowed IPs have changed since the first part was written.
            return Ok(DumpStatus::Done);
        }
        // The list is unchanged since the cursor was set, so the cursor's tag is in it.
        if !member.has_prefixes() {
            return Ok(DumpStatus::Done);
        }
        message.nest(peer_attr::ALLOWEDIPS, |message| {
            let mut progress = DumpStatus::Done;
            member.for_each_prefix(cursor.tag, |tag, prefix| {
                if put_prefix(message, prefix).is_ok() {
                    return true;
                }
                cursor.tag = tag;
                progress = DumpStatus::More;
                false
            });
            Ok(progress)
        })
    })
}

fn put_state(message: &mut GenlMsg<'_>, member: &Member, ctx: &mut Process) -> Result {
    let peer = member.peer();
    {
        let noise = peer.noise().lock(ctx);
        let preshared = noise.handshake.remote().preshared();
        message.put(peer_attr::PRESHARED_KEY, preshared.as_bytes())?;
    }
    let bh = ctx.bh();
    let (seconds, nanos) = peer.last_handshake(&bh);
    let mut timespec = [0; 16];
    let (high, low) = timespec.split_at_mut(8);
    high.copy_from_slice(&seconds.to_ne_bytes());
    low.copy_from_slice(&i64::from(nanos).to_ne_bytes());
    message.put(peer_attr::LAST_HANDSHAKE_TIME, &timespec)?;
    message.put_u16(
        peer_attr::PERSISTENT_KEEPALIVE_INTERVAL,
        peer.persistent_keepalive(),
    )?;
    let (rx, tx) = peer.transfer();
    message.put_u64_64bit(peer_attr::TX_BYTES, tx, peer_attr::UNSPEC)?;
    message.put_u64_64bit(peer_attr::RX_BYTES, rx, peer_attr::UNSPEC)?;
    message.put_u32(peer_attr::PROTOCOL_VERSION, PROTOCOL_VERSION)?;
    if let Some(remote) = peer.remote(&bh) {
        message.put(peer_attr::ENDPOINT, remote.to_sockaddr().as_bytes())?;
    }
    Ok(())
}

fn put_prefix(message: &mut GenlMsg<'_>, prefix: &Prefix) -> Result {
    message.nest(0, |message| {
        message.put_u8(allowed_ip_attr::CIDR_MASK, prefix.len())?;
        match prefix.address() {
            Address::V4(bytes) => {
                message.put_u16(allowed_ip_attr::FAMILY, AF_INET)?;
                message.put(allowed_ip_attr::IPADDR, &bytes)
            }
            Address::V6(bytes) => {
                message.put_u16(allowed_ip_attr::FAMILY, AF_INET6)?;
                message.put(allowed_ip_attr::IPADDR, &bytes)
            }
        }
    })
}
