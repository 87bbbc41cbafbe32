// SPDX-License-Identifier: GPL-2.0

//! Allowed IPs: a binary radix trie for each family, which finds the owner of an address.
//!
//! Each node stands for a prefix; nodes without an owner only join two others. Below a node all
//! prefixes are longer, so no path has more than 129 nodes. Readers take no lock; writers hold a
//! [`AllowedIpsWriter`].

use core::{
    marker::PhantomData,
    mem::replace, //
};

use crate::memory::{
    same,
    Reclaim, //
};
use crate::prefix::{
    Address,
    Bits,
    Prefix, //
};

/// Nodes on the longest path: one for each length of an IPv6 prefix, and the empty one.
const MAX_DEPTH: usize = u128::WIDTH as usize + 1;

/// Proof that the caller may change a trie. The driver keeps it in its configuration, one for each
/// [`AllowedIps`].
pub struct AllowedIpsWriter {
    generation: u64,
}

impl Default for AllowedIpsWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl AllowedIpsWriter {
    /// Creates the token of a new trie.
    pub const fn new() -> Self {
        Self { generation: 1 }
    }

    /// Returns the generation of the trie, a number that each change increments.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    fn changed(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }
}

/// The previous owner of a prefix that [`AllowedIps::insert`] has replaced, and its tag.
pub struct Loss<M: Reclaim, P: Send + Sync + 'static> {
    /// The previous owner.
    pub owner: M::Shared<P>,
    /// The tag of the previous owner.
    pub tag: u64,
}

/// Prefixes of both families and their owners.
pub struct AllowedIps<M: Reclaim, P: Send + Sync + 'static> {
    v4: Trie<M, P, u32>,
    v6: Trie<M, P, u128>,
}

impl<M: Reclaim, P: Send + Sync + 'static> Default for AllowedIps<M, P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Reclaim, P: Send + Sync + 'static> AllowedIps<M, P> {
    /// Makes empty tries.
    pub fn new() -> Self {
        Self {
            v4: Trie::new(),
            v6: Trie::new(),
        }
    }

    /// Returns the owner of the longest prefix that holds `address`.
    ///
    /// A lookup that runs during one change finds the state before or after it. One that runs
    /// during several changes may see a later one and miss an earlier one. It then finds the owner
    /// of a prefix that held `address` at some time during the lookup, but never of one that is
    /// shorter than a prefix of `address` that was in the trie all the time.
    #[inline]
    pub fn lookup<'g>(
        &'g self,
        address: Address,
        guard: &'g M::Guard<'_>,
    ) -> Option<M::Ref<'g, P>> {
        match address {
            Address::V4(bytes) => self.v4.lookup(u32::from_be_bytes(bytes), guard),
            Address::V6(bytes) => self.v6.lookup(u128::from_be_bytes(bytes), guard),
        }
    }

    /// Gives `prefix` to `owner`, with a tag.
    ///
    /// Returns the previous owner of exactly this prefix, which may be `owner` itself with an older
    /// tag. Allocates before it changes anything, so an error changes nothing.
    pub fn insert(
        &self,
        writer: &mut AllowedIpsWriter,
        prefix: Prefix,
        owner: &M::Shared<P>,
        tag: u64,
        ctx: &mut M::Process,
    ) -> Result<Option<Loss<M, P>>, M::Error> {
        writer.changed();
        let len = prefix.len();
        match prefix.address() {
            Address::V4(bytes) => self
                .v4
                .insert(u32::from_be_bytes(bytes), len, owner, tag, ctx),
            Address::V6(bytes) => self
                .v6
                .insert(u128::from_be_bytes(bytes), len, owner, tag, ctx),
        }
    }

    /// Removes `prefix` if `owner` has exactly this one. Returns the tag it was inserted with.
    pub fn remove(&self, writer: &mut AllowedIpsWriter, prefix: Prefix, owner: &P) -> Option<u64> {
        writer.changed();
        let len = prefix.len();
        match prefix.address() {
            Address::V4(bytes) => self.v4.remove(u32::from_be_bytes(bytes), len, owner),
            Address::V6(bytes) => self.v6.remove(u128::from_be_bytes(bytes), len, owner),
        }
    }

    /// Removes all prefixes.
    pub fn clear(&self, writer: &mut AllowedIpsWriter) {
        writer.changed();
        self.v4.clear();
        self.v6.clear();
    }

    /// Returns whether the tries have no prefix.
    pub fn is_empty(&self, guard: &M::Guard<'_>) -> bool {
        M::load(&self.v4.root, guard).is_none() && M::load(&self.v6.root, guard).is_none()
    }
}

