// SPDX-License-Identifier: GPL-2.0

//! Trees.

use crate::{alloc::Flags, error::Result};
use std::collections::{btree_map::RangeMut, BTreeMap};

/// A tree.
pub struct RBTree<K, V>(BTreeMap<K, V>);

/// A node of one.
pub struct RBTreeNode<K, V>(K, V);

impl<K, V> RBTreeNode<K, V> {
    /// Makes one.
    pub fn new(key: K, value: V, _flags: Flags) -> Result<Self> {
        Ok(Self(key, value))
    }
}

impl<K: Ord, V> RBTree<K, V> {
    /// Makes an empty one.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds a node.
    pub fn insert(&mut self, node: RBTreeNode<K, V>) -> Option<V> {
        self.0.insert(node.0, node.1)
    }

    /// Takes a node.
    pub fn remove_node(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// Returns a cursor on the first node from `key` on.
    pub fn cursor_lower_bound_mut(&mut self, key: &K) -> Option<CursorMut<'_, K, V>> {
        CursorMut::new(self.0.range_mut(key..))
    }
}

/// A place in a tree.
pub struct CursorMut<'a, K, V>((&'a K, &'a mut V), RangeMut<'a, K, V>);

impl<'a, K, V> CursorMut<'a, K, V> {
    fn new(mut range: RangeMut<'a, K, V>) -> Option<Self> {
        Some(Self(range.next()?, range))
    }

    /// Returns the node here.
    pub fn current(&self) -> (&K, &V) {
        (self.0 .0, self.0 .1)
    }

    /// Goes on to the next one.
    pub fn move_next(self) -> Option<Self> {
        Self::new(self.1)
    }
}
