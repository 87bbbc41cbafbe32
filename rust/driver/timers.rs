// SPDX-License-Identifier: GPL-2.0

//! The five timers of a peer. `wg_proto::timers` decides what an event means; this file does it.

mod deadlines;
mod expired;

use crate::{
    peer::{
        Peer,
        DEADLINE, //
    },
    send::tx::purge_staged, //
};
use deadlines::Deadlines;
use kernel::prelude::*;
use kext::{
    context::{
        Bh,
        Process, //
    },
    math,
    new_spinlock,
    new_timer,
    random,
    sync::{
        lock::SpinLock,
        rcu::RcuArc, //
    },
    time::{
        self,
        timer::Timer,
        HZ, //
    }, //
};
use wg_proto::{
    session,
    timers::{
        Action,
        Actions,
        PeerTimer,
        TimerState,
        JITTER_MS, //
    },
    DropReason, //
};

const MSEC_PER_SEC: u32 = 1_000;

/// The timers of a peer and their state.
///
/// One kernel timer serves all five, as `tcp_retransmit_timer` of `struct sock` serves several of
/// TCP.
#[pin_data]
pub(crate) struct Timers {
    #[pin]
    state: SpinLock<TimerState>,
    #[pin]
    deadlines: Deadlines,
    #[pin]
    timer: Timer<Peer, DEADLINE>,
}

impl Timers {
    /// Creates stopped timers.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_spinlock!(TimerState::new()),
            deadlines <- Deadlines::new(),
            timer <- new_timer!(),
        })
    }

    /// Arms a timer for `after` jiffies from now, whether or not it is pending.
    fn arm(&self, peer: &RcuArc<Peer>, timer: PeerTimer, after: u64, bh: &Bh<'_>) {
        let now = time::jiffies();
        let deadline = now.saturating_add(after);
        let arm_kernel_timer = |at| self.timer.arm_at(peer, at);
        self.deadlines
            .set(timer, deadline, now, bh, arm_kernel_timer);
    }

    /// Returns whether a timer is pending.
    #[inline]
    pub(crate) fn is_pending(&self, timer: PeerTimer) -> bool {
        self.deadlines.is_set(timer)
    }

    /// Stops all timers and waits for the callback, if it runs.
    pub(crate) fn stop(&self, ctx: &mut Process) {
        for timer in PeerTimer::ALL {
            self.deadlines.clear(timer);
        }
        // A callback that runs may still arm it; this then stops it again.
        let _ = self.timer.cancel_sync(ctx);
        self.deadlines.stopped(&ctx.bh());
    }

    /// Stops the timer that forgets old keys.
    pub(crate) fn cancel_zero_keys(&self) {
        self.deadlines.clear(PeerTimer::ZeroKeys);
    }
}

/// Converts milliseconds to jiffies, rounding down: the C driver's `seconds * HZ` is exact.
fn jiffies(ms: u64) -> u64 {
    math::div::<MSEC_PER_SEC>(ms.saturating_mul(HZ))
}

/// Carries out what an event of this file means. None of them sends a keepalive.
fn apply_all(peer: &RcuArc<Peer>, actions: Actions, bh: &Bh<'_>) {
    for action in actions {
        apply(peer, action, bh);
    }
}

/// Carries out an action.
///
/// Sends no keepalive: `expired.rs` and `netlink/set.rs` carry out that action themselves.
fn apply(peer: &RcuArc<Peer>, action: Action, bh: &Bh<'_>) {
    match action {
        Action::Arm {
            timer,
            after_ms,
            jitter,
            if_idle,
        } => {
            if !if_idle || !peer.timers().is_pending(timer) {
                arm(peer, timer, after_ms, jitter, bh);
            }
        }
        Action::Cancel(timer) => peer.timers().deadlines.clear(timer),
        Action::SendKeepalive => {}
        Action::Initiate => queue_initiation(peer),
        Action::PurgeStaged => purge_staged(peer, DropReason::TxGaveUp, bh),
        Action::ClearSource => peer.clear_source(bh),
        Action::ZeroKeys => queue_zeroing(peer),
        Action::StampHandshake => peer.stamp_handshake(time::realtime(), bh),
    }
}

