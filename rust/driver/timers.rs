// SPDX-License-Identifier: GPL-2.0

//! The five timers of a peer: `wg_proto::timers` says what events mean, this carries it out.

use crate::{
    handshake,
    peer::Peer,
    send, //
};
use kernel::prelude::*;
use kext::{
    context::{
        Bh,
        Process, //
    },
    debug,
    new_spinlock,
    new_timer,
    random,
    sync::{
        lock::SpinLock,
        rcu::RcuArc, //
    },
    time::{
        self,
        timer::{
            Expired,
            Timer as KernelTimer, //
        },
        HZ, //
    }, //
};
use wg_proto::{
    session::{
        KEEPALIVE_TIMEOUT,
        REKEY_TIMEOUT, //
    },
    timers::{
        Action,
        Actions,
        Timer,
        TimerState,
        JITTER_MS, //
    },
    DropReason, //
};

const RETRANSMIT_HANDSHAKE: usize = 0;
const SEND_KEEPALIVE: usize = 1;
const NEW_HANDSHAKE: usize = 2;
const ZERO_KEYS: usize = 3;
const PERSISTENT_KEEPALIVE: usize = 4;

const MSEC_PER_SEC: u64 = 1_000;

/// Timers of a peer and what they remember.
#[pin_data]
pub(crate) struct Timers {
    #[pin]
    state: SpinLock<TimerState>,
    #[pin]
    retransmit_handshake: KernelTimer<Peer, RETRANSMIT_HANDSHAKE>,
    #[pin]
    send_keepalive: KernelTimer<Peer, SEND_KEEPALIVE>,
    #[pin]
    new_handshake: KernelTimer<Peer, NEW_HANDSHAKE>,
    #[pin]
    zero_keys: KernelTimer<Peer, ZERO_KEYS>,
    #[pin]
    persistent_keepalive: KernelTimer<Peer, PERSISTENT_KEEPALIVE>,
}

impl Timers {
    /// Creates stopped timers.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_spinlock!(TimerState::new()),
            retransmit_handshake <- new_timer!(),
            send_keepalive <- new_timer!(),
            new_handshake <- new_timer!(),
            zero_keys <- new_timer!(),
            persistent_keepalive <- new_timer!(),
        })
    }

    fn arm(&self, peer: &RcuArc<Peer>, timer: Timer, jiffies: u64) {
        match timer {
            Timer::RetransmitHandshake => self.retransmit_handshake.arm(peer, jiffies),
            Timer::SendKeepalive => self.send_keepalive.arm(peer, jiffies),
            Timer::NewHandshake => self.new_handshake.arm(peer, jiffies),
            Timer::ZeroKeys => self.zero_keys.arm(peer, jiffies),
            Timer::PersistentKeepalive => self.persistent_keepalive.arm(peer, jiffies),
        }
    }

    fn is_pending(&self, timer: Timer) -> bool {
        match timer {
            Timer::RetransmitHandshake => self.retransmit_handshake.is_pending(),
            Timer::SendKeepalive => self.send_keepalive.is_pending(),
            Timer::NewHandshake => self.new_handshake.is_pending(),
            Timer::ZeroKeys => self.zero_keys.is_pending(),
            Timer::PersistentKeepalive => self.persistent_keepalive.is_pending(),
        }
    }

    fn cancel(&self, timer: Timer) {
        let _ = match timer {
            Timer::RetransmitHandshake => self.retransmit_handshake.cancel(),
            Timer::SendKeepalive => self.send_keepalive.cancel(),
            Timer::NewHandshake => self.new_handshake.cancel(),
            Timer::ZeroKeys => self.zero_keys.cancel(),
            Timer::PersistentKeepalive => self.persistent_keepalive.cancel(),
        };
    }

    /// Stops all timers and waits for those that are running just now.
    pub(crate) fn stop(&self, ctx: &mut Process) {
        let _ = self.retransmit_handshake.cancel_sync(ctx);
        let _ = self.send_keepalive.cancel_sync(ctx);
        let _ = self.new_handshake.cancel_sync(ctx);
        let _ = self.zero_keys.cancel_sync(ctx);
        let _ = self.persistent_keepalive.cancel_sync(ctx);
    }

    /// Stops the timer that forgets old keys.
    pub(crate) fn cancel_zero_keys(&self) {
        self.cancel(Timer::ZeroKeys);
    }
}

/// Converts to jiffies, rounding down as the C driver's `seconds * HZ` is exact.
fn jiffies(ms: u64) -> u64 {
    ms.saturating_mul(HZ) / MSEC_PER_SEC
}

