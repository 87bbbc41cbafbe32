// SPDX-License-Identifier: GPL-2.0

//! Handshake messages: their queue, the workers that answer them, and sending our own.

use crate::{
    crypto::{
        entropy,
        Library, //
    },
    device::Device,
    keypair::Keypair,
    peer::{
        Peer,
        Place,
        INITIATE,
        ZERO, //
    },
    peerlookup::Target,
    send,
    socket::{
        Endpoint,
        Path,
        HANDSHAKE_DSCP, //
    },
    timers, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    debug,
    debug_ratelimited,
    net::{
        device::{
            DeviceRef,
            NetDevice, //
        },
        skb::{
            SkBuff,
            UdpSource, //
        }, //
    },
    new_work,
    random,
    sync::rcu::RcuArc,
    time,
    workqueue::{
        Run,
        Work, //
    }, //
};
use wg_proto::{
    cookie::MacState,
    handshake::{
        IncomingInitiation,
        IncomingResponse,
        SessionKeys, //
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
    session,
    Reject,
    Tai64N, //
};

/// A worker on one CPU that answers queued handshake messages.
#[pin_data]
pub(crate) struct Worker {
    device: DeviceRef<Device>,
    #[pin]
    pub(crate) work: Work<Worker, 0>,
}

impl Worker {
    /// Creates an idle worker.
    pub(crate) fn new(device: DeviceRef<Device>) -> Result<RcuArc<Self>> {
        RcuArc::pin_init(
            pin_init!(Self {
                device,
                work <- new_work!(),
            }),
            GFP_KERNEL,
        )
    }
}

impl Run<0> for Worker {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let dev = &*this.device;
        let device = dev.data();
        while let Some(skb) = device.handshakes().pop(ctx) {
            if let Err(reason) = receive(dev, skb, ctx) {
                device.drops().count(reason);
            }
            device.handshakes().finished();
            ctx.cond_resched();
        }
    }
}

/// Queues an initiation to a peer, unless one was sent just now.
pub(crate) fn queue_initiation(peer: &RcuArc<Peer>, _bh: &Bh<'_>) {
    // Asked here too, so that work is not queued in vain.
    if peer.is_dead() || !session::may_initiate(peer.last_sent_handshake(), time::boottime_coarse())
    {
        return;
    }
    let device = peer.device().data();
    let _ = device
        .handshake_send_queue()
        .enqueue(&peer.initiate_work, peer);
}

/// Queues the forgetting of all keys of a peer.
pub(crate) fn queue_zeroing(peer: &RcuArc<Peer>) {
    if !peer.is_dead() {
        let device = peer.device().data();
        let _ = device.handshake_send_queue().enqueue(&peer.zero_work, peer);
    }
}

impl Run<INITIATE> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        if !session::may_initiate(this.last_sent_handshake(), time::boottime_coarse()) {
            return;
        }
        if let Err(reason) = send_initiation(&this, ctx) {
            this.device().data().drops().count(reason);
        }
    }
}

impl Run<ZERO> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        debug!(
            "{}: Zeroing out all keys for peer {} ({}), since we haven't received a new one in {} seconds\n",
            this.device().name(),
            this.number(),
            {
                let bh = ctx.bh();
                this.place(&bh)
            },
            session::REJECT_AFTER_TIME * 3
        );
        this.clear_handshake(ctx);
        let bh = ctx.bh();
        this.clear_keypairs(&bh);
    }
}

