// SPDX-License-Identifier: GPL-2.0

//! The configuration of an interface: its peers and their allowed IPs.

use crate::{
    device::Device,
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
    context::Process,
    net::device::NetDevice,
    sync::rcu::{
        self,
        RcuArc, //
    }, //
};
use wg_proto::{
    allowedips::AllowedIpsWriter,
    key::PublicKey,
    prefix::Prefix, //
};

/// Peers that an interface may have.
const MAX_PEERS: u32 = 1 << 20;

/// A peer and its allowed IPs, oldest first.
pub(crate) struct Member {
    peer: RcuArc<Peer>,
    prefixes: RBTree<u64, Prefix>,
    /// The generation of the configuration when the peer was added.
    added: u32,
    /// That of its last change.
    changed: u32,
}

impl Member {
    /// Returns the peer.
    pub(crate) fn peer(&self) -> &RcuArc<Peer> {
        &self.peer
    }

    /// Returns the generation of the configuration when the peer was added.
    pub(crate) fn added(&self) -> u32 {
        self.added
    }

    /// Returns the generation of the peer's last change.
    pub(crate) fn changed(&self) -> u32 {
        self.changed
    }

    /// Returns whether the peer has allowed IPs.
    pub(crate) fn has_prefixes(&self) -> bool {
        !self.prefixes.is_empty()
    }

    /// Visits the allowed IPs from `tag` on for as long as `visit` returns `true`.
    pub(crate) fn for_each_prefix(
        &mut self,
        tag: u64,
        mut visit: impl FnMut(u64, &Prefix) -> bool,
    ) {
        // Only mutable cursors can move.
        let mut cursor = self.prefixes.cursor_lower_bound_mut(&tag);
        while let Some(at) = cursor {
            let (tag, prefix) = at.current();
            if !visit(*tag, prefix) {
                return;
            }
            cursor = at.move_next();
        }
    }
}

/// The configuration of an interface.
pub(crate) struct Config {
    /// Whether the interface is removed. A request that still holds it must not add anything.
    pub(crate) is_closed: bool,
    /// UDP port. While the interface is down, the port that it will ask for.
    pub(crate) incoming_port: u16,
    generation: u32,
    /// By number, which is the order of creation.
    peers: RBTree<u64, Member>,
    count: u32,
    next_peer: u64,
    next_tag: u64,
    allowed_ips: AllowedIpsWriter,
}

impl Config {
    /// Creates an empty configuration.
    pub(crate) fn new() -> Self {
        Self {
            is_closed: false,
            incoming_port: 0,
            generation: 1,
            peers: RBTree::new(),
            count: 0,
            next_peer: 1,
            next_tag: 1,
            allowed_ips: AllowedIpsWriter::new(),
        }
    }

    /// Returns the number that changes with each change.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Begins a change: increments the generation.
    pub(crate) fn begin_change(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Records that the current change affects `peer`.
    pub(crate) fn mark_changed(&mut self, peer: &Peer) {
        if let Some(member) = self.peers.get_mut(&peer.id()) {
            member.changed = self.generation;
        }
    }

    /// Returns how many peers there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Returns the number that changes with each change of allowed IPs.
    pub(crate) fn allowed_ips_generation(&self) -> u64 {
        self.allowed_ips.generation()
    }

    /// Returns the peers in the order in which they were added.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &RcuArc<Peer>> {
        self.peers.values().map(Member::peer)
    }

    /// Returns whether there is a peer with this number.
    pub(crate) fn has_peer(&self, id: u64) -> bool {
        self.peers.get(&id).is_some()
    }

    /// Visits the members from number `id` on for as long as `visit` returns `true`.
    pub(crate) fn for_each_member(
        &mut self,
        id: u64,
        mut visit: impl FnMut(u64, &mut Member) -> bool,
    ) {
        let mut cursor = self.peers.cursor_lower_bound_mut(&id);
        while let Some(mut at) = cursor {
            let (id, member) = at.current_mut();
            if !visit(*id, member) {
                return;
            }
            cursor = at.move_next();
        }
    }

    /// Adds a peer that is not there yet.
    pub(crate) fn add_peer(
        &mut self,
        dev: &NetDevice<Device>,
        key: &PublicKey,
        ctx: &mut Process,
    ) -> Result<RcuArc<Peer>> {
        if self.count >= MAX_PEERS {
            return Err(ENOMEM);
        }
        let id = self.next_peer;
        let peer = Peer::new(dev, id, *key, ctx)?;
        let member = Member {
            peer: peer.clone(),
            prefixes: RBTree::new(),
            added: self.generation,
            changed: self.generation,
        };
        let node = RBTreeNode::new(id, member, GFP_KERNEL)?;
        dev.data().key_table().add(&peer, ctx)?;
        let _ = self.peers.insert(node);
        self.next_peer = id.wrapping_add(1);
        self.count = self.count.saturating_add(1);
        Ok(peer)
    }

