// SPDX-License-Identifier: GPL-2.0

//! Trees.

use crate::{alloc::Flags, error::Result};
use std::collections::BTreeMap;

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

    /// Finds one.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }
}
