// SPDX-License-Identifier: GPL-2.0

//! The tables that find a peer by its public key, and a session or handshake by its index.

use crate::{
    keypair::Keypair,
    peer::Peer, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    }, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    new_spinlock,
    random::Seeded,
    siphash,
    sync::{
        lock::SpinLock,
        rcu::{
            RcuArc,
            Ref,
            Slot, //
        }, //
    }, //
};
use wg_proto::key::PublicKey;

/// The key of a peer in the tree: the hash of its public key, then its number.
type TreeKey = (u64, u64);

/// Peers of an interface by public key.
///
/// Ordered by a keyed hash, so that the time of a look-up tells remote parties nothing. Peers whose
/// keys have the same hash are neighbours.
#[pin_data]
pub(crate) struct KeyTable {
    key: siphash::Key,
    #[pin]
    peers: SpinLock<RBTree<TreeKey, RcuArc<Peer>>>,
}

impl KeyTable {
    /// Creates an empty table.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // As in C, the key may be drawn before the generator is seeded: the hash only orders a
            // tree, where equal or chosen hashes cost little.
            key: siphash::Key::random(),
            peers <- new_spinlock!(RBTree::new()),
        })
    }

    fn hash(&self, key: &PublicKey) -> u64 {
        siphash::siphash(&self.key, key.as_bytes())
    }

    fn tree_key(&self, peer: &Peer) -> TreeKey {
        (self.hash(peer.public_key()), peer.id())
    }

    /// Adds a peer. Its key must not be in the table yet.
    pub(crate) fn add(&self, peer: &RcuArc<Peer>, ctx: &mut Process) -> Result {
        let node = RBTreeNode::new(self.tree_key(peer), peer.clone(), GFP_KERNEL)?;
        let bh = ctx.bh();
        // Nothing comes back: no other peer has this number.
        let _ = self.peers.lock(&bh).insert(node);
        Ok(())
    }

    /// Removes a peer.
    pub(crate) fn remove(&self, peer: &Peer, ctx: &mut Process) {
        let tree_key = self.tree_key(peer);
        let bh = ctx.bh();
        let old = self.peers.lock(&bh).remove_node(&tree_key);
        drop(bh);
        drop(old);
    }

    /// Finds a peer by its key.
    pub(crate) fn find(&self, key: &PublicKey, ctx: &mut Process) -> Option<RcuArc<Peer>> {
        self.with(key, &ctx.bh(), RcuArc::clone)
    }

    /// Returns whether a peer has this key.
    pub(crate) fn contains(&self, key: &PublicKey, bh: &Bh<'_>) -> bool {
        self.with(key, bh, |_| ()).is_some()
    }

    /// Returns what `f` makes of the peer with this key.
    fn with<R>(
        &self,
        key: &PublicKey,
        bh: &Bh<'_>,
        f: impl FnOnce(&RcuArc<Peer>) -> R,
    ) -> Option<R> {
        let hash = self.hash(key);
        let mut peers = self.peers.lock(bh);
        // Only mutable cursors can move.
        let mut cursor = peers.cursor_lower_bound_mut(&(hash, 0));
        while let Some(at) = cursor {
            let (tree_key, peer) = at.current();
            if tree_key.0 != hash {
                return None;
            }
            if peer.public_key() == key {
                return Some(f(peer));
            }
            cursor = at.move_next();
        }
        None
    }
}

/// An index in use: that of a handshake or of a session.
///
/// A removed entry owns its successor until it is dropped. So an entry that is removed meanwhile
/// may wait a further grace period for each removed entry before it in the chain. The session's
/// keys must not wait for that: removing or replacing an entry empties it, and a reader may find
/// it empty.
pub(crate) struct IndexEntry {
    index: u32,
    next: Slot<IndexEntry>,
    /// The peer, if the index is that of a handshake.
    handshake: Slot<Peer>,
    session: Slot<Keypair>,
}

impl IndexEntry {
    /// Returns the index that remote parties use for this entry.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Returns the session, if the index is that of one.
    #[inline]
    pub(crate) fn session<'g>(&'g self, bh: &'g Bh<'_>) -> Option<Ref<'g, Keypair>> {
        self.session.load(bh)
    }

    /// Returns the peer of a handshake that waits for its answer, if the index is that of one.
    pub(crate) fn handshake(&self, bh: &Bh<'_>) -> Option<RcuArc<Peer>> {
        self.handshake.load(bh)?.upgrade()
    }

    /// Returns the peer of the handshake or session.
    pub(crate) fn peer(&self, bh: &Bh<'_>) -> Option<RcuArc<Peer>> {
        self.handshake(bh)
            .or_else(|| Some(self.session(bh)?.peer().clone()))
    }

    fn new(
        index: u32,
        handshake: Option<RcuArc<Peer>>,
        session: Option<RcuArc<Keypair>>,
        ctx: &mut Process,
    ) -> Result<RcuArc<Self>> {
        RcuArc::new(
            Self {
                index,
                next: Slot::empty(),
                handshake: Slot::new(handshake),
                session: Slot::new(session),
            },
            ctx,
        )
    }

    /// Drops the counts of peer and session. `next` stays, for readers on this entry.
    fn clear(&self) {
        drop((self.handshake.swap(None), self.session.swap(None)));
    }
}

