// SPDX-License-Identifier: GPL-2.0

//! The batches of both directions, and the workers that process them.

use crate::{
    drops::drop_for,
    keypair::Keypair,
    parallel::worker, //
};
use kext::{
    compat::casts::usize_as_u64,
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
    /// Bytes charged to the interface's memory. `release.rs` gives them back, for inline packets
    /// `encrypt()`.
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
        // Only a batch that was not delivered, as its interface went down, still has packets.
        let n = usize_as_u64(self.packets.len());
        if n != 0 {
            let reason = drop_for(core::mem::take(&mut self.packets), DropReason::Gone);
            self.keypair.peer().count_drops_of_device(reason, n);
        }
    }
}

/// The workers of an interface.
pub(crate) type Workers = worker::Workers<TxBatch, RxBatch>;

/// [`worker::LessBusyWorker`] for these batches.
pub(crate) type LessBusyWorker<'w> = worker::LessBusyWorker<'w, TxBatch, RxBatch>;
