// SPDX-License-Identifier: GPL-2.0

//! Handshakes: workers that answer messages, our own messages, and the sessions that result.

mod incoming;
pub(crate) mod known;
pub(crate) mod queue;

use crate::{
    crypto::{
        entropy,
        Library, //
    },
    diag,
    drops::drop_for,
    keypair::Keypair,
    path::HANDSHAKE_DSCP,
    peer::{
        Peer,
        INITIATE,
        ZERO, //
    },
    send,
    timers, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*, //
};
use kext::{
    context::Process,
    debug,
    debug_ratelimited,
    net::skb::Buffer,
    random::{
        self,
        Seeded, //
    },
    sync::rcu::RcuArc,
    time,
    workqueue::WorkItem, //
};
use queue::HandshakeWorker;
use wg_proto::{
    handshake::{
        Handshake,
        SessionKeys, //
    },
    message::{
        Index,
        Initiation,
        Response, //
    },
    session,
    DropReason,
    Tai64N, //
};

impl WorkItem<0> for HandshakeWorker {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let dev = &*this.device;
        let device = dev.data();
        while let Some(mut skb) = device.handshake_queue().pop(ctx) {
            // The generator was ready when the message was queued.
            let done = random::is_ready()
                .ok_or(DropReason::RngNotReady.into())
                .and_then(|seeded| incoming::receive(dev, &mut skb, seeded, ctx));
            match done {
                Ok(()) => skb.consume(),
                Err(dropped) => {
                    let remote = diag::sender(&skb);
                    let _ = drop_for(skb, dropped.reason());
                    dropped.count(dev, remote, ctx);
                }
            }
            device.handshake_queue().finished();
            ctx.cond_resched();
        }
        if let Some(seeded) = random::is_ready() {
            incoming::answer_unknown(dev, seeded, ctx);
        }
    }
}

// Early at boot this waits for a seeded generator, before it takes a lock. Removal of peers and
// interfaces waits for none of these items; unloading the module and suspend do, for a second or
// so, as the wait itself feeds the generator. Threads of workqueues get no signals, so it does not
// fail.
impl WorkItem<INITIATE> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        let sent = random::wait_ready(ctx)
            .map_err(|_| DropReason::RngNotReady)
            .and_then(|seeded| {
                // Checked after the wait, which may have been long.
                if !session::may_initiate(this.last_sent_handshake(), time::boottime_coarse()) {
                    return Ok(());
                }
                send_initiation(&this, seeded, ctx)
            });
        if let Err(reason) = sent {
            this.count_drops(reason, 1, &ctx.bh());
        }
    }
}

impl WorkItem<ZERO> for Peer {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        debug!(
            "{}: Zeroing out all keys for peer {} ({}), since we haven't received a new one in {} seconds\n",
            this.device().name(),
            this.number(),
            {
                let bh = ctx.bh();
                this.display_remote(&bh)
            },
            session::REJECT_AFTER_TIME * 3
        );
        this.clear_handshake(ctx);
        let bh = ctx.bh();
        let had_session = this.current(&bh).is_some() || this.next(&bh).is_some();
        this.wipe_keypairs(&bh);
        if had_session {
            this.note_expired(&bh);
        }
    }
}

/// Writes a message of ours under a new index, and frees the index that is not used any more.
///
/// Adds the index under the handshake lock. `Peer::end()` takes that lock after the peer is marked
/// dead, so none is added behind it.
fn attempt(
    peer: &RcuArc<Peer>,
    ctx: &mut Process,
    seeded: Seeded,
    create: impl FnOnce(&mut Handshake, Index) -> Result<Option<Index>, DropReason>,
) -> Result<(), DropReason> {
    let table = peer.device().data().index_table();
    let mut noise = peer.noise().lock(ctx);
    if peer.is_dead() {
        return Err(DropReason::Gone);
    }
    let entry = table
        .add_handshake(peer, seeded, ctx)
        .map_err(|_| DropReason::NoMemory)?;
    noise.psk_used = noise.psk_generation;
    let created = create(&mut noise.handshake, Index::new(entry.index()));
    // Frees the old index, or the new one if the handshake was not created.
    let unused = match created {
        Ok(_) => noise.entry.replace(entry),
        Err(_) => Some(entry),
    };
    if let Some(unused) = unused {
        table.remove(&unused, &ctx.bh());
    }
    created.map(|_| ())
}