/// Buckets of the index table; a few of them for `tools/models`.
const BUCKETS: usize = if cfg!(wg_models) { 2 } else { 1 << 13 };

/// Handshakes and sessions by the index that we gave them.
///
/// Readers walk a chain under RCU. Each entry owns its successor, so a reader on an entry that was
/// just removed still finds its way to the end.
#[pin_data]
pub(crate) struct IndexTable {
    buckets: KVVec<Slot<IndexEntry>>,
    #[pin]
    writer: SpinLock<()>,
}

impl IndexTable {
    /// Creates an empty table.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            buckets: {
                let mut buckets = KVVec::with_capacity(BUCKETS, GFP_KERNEL)?;
                for _ in 0..BUCKETS {
                    buckets.push(Slot::empty(), GFP_KERNEL)?;
                }
                buckets
            },
            writer <- new_spinlock!(()),
        })
    }

    #[inline]
    fn bucket(&self, index: u32) -> Option<&Slot<IndexEntry>> {
        // CAST: From small to large; indices are random, so their low bits are as good as a hash.
        self.buckets.get(index as usize & (BUCKETS - 1))
    }

    /// Finds what an index stands for.
    #[inline]
    pub(crate) fn find<'g>(&'g self, index: u32, bh: &'g Bh<'_>) -> Option<&'g IndexEntry> {
        let mut link = self.bucket(index)?;
        while let Some(entry) = link.load(bh).map(Ref::target) {
            if entry.index == index {
                return Some(entry);
            }
            link = &entry.next;
        }
        None
    }

    /// Finds the session with an index, if the index is that of one.
    #[inline]
    pub(crate) fn find_session<'g>(
        &'g self,
        index: u32,
        bh: &'g Bh<'_>,
    ) -> Option<Ref<'g, Keypair>> {
        self.find(index, bh)?.session(bh)
    }

    /// Gives a new random index to a handshake of `peer`.
    pub(crate) fn add_handshake(
        &self,
        peer: &RcuArc<Peer>,
        seeded: Seeded,
        ctx: &mut Process,
    ) -> Result<RcuArc<IndexEntry>> {
        loop {
            let entry = IndexEntry::new(seeded.u32(), Some(peer.clone()), None, ctx)?;
            let bh = ctx.bh();
            let _writer = self.writer.lock(&bh);
            if self.find(entry.index, &bh).is_some() {
                continue;
            }
            let bucket = self.bucket(entry.index).ok_or(EINVAL)?;
            let _ = entry.next.swap(bucket.get());
            let _ = bucket.swap(Some(entry.clone()));
            return Ok(entry);
        }
    }

    /// Puts a session in the place of the handshake that led to it.
    ///
    /// Returns whether the handshake was still in the table, and empties its entry then; if not,
    /// nothing is changed.
    pub(crate) fn replace(
        &self,
        old: &RcuArc<IndexEntry>,
        keypair: &RcuArc<Keypair>,
        ctx: &mut Process,
    ) -> Result<bool> {
        let new = IndexEntry::new(old.index, None, Some(keypair.clone()), ctx)?;
        let bh = ctx.bh();
        let _writer = self.writer.lock(&bh);
        let Some(link) = self.link_to(old, &bh) else {
            return Ok(false);
        };
        let _ = new.next.swap(old.next.get());
        let _ = link.swap(Some(new));
        old.clear();
        Ok(true)
    }

    /// Frees the index of an entry.
    pub(crate) fn remove(&self, old: &IndexEntry, bh: &Bh<'_>) {
        let _writer = self.writer.lock(bh);
        if let Some(link) = self.link_to(old, bh) {
            let _ = link.swap(old.next.get());
            old.clear();
        }
    }

    /// Frees the index of a session.
    pub(crate) fn remove_session(&self, keypair: &Keypair, bh: &Bh<'_>) {
        let Some(entry) = self.find(keypair.index().get(), bh) else {
            return;
        };
        if entry
            .session(bh)
            .is_some_and(|other| core::ptr::eq(&*other, keypair))
        {
            self.remove(entry, bh);
        }
    }

    /// Finds the slot that holds `entry`. For writers.
    fn link_to<'g>(&'g self, entry: &IndexEntry, bh: &'g Bh<'_>) -> Option<&'g Slot<IndexEntry>> {
        let mut link = self.bucket(entry.index)?;
        loop {
            let next = link.load(bh)?.target();
            if core::ptr::eq(next, entry) {
                return Some(link);
            }
            link = &next.next;
        }
    }
}