fn send_initiation(peer: &RcuArc<Peer>, ctx: &mut Process) -> Result<(), Reject> {
    let dev = peer.device();
    let device = dev.data();
    let mut message = Initiation::zeroed();

    peer.handshake_sent_now();
    debug_ratelimited!(
        "{}: Sending handshake initiation to peer {} ({})\n",
        dev.name(),
        peer.number(),
        {
            let bh = ctx.bh();
            peer.place(&bh)
        }
    );
    {
        let identity = device.identity().read(ctx);
        let mut noise = peer.noise().lock(ctx);
        if peer.is_dead() {
            return Err(Reject::Gone);
        }
        let entry = device
            .index_table()
            .add_handshake(peer, ctx)
            .map_err(|_| Reject::NoMemory)?;
        let (seconds, nanos) = time::realtime();
        let created = noise.handshake.create_initiation::<Library>(
            &identity,
            &mut message,
            Index::new(entry.index()),
            Tai64N::from_unix(seconds, nanos),
            entropy,
        );
        // What goes is the old index, or the new one if nothing came of it.
        let unused = match created {
            Ok(_) => noise.entry.replace(entry),
            Err(_) => Some(entry),
        };
        if let Some(unused) = unused {
            let bh = ctx.bh();
            device.index_table().remove(&unused, &bh);
        }
        created?;
    }
    let bh = ctx.bh();
    peer.jar()
        .lock(&bh)
        .add_macs::<Library>(message.as_mut_bytes(), time::boottime_coarse())?;
    timers::authenticated_sent(peer, &bh);
    peer.handshake_sent_now();
    let sent = send::message(peer, message.as_bytes(), HANDSHAKE_DSCP, &bh);
    timers::handshake_initiated(peer, &bh);
    sent
}

fn send_response(peer: &RcuArc<Peer>, ctx: &mut Process) -> Result<(), Reject> {
    let dev = peer.device();
    let device = dev.data();
    let mut message = Response::zeroed();

    peer.handshake_sent_now();
    debug_ratelimited!(
        "{}: Sending handshake response to peer {} ({})\n",
        dev.name(),
        peer.number(),
        {
            let bh = ctx.bh();
            peer.place(&bh)
        }
    );
    {
        let mut noise = peer.noise().lock(ctx);
        if peer.is_dead() {
            return Err(Reject::Gone);
        }
        let entry = device
            .index_table()
            .add_handshake(peer, ctx)
            .map_err(|_| Reject::NoMemory)?;
        let created = noise.handshake.create_response::<Library>(
            &mut message,
            Index::new(entry.index()),
            entropy,
        );
        let unused = match created {
            Ok(_) => noise.entry.replace(entry),
            Err(_) => Some(entry),
        };
        if let Some(unused) = unused {
            let bh = ctx.bh();
            device.index_table().remove(&unused, &bh);
        }
        created?;
    }
    {
        let bh = ctx.bh();
        peer.jar()
            .lock(&bh)
            .add_macs::<Library>(message.as_mut_bytes(), time::boottime_coarse())?;
    }
    begin_session(peer, ctx)?;
    let bh = ctx.bh();
    timers::session_derived(peer, &bh);
    timers::authenticated_sent(peer, &bh);
    peer.handshake_sent_now();
    send::message(peer, message.as_bytes(), HANDSHAKE_DSCP, &bh)
}

/// Makes a session of a finished handshake; it takes over the handshake's index.
fn begin_session(peer: &RcuArc<Peer>, ctx: &mut Process) -> Result<(), Reject> {
    let device = peer.device().data();
    let mut keys = KBox::new(SessionKeys::zeroed(), GFP_KERNEL).map_err(|_| Reject::NoMemory)?;
    let mut noise = peer.noise().lock(ctx);
    if peer.is_dead() {
        return Err(Reject::Gone);
    }
    noise
        .handshake
        .begin_session::<Library>(time::boottime_coarse(), &mut keys)?;
    let entry = noise.entry.take().ok_or(Reject::WrongState)?;
    let keypair = RcuArc::pin_init(Keypair::new(peer.clone(), keys), GFP_KERNEL)
        .map_err(|_| Reject::NoMemory);
    let published = match &keypair {
        Ok(keypair) => device.index_table().replace(&entry, keypair, ctx),
        Err(_) => Err(ENOMEM),
    };
    let bh = ctx.bh();
    if !matches!(published, Ok(true)) {
        device.index_table().remove(&entry, &bh);
    }
    let keypair = keypair?;
    if !published.map_err(|_| Reject::NoMemory)? {
        return Err(Reject::Gone);
    }
    let id = keypair.id();
    if !peer.add_keypair(keypair.clone(), &bh) {
        device.index_table().remove_session(&keypair, &bh);
        return Err(Reject::Gone);
    }
    debug_ratelimited!(
        "{}: Keypair {} created for peer {}\n",
        peer.device().name(),
        id,
        peer.number()
    );
    Ok(())
}