/// Arms a timer, if the interface is up and the peer is alive.
fn arm(peer: &RcuArc<Peer>, timer: PeerTimer, after_ms: u64, jitter: bool, bh: &Bh<'_>) {
    if peer.device().running(bh).is_none() || peer.is_dead() {
        return;
    }
    let jitter = if jitter {
        // CAST: Both are small.
        u64::from(random::below(jiffies(JITTER_MS) as u32))
    } else {
        0
    };
    let after = jiffies(after_ms).saturating_add(jitter);
    peer.timers().arm(peer, timer, after, bh);
}

/// Queues an initiation to a peer, unless one was sent just now.
fn queue_initiation(peer: &RcuArc<Peer>) {
    // Checked before queueing as well, so that no work is queued in vain.
    if peer.is_dead() || !session::may_initiate(peer.last_sent_handshake(), time::boottime_coarse())
    {
        return;
    }
    let device = peer.device().data();
    let _ = device
        .handshake_send_wq()
        .enqueue(&peer.initiate_work, peer);
}

/// Queues the work item that zeroes all keys of a peer.
fn queue_zeroing(peer: &RcuArc<Peer>) {
    if !peer.is_dead() {
        let device = peer.device().data();
        let _ = device.handshake_send_wq().enqueue(&peer.zero_work, peer);
    }
}

/// Tells the timers that data packets are about to be sent, and that there is a path to the peer.
pub(crate) fn data_sent(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    // The only action is to arm this timer unless it runs.
    if peer.timers().is_pending(PeerTimer::NewHandshake) {
        return;
    }
    apply_all(peer, TimerState::data_sent(), bh);
}

/// Tells the timers that data packets were received.
pub(crate) fn data_received(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    if peer.device().running(bh).is_none() {
        return;
    }
    let timers = peer.timers();
    let actions = if timers.is_pending(PeerTimer::SendKeepalive) {
        timers.state.lock(bh).data_received(true)
    } else {
        TimerState::keepalive_after_data()
    };
    apply_all(peer, actions, bh);
}

/// Tells the timers that an authenticated packet of any kind is about to be sent.
pub(crate) fn authenticated_sent(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    let interval = peer.persistent_keepalive();
    apply_all(
        peer,
        TimerState::any_authenticated_packet_traversal(interval),
        bh,
    );
    apply_all(peer, TimerState::any_authenticated_packet_sent(), bh);
}

/// Tells the timers that an authenticated packet of any kind was received.
pub(crate) fn authenticated_received(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    let interval = peer.persistent_keepalive();
    apply_all(peer, TimerState::any_authenticated_packet_received(), bh);
    apply_all(
        peer,
        TimerState::any_authenticated_packet_traversal(interval),
        bh,
    );
}

/// Tells the timers that a handshake initiation is about to be sent.
pub(crate) fn handshake_initiated(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    apply_all(peer, TimerState::handshake_initiated(), bh);
}

/// Tells the timers that a response was accepted, or that the first packet confirmed a session.
pub(crate) fn handshake_complete(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    let actions = peer.timers().state.lock(bh).handshake_complete();
    apply_all(peer, actions, bh);
}

/// Tells the timers that session keys were derived.
pub(crate) fn session_derived(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    apply_all(peer, TimerState::session_derived(), bh);
}

/// Packets or the age of the session ask for a new handshake.
pub(crate) fn initiation_wanted(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    let actions = peer.timers().state.lock(bh).initiation_wanted();
    apply_all(peer, actions, bh);
}

/// Tells the timers that a packet was received. `lifetime` is that of the current session, which
/// may still send.
pub(crate) fn keep_key_fresh_on_receive(
    peer: &RcuArc<Peer>,
    lifetime: wg_proto::session::Lifetime,
    now: u64,
    bh: &Bh<'_>,
) {
    if !lifetime.rekeys_on_receive(now) {
        return;
    }
    let actions = peer
        .timers()
        .state
        .lock(bh)
        .keep_key_fresh_on_receive(lifetime, now);
    apply_all(peer, actions, bh);
}