type Link<M, P, K> = <M as Reclaim>::Slot<Node<M, P, K>>;
type NodeRef<M, P, K> = <M as Reclaim>::Shared<Node<M, P, K>>;

/// A node of the trie, for one prefix.
///
/// # Invariants
///
/// Bits behind `len` are zero, and neither changes. Prefixes of children are longer, begin with
/// this prefix and go on with a zero in `zero`, a one in `one`. A node without an owner has two
/// children while it is linked.
struct Node<M: Reclaim, P: Send + Sync + 'static, K: Bits> {
    bits: K,
    len: u8,
    /// Only writers access it.
    tag: M::Word,
    owner: M::Slot<P>,
    zero: Link<M, P, K>,
    one: Link<M, P, K>,
}

impl<M: Reclaim, P: Send + Sync + 'static, K: Bits> Node<M, P, K> {
    /// Makes a node above `below`, whose prefixes are longer, begin with this one, and differ in
    /// the bit that follows.
    fn new<const N: usize>(
        bits: K,
        len: u8,
        owner: Option<(M::Shared<P>, u64)>,
        below: [NodeRef<M, P, K>; N],
    ) -> Self {
        let (owner, tag) = owner.map_or((None, 0), |(owner, tag)| (Some(owner), tag));
        let (mut zero, mut one) = (None, None);
        for node in below {
            let side = if node.bits.bit(len) {
                &mut one
            } else {
                &mut zero
            };
            *side = Some(node);
        }
        // INVARIANT: The bits are cut here; the callers promise the rest.
        Self {
            bits: bits.first(len),
            len,
            tag: M::word(tag),
            owner: M::slot(owner),
            zero: M::slot(zero),
            one: M::slot(one),
        }
    }

    /// Returns whether the prefix holds `bits`.
    #[inline]
    fn holds(&self, bits: K) -> bool {
        self.bits.common(bits) >= self.len
    }

    /// Returns the link to follow for `bits`.
    #[inline]
    fn child(&self, bits: K) -> &Link<M, P, K> {
        if bits.bit(self.len) {
            &self.one
        } else {
            &self.zero
        }
    }

    /// Returns the link not to follow for `bits`.
    fn other(&self, bits: K) -> &Link<M, P, K> {
        if bits.bit(self.len) {
            &self.zero
        } else {
            &self.one
        }
    }
}

/// Where a prefix belongs.
struct Position<M: Reclaim, P: Send + Sync + 'static, K: Bits> {
    /// The node above `parent`.
    above: Option<NodeRef<M, P, K>>,
    /// The longest prefix that is shorter than ours and holds it.
    parent: Option<NodeRef<M, P, K>>,
    /// What the way on from `parent` leads to: our prefix, a part of it, or something beside it.
    down: Option<NodeRef<M, P, K>>,
}

/// A trie of one family.
struct Trie<M: Reclaim, P: Send + Sync + 'static, K: Bits> {
    root: Link<M, P, K>,
    _memory: PhantomData<fn() -> M>,
}