    /// Removes a peer from the configuration, the key table and the allowed IPs, marks it dead, and
    /// moves it to `dead`. Its sessions stay in the index table until [`RemovedPeers::finish`].
    pub(crate) fn remove_peer(
        &mut self,
        dev: &NetDevice<Device>,
        peer: &Peer,
        dead: &mut RemovedPeers,
        ctx: &mut Process,
    ) {
        self.remove_prefixes(dev, peer, self.next_tag);
        let Some(node) = self.peers.remove_node(&peer.id()) else {
            return;
        };
        self.count = self.count.saturating_sub(1);
        dev.data().key_table().remove(peer, ctx);
        peer.mark_dead();
        let _ = dead.0.insert(node);
    }

    /// Removes all peers, to `dead`.
    pub(crate) fn remove_all_peers(
        &mut self,
        dev: &NetDevice<Device>,
        dead: &mut RemovedPeers,
        ctx: &mut Process,
    ) {
        // All at once, which is cheaper than prefix by prefix.
        dev.data().allowed_ips().clear(&mut self.allowed_ips);
        loop {
            let Some(peer) = self.peers().next().cloned() else {
                return;
            };
            if let Some(member) = self.peers.get_mut(&peer.id()) {
                member.prefixes = RBTree::new();
            }
            self.remove_peer(dev, &peer, dead, ctx);
            ctx.cond_resched();
        }
    }

    /// Adds a prefix to a peer, and removes it from the peer that had it.
    pub(crate) fn insert_prefix(
        &mut self,
        dev: &NetDevice<Device>,
        peer: &RcuArc<Peer>,
        prefix: Prefix,
        ctx: &mut Process,
    ) -> Result {
        let tag = self.next_tag;
        let node = RBTreeNode::new(tag, prefix, GFP_KERNEL)?;
        let loss =
            dev.data()
                .allowed_ips()
                .insert(&mut self.allowed_ips, prefix, peer, tag, ctx)?;
        self.next_tag = tag.wrapping_add(1);
        if let Some(loss) = loss {
            if let Some(member) = self.peers.get_mut(&loss.owner.id()) {
                let _ = member.prefixes.remove(&loss.tag);
                member.changed = self.generation;
            }
        }
        if let Some(member) = self.peers.get_mut(&peer.id()) {
            let _ = member.prefixes.insert(node);
        }
        Ok(())
    }

    /// Removes a prefix from a peer, if it has exactly this one.
    pub(crate) fn remove_prefix(&mut self, dev: &NetDevice<Device>, peer: &Peer, prefix: Prefix) {
        let removed = dev
            .data()
            .allowed_ips()
            .remove(&mut self.allowed_ips, prefix, peer);
        if let (Some(tag), Some(member)) = (removed, self.peers.get_mut(&peer.id())) {
            let _ = member.prefixes.remove(&tag);
        }
    }

    /// Returns the tag of the next prefix. All prefixes have lower tags.
    pub(crate) fn next_tag(&self) -> u64 {
        self.next_tag
    }

    /// Removes those prefixes of a peer whose tags are below `end`.
    pub(crate) fn remove_prefixes(&mut self, dev: &NetDevice<Device>, peer: &Peer, end: u64) {
        let Some(member) = self.peers.get_mut(&peer.id()) else {
            return;
        };
        let mut cursor = member.prefixes.cursor_lower_bound_mut(&0);
        while let Some(at) = cursor {
            let (tag, prefix) = at.current();
            if *tag >= end {
                return;
            }
            let _ = dev
                .data()
                .allowed_ips()
                .remove(&mut self.allowed_ips, *prefix, peer);
            cursor = at.remove_current().0;
        }
    }
}

/// Removed peers whose references are not dropped yet.
///
/// All of them together cost one grace period.
#[must_use]
pub(crate) struct RemovedPeers(RBTree<u64, Member>);

impl RemovedPeers {
    /// Creates the set without peers.
    pub(crate) fn new() -> Self {
        Self(RBTree::new())
    }

    /// Returns the peers.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &RcuArc<Peer>> {
        self.0.values().map(Member::peer)
    }

    /// Waits for one grace period, then ends each peer: timers, sessions, handshake, staged
    /// packets.
    ///
    /// Packets in flight hold references of their own, and finish by themselves.
    pub(crate) fn finish(self, ctx: &mut Process) {
        if self.0.is_empty() {
            return;
        }
        // A reader that has not seen that a peer is dead may still start a timer for it.
        rcu::synchronize(ctx);
        for member in self.0.values() {
            member.peer.end(ctx);
            ctx.cond_resched();
        }
    }
}
