// SPDX-License-Identifier: GPL-2.0

//! Whether packets leave at once or are staged.

use super::{
    deferred::queue_send_work,
    encrypt::send_inline,
    next::AfterStaging,
    packets::Packets,
    staged::send_batch,
    tx::{
        drop_staged,
        drop_uncharged,
        make_room, //
    }, //
};
use crate::peer::Peer;
use kext::{
    context::Bh,
    sync::rcu::Ref, //
};
use wg_proto::DropReason;

/// Sends packets, or stages them.
///
/// Back-to-back single packets are deferred to a work item, which sends everything staged by the
/// time it runs. A sender that waits for an answer is not delayed. The work item also sends
/// bursts so large that this CPU has to run softirqs in between, and packets that must not leave
/// within this call (`must_defer`, see [`nesting`](super::nesting)).
pub(super) fn submit(
    peer: Ref<'_, Peer>,
    packets: Packets,
    is_answer: bool,
    must_defer: bool,
    bh: &Bh<'_>,
) {
    let device = peer.device().data();
    let keypair = peer.current(bh).filter(|current| current.may_send());
    let defers;
    {
        let mut guard = peer.tx().lock(bh);
        let tx = &mut *guard;
        defers = must_defer || tx.should_defer(peer, &packets, is_answer, bh) && keypair.is_some();
        if let Some(keypair) = keypair.filter(|_| !defers) {
            if let Some(first) = tx.begin_inline(peer, &keypair, packets.datagrams(), bh) {
                drop(guard);
                return send_inline(peer, &keypair, first, packets, bh);
            }
        }
        if device.tx_memory().try_charge(packets.bytes(), bh) {
            let staged = tx.stage(peer, packets, keypair.is_some(), defers, bh);
            drop(guard);
            return after_staging(peer, staged, bh);
        }
    }
    if !make_room(peer, packets.bytes(), bh) {
        return drop_uncharged(&peer, packets, DropReason::TxQueueFull, bh);
    }
    let staged = {
        let mut tx = peer.tx().lock(bh);
        tx.stage(peer, packets, keypair.is_some(), defers, bh)
    };
    after_staging(peer, staged, bh);
}

/// Goes on after packets were staged, and drops old ones.
fn after_staging(peer: Ref<'_, Peer>, (next, old): (AfterStaging, Packets), bh: &Bh<'_>) {
    drop_staged(&peer, old, DropReason::TxStagedOverflow, bh);
    match next {
        AfterStaging::Send => {
            send_batch(peer, u32::MAX, bh);
        }
        AfterStaging::Defer => queue_send_work(peer, bh),
        AfterStaging::Nothing => {}
    }
}
