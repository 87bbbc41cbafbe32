// SPDX-License-Identifier: GPL-2.0

//! Release of decrypted batches in order.

use super::deliver::deliver;
use crate::{
    batch::RxBatch,
    device::Device,
    parallel::reorder::{
        Job,
        Outcome, //
    },
    peer::Peer, //
};
use kext::{
    context::Bh,
    net::napi::Gro,
    sync::rcu::RcuArc, //
};

/// Completes a decrypted batch, and delivers ready batches. Returns how many packets these were.
pub(super) fn complete(
    peer: &RcuArc<Peer>,
    job: Job<RxBatch>,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) -> usize {
    let (head, stale) = peer.rx().lock(bh).complete(job);
    drop(stale);
    drain(peer, head, gro, bh)
}

/// Delivers the batch that was taken, and those that are ready behind it. Returns how many packets
/// these were.
fn drain(
    peer: &RcuArc<Peer>,
    mut next: Option<Outcome<RxBatch>>,
    gro: &mut Gro<'_, Device>,
    bh: &Bh<'_>,
) -> usize {
    let mut work: usize = 0;
    while let Some(outcome) = next {
        let mut taken: usize = 0;
        if let Outcome::Done(mut batch) = outcome {
            let packets = core::mem::take(&mut batch.packets);
            taken = batch.taken;
            work = work.saturating_add(packets.len());
            deliver(&batch.keypair, packets, gro, bh);
        }
        next = peer.rx().lock(bh).head_released(taken);
    }
    work
}
