// SPDX-License-Identifier: GPL-2.0

//! Memory of the packets that an interface has to send, and which peer has most of it.

use crate::peer::Peer;
use kernel::{
    alloc::flags::{
        GFP_ATOMIC,
        GFP_KERNEL,
        __GFP_NOWARN, //
    },
    debugfs::Writer,
    fmt,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    compat::casts::u32_as_usize,
    context::Bh,
    cpu,
    mm,
    new_spinlock,
    sync::{
        lock::SpinLock,
        rcu::{
            RcuArc,
            Ref, //
        },
        ReadOnce, //
    }, //
};

/// The part of the machine's memory that may wait, and its limits.
const PART: usize = 32;
const MIN_TOTAL: usize = 4 << 20;
const MAX_TOTAL: usize = 64 << 20;

/// The part of the memory that CPUs may have set aside while another one finds none.
const IDLE_PART: u32 = 4;

/// Bytes that one CPU has set aside, on a cache line of its own.
#[repr(align(64))]
struct Share(Atomic<u32>);

/// The account of the memory (`truesize`) that an interface's outgoing packets take while they
/// wait, and its limit.
///
/// They wait for a session, for or in a worker, or for older packets. All sizes are in bytes.
///
/// Each CPU sets aside a chunk at a time, so that CPUs do not share a counter for each batch. Shown
/// by debugfs as `wireguard/<interface>/waiting`.
pub(crate) struct TxMemory {
    total: u32,
    chunk: u32,
    spare: Atomic<u32>,
    shares: KVec<Share>,
}

/// Subtracts `bytes` from a counter that is not below them. Returns whether it did.
fn subtract(counter: &Atomic<u32>, bytes: u32) -> bool {
    loop {
        let have = counter.read_once();
        let Some(left) = have.checked_sub(bytes) else {
            return false;
        };
        if counter.cmpxchg(have, left, Relaxed).is_ok() {
            return true;
        }
    }
}

impl TxMemory {
    /// Creates the account, with a limit that suits the machine.
    pub(crate) fn new() -> Result<Self> {
        // CAST: Below the maximum.
        let total = (mm::total() / PART).clamp(MIN_TOTAL, MAX_TOTAL) as u32;
        let cpus = cpu::possible_count();
        let mut shares = KVec::with_capacity(u32_as_usize(cpus), GFP_KERNEL)?;
        for _ in 0..cpus {
            shares.push_within_capacity(Share(Atomic::new(0)))?;
        }
        // Each CPU sets aside up to two chunks.
        let chunks = cpus.saturating_mul(2 * IDLE_PART);
        Ok(Self {
            total,
            chunk: total.checked_div(chunks).unwrap_or(total),
            spare: Atomic::new(total),
            shares,
        })
    }

    fn share(&self, bh: &Bh<'_>) -> Option<&Atomic<u32>> {
        self.shares
            .get(u32_as_usize(bh.cpu()))
            .map(|share| &share.0)
    }

    /// Charges `bytes`, unless that exceeds the limit.
    #[must_use]
    pub(crate) fn try_charge(&self, bytes: u32, bh: &Bh<'_>) -> bool {
        let Some(share) = self.share(bh) else {
            return subtract(&self.spare, bytes);
        };
        if subtract(share, bytes) {
            return true;
        }
        if subtract(&self.spare, bytes.saturating_add(self.chunk)) {
            share.fetch_add(self.chunk, Relaxed);
            return true;
        }
        subtract(&self.spare, bytes)
    }

    /// Gives back charged bytes.
    pub(crate) fn uncharge(&self, bytes: u32, bh: &Bh<'_>) {
        let Some(share) = self.share(bh) else {
            self.spare.fetch_add(bytes, Relaxed);
            return;
        };
        let have = share.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if have > self.chunk.saturating_mul(2) {
            let surplus = have.saturating_sub(self.chunk);
            if subtract(share, surplus) {
                self.spare.fetch_add(surplus, Relaxed);
            }
        }
    }

    /// Returns how many bytes wait.
    fn used(&self) -> u32 {
        let spare = self
            .shares
            .iter()
            .fold(self.spare.read_once(), |sum, share| {
                sum.saturating_add(share.0.read_once())
            });
        self.total.saturating_sub(spare)
    }
}

impl Writer for TxMemory {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {} bytes", self.used(), self.total)
    }
}

/// A peer enters the table at `MUCH` staged bytes and leaves it below `LITTLE`.
const MUCH: u32 = 16 << 10;
const LITTLE: u32 = MUCH / 2;

/// Peers for which much is staged, by how much that is, within a quarter of it.
///
/// Its lock nests in the peer's `tx` lock. It is taken when the amount has changed by a quarter.
#[pin_data]
pub(crate) struct Backlogs {
    #[pin]
    peers: SpinLock<RBTree<(u32, u64), RcuArc<Peer>>>,
}

impl Backlogs {
    /// Creates the empty table.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            peers <- new_spinlock!(RBTree::new()),
        })
    }

    /// Updates the table: `bytes` are staged for a peer, and the table has it with `old_key`, or
    /// not at all if that is 0. Returns its key from now on.
    ///
    /// Without memory the peer is not in the table.
    pub(crate) fn note(&self, peer: Ref<'_, Peer>, old_key: u32, bytes: u32, bh: &Bh<'_>) -> u32 {
        let is_near = bytes >= old_key.saturating_sub(old_key / 4)
            && bytes <= old_key.saturating_add(old_key / 4);
        if (old_key == 0 && bytes < MUCH) || (old_key != 0 && bytes >= LITTLE && is_near) {
            return old_key;
        }
        if bytes < LITTLE {
            return self.forget(&peer, old_key, bh);
        }
        let Some(counted) = peer.upgrade() else {
            return self.forget(&peer, old_key, bh);
        };
        let key = (bytes, peer.id());
        if old_key == 0 {
            let Ok(node) = RBTreeNode::new(key, counted, GFP_ATOMIC | __GFP_NOWARN) else {
                return 0;
            };
            let _ = self.peers.lock(bh).insert(node);
            return bytes;
        }
        let mut peers = self.peers.lock(bh);
        let Some(node) = peers.remove_node(&(old_key, peer.id())) else {
            return 0;
        };
        let _ = peers.insert(node.into_reservation().into_node(key, counted));
        bytes
    }

    /// Removes a peer from the table. Returns its key from now on, 0.
    pub(crate) fn forget(&self, peer: &Peer, old_key: u32, bh: &Bh<'_>) -> u32 {
        if old_key != 0 {
            let node = self.peers.lock(bh).remove_node(&(old_key, peer.id()));
            drop(node);
        }
        0
    }

    /// Returns the peer with the most bytes staged.
    pub(crate) fn fattest(&self, bh: &Bh<'_>) -> Option<RcuArc<Peer>> {
        let peers = self.peers.lock(bh);
        let cursor = peers.cursor_back()?;
        let (_, peer) = cursor.current();
        Some(peer.clone())
    }
}