/// Acts on a handshake message.
fn receive(dev: &NetDevice<Device>, mut skb: SkBuff, ctx: &mut Process) -> Result<(), Reject> {
    let source = skb.udp_source().ok_or(Reject::BadDatagram)?;
    let len = skb.len();
    let bytes = skb.pull_head(len).ok_or(Reject::BadLength)?;
    match Message::parse(bytes)? {
        Message::Cookie(reply) => receive_cookie(dev, reply, &source, ctx),
        Message::Initiation(message) => {
            if !admit(dev, bytes, message.sender(), &source, ctx)? {
                return Err(Reject::CookieSent);
            }
            let peer = accept_initiation(dev, message, ctx).inspect_err(|_| {
                debug_ratelimited!(
                    "{}: Invalid handshake initiation from {}\n",
                    dev.name(),
                    shown(&source)
                );
            })?;
            {
                let bh = ctx.bh();
                peer.set_endpoint(&Endpoint::of(&source), &bh);
            }
            debug_ratelimited!(
                "{}: Receiving handshake initiation from peer {} ({})\n",
                dev.name(),
                peer.number(),
                shown(&source)
            );
            if let Err(reason) = send_response(&peer, ctx) {
                dev.data().drops().count(reason);
            }
            received(dev, &peer, len, ctx);
            Ok(())
        }
        Message::Response(message) => {
            if !admit(dev, bytes, message.sender(), &source, ctx)? {
                return Err(Reject::CookieSent);
            }
            let peer = accept_response(dev, message, ctx).inspect_err(|_| {
                debug_ratelimited!(
                    "{}: Invalid handshake response from {}\n",
                    dev.name(),
                    shown(&source)
                );
            })?;
            {
                let bh = ctx.bh();
                peer.set_endpoint(&Endpoint::of(&source), &bh);
            }
            debug_ratelimited!(
                "{}: Receiving handshake response from peer {} ({})\n",
                dev.name(),
                peer.number(),
                shown(&source)
            );
            match begin_session(&peer, ctx) {
                Ok(()) => {
                    let bh = ctx.bh();
                    timers::session_derived(&peer, &bh);
                    timers::handshake_complete(&peer, &bh);
                    // Sends what is staged, or an empty packet: the responder waits for one before it uses the session.
                    send::keepalive(peer.borrow(), &bh);
                }
                Err(reason) => dev.data().drops().count(reason),
            }
            received(dev, &peer, len, ctx);
            Ok(())
        }
        // Never queued here.
        Message::Data(..) => Err(Reject::BadType),
    }
}

/// Counts an accepted handshake message and tells the timers.
fn received(dev: &NetDevice<Device>, peer: &RcuArc<Peer>, len: usize, ctx: &mut Process) {
    let bh = ctx.bh();
    if let Some(running) = dev.running(&bh) {
        // CAST: A handshake message is short.
        running.rx_add(len as u32);
    }
    peer.add_rx_bytes(len as u64);
    timers::authenticated_received(peer, &bh);
}

