// SPDX-License-Identifier: GPL-2.0

//! What the timers of a peer do when they expire.

use super::apply;
use crate::{
    peer::{
        Peer,
        DEADLINE, //
    },
    send, //
};
use kext::{
    context::Bh,
    debug,
    sync::rcu::RcuArc,
    time::{
        self,
        timer::Expired, //
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
        PeerTimer,
        TimerState, //
    }, //
};

/// Carries out what an expired timer means.
fn carry_out(peer: &RcuArc<Peer>, actions: Actions, bh: &Bh<'_>) {
    for action in actions {
        if action == Action::SendKeepalive {
            send::send_keepalive(peer.borrow(), bh);
        } else {
            apply(peer, action, bh);
        }
    }
}

impl Expired<DEADLINE> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let timers = this.timers();
        let run = |timer| expired(&this, timer, bh);
        let arm_kernel_timer = |at| timers.timer.arm_at(&this, at);
        timers
            .deadlines
            .expire(time::jiffies(), bh, run, arm_kernel_timer);
    }
}

/// Does what an expired timer is for.
fn expired(peer: &RcuArc<Peer>, timer: PeerTimer, bh: &Bh<'_>) {
    let actions = match timer {
        PeerTimer::RetransmitHandshake => retransmit_handshake(peer, bh),
        PeerTimer::SendKeepalive => peer.timers().state.lock(bh).expired_send_keepalive(),
        PeerTimer::NewHandshake => {
            debug!(
                "{}: Retrying handshake with peer {} ({}) because we stopped hearing back after {} seconds\n",
                peer.device().name(),
                peer.number(),
                peer.display_remote(bh),
                KEEPALIVE_TIMEOUT + REKEY_TIMEOUT
            );
            peer.timers().state.lock(bh).expired_new_handshake()
        }
        PeerTimer::ZeroKeys => TimerState::expired_zero_keys(),
        PeerTimer::PersistentKeepalive => {
            TimerState::expired_persistent_keepalive(peer.persistent_keepalive())
        }
    };
    carry_out(peer, actions, bh);
}

/// Returns what to do when no response came, and logs it.
fn retransmit_handshake(peer: &RcuArc<Peer>, bh: &Bh<'_>) -> Actions {
    let (actions, tries) = {
        let mut state = peer.timers().state.lock(bh);
        (state.expired_retransmit_handshake(), state.attempts())
    };
    if actions
        .into_iter()
        .any(|action| action == Action::PurgeStaged)
    {
        debug!(
            "{}: Handshake for peer {} ({}) did not complete after {} attempts, giving up\n",
            peer.device().name(),
            peer.number(),
            peer.display_remote(bh),
            tries.saturating_add(1)
        );
        peer.note_given_up(tries.saturating_add(1), bh);
    } else {
        debug!(
            "{}: Handshake for peer {} ({}) did not complete after {} seconds, retrying (try {})\n",
            peer.device().name(),
            peer.number(),
            peer.display_remote(bh),
            REKEY_TIMEOUT,
            tries.saturating_add(1)
        );
    }
    actions
}
