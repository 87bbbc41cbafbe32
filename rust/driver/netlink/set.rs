// SPDX-License-Identifier: GPL-2.0

//! `WG_CMD_SET_DEVICE`: changes an interface.
//!
//! Not transactional: changes made before an error stay, as user space expects.

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
        RemovedPeers, //
    },
    crypto::Library,
    device::Device,
    diag::{
        self,
        Learnt, //
    },
    endpoint::{
        Endpoint,
        EndpointSrc, //
    },
    peer::Peer,
    send,
    socket,
    timers, //
};
use kernel::prelude::*;
use kext::compat::code::EPFNOSUPPORT;
use kext::{
    context::Process,
    net::{
        addr::SocketAddr,
        device::NetDevice,
        genl::{
            Attr,
            Parsed,
            Request, //
        },
        rtnl, //
    },
    sync::rcu::RcuArc, //
};
use wg_proto::{
    crypto::Crypto,
    key::{
        PrivateKey,
        PublicKey, //
    },
    prefix::{
        Address,
        Prefix, //
    },
    timers::{
        Action,
        TimerState, //
    }, //
};

/// Replaces all peers.
const DEVICE_REPLACE_PEERS: u32 = 1 << 0;
const PEER_REMOVE_ME: u32 = 1 << 0;
const PEER_REPLACE_ALLOWEDIPS: u32 = 1 << 1;
const PEER_UPDATE_ONLY: u32 = 1 << 2;
const ALLOWED_IP_REMOVE_ME: u32 = 1 << 0;

/// Wipes a key in the request, however the request ends.
struct Wiped<'a>(Option<Attr<'a>>);

impl Drop for Wiped<'_> {
    fn drop(&mut self) {
        if let Some(attr) = &self.0 {
            attr.wipe();
        }
    }
}

/// Changes an interface as a request says.
pub(super) fn set_device(request: &Request<'_>, ctx: &mut Process) -> Result {
    let _private = Wiped(request.get(device_attr::PRIVATE_KEY));
    let dev = find_device(request, ctx)?;
    let mut dead = RemovedPeers::new();
    let result = {
        let mut held = rtnl::lock(ctx);
        let (rtnl, ctx) = held.parts();
        let mut config = dev.data().config().lock(ctx);
        if config.is_closed {
            return Err(ENODEV);
        }
        let before = config.generation();
        let result = change(request, &dev, &mut config, &mut dead, ctx);
        if config.generation() != before {
            diag::configured(&dev, rtnl, &mut config, &dead, ctx);
        }
        result
    };
    if dev.data().diag().unknown_initiators().is_announced() {
        let wq = dev.data().handshake_receive_wq();
        dev.data().handshake_queue().wake(wq, &ctx.bh());
    }
    // Without locks: this waits for a grace period.
    dead.finish(ctx);
    result
}

fn flags(attr: Option<Attr<'_>>) -> u32 {
    attr.and_then(|attr| attr.u32()).unwrap_or(0)
}

fn change(
    request: &Request<'_>,
    dev: &NetDevice<Device>,
    config: &mut Config,
    dead: &mut RemovedPeers,
    ctx: &mut Process,
) -> Result {
    let device = dev.data();
    let port = request.get(device_attr::LISTEN_PORT);
    let fwmark = request.get(device_attr::FWMARK);
    if (port.is_some() || fwmark.is_some()) && !device.sockets_are_administrable() {
        return Err(EPERM);
    }
    config.begin_change();
    if let Some(mark) = fwmark.and_then(|attr| attr.u32()) {
        device.set_fwmark(mark);
        clear_sources(config, ctx);
    }
    if let Some(port) = port.and_then(|attr| attr.u16()) {
        set_port(dev, config, port, ctx)?;
    }
    if flags(request.get(device_attr::FLAGS)) & DEVICE_REPLACE_PEERS != 0 {
        config.remove_all_peers(dev, dead, ctx);
    }
    if let Some(attr) = request.get(device_attr::PRIVATE_KEY) {
        let mut key = PrivateKey::zeroed();
        if attr.copy_to(key.as_mut_bytes()).is_some() {
            set_private_key(dev, config, &key, dead, ctx);
        }
    }
    if let Some(peers) = request.get(device_attr::PEERS) {
        for element in peers.elements() {
            let attrs = element.parse::<{ peer_attr::COUNT }>()?;
            set_peer(dev, config, &attrs, dead, ctx)?;
        }
    }
    Ok(())
}