fn send_initiation(
    peer: &RcuArc<Peer>,
    seeded: Seeded,
    ctx: &mut Process,
) -> Result<(), DropReason> {
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
            peer.display_remote(&bh)
        }
    );
    let attempted = {
        let identity = device.identity().read(ctx);
        let (seconds, nanos) = time::realtime();
        attempt(peer, ctx, seeded, |handshake, index| {
            handshake.create_initiation::<Library>(
                &identity,
                &mut message,
                index,
                Tai64N::from_unix(seconds, nanos),
                entropy(seeded),
            )
        })
    };
    if attempted == Err(DropReason::NoMemory) {
        // The next attempt comes as if this message was lost.
        let bh = ctx.bh();
        timers::authenticated_sent(peer, &bh);
        timers::handshake_initiated(peer, &bh);
    }
    attempted?;
    let bh = ctx.bh();
    peer.cookie_generator()
        .lock(&bh)
        .add_macs::<Library>(message.as_mut_bytes(), time::boottime_coarse())?;
    timers::authenticated_sent(peer, &bh);
    peer.handshake_sent_now();
    // Before the message leaves: the response stops this timer, and another CPU may receive it at
    // once.
    timers::handshake_initiated(peer, &bh);
    peer.note_initiated(&bh);
    send::send_message(peer, message.as_bytes(), HANDSHAKE_DSCP, &bh)
}

fn send_response(peer: &RcuArc<Peer>, seeded: Seeded, ctx: &mut Process) -> Result<(), DropReason> {
    let dev = peer.device();
    let mut message = Response::zeroed();

    peer.handshake_sent_now();
    debug_ratelimited!(
        "{}: Sending handshake response to peer {} ({})\n",
        dev.name(),
        peer.number(),
        {
            let bh = ctx.bh();
            peer.display_remote(&bh)
        }
    );
    attempt(peer, ctx, seeded, |handshake, index| {
        handshake.create_response::<Library>(&mut message, index, entropy(seeded))
    })?;
    {
        let bh = ctx.bh();
        peer.cookie_generator()
            .lock(&bh)
            .add_macs::<Library>(message.as_mut_bytes(), time::boottime_coarse())?;
    }
    begin_session(peer, ctx)?;
    let bh = ctx.bh();
    timers::session_derived(peer, &bh);
    timers::authenticated_sent(peer, &bh);
    peer.handshake_sent_now();
    peer.note_answered(&bh);
    send::send_message(peer, message.as_bytes(), HANDSHAKE_DSCP, &bh)
}

/// Makes a session from a finished handshake. The session takes over the handshake's index.
fn begin_session(peer: &RcuArc<Peer>, ctx: &mut Process) -> Result<(), DropReason> {
    let device = peer.device().data();
    let mut keys =
        KBox::new(SessionKeys::zeroed(), GFP_KERNEL).map_err(|_| DropReason::NoMemory)?;
    let mut noise = peer.noise().lock(ctx);
    if peer.is_dead() {
        return Err(DropReason::Gone);
    }
    noise
        .handshake
        .begin_session::<Library>(time::boottime_coarse(), &mut keys)?;
    let entry = noise.entry.take().ok_or(DropReason::WrongState)?;
    let keypair = RcuArc::pin_init(Keypair::new(peer.clone(), keys, noise.psk_used), ctx)
        .map_err(|_| DropReason::NoMemory);
    let published = match &keypair {
        Ok(keypair) => device.index_table().replace(&entry, keypair, ctx),
        Err(_) => Err(ENOMEM),
    };
    let bh = ctx.bh();
    if !matches!(published, Ok(true)) {
        device.index_table().remove(&entry, &bh);
    }
    let keypair = keypair?;
    if !published.map_err(|_| DropReason::NoMemory)? {
        return Err(DropReason::Gone);
    }
    let id = keypair.id();
    if !peer.add_keypair(keypair.clone(), &bh) {
        device.index_table().remove_session(&keypair, &bh);
        return Err(DropReason::Gone);
    }
    debug_ratelimited!(
        "{}: Keypair {} created for peer {}\n",
        peer.device().name(),
        id,
        peer.number()
    );
    Ok(())
}