impl<M: Reclaim, P: Send + Sync + 'static, K: Bits> Trie<M, P, K> {
    fn new() -> Self {
        Self {
            root: M::slot(None),
            _memory: PhantomData,
        }
    }

    #[inline]
    fn lookup<'g>(&'g self, bits: K, guard: &'g M::Guard<'_>) -> Option<M::Ref<'g, P>> {
        loop {
            let mut found = None;
            let mut next = M::load(&self.root, guard);
            while let Some(node) = next.map(M::target) {
                if !node.holds(bits) {
                    break;
                }
                if M::load(&node.owner, guard).is_some() {
                    found = Some(node);
                }
                // A full-length node has no children; `child` is harmless there.
                next = M::load(node.child(bits), guard);
            }
            // Readers load the owner after the way down, not on it. If a writer has taken the
            // prefix away meanwhile, the nodes seen below may have been unlinked as well, so start
            // anew.
            let found = found?;
            if let Some(owner) = M::load(&found.owner, guard) {
                return Some(owner);
            }
        }
    }

    /// Finds where a prefix is or would be. For writers.
    fn position(&self, bits: K, len: u8) -> Position<M, P, K> {
        let mut position = Position::<M, P, K> {
            above: None,
            parent: None,
            down: M::get(&self.root),
        };
        while let Some(node) = &position.down {
            if node.len >= len || !node.holds(bits) {
                break;
            }
            let next = M::get(node.child(bits));
            position.above = replace(&mut position.parent, replace(&mut position.down, next));
        }
        position
    }

    /// Returns the link that leads from a node, or from the root, towards `bits`.
    fn link<'a>(&'a self, node: &'a Option<NodeRef<M, P, K>>, bits: K) -> &'a Link<M, P, K> {
        node.as_ref().map_or(&self.root, |node| node.child(bits))
    }

    fn insert(
        &self,
        bits: K,
        len: u8,
        owner: &M::Shared<P>,
        tag: u64,
        ctx: &mut M::Process,
    ) -> Result<Option<Loss<M, P>>, M::Error> {
        let Position { parent, down, .. } = self.position(bits, len);
        let ownership = Some((owner.clone(), tag));
        let new = match down {
            None => M::share(Node::new(bits, len, ownership, []), ctx)?,
            Some(down) => {
                let common = down.bits.common(bits);
                if common < len {
                    // Ours lies beside `down`: both get a node above them.
                    let leaf = M::share(Node::new(bits, len, ownership, []), ctx)?;
                    M::share(Node::new(bits, common, None, [down, leaf]), ctx)?
                } else if down.len > len {
                    M::share(Node::new(bits, len, ownership, [down]), ctx)?
                } else {
                    let old = M::read(&down.tag);
                    M::write(&down.tag, tag);
                    let owner = M::swap(&down.owner, Some(owner.clone()));
                    return Ok(owner.map(|owner| Loss { owner, tag: old }));
                }
            }
        };
        // The new node already leads to what was here, so that readers miss nothing.
        let _ = M::swap(self.link(&parent, bits), Some(new));
        Ok(None)
    }

    fn remove(&self, bits: K, len: u8, owner: &P) -> Option<u64> {
        let Position {
            above,
            parent,
            down,
        } = self.position(bits, len);
        let node = down.filter(|node| node.len == len && node.holds(bits))?;
        if !M::get(&node.owner).is_some_and(|has| same::<P>(&has, owner)) {
            return None;
        }
        let tag = M::read(&node.tag);
        // Before the node is unlinked: see `lookup`.
        let _ = M::swap(&node.owner, None);
        // Readers may still be at the node, so it keeps its own link to the child.
        let child = match (M::get(&node.zero), M::get(&node.one)) {
            (Some(_), Some(_)) => return Some(tag),
            (zero, one) => zero.or(one),
        };
        let leaf = child.is_none();
        let _ = M::swap(self.link(&parent, bits), child);
        // A node that only joined the removed one with another is not needed any more.
        if let Some(joint) = parent.as_ref().filter(|_| leaf) {
            if M::get(&joint.owner).is_none() {
                let _ = M::swap(self.link(&above, bits), M::get(joint.other(bits)));
            }
        }
        Some(tag)
    }

    fn clear(&self) {
        // Nodes are taken apart here so that all wait for one and the same grace period, instead
        // of each for the one of its parent. At most one right child waits for each level above.
        let mut waiting: [Option<NodeRef<M, P, K>>; MAX_DEPTH] = [const { None }; MAX_DEPTH];
        let mut depth = 0usize;
        let mut next = M::swap(&self.root, None);
        loop {
            let node = match next {
                Some(node) => node,
                None => {
                    depth = match depth.checked_sub(1) {
                        Some(depth) => depth,
                        None => return,
                    };
                    match waiting.get_mut(depth).and_then(Option::take) {
                        Some(node) => node,
                        None => return,
                    }
                }
            };
            // The owner first, then the nodes below: a reader that misses a longer prefix does not
            // get this owner instead, see `lookup`.
            let _ = M::swap(&node.owner, None);
            next = M::swap(&node.zero, None);
            let one = M::swap(&node.one, None);
            if let (Some(_), Some(position)) = (&one, waiting.get_mut(depth)) {
                *position = one;
                depth = depth.saturating_add(1);
            }
        }
    }
}

impl<M: Reclaim, P: Send + Sync + 'static, K: Bits> Drop for Trie<M, P, K> {
    fn drop(&mut self) {
        self.clear();
    }
}