fn clear_sources(config: &Config, ctx: &mut Process) {
    for peer in config.peers() {
        peer.clear_source(&ctx.bh());
    }
}

fn set_port(dev: &NetDevice<Device>, config: &mut Config, port: u16, ctx: &mut Process) -> Result {
    if config.incoming_port == port {
        return Ok(());
    }
    clear_sources(config, ctx);
    config.incoming_port = if dev.is_running() {
        socket::open(dev, port, ctx)?
    } else {
        port
    };
    Ok(())
}

fn set_private_key(
    dev: &NetDevice<Device>,
    config: &mut Config,
    key: &PrivateKey,
    dead: &mut RemovedPeers,
    ctx: &mut Process,
) {
    let device = dev.data();
    if device.identity().read(ctx).is_private::<Library>(key) {
        return;
    }
    // Before the change, so that no handshake with ourselves begins in between.
    let mut public = PublicKey::ZERO;
    if Library::x25519_public(public.as_mut_bytes(), key.as_bytes()) {
        if let Some(peer) = device.key_table().find(&public, ctx) {
            config.remove_peer(dev, &peer, dead, ctx);
        }
    }
    let send_staged = {
        let mut identity = device.identity().write(ctx);
        let had_identity = identity.public().is_some();
        identity.set::<Library>(key);
        device
            .cookie_checker()
            .write(ctx)
            .set_identity::<Library>(identity.public());
        for peer in config.peers() {
            peer.expire_keypairs(ctx);
        }
        !had_identity && identity.public().is_some() && dev.is_running()
    };
    if send_staged {
        for peer in config.peers() {
            send::send_staged(peer.borrow(), &ctx.bh());
        }
    }
}

fn set_peer(
    dev: &NetDevice<Device>,
    config: &mut Config,
    attrs: &Parsed<'_, { peer_attr::COUNT }>,
    dead: &mut RemovedPeers,
    ctx: &mut Process,
) -> Result {
    let _preshared = Wiped(attrs.get(peer_attr::PRESHARED_KEY));
    let key = attrs
        .get(peer_attr::PUBLIC_KEY)
        .and_then(|attr| attr.read())
        .map(PublicKey::from_bytes)
        .ok_or(EINVAL)?;
    let mut flags = flags(attrs.get(peer_attr::FLAGS));
    if let Some(version) = attrs.get(peer_attr::PROTOCOL_VERSION) {
        if version.u32() != Some(PROTOCOL_VERSION) {
            return Err(EPFNOSUPPORT);
        }
    }
    let Some(peer) = find_or_add(dev, config, &key, &mut flags, ctx)? else {
        return Ok(());
    };
    if flags & PEER_REMOVE_ME != 0 {
        config.remove_peer(dev, &peer, dead, ctx);
        return Ok(());
    }
    if let Some(attr) = attrs.get(peer_attr::PRESHARED_KEY) {
        let mut noise = peer.noise().lock(ctx);
        noise.psk_generation = noise.psk_generation.wrapping_add(1);
        let preshared = noise.handshake.remote_mut().preshared_mut();
        let _ = attr.copy_to(preshared.as_mut_bytes());
    }
    let has_moved = attrs
        .get(peer_attr::ENDPOINT)
        .and_then(endpoint)
        .is_some_and(|remote| set_endpoint(&peer, remote, ctx));
    let old_tags = config.next_tag();
    let result = set_prefixes(dev, config, &peer, attrs.get(peer_attr::ALLOWEDIPS), ctx);
    // After the new prefixes are in, even on error: readers must not miss a prefix of both lists.
    if flags & PEER_REPLACE_ALLOWEDIPS != 0 {
        config.remove_prefixes(dev, &peer, old_tags);
    }
    result?;
    set_keepalive(dev, &peer, attrs, ctx);
    if dev.is_running() {
        if has_moved {
            // The host at the new address may not know the session, as after a restart. Without a
            // handshake that shows only after 15 seconds.
            peer.reset_last_sent_handshake();
            timers::initiation_wanted(&peer, &ctx.bh());
        }
        send::send_staged(peer.borrow(), &ctx.bh());
    }
    Ok(())
}