/// Checks the macs of a message. Returns whether it may go on; if not, a cookie was sent instead.
fn admit(
    dev: &NetDevice<Device>,
    message: &[u8],
    sender: Index,
    source: &UdpSource,
    ctx: &mut Process,
) -> Result<bool, Reject> {
    let device = dev.data();
    let now = time::boottime_coarse();
    let under_load = device.handshakes().is_under_load(now);
    let (place, place_len) = wire_source(source);
    let place = place.get(..place_len).unwrap_or_default();
    if under_load && device.checker().read(ctx).is_stale(now) {
        device.checker().write(ctx).rotate(now, entropy);
    }
    let state = device
        .checker()
        .read(ctx)
        .check::<Library>(message, place, under_load);
    match state {
        MacState::Invalid => {
            debug_ratelimited!(
                "{}: Invalid MAC of handshake, dropping packet from {}\n",
                dev.name(),
                shown(source)
            );
            Err(Reject::BadMac1)
        }
        MacState::Valid if under_load => {
            debug_ratelimited!(
                "{}: Sending cookie response for denied handshake message for {}\n",
                dev.name(),
                shown(source)
            );
            let mut reply = CookieReply::zeroed();
            let mut nonce = [0; COOKIE_NONCE_LEN];
            random::fill(&mut nonce);
            device
                .checker()
                .read(ctx)
                .reply::<Library>(&mut reply, message, sender, place, &nonce)?;
            let bh = ctx.bh();
            let skb = send::datagram(reply.as_bytes())?;
            Path::find(dev, &mut Endpoint::of(source), &bh)?.send(skb, 0, &bh)?;
            Ok(false)
        }
        MacState::Valid => Ok(true),
        MacState::ValidWithCookie => {
            if !under_load {
                return Ok(true);
            }
            let who = match *source {
                UdpSource::V4 { src, .. } => ratelimit::Source::v4(0, src),
                UdpSource::V6 { src, .. } => ratelimit::Source::v6(0, src),
            };
            if device.limiter().allow(who, now, ctx) {
                Ok(true)
            } else {
                Err(Reject::RateLimited)
            }
        }
    }
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
fn shown(source: &UdpSource) -> Place {
    Place(Endpoint::of(source).remote)
}

fn accept_initiation(
    dev: &NetDevice<Device>,
    message: &Initiation,
    ctx: &mut Process,
) -> Result<RcuArc<Peer>, Reject> {
    let device = dev.data();
    let identity = device.identity().read(ctx);
    let mut scratch = IncomingInitiation::new();
    let opened = scratch.open::<Library>(&identity, message)?;
    let peer = device
        .key_table()
        .find(opened.sender(), ctx)
        .ok_or(Reject::UnknownPeer)?;
    let known = {
        let mut noise = peer.noise().lock(ctx);
        opened.attach::<Library>(&identity, &mut noise.handshake)?
    };
    let authentic = known.authenticate::<Library>(message)?;
    let mut noise = peer.noise().lock(ctx);
    authentic.commit(&mut noise.handshake, time::boottime_coarse())?;
    drop(noise);
    Ok(peer)
}

fn accept_response(
    dev: &NetDevice<Device>,
    message: &Response,
    ctx: &mut Process,
) -> Result<RcuArc<Peer>, Reject> {
    let device = dev.data();
    let identity = device.identity().read(ctx);
    if identity.public().is_none() {
        return Err(Reject::NoIdentity);
    }
    let peer = {
        let bh = ctx.bh();
        match device
            .index_table()
            .find(message.receiver().get(), &bh)
            .map(|entry| entry.target())
        {
            Some(Target::Handshake(peer)) => peer.clone(),
            _ => return Err(Reject::UnknownHandshake),
        }
    };
    let mut scratch = IncomingResponse::new();
    let expected = {
        let noise = peer.noise().lock(ctx);
        scratch.snapshot(&noise.handshake)?
    };
    let authentic = expected.authenticate::<Library>(&identity, message)?;
    let mut noise = peer.noise().lock(ctx);
    authentic.commit::<Library>(&mut noise.handshake)?;
    drop(noise);
    Ok(peer)
}

fn receive_cookie(
    dev: &NetDevice<Device>,
    reply: &CookieReply,
    source: &UdpSource,
    ctx: &mut Process,
) -> Result<(), Reject> {
    debug_ratelimited!(
        "{}: Receiving cookie response from {}\n",
        dev.name(),
        shown(source)
    );
    let bh = ctx.bh();
    let entry = dev
        .data()
        .index_table()
        .find(reply.receiver().get(), &bh)
        .ok_or(Reject::UnknownCookie)?;
    let peer = match entry.target() {
        Target::Handshake(peer) => peer,
        Target::Session(keypair) => keypair.peer(),
    };
    let mut jar = peer.jar().lock(&bh);
    jar.consume::<Library>(reply, time::boottime_coarse())
}