/// Carries out what an event means. Timers are only armed while the interface is up and the peer is alive.
pub(crate) fn apply(peer: &RcuArc<Peer>, actions: Actions, bh: &Bh<'_>) {
    for action in actions {
        match action {
            Action::Arm {
                timer,
                after_ms,
                jitter,
                if_idle,
            } => {
                if if_idle && peer.timers().is_pending(timer) {
                    continue;
                }
                let dev = peer.device();
                if dev.running(bh).is_some() && !peer.is_dead() {
                    let jitter = if jitter {
                        // CAST: Both are small.
                        u64::from(random::below(jiffies(JITTER_MS) as u32))
                    } else {
                        0
                    };
                    let after = jiffies(after_ms).saturating_add(jitter);
                    peer.timers().arm(peer, timer, after);
                }
            }
            Action::Cancel(timer) => peer.timers().cancel(timer),
            Action::SendKeepalive => send::keepalive(peer.borrow(), bh),
            Action::Initiate { .. } => handshake::queue_initiation(peer, bh),
            Action::PurgeStaged => send::purge_staged(peer, DropReason::TxGaveUp, bh),
            Action::ClearSource => peer.clear_source(bh),
            Action::ZeroKeys => handshake::queue_zeroing(peer),
            Action::StampHandshake => peer.stamp_handshake(time::realtime(), bh),
        }
    }
}

/// Data packets are about to be sent, and there is a way to the peer.
pub(crate) fn data_sent(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    apply(peer, TimerState::data_sent(), bh);
}

/// Data packets were received.
pub(crate) fn data_received(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    if peer.device().running(bh).is_none() {
        return;
    }
    let timers = peer.timers();
    let actions = if timers.send_keepalive.is_pending() {
        timers.state.lock(bh).data_received(true)
    } else {
        TimerState::keepalive_after_data()
    };
    apply(peer, actions, bh);
}

/// Any authenticated packet is about to be sent.
pub(crate) fn authenticated_sent(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    let interval = peer.persistent_keepalive();
    apply(
        peer,
        TimerState::any_authenticated_packet_traversal(interval),
        bh,
    );
    apply(peer, TimerState::any_authenticated_packet_sent(), bh);
}

/// Any authenticated packet was received.
pub(crate) fn authenticated_received(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    let interval = peer.persistent_keepalive();
    apply(peer, TimerState::any_authenticated_packet_received(), bh);
    apply(
        peer,
        TimerState::any_authenticated_packet_traversal(interval),
        bh,
    );
}

/// A handshake initiation is about to be sent.
pub(crate) fn handshake_initiated(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    apply(peer, TimerState::handshake_initiated(), bh);
}

/// A response was accepted, or the first packet confirmed a session.
pub(crate) fn handshake_complete(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    let actions = peer.timers().state.lock(bh).handshake_complete();
    apply(peer, actions, bh);
}

/// Session keys were derived.
pub(crate) fn session_derived(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    apply(peer, TimerState::session_derived(), bh);
}

/// Packets or the age of the session ask for a new handshake.
pub(crate) fn initiation_wanted(peer: &RcuArc<Peer>, bh: &Bh<'_>) {
    let actions = peer.timers().state.lock(bh).initiation_wanted();
    apply(peer, actions, bh);
}

/// A packet was received while the session in use, of this age, may still send.
pub(crate) fn keep_key_fresh_on_receive(
    peer: &RcuArc<Peer>,
    age: wg_proto::session::Age,
    now: u64,
    bh: &Bh<'_>,
) {
    if !age.rekeys_on_receive(now) {
        return;
    }
    let actions = peer
        .timers()
        .state
        .lock(bh)
        .keep_key_fresh_on_receive(age, now);
    apply(peer, actions, bh);
}

impl Expired<RETRANSMIT_HANDSHAKE> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let (actions, tries) = {
            let mut state = this.timers().state.lock(bh);
            (state.expired_retransmit_handshake(), state.attempts())
        };
        if actions
            .into_iter()
            .any(|action| action == Action::PurgeStaged)
        {
            debug!(
                "{}: Handshake for peer {} ({}) did not complete after {} attempts, giving up\n",
                this.device().name(),
                this.number(),
                this.display_remote(bh),
                tries.saturating_add(1)
            );
        } else {
            debug!(
                "{}: Handshake for peer {} ({}) did not complete after {} seconds, retrying (try {})\n",
                this.device().name(),
                this.number(),
                this.display_remote(bh),
                REKEY_TIMEOUT,
                tries.saturating_add(1)
            );
        }
        apply(&this, actions, bh);
    }
}

impl Expired<SEND_KEEPALIVE> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let actions = this.timers().state.lock(bh).expired_send_keepalive();
        apply(&this, actions, bh);
    }
}

impl Expired<NEW_HANDSHAKE> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        debug!(
            "{}: Retrying handshake with peer {} ({}) because we stopped hearing back after {} seconds\n",
            this.device().name(),
            this.number(),
            this.display_remote(bh),
            KEEPALIVE_TIMEOUT + REKEY_TIMEOUT
        );
        let actions = this.timers().state.lock(bh).expired_new_handshake();
        apply(&this, actions, bh);
    }
}

impl Expired<ZERO_KEYS> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        apply(&this, TimerState::expired_zero_keys(), bh);
    }
}

impl Expired<PERSISTENT_KEEPALIVE> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let interval = this.persistent_keepalive();
        apply(
            &this,
            TimerState::expired_persistent_keepalive(interval),
            bh,
        );
    }
}
