// SPDX-License-Identifier: GPL-2.0

//! Encryption of packets that have nonces, on this CPU or on a less busy one.

use super::{
    aead::seal_all,
    nesting::is_nested,
    next::TxMode,
    packets::Packets,
    release::{
        complete,
        finish_inline,
        send_ready, //
    },
    transmit::transmit,
    tx::drop_staged, //
};
use crate::{
    batch::TxBatch,
    keypair::Keypair,
    parallel::{
        reorder::{
            Job,
            Outcome, //
        },
        worker::Batch, //
    },
    peer::Peer, //
};
use kext::{
    context::Bh,
    sync::rcu::Ref, //
};
use wg_proto::DropReason;

/// Encrypts packets that have nonces, and sends them or leaves that to the reorder queue.
pub(super) fn encrypt(
    peer: Ref<'_, Peer>,
    keypair: Ref<'_, Keypair>,
    first: u64,
    packets: Packets,
    mode: TxMode<'_>,
    bh: &Bh<'_>,
) {
    let device = peer.device().data();
    let charge = packets.bytes();
    let (seq, offload) = match mode {
        TxMode::Inline => {
            send_inline(peer, &keypair, first, packets, bh);
            return device.tx_memory().uncharge(charge, bh);
        }
        TxMode::Queued { seq } => (seq, None),
        TxMode::Offload {
            seq,
            worker,
            is_tx_cpu,
        } => (seq, Some((worker, is_tx_cpu))),
    };
    // Another CPU may finish the batch, so it needs a reference that lasts beyond this section.
    let Some(counted) = keypair.upgrade() else {
        drop_staged(&peer, packets, DropReason::Gone, bh);
        return complete(peer, seq, Outcome::Failed, bh);
    };
    let mut job = Job {
        seq,
        batch: TxBatch {
            keypair: counted,
            packets: packets.into_list(),
            first,
            charge,
        },
    };
    if let Some((worker, is_tx_cpu)) = offload {
        match device.workers().offload_encrypt(job, &worker, bh) {
            Ok(()) => {
                // Batches that workers have completed leave from this CPU. It is busy, and may not
                // get to them otherwise.
                if is_tx_cpu && !is_nested(bh) {
                    send_ready(peer, bh);
                }
                return;
            }
            Err(back) => job = back,
        }
    }
    TxBatch::process(job, bh);
}

/// Encrypts and sends packets that have nonces, while the caller drains the reorder queue.
pub(super) fn send_inline(
    peer: Ref<'_, Peer>,
    keypair: &Keypair,
    first: u64,
    packets: Packets,
    bh: &Bh<'_>,
) {
    let packets = seal_all(keypair, first, packets.into_list(), bh);
    transmit(keypair, packets, bh);
    finish_inline(peer, bh);
}

impl Batch for TxBatch {
    /// Encrypts a batch, perhaps on another CPU than the one that took its nonces.
    fn process(job: Job<Self>, bh: &Bh<'_>) {
        let Job { seq, mut batch } = job;
        let peer = batch.keypair.peer().clone();
        batch.packets = seal_all(&batch.keypair, batch.first, batch.packets, bh);
        complete(peer.borrow(), seq, Outcome::Done(batch), bh);
    }
}
