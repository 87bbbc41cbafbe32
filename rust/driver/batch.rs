// SPDX-License-Identifier: GPL-2.0

//! The batches of both directions, and the workers that process them.

use crate::{
    diag,
    drops::refuse,
    keypair::Keypair,
    parallel::worker, //
};
use kext::{
    net::skb::{
        Segmented,
        SkbList, //
    },
    sync::rcu::RcuArc, //
};
use wg_proto::DropReason;

/// Packets of one session with consecutive nonces, which any CPU may encrypt.
pub(crate) struct TxBatch {
    pub(crate) keypair: RcuArc<Keypair>,
    pub(crate) packets: SkbList<Segmented>,
    /// The nonce of the first packet.
    pub(crate) first: u64,
    /// Bytes charged to the interface's memory.
    pub(crate) charge: u32,
}

/// A run of received messages of one session, which any CPU may decrypt.
pub(crate) struct RxBatch {
    pub(crate) keypair: RcuArc<Keypair>,
    pub(crate) packets: SkbList,
    /// How many packets there were before decryption.
    pub(crate) taken: usize,
}

impl Drop for RxBatch {
    fn drop(&mut self) {
        // Only a batch that comes back after its interface went down still has packets.
        // CAST: From small to large.
        let n = self.packets.len() as u64;
        if n != 0 {
            let reason = refuse(core::mem::take(&mut self.packets), DropReason::Gone);
            diag::refused(self.keypair.peer().device(), reason, n, None);
        }
    }
}

/// The workers of an interface.
pub(crate) type Workers = worker::Workers<TxBatch, RxBatch>;

/// The worker of a CPU that was found to be less busy than this one.
pub(crate) type LessBusyWorker<'w> = worker::LessBusyWorker<'w, TxBatch, RxBatch>;
