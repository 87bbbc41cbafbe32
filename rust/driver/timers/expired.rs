// SPDX-License-Identifier: GPL-2.0

//! What the timers of a peer do when they expire.

use super::{
    apply,
    NEW_HANDSHAKE,
    PERSISTENT_KEEPALIVE,
    RETRANSMIT_HANDSHAKE,
    SEND_KEEPALIVE,
    ZERO_KEYS, //
};
use crate::{
    peer::Peer,
    send, //
};
use kext::{
    context::Bh,
    debug,
    sync::rcu::RcuArc,
    time::timer::Expired, //
};
use wg_proto::{
    session::{
        KEEPALIVE_TIMEOUT,
        REKEY_TIMEOUT, //
    },
    timers::{
        Action,
        Actions,
        TimerState, //
    }, //
};

/// Carries out what an expired timer means.
fn carry_out(peer: &RcuArc<Peer>, actions: Actions, bh: &Bh<'_>) {
    for action in actions {
        if action == Action::SendKeepalive {
            send::keepalive(peer.borrow(), bh);
        } else {
            apply(peer, action, bh);
        }
    }
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
            this.note_given_up(tries.saturating_add(1), bh);
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
        carry_out(&this, actions, bh);
    }
}

impl Expired<SEND_KEEPALIVE> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let actions = this.timers().state.lock(bh).expired_send_keepalive();
        carry_out(&this, actions, bh);
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
        carry_out(&this, actions, bh);
    }
}

impl Expired<ZERO_KEYS> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        carry_out(&this, TimerState::expired_zero_keys(), bh);
    }
}

impl Expired<PERSISTENT_KEEPALIVE> for Peer {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let interval = this.persistent_keepalive();
        carry_out(
            &this,
            TimerState::expired_persistent_keepalive(interval),
            bh,
        );
    }
}
