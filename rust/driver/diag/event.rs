// SPDX-License-Identifier: GPL-2.0

//! Events for listeners.

use super::{
    put,
    schema::{
        attr,
        command,
        group,
        peer_attr, //
    },
    FAMILY, //
};
use crate::{
    config::{
        Config,
        RemovedPeers, //
    },
    device::Device,
    peer::Peer, //
};
use kernel::prelude::*;
use kext::{
    context::{
        Bh,
        Process, //
    },
    net::{
        addr::SocketAddr,
        device::NetDevice,
        genl::GenlMsg,
        netns::Net,
        rtnl::Rtnl, //
    },
    time, //
};
use wg_proto::key::PublicKey;

/// What has happened to a peer.
#[derive(Clone, Copy)]
pub(super) enum Event {
    /// A session can be used in both directions.
    SessionUp,
    /// The keys of its sessions were wiped, as they are too old.
    SessionExpired,
    /// No response came for long.
    GivenUp,
    /// An authentic message came from `new` and not from `old`.
    EndpointChanged { old: SocketAddr, new: SocketAddr },
    /// It is new.
    Added,
    /// Its configuration is another one.
    Changed,
    /// It is gone.
    Removed,
}

/// Number of the event that a sender that is no peer has begun a handshake.
const UNKNOWN_PEER: u32 = 7;

impl Event {
    /// Returns the number in the schema.
    const fn number(self) -> u32 {
        match self {
            Self::SessionUp => 0,
            Self::SessionExpired => 1,
            Self::GivenUp => 2,
            Self::EndpointChanged { .. } => 3,
            Self::Added => 4,
            Self::Changed => 5,
            Self::Removed => 6,
        }
    }
}

/// Sends an event about a peer, which `put` writes, to the listeners in `net`.
fn send(
    net: &Net,
    group: usize,
    dev: &NetDevice<Device>,
    number: u32,
    bh: &Bh<'_>,
    put: impl FnOnce(&mut GenlMsg<'_>) -> Result,
) {
    if !FAMILY.has_listeners(net, group) {
        return;
    }
    // Held until the event is sent: numbers shall rise.
    let mut stream = dev.data().diag().stream(group).lock(bh);
    let Some(event) = stream.next(time::boottime_coarse()) else {
        return;
    };
    let command = match group {
        group::PEERS => command::PEER_NTF,
        group::CONFIG => command::CONFIG_NTF,
        _ => command::UNKNOWN_NTF,
    };
    let sent = FAMILY.notify(net, group, command, bh, |message| {
        message.put_u32(attr::IFINDEX, dev.ifindex())?;
        message.put_string(attr::IFNAME, dev.name().as_bytes())?;
        message.put_u32(attr::EVENT, number)?;
        message.put_uint(attr::SEQUENCE, event.sequence)?;
        if event.left_out != 0 {
            message.put_uint(attr::LEFT_OUT, event.left_out)?;
        }
        if event.is_last {
            message.put(attr::LIMIT, &[])?;
        }
        message.nest(attr::PEER, put)
    });
    if sent == Err(ENOMEM) {
        stream.left_out = event.left_out.saturating_add(1);
    }
}

/// Sends what has happened to a peer.
fn send_peer(net: &Net, group: usize, peer: &Peer, event: Event, bh: &Bh<'_>) {
    send(net, group, peer.device(), event.number(), bh, |message| {
        put_event(message, peer, event, bh)
    });
}

fn put_event(message: &mut GenlMsg<'_>, peer: &Peer, event: Event, bh: &Bh<'_>) -> Result {
    put::identity(message, peer, bh)?;
    let remote = match event {
        // Another message may have moved it again.
        Event::EndpointChanged { new, .. } => Some(new),
        _ => peer.remote(bh),
    };
    if let Some(remote) = remote {
        put::endpoint(message, peer_attr::ENDPOINT, remote)?;
    }
    match event {
        Event::EndpointChanged { old, .. } => put::endpoint(message, peer_attr::OLD_ENDPOINT, old),
        Event::SessionUp => put::session(message, peer, bh),
        Event::GivenUp => {
            let diag = peer.diag();
            let reason = diag
                .facts(bh)
                .zip(diag.drop_counters(bh))
                .and_then(|(facts, counters)| counters.latest(facts.series()));
            match reason {
                // CAST: From small to large.
                Some(reason) => message.put_u32(peer_attr::LAST_REFUSAL, reason.index() as u32),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Sends an event of a peer, if its interface is up.
pub(super) fn of_peer(peer: &Peer, event: Event, bh: &Bh<'_>) {
    if let Some(running) = peer.device().running(bh) {
        running.with_net(|net| send_peer(net, group::PEERS, peer, event, bh));
    }
}

/// Announces an initiation whose key belongs to no peer.
pub(crate) fn of_unknown(
    dev: &NetDevice<Device>,
    key: &PublicKey,
    remote: Option<SocketAddr>,
    bh: &Bh<'_>,
) {
    let Some(running) = dev.running(bh) else {
        return;
    };
    running.with_net(|net| {
        send(net, group::UNKNOWN, dev, UNKNOWN_PEER, bh, |message| {
            message.put(peer_attr::PUBLIC_KEY, key.as_bytes())?;
            match remote {
                Some(remote) => put::endpoint(message, peer_attr::ENDPOINT, remote),
                None => Ok(()),
            }
        });
    });
}

/// Tells which peers the request just handled has removed, added and changed.
///
/// These are those whose configuration is of the generation that it is now.
pub(crate) fn configured(
    dev: &NetDevice<Device>,
    rtnl: &Rtnl,
    config: &mut Config,
    removed: &RemovedPeers,
    ctx: &mut Process,
) {
    let Some(net) = dev.net(rtnl) else {
        return;
    };
    if !FAMILY.has_listeners(net, group::CONFIG) {
        return;
    }
    for peer in removed.peers() {
        send_peer(net, group::CONFIG, peer, Event::Removed, &ctx.bh());
        ctx.cond_resched();
    }
    let generation = config.generation();
    config.for_each_member(0, |_, member| {
        if member.changed() == generation {
            let event = if member.added() == generation {
                Event::Added
            } else {
                Event::Changed
            };
            send_peer(net, group::CONFIG, member.peer(), event, &ctx.bh());
        }
        ctx.cond_resched();
        true
    });
}
