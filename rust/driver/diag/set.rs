// SPDX-License-Identifier: GPL-2.0

//! The command that changes: all of a request or nothing.

use super::{
    event,
    find::find_device,
    schema::{
        attr,
        command,
        peer_attr,
        SET_POLICY, //
    },
    settings::{
        self,
        EndpointPin,
        Settings, //
    },
    unknown::KeptSlots, //
};
use crate::{
    config::RemovedPeers,
    device::Device,
    peer::Peer, //
};
use kernel::prelude::*;
use kext::{
    context::Process,
    net::{
        genl::{
            Attr,
            Do,
            Parsed,
            Permission,
            PolicyRef,
            Request, //
        },
        rtnl, //
    },
    sync::rcu::RcuArc, //
};
use wg_proto::key::PublicKey;

/// Changes an interface or one of its peers.
pub(super) enum Set {}

/// The attributes of a peer in a request.
type PeerAttrs<'a> = Parsed<'a, { peer_attr::SETTABLE }>;

/// What a request wants for a peer, ready to be put in its place.
struct PeerChange {
    peer: RcuArc<Peer>,
    settings: RcuArc<Settings>,
    psk_generation: Option<u32>,
}

impl Do for Set {
    const COMMAND: u8 = command::SET;
    const POLICY: PolicyRef = SET_POLICY.as_ref();
    const PERMISSION: Permission = Permission::NetAdmin;

    fn execute(request: &Request<'_>, ctx: &mut Process) -> Result {
        let dev = find_device(request, ctx)?;
        let device = dev.data();
        let flag = |index| {
            request
                .get(index)
                .and_then(|attr| attr.u8())
                .map(|on| on != 0)
        };
        let readable = flag(attr::UNPRIVILEGED_READ);
        let announced = flag(attr::ANNOUNCE_UNKNOWN);
        let mut held = rtnl::lock(ctx);
        let (rtnl, ctx) = held.parts();
        let mut config = device.config().lock(ctx);
        if config.is_closed {
            return Err(ENODEV);
        }
        // What can fail comes first.
        let change = match request.get(attr::PEER) {
            Some(nest) => Some(prepare(request, device, &nest, ctx)?),
            None => None,
        };
        if change.is_none() && readable.is_none() && announced.is_none() {
            return Err(request.refuse(EINVAL, c"the request changes nothing"));
        }
        let unknown_initiators = device.diag().unknown_initiators();
        // Nothing that is kept gets lost if it is on already.
        if let Some(is_announced) = announced.filter(|on| *on != unknown_initiators.is_announced())
        {
            let room = KeptSlots::new(is_announced)?;
            unknown_initiators.announce(is_announced, room, &ctx.bh());
        }
        if let Some(is_readable) = readable {
            device.diag().set_readable(is_readable);
        }
        let Some(change) = change else {
            return Ok(());
        };
        config.begin_change();
        config.mark_changed(&change.peer);
        if let Some(generation) = change.psk_generation {
            change.peer.noise().lock(ctx).psk_generation = generation;
        }
        change.peer.diag().set(change.settings);
        // The route may be another one by the mark, and a pin that is gone lets the endpoint move.
        change.peer.clear_source(&ctx.bh());
        event::configured(&dev, rtnl, &mut config, &RemovedPeers::new(), ctx);
        Ok(())
    }
}

/// Reads what a request wants for a peer.
fn prepare<'a>(
    request: &Request<'a>,
    device: &Device,
    nest: &Attr<'a>,
    ctx: &mut Process,
) -> Result<PeerChange> {
    let attrs = nest.parse::<{ peer_attr::SETTABLE }>()?;
    let Some(key) = attrs.get(peer_attr::PUBLIC_KEY) else {
        let why = c"name the peer by its public key";
        return Err(request.missing(Some(nest), peer_attr::PUBLIC_KEY, why));
    };
    let public = key.read().map(PublicKey::from_bytes).ok_or(EINVAL)?;
    let peer = match device.key_table().find(&public, ctx) {
        Some(peer) => peer,
        None => return Err(request.refuse_attr(ENOENT, &key, c"no peer has this key")),
    };
    if (peer_attr::NAME..=peer_attr::PSK_GENERATION).all(|index| attrs.get(index).is_none()) {
        return Err(request.refuse_attr(EINVAL, nest, c"the request changes nothing of this peer"));
    }
    let outer = attrs.get(peer_attr::OUT_MARK);
    if let Some(attr) = outer.or(attrs.get(peer_attr::OUT_PRIORITY)) {
        if !device.sockets_are_administrable() {
            let why = c"this takes CAP_NET_ADMIN where the sockets are";
            return Err(request.refuse_attr(EPERM, &attr, why));
        }
    }
    let mut settings = {
        let bh = ctx.bh();
        let old = peer.diag().settings(&bh);
        old.map_or(Settings::DEFAULT, |old| *old)
    };
    apply(request, &attrs, &mut settings)?;
    Ok(PeerChange {
        settings: RcuArc::new(settings, ctx)?,
        psk_generation: number(&attrs, peer_attr::PSK_GENERATION),
        peer,
    })
}

/// Returns the value of an attribute that is a number.
fn number(attrs: &PeerAttrs<'_>, index: u16) -> Option<u32> {
    attrs.get(index).and_then(|attr| attr.u32())
}

/// Changes settings as a request says.
fn apply(request: &Request<'_>, attrs: &PeerAttrs<'_>, wanted: &mut Settings) -> Result {
    if let Some(attr) = attrs.get(peer_attr::NAME) {
        let name = attr.nul_str::<64>().ok_or(EINVAL)?;
        let name = name.as_c_str();
        // Names go to terminals and to lists of figures.
        let text = core::str::from_utf8(settings::bytes(name));
        if !text.is_ok_and(|text| !text.chars().any(char::is_control)) {
            let why = c"a name is UTF-8 without control characters";
            return Err(request.refuse(EINVAL, why));
        }
        wanted.set_name(name);
    }
    if let Some(pin) = number(attrs, peer_attr::PIN) {
        wanted.pin = EndpointPin::from_number(pin).ok_or(EINVAL)?;
    }
    let fields = [
        (peer_attr::IN_MARK, &mut wanted.inner.mark),
        (peer_attr::IN_PRIORITY, &mut wanted.inner.priority),
        (peer_attr::OUT_MARK, &mut wanted.outer.mark),
        (peer_attr::OUT_PRIORITY, &mut wanted.outer.priority),
    ];
    for (index, field) in fields {
        if let Some(value) = number(attrs, index) {
            *field = value;
        }
    }
    Ok(())
}
