// SPDX-License-Identifier: GPL-2.0

//! Receives handshake messages.

use super::{
    begin_session,
    send_response, //
};
use crate::{
    crypto::{
        entropy,
        Library, //
    },
    device::Device,
    diag::{
        self,
        Learnt, //
    },
    endpoint::{
        DisplayRemote,
        Endpoint, //
    },
    path::Path,
    peer::Peer,
    send,
    timers, //
};
use kernel::prelude::*;
use kext::{
    context::Process,
    debug_ratelimited,
    net::{
        addr::SocketAddr,
        device::NetDevice,
        skb::{
            SkBuff,
            UdpSource, //
        }, //
    },
    random::Seeded,
    sync::rcu::RcuArc,
    time, //
};
use wg_proto::{
    cookie::MacState,
    handshake::{
        IncomingInitiation,
        IncomingResponse, //
    },
    message::{
        CookieReply,
        Index,
        Initiation,
        Message,
        Response,
        COOKIE_NONCE_LEN, //
    },
    ratelimit,
    DropReason, //
};

/// Why a message goes no further, and whose it is if that is known.
pub(super) struct DroppedMessage {
    reason: DropReason,
    peer: Option<RcuArc<Peer>>,
}

impl From<DropReason> for DroppedMessage {
    fn from(reason: DropReason) -> Self {
        Self { reason, peer: None }
    }
}

impl DroppedMessage {
    /// Notes that a message of a peer is dropped.
    fn of(peer: &RcuArc<Peer>, reason: DropReason) -> Self {
        Self {
            reason,
            peer: Some(peer.clone()),
        }
    }

    /// Returns why.
    pub(super) fn reason(&self) -> DropReason {
        self.reason
    }

    /// Counts the message, which came from `remote`.
    pub(super) fn count(
        self,
        dev: &NetDevice<Device>,
        remote: Option<SocketAddr>,
        ctx: &mut Process,
    ) {
        match self.peer {
            Some(peer) => peer.count_drops_from(remote, self.reason, 1, &ctx.bh()),
            None => diag::count_drops(dev, self.reason, 1, remote),
        }
    }
}

/// Acts on a handshake message, which the caller then frees.
pub(super) fn receive(
    dev: &NetDevice<Device>,
    skb: &mut SkBuff,
    seeded: Seeded,
    ctx: &mut Process,
) -> Result<(), DroppedMessage> {
    let source = skb.udp_source().ok_or(DropReason::BadDatagram)?;
    let len = skb.len();
    let bytes = skb.pull_head(len).ok_or(DropReason::BadLength)?;
    act_on(dev, bytes, &source, seeded, ctx)
}

/// Acts on kept initiations whose senders are peers by now.
pub(super) fn answer_unknown(dev: &NetDevice<Device>, seeded: Seeded, ctx: &mut Process) {
    let device = dev.data();
    let unknown_initiators = device.diag().unknown_initiators();
    while unknown_initiators.is_announced() {
        let known = {
            let bh = ctx.bh();
            unknown_initiators.take_known(|key| device.key_table().contains(key, &bh), &bh)
        };
        let Some(kept) = known else {
            return;
        };
        if let Err(dropped) = act_on(dev, kept.message.as_bytes(), &kept.source, seeded, ctx) {
            dropped.count(dev, Endpoint::of(&kept.source).remote, ctx);
        }
        ctx.cond_resched();
    }
}

/// Acts on a message.
fn act_on(
    dev: &NetDevice<Device>,
    bytes: &[u8],
    source: &UdpSource,
    seeded: Seeded,
    ctx: &mut Process,
) -> Result<(), DroppedMessage> {
    let len = bytes.len();
    match Message::parse(bytes)? {
        Message::Cookie(reply) => receive_cookie(dev, reply, source, ctx),
        Message::Initiation(message) => {
            admit(dev, bytes, message.sender(), source, seeded, ctx)?;
            let accepted = accept_initiation(dev, message, source, ctx);
            let peer = note_accepted(dev, accepted, Learnt::Initiation, source, len, ctx)?;
            if let Err(reason) = send_response(&peer, seeded, ctx) {
                peer.count_drops(reason, 1, &ctx.bh());
            }
            Ok(())
        }
        Message::Response(message) => {
            admit(dev, bytes, message.sender(), source, seeded, ctx)?;
            let accepted = accept_response(dev, message, ctx);
            let peer = note_accepted(dev, accepted, Learnt::Response, source, len, ctx)?;
            peer.note_response(&ctx.bh());
            match begin_session(&peer, ctx) {
                Ok(()) => {
                    let bh = ctx.bh();
                    timers::session_derived(&peer, &bh);
                    timers::handshake_complete(&peer, &bh);
                    peer.note_session(&bh);
                    // Sends what is staged, or an empty packet: the responder waits for one before
                    // it uses the session.
                    send::send_keepalive(peer.borrow(), &bh);
                }
                Err(reason) => peer.count_drops(reason, 1, &ctx.bh()),
            }
            Ok(())
        }
        // Never queued here.
        Message::Data(..) => Err(DropReason::BadType.into()),
    }
}

