// SPDX-License-Identifier: GPL-2.0

//! The sessions of a peer.

use super::Peer;
use crate::{
    keypair::Keypair,
    rcu::Rcu, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    sync::rcu::{
        RcuArc,
        Ref, //
    }, //
};
use wg_proto::keypairs::Retired;

impl Peer {
    /// Returns the session to send under.
    #[inline]
    pub(crate) fn current<'g>(&'g self, bh: &'g Bh<'_>) -> Option<Ref<'g, Keypair>> {
        self.keypairs.current(bh)
    }

    /// Returns the session that waits for its first packet.
    pub(crate) fn next<'g>(&'g self, bh: &'g Bh<'_>) -> Option<Ref<'g, Keypair>> {
        self.keypairs.next(bh)
    }

    /// Returns whether `keypair` still waits for its first packet.
    #[inline]
    pub(crate) fn is_next(&self, keypair: &Keypair, bh: &Bh<'_>) -> bool {
        self.keypairs.is_next(keypair, bh)
    }

    /// Takes a new session into use. Fails for a peer that was removed.
    pub(crate) fn add_keypair(&self, keypair: RcuArc<Keypair>, bh: &Bh<'_>) -> bool {
        let mut writer = self.keypairs_writer.lock(bh);
        if self.is_dead() {
            return false;
        }
        let retired = if keypair.is_initiator() {
            self.keypairs.add_initiated(&mut writer, keypair)
        } else {
            self.keypairs.add_answered(&mut writer, keypair)
        };
        drop(writer);
        self.retire(retired, bh);
        true
    }

    /// Uses `keypair` from now on if it waited for its first packet. Returns whether it did.
    pub(crate) fn confirm(&self, keypair: &Keypair, bh: &Bh<'_>) -> bool {
        let confirmed = {
            let mut writer = self.keypairs_writer.lock(bh);
            self.keypairs.confirm(&mut writer, keypair)
        };
        let Some(retired) = confirmed else {
            return false;
        };
        self.retire(retired, bh);
        true
    }

    /// Forgets all sessions, for another reason than their age.
    pub(crate) fn clear_keypairs(&self, bh: &Bh<'_>) {
        self.note_reset(bh);
        self.wipe_keypairs(bh);
    }

    /// Forgets all sessions.
    pub(crate) fn wipe_keypairs(&self, bh: &Bh<'_>) {
        let retired = {
            let mut writer = self.keypairs_writer.lock(bh);
            self.keypairs.clear(&mut writer)
        };
        self.retire(retired, bh);
    }

    fn retire(&self, retired: Retired<Rcu, Keypair>, bh: &Bh<'_>) {
        for keypair in retired {
            self.device()
                .data()
                .index_table()
                .remove_session(&keypair, bh);
        }
    }

    /// Stops sending under all sessions after our private key was changed, so that the next packet
    /// begins a handshake, and forgets what was computed with the old key.
    pub(crate) fn expire_keypairs(&self, ctx: &mut Process) {
        self.clear_handshake(ctx);
        self.noise().lock(ctx).handshake.remote_mut().forget_ours();
        self.reset_last_sent_handshake();
        let bh = ctx.bh();
        self.note_reset(&bh);
        let _writer = self.keypairs_writer.lock(&bh);
        for keypair in [self.keypairs.next(&bh), self.keypairs.current(&bh)]
            .into_iter()
            .flatten()
        {
            keypair.stop_sending();
        }
    }
}
