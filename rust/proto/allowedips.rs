// SPDX-License-Identifier: GPL-2.0

//! Which owner an address belongs to: a binary radix trie for each family.
//!
//! Each node stands for a prefix; nodes without an owner only join two others. Below a node all prefixes are longer, so
//! no path has more than 129 nodes. Readers take no lock; writers are told apart by a [`WriterToken`].

use core::marker::PhantomData;

use crate::memory::{
    same,
    Memory, //
};
use crate::prefix::{
    Address,
    Bits,
    Prefix, //
};

/// Right to change a trie. The driver keeps it in its configuration, one for each [`AllowedIps`].
pub struct WriterToken {
    generation: u64,
}

impl Default for WriterToken {
    fn default() -> Self {
        Self::new()
    }
}

impl WriterToken {
    /// Creates the token of a new trie.
    pub const fn new() -> Self {
        Self { generation: 1 }
    }

    /// Returns a number that each change of the trie alters.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    fn changed(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }
}

/// Who had a prefix before, and the tag it was inserted with.
pub struct Loss<M: Memory, P: Send + Sync + 'static> {
    /// The owner.
    pub owner: M::Shared<P>,
    /// The tag.
    pub tag: u64,
}

/// Prefixes of both families and their owners.
pub struct AllowedIps<M: Memory, P: Send + Sync + 'static> {
    v4: Trie<M, P, u32>,
    v6: Trie<M, P, u128>,
}

impl<M: Memory, P: Send + Sync + 'static> Default for AllowedIps<M, P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Memory, P: Send + Sync + 'static> AllowedIps<M, P> {
    /// Creates an empty trie.
    pub fn new() -> Self {
        Self {
            v4: Trie::new(),
            v6: Trie::new(),
        }
    }

    /// Returns the owner of the longest prefix that holds `address`.
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

    /// Like [`lookup`](Self::lookup), but takes a count on the owner.
    #[inline]
    pub fn find(&self, address: Address, guard: &M::Guard<'_>) -> Option<M::Shared<P>> {
        loop {
            // A count that is gone means that the owner lost this prefix after we had read it: the next try finds another.
            if let Some(owner) = M::upgrade(self.lookup(address, guard)?) {
                return Some(owner);
            }
        }
    }

    /// Gives `prefix` to `owner`.
    ///
    /// Returns who had exactly this prefix before (also if it was `owner` itself, under the old tag). Allocates before
    /// it changes anything: after an error all is as it was.
    pub fn insert(
        &self,
        writer: &mut WriterToken,
        prefix: Prefix,
        owner: &M::Shared<P>,
        tag: u64,
    ) -> Result<Option<Loss<M, P>>, M::Error> {
        writer.changed();
        let len = prefix.len();
        match prefix.address() {
            Address::V4(bytes) => self.v4.insert(u32::from_be_bytes(bytes), len, owner, tag),
            Address::V6(bytes) => self.v6.insert(u128::from_be_bytes(bytes), len, owner, tag),
        }
    }

    /// Takes `prefix` from `owner` if it has exactly this one. Returns the tag it was inserted with.
    pub fn remove(&self, writer: &mut WriterToken, prefix: Prefix, owner: &P) -> Option<u64> {
        writer.changed();
        let len = prefix.len();
        match prefix.address() {
            Address::V4(bytes) => self.v4.remove(u32::from_be_bytes(bytes), len, owner),
            Address::V6(bytes) => self.v6.remove(u128::from_be_bytes(bytes), len, owner),
        }
    }

    /// Takes all `prefixes` from `owner`, as far as it has them.
    pub fn remove_all(
        &self,
        writer: &mut WriterToken,
        prefixes: impl IntoIterator<Item = Prefix>,
        owner: &P,
    ) {
        for prefix in prefixes {
            let _ = self.remove(writer, prefix, owner);
        }
    }

    /// Removes everything.
    pub fn clear(&self, writer: &mut WriterToken) {
        writer.changed();
        self.v4.clear();
        self.v6.clear();
    }

    /// Returns whether there is no prefix at all.
    pub fn is_empty(&self, guard: &M::Guard<'_>) -> bool {
        M::load(&self.v4.root, guard).is_none() && M::load(&self.v6.root, guard).is_none()
    }
}

type Link<M, P, K> = <M as Memory>::Slot<Node<M, P, K>>;
type Arc<M, P, K> = <M as Memory>::Shared<Node<M, P, K>>;

/// A prefix in the trie.
///
/// # Invariants
///
/// Prefix and width never change. Prefixes of children are longer, begin with this prefix and go on with a zero in `zero`, a
/// one in `one`. A node without an owner has two children while it is linked.
struct Node<M: Memory, P: Send + Sync + 'static, K: Bits> {
    bits: K,
    len: u8,
    owner: M::Slot<P>,
    tag: M::Word,
    zero: Link<M, P, K>,
    one: Link<M, P, K>,
}

/// A trie of one family.
struct Trie<M: Memory, P: Send + Sync + 'static, K: Bits> {
    root: Link<M, P, K>,
    _memory: PhantomData<fn() -> M>,
}

impl<M: Memory, P: Send + Sync + 'static, K: Bits> Trie<M, P, K> {
    fn new() -> Self {
        Self {
            root: M::slot(None),
            _memory: PhantomData,
        }
    }

    #[inline]
    fn lookup<'g>(&'g self, bits: K, guard: &'g M::Guard<'_>) -> Option<M::Ref<'g, P>> {
        todo!()
    }

    fn insert(
        &self,
        bits: K,
        len: u8,
        owner: &M::Shared<P>,
        tag: u64,
    ) -> Result<Option<Loss<M, P>>, M::Error> {
        todo!()
    }

    fn remove(&self, bits: K, len: u8, owner: &P) -> Option<u64> {
        todo!()
    }

    fn clear(&self) {
        todo!()
    }
}