/// Notes a handshake message that a peer has sent: its endpoint, its bytes, and the timers.
///
/// Runs before we answer: afterwards another CPU may send data of the new session and arm
/// NewHandshake, which our late `authenticated_received` would cancel.
fn note_accepted(
    dev: &NetDevice<Device>,
    accepted: Result<RcuArc<Peer>, DroppedMessage>,
    how: Learnt,
    source: &UdpSource,
    len: usize,
    ctx: &mut Process,
) -> Result<RcuArc<Peer>, DroppedMessage> {
    let kind = match how {
        Learnt::Initiation => "initiation",
        _ => "response",
    };
    let peer = accepted.inspect_err(|_| {
        debug_ratelimited!(
            "{}: Invalid handshake {} from {}\n",
            dev.name(),
            kind,
            display(source)
        );
    })?;
    let bh = ctx.bh();
    peer.set_endpoint(&Endpoint::of(source), how, &bh);
    debug_ratelimited!(
        "{}: Receiving handshake {} from peer {} ({})\n",
        dev.name(),
        kind,
        peer.number(),
        display(source)
    );
    if let Some(running) = dev.running(&bh) {
        // CAST: A handshake message is short.
        running.rx_add(len as u32);
    }
    peer.add_rx(1, len as u64);
    timers::authenticated_received(&peer, &bh);
    drop(bh);
    Ok(peer)
}

/// Checks the macs of a message.
///
/// Fails with [`CookieSent`](DropReason::CookieSent) if the sender got a cookie instead of an
/// answer.
fn admit(
    dev: &NetDevice<Device>,
    message: &[u8],
    sender: Index,
    source: &UdpSource,
    seeded: Seeded,
    ctx: &mut Process,
) -> Result<(), DropReason> {
    let device = dev.data();
    let now = time::boottime_coarse();
    let under_load = device.handshake_queue().is_under_load(now);
    let (address, len) = wire_source(source);
    let address = address.get(..len).unwrap_or_default();
    if under_load && device.cookie_checker().read(ctx).is_stale(now) {
        device
            .cookie_checker()
            .write(ctx)
            .rotate(now, entropy(seeded));
    }
    let state = device
        .cookie_checker()
        .read(ctx)
        .check::<Library>(message, address, under_load);
    match state {
        MacState::Invalid => {
            debug_invalid_mac(dev, source);
            let remote = Endpoint::of(source).remote;
            device.diag().note_remote(remote, &ctx.bh());
            Err(DropReason::BadMac1)
        }
        MacState::Valid if under_load => {
            debug_ratelimited!(
                "{}: Sending cookie response for denied handshake message for {}\n",
                dev.name(),
                display(source)
            );
            send_cookie(dev, message, sender, source, seeded, ctx)?;
            Err(DropReason::CookieSent)
        }
        MacState::Valid => Ok(()),
        MacState::ValidWithCookie => {
            if !under_load {
                return Ok(());
            }
            let address = match *source {
                UdpSource::V4 { src, .. } => ratelimit::RateLimitKey::v4(0, src),
                UdpSource::V6 { src, .. } => ratelimit::RateLimitKey::v6(0, src),
            };
            if device.ratelimiter().allow(address, now, ctx) {
                Ok(())
            } else {
                debug_invalid_mac(dev, source);
                Err(DropReason::RateLimited)
            }
        }
    }
}

/// Sends a cookie to the sender of a message, which it needs under load.
fn send_cookie(
    dev: &NetDevice<Device>,
    message: &[u8],
    sender: Index,
    source: &UdpSource,
    seeded: Seeded,
    ctx: &mut Process,
) -> Result<(), DropReason> {
    let mut reply = CookieReply::zeroed();
    let mut nonce = [0; COOKIE_NONCE_LEN];
    seeded.fill(&mut nonce);
    let (address, len) = wire_source(source);
    let address = address.get(..len).unwrap_or_default();
    dev.data()
        .cookie_checker()
        .read(ctx)
        .reply::<Library>(&mut reply, message, sender, address, &nonce)?;
    let bh = ctx.bh();
    let path = Path::find(dev, &mut Endpoint::of(source), None, &bh);
    path?.send(send::message_packet(reply.as_bytes())?, 0, &bh)
}

/// Logs the line of the C driver for messages that it drops before it parses them.
fn debug_invalid_mac(dev: &NetDevice<Device>, source: &UdpSource) {
    debug_ratelimited!(
        "{}: Invalid MAC of handshake, dropping packet from {}\n",
        dev.name(),
        display(source)
    );
}

