// SPDX-License-Identifier: GPL-2.0

//! Writing of what is known.

use super::{
    facts::Ended,
    schema::{
        attr,
        endpoint_attr,
        interface_attr,
        peer_attr,
        refusal_attr, //
    },
    state::PeerState, //
};
use crate::{
    config::{
        Config,
        Member, //
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
    math,
    net::{
        addr::SocketAddr,
        device::NetDevice,
        genl::GenlMsg, //
    },
    time, //
};
use wg_proto::{
    prefix::Address,
    timers::PeerTimer,
    DropReason, //
};

const NSEC_PER_MSEC: u32 = 1_000_000;
const MSEC_PER_SEC: u64 = 1_000;

/// Returns how many milliseconds have passed since `then`, in nanoseconds since boot.
fn age(then: u64) -> u64 {
    math::div::<NSEC_PER_MSEC>(time::boottime_coarse().saturating_sub(then))
}

/// Puts an address of either family, by its length.
fn address(message: &mut GenlMsg<'_>, attribute: u16, address: Address) -> Result {
    match address {
        Address::V4(bytes) => message.put(attribute, &bytes),
        Address::V6(bytes) => message.put(attribute, &bytes),
    }
}

/// Puts where a peer is.
pub(super) fn endpoint(message: &mut GenlMsg<'_>, attribute: u16, remote: SocketAddr) -> Result {
    message.nest(attribute, |message| match remote {
        SocketAddr::V4 { addr, port } => {
            message.put(endpoint_attr::ADDRESS, &addr.0)?;
            message.put_u16(endpoint_attr::PORT, port)
        }
        SocketAddr::V6 {
            addr, port, scope, ..
        } => {
            message.put(endpoint_attr::ADDRESS, &addr.0)?;
            message.put_u16(endpoint_attr::PORT, port)?;
            if scope != 0 {
                message.put_u32(endpoint_attr::SCOPE, scope)?;
            }
            Ok(())
        }
    })
}

fn drop_counter(
    message: &mut GenlMsg<'_>,
    attribute: u16,
    (reason, count, last): (DropReason, u64, u64),
) -> Result {
    message.nest(attribute, |message| {
        // CAST: From small to large.
        message.put_u32(refusal_attr::REASON, reason.index() as u32)?;
        message.put_uint(refusal_attr::COUNT, count)?;
        message.put_uint(refusal_attr::AGE, age(last))
    })
}

/// Puts which interface a message is about.
pub(super) fn device(
    message: &mut GenlMsg<'_>,
    dev: &NetDevice<Device>,
    config: &Config,
) -> Result {
    message.put_u32(attr::IFINDEX, dev.ifindex())?;
    message.put_string(attr::IFNAME, dev.name().as_bytes())?;
    message.put_u32(attr::GENERATION, config.generation())
}

/// Puts what is known of an interface.
pub(super) fn interface(
    message: &mut GenlMsg<'_>,
    dev: &NetDevice<Device>,
    config: &Config,
    ctx: &mut Process,
) -> Result {
    let data = dev.data();
    let is_readable = u8::from(data.diag().is_readable());
    message.put_u8(attr::UNPRIVILEGED_READ, is_readable)?;
    let is_announced = u8::from(data.diag().unknown_initiators().is_announced());
    message.put_u8(attr::ANNOUNCE_UNKNOWN, is_announced)?;
    let public = data.identity().read(ctx).public().copied();
    let is_under_load = data
        .handshake_queue()
        .is_under_load(time::boottime_coarse());
    let bh = ctx.bh();
    message.nest(attr::INTERFACE, |message| {
        if dev.is_running() {
            message.put(interface_attr::UP, &[])?;
        }
        if let Some(public) = public {
            message.put(interface_attr::PUBLIC_KEY, public.as_bytes())?;
        }
        message.put_u16(interface_attr::LISTEN_PORT, config.incoming_port)?;
        message.put_u32(interface_attr::FWMARK, data.fwmark())?;
        message.put_u32(interface_attr::PEERS, config.count())?;
        for entry in data.drops().iter() {
            drop_counter(message, interface_attr::REFUSAL, entry)?;
        }
        if is_under_load {
            message.put(interface_attr::UNDER_LOAD, &[])?;
        }
        let last = data.diag().last(&bh);
        if let Some(destination) = last.destination {
            address(message, interface_attr::REFUSED_DESTINATION, destination)?;
        }
        if let Some((key, remote)) = &last.initiator {
            message.put(interface_attr::UNKNOWN_INITIATOR, key.as_bytes())?;
            if let Some(remote) = remote {
                endpoint(message, interface_attr::UNKNOWN_INITIATOR_REMOTE, *remote)?;
            }
        }
        match last.remote {
            Some(remote) => endpoint(message, interface_attr::REFUSED_REMOTE, remote),
            None => Ok(()),
        }
    })
}

/// Puts public key and name of a peer.
pub(super) fn identity(message: &mut GenlMsg<'_>, peer: &Peer, bh: &Bh<'_>) -> Result {
    message.put(peer_attr::PUBLIC_KEY, peer.public_key().as_bytes())?;
    match peer.diag().settings(bh) {
        Some(set) if !set.name().is_empty() => message.put_str(peer_attr::NAME, set.name()),
        _ => Ok(()),
    }
}

/// Puts the session in use, if there is one.
pub(super) fn session(message: &mut GenlMsg<'_>, peer: &Peer, bh: &Bh<'_>) -> Result {
    let Some(current) = peer.current(bh) else {
        return Ok(());
    };
    message.put_uint(peer_attr::SESSION_AGE, age(current.lifetime().birth))?;
    let role = u32::from(current.is_initiator());
    message.put_u32(peer_attr::SESSION_ROLE, role)?;
    let generation = current.psk_generation();
    message.put_u32(peer_attr::SESSION_PSK_GENERATION, generation)
}

/// Puts what is known of a peer.
pub(super) fn peer(
    message: &mut GenlMsg<'_>,
    member: &Member,
    has_identity: bool,
    ctx: &mut Process,
) -> Result {
    let peer = member.peer();
    let psk_generation = peer.noise().lock(ctx).psk_generation;
    let bh = ctx.bh();
    message.nest(attr::PEER, |message| {
        identity(message, peer, &bh)?;
        settings(message, peer, &bh)?;
        message.put_u32(peer_attr::PSK_GENERATION, psk_generation)?;
        message.put_u32(peer_attr::CHANGED, member.changed())?;
        let state = PeerState::of(peer, has_identity, &bh);
        // CAST: The discriminant of a small enum.
        message.put_u32(peer_attr::STATE, state as u32)?;
        if state == PeerState::Session {
            session(message, peer, &bh)?;
        }
        traffic(message, peer, &bh)?;
        handshakes(message, peer, &bh)?;
        place(message, peer, &bh)?;
        drop_counters(message, peer, &bh)
    })
}

fn settings(message: &mut GenlMsg<'_>, peer: &Peer, bh: &Bh<'_>) -> Result {
    let Some(set) = peer.diag().settings(bh) else {
        return Ok(());
    };
    // CAST: The discriminant of a small enum.
    message.put_u32(peer_attr::PIN, set.pin as u32)?;
    message.put_u32(peer_attr::IN_MARK, set.inner.mark)?;
    message.put_u32(peer_attr::IN_PRIORITY, set.inner.priority)?;
    message.put_u32(peer_attr::OUT_MARK, set.outer.mark)?;
    message.put_u32(peer_attr::OUT_PRIORITY, set.outer.priority)
}

fn traffic(message: &mut GenlMsg<'_>, peer: &Peer, bh: &Bh<'_>) -> Result {
    let (rx, tx) = peer.transfer();
    let (rx_packets, tx_packets) = peer.packets();
    message.put_uint(peer_attr::RX_PACKETS, rx_packets)?;
    message.put_uint(peer_attr::RX_BYTES, rx)?;
    message.put_uint(peer_attr::TX_PACKETS, tx_packets)?;
    message.put_uint(peer_attr::TX_BYTES, tx)?;
    let staged = peer.tx().lock(bh).staged_datagrams();
    message.put_u32(peer_attr::STAGED, staged)?;
    message.put_u16(peer_attr::KEEPALIVE, peer.persistent_keepalive())
}

fn handshakes(message: &mut GenlMsg<'_>, peer: &Peer, bh: &Bh<'_>) -> Result {
    let timers = peer.timers();
    if timers.is_pending(PeerTimer::NewHandshake) {
        message.put(peer_attr::AWAITING, &[])?;
    }
    let (seconds, nanos) = peer.last_handshake(bh);
    if seconds != 0 {
        let ms = |(seconds, nanos): (i64, u32)| {
            // CAST: Not before 1970.
            (seconds.max(0) as u64)
                .saturating_mul(MSEC_PER_SEC)
                .saturating_add(u64::from(nanos / NSEC_PER_MSEC))
        };
        let passed = ms(time::realtime()).saturating_sub(ms((seconds, nanos)));
        message.put_uint(peer_attr::LAST_HANDSHAKE, passed)?;
    }
    let Some(facts) = peer.diag().facts(bh) else {
        return Ok(());
    };
    let is_wanted = timers.is_pending(PeerTimer::RetransmitHandshake);
    let tries = facts.tries();
    if tries != 0 && (is_wanted || facts.ended() == Ended::GaveUp) {
        message.put_u32(peer_attr::ATTEMPT, tries)?;
        message.put_uint(peer_attr::ATTEMPTS_AGE, age(facts.series()))?;
        message.put_u32(peer_attr::COOKIES, facts.cookies())?;
    }
    let counts = facts.counts();
    message.put_u32(peer_attr::HANDSHAKES_BEGUN, counts.begun)?;
    message.put_u32(peer_attr::HANDSHAKES_ANSWERED, counts.answered)?;
    message.put_u32(peer_attr::HANDSHAKES_COMPLETED, counts.completed)?;
    message.put_u32(peer_attr::HANDSHAKES_GIVEN_UP, counts.given_up)?;
    if let Some(initiated) = facts.initiated() {
        message.put_uint(peer_attr::INITIATION_AGE, age(initiated))?;
    }
    match facts.round_trip() {
        Some(us) => message.put_uint(peer_attr::ROUND_TRIP, us),
        None => Ok(()),
    }
}

fn place(message: &mut GenlMsg<'_>, peer: &Peer, bh: &Bh<'_>) -> Result {
    let Some(remote) = peer.remote(bh) else {
        return Ok(());
    };
    endpoint(message, peer_attr::ENDPOINT, remote)?;
    let (how, when) = peer.learnt(bh);
    // CAST: The discriminant of a small enum.
    message.put_u32(peer_attr::ENDPOINT_SOURCE, how as u32)?;
    message.put_uint(peer_attr::ENDPOINT_AGE, age(when))?;
    match peer.diag().facts(bh).map(|facts| facts.recent_moves()) {
        Some(moves) if moves != 0 => message.put_u32(peer_attr::RECENT_MOVES, moves),
        _ => Ok(()),
    }
}

fn drop_counters(message: &mut GenlMsg<'_>, peer: &Peer, bh: &Bh<'_>) -> Result {
    let Some(counters) = peer.diag().drop_counters(bh) else {
        return Ok(());
    };
    for entry in counters.iter() {
        drop_counter(message, peer_attr::REFUSAL, entry)?;
    }
    match counters.source(bh) {
        Some(source) => address(message, peer_attr::REFUSED_SOURCE, source),
        None => Ok(()),
    }
}