/// Finds a peer, or adds one that the flags do not ask to exist.
fn find_or_add(
    dev: &NetDevice<Device>,
    config: &mut Config,
    key: &PublicKey,
    flags: &mut u32,
    ctx: &mut Process,
) -> Result<Option<RcuArc<Peer>>> {
    if let Some(peer) = dev.data().key_table().find(key, ctx) {
        config.mark_changed(&peer);
        return Ok(Some(peer));
    }
    // A new peer has no allowed IPs to replace.
    *flags &= !PEER_REPLACE_ALLOWEDIPS;
    add_peer(dev, config, key, *flags, ctx)
}

/// Sets the endpoint of a peer. Returns whether a peer with a live session has moved by that.
fn set_endpoint(peer: &Peer, remote: SocketAddr, ctx: &mut Process) -> bool {
    let endpoint = Endpoint {
        remote: Some(remote),
        src: EndpointSrc::Any,
    };
    let bh = ctx.bh();
    let is_new = !peer.is_at(&endpoint, &bh);
    peer.set_endpoint(&endpoint, Learnt::Configuration, &bh);
    is_new && peer.current(&bh).is_some_and(|current| current.is_live())
}

/// Adds a peer, unless the flags ask for an existing one or the key is that of the interface.
fn add_peer(
    dev: &NetDevice<Device>,
    config: &mut Config,
    key: &PublicKey,
    flags: u32,
    ctx: &mut Process,
) -> Result<Option<RcuArc<Peer>>> {
    if flags & (PEER_REMOVE_ME | PEER_UPDATE_ONLY) != 0 {
        return Ok(None);
    }
    // Our own key is ignored, so that all members of a group can use one configuration.
    if dev.data().identity().read(ctx).public() == Some(key) {
        return Ok(None);
    }
    config.add_peer(dev, key, ctx).map(Some)
}

/// Sets the persistent keepalive interval, if the request has one.
fn set_keepalive(
    dev: &NetDevice<Device>,
    peer: &RcuArc<Peer>,
    attrs: &Parsed<'_, { peer_attr::COUNT }>,
    ctx: &mut Process,
) {
    let Some(seconds) = attrs
        .get(peer_attr::PERSISTENT_KEEPALIVE_INTERVAL)
        .and_then(|attr| attr.u16())
    else {
        return;
    };
    let old = peer.set_persistent_keepalive(seconds);
    if dev.is_running() {
        for action in TimerState::interval_changed(old, seconds) {
            if action == Action::SendKeepalive {
                send::send_keepalive(peer.borrow(), &ctx.bh());
            }
        }
    }
}

/// Reads a socket address. Families other than IPv4 and IPv6 are ignored.
fn endpoint(attr: Attr<'_>) -> Option<SocketAddr> {
    if let Some(bytes) = attr.read::<16>() {
        return SocketAddr::from_sockaddr(&bytes);
    }
    SocketAddr::from_sockaddr(&attr.read::<28>()?)
}

fn set_prefixes(
    dev: &NetDevice<Device>,
    config: &mut Config,
    peer: &RcuArc<Peer>,
    prefixes: Option<Attr<'_>>,
    ctx: &mut Process,
) -> Result {
    let Some(prefixes) = prefixes else {
        return Ok(());
    };
    for element in prefixes.elements() {
        let attrs = element.parse::<{ allowed_ip_attr::COUNT }>()?;
        set_prefix(dev, config, peer, &attrs, ctx)?;
    }
    Ok(())
}

fn set_prefix(
    dev: &NetDevice<Device>,
    config: &mut Config,
    peer: &RcuArc<Peer>,
    attrs: &Parsed<'_, { allowed_ip_attr::COUNT }>,
    ctx: &mut Process,
) -> Result {
    let family = attrs
        .get(allowed_ip_attr::FAMILY)
        .and_then(|attr| attr.u16())
        .ok_or(EINVAL)?;
    let address = attrs.get(allowed_ip_attr::IPADDR).ok_or(EINVAL)?;
    let len = attrs
        .get(allowed_ip_attr::CIDR_MASK)
        .and_then(|attr| attr.u8())
        .ok_or(EINVAL)?;
    let address = match family {
        AF_INET => Address::V4(address.read().ok_or(EINVAL)?),
        AF_INET6 => Address::V6(address.read().ok_or(EINVAL)?),
        _ => return Err(EINVAL),
    };
    let prefix = Prefix::new(address, len).ok_or(EINVAL)?;
    if flags(attrs.get(allowed_ip_attr::FLAGS)) & ALLOWED_IP_REMOVE_ME != 0 {
        config.remove_prefix(dev, peer, prefix);
        return Ok(());
    }
    config.insert_prefix(dev, peer, prefix, ctx)
}
