// SPDX-License-Identifier: GPL-2.0

//! The batches of both directions, and the workers that process them.

use crate::{
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

/// The workers of an interface.
pub(crate) type Workers = worker::Workers<TxBatch, RxBatch>;

/// The worker of a CPU that was found to be less busy than this one.
pub(crate) type LessBusyWorker<'w> = worker::LessBusyWorker<'w, TxBatch, RxBatch>;