/// Returns the address and port of a sender as they are on the wire, and their length.
fn wire_source(source: &UdpSource) -> ([u8; 18], usize) {
    let mut bytes = [0; 18];
    let parts: (&[u8], [u8; 2]) = match source {
        UdpSource::V4 { src, sport, .. } => (src, sport.to_be_bytes()),
        UdpSource::V6 { src, sport, .. } => (src, sport.to_be_bytes()),
    };
    let all = Iterator::chain(parts.0.iter(), &parts.1);
    for (to, from) in bytes.iter_mut().zip(all) {
        *to = *from;
    }
    (bytes, parts.0.len().saturating_add(parts.1.len()))
}

/// Returns the sender for the log.
fn display(source: &UdpSource) -> DisplayRemote {
    DisplayRemote(Endpoint::of(source).remote)
}

fn accept_initiation(
    dev: &NetDevice<Device>,
    message: &Initiation,
    source: &UdpSource,
    ctx: &mut Process,
) -> Result<RcuArc<Peer>, DroppedMessage> {
    let device = dev.data();
    let identity = device.identity().read(ctx);
    let mut scratch = IncomingInitiation::new();
    let opened = scratch.open::<Library>(&identity, message)?;
    let Some(peer) = device.key_table().find(opened.sender(), ctx) else {
        let remote = Endpoint::of(source).remote;
        device
            .diag()
            .note_initiator(opened.sender(), remote, &ctx.bh());
        let unknown_initiators = device.diag().unknown_initiators();
        if unknown_initiators.admit(&ctx.bh()) {
            let key = *opened.sender();
            opened.authenticate_unknown::<Library>(&identity, message)?;
            let bh = ctx.bh();
            // In this order, as the listener may add the peer at once.
            unknown_initiators.keep(key, source, message, &bh);
            diag::of_unknown(dev, &key, remote, &bh);
        }
        return Err(DropReason::UnknownPeer.into());
    };
    let known = {
        let mut noise = peer.noise().lock(ctx);
        opened.snapshot::<Library>(&identity, &mut noise.handshake)
    };
    let known = known.map_err(|reason| DroppedMessage::of(&peer, reason))?;
    // Fail without naming the peer: an unauthenticated message must not make us allocate that
    // peer's drop counters.
    let authentic = known.authenticate::<Library>(message)?;
    let accepted = {
        let mut noise = peer.noise().lock(ctx);
        authentic.commit(&mut noise.handshake, time::boottime_coarse())
    };
    accepted.map_err(|reason| DroppedMessage::of(&peer, reason))?;
    Ok(peer)
}

fn accept_response(
    dev: &NetDevice<Device>,
    message: &Response,
    ctx: &mut Process,
) -> Result<RcuArc<Peer>, DroppedMessage> {
    let device = dev.data();
    let identity = device.identity().read(ctx);
    if identity.public().is_none() {
        return Err(DropReason::NoIdentity.into());
    }
    let peer = {
        let bh = ctx.bh();
        device
            .index_table()
            .find(message.receiver().get(), &bh)
            .and_then(|entry| entry.handshake(&bh))
            .ok_or(DropReason::UnknownHandshake)?
    };
    let mut scratch = IncomingResponse::new();
    let mut accept = || {
        let (expected, psk_generation) = {
            let noise = peer.noise().lock(ctx);
            let expected = scratch.snapshot(&noise.handshake)?;
            (expected, noise.psk_generation)
        };
        let authentic = expected.authenticate::<Library>(&identity, message)?;
        let mut noise = peer.noise().lock(ctx);
        authentic.commit::<Library>(&mut noise.handshake)?;
        noise.psk_used = psk_generation;
        Ok(())
    };
    let accepted = accept();
    accepted.map_err(|reason| DroppedMessage::of(&peer, reason))?;
    Ok(peer)
}

fn receive_cookie(
    dev: &NetDevice<Device>,
    reply: &CookieReply,
    source: &UdpSource,
    ctx: &mut Process,
) -> Result<(), DroppedMessage> {
    debug_ratelimited!(
        "{}: Receiving cookie response from {}\n",
        dev.name(),
        display(source)
    );
    let bh = ctx.bh();
    let peer = dev
        .data()
        .index_table()
        .find(reply.receiver().get(), &bh)
        .and_then(|entry| entry.peer(&bh))
        .ok_or(DropReason::UnknownCookie)?;
    let consumed = {
        let mut cookie_generator = peer.cookie_generator().lock(&bh);
        cookie_generator.consume::<Library>(reply, time::boottime_coarse())
    };
    if consumed == Err(DropReason::BadCookie) {
        debug_ratelimited!(
            "{}: Could not decrypt invalid cookie response\n",
            dev.name()
        );
    }
    consumed.map_err(|reason| DroppedMessage::of(&peer, reason))?;
    peer.note_cookie(&bh);
    Ok(())
}
