// SPDX-License-Identifier: GPL-2.0

//! Whether a source is the endpoint of one of an interface's peers.

use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    net::addr::SocketAddr,
    siphash, //
};

/// Counters of the filter: 16 kB. With a thousand peers it takes one of seven other addresses for
/// that of a peer, with a hundred one of 450.
const COUNTERS: usize = 4096;

/// The endpoints of an interface's peers, as a counting Bloom filter.
///
/// Asked for each handshake message while too many wait, so it takes no lock and finds out the same
/// way for any number of peers. The hash has a key, so that nobody can tell which source passes for
/// a peer.
pub(crate) struct KnownSources {
    key: siphash::Key,
    counters: KVVec<Atomic<u32>>,
}

impl KnownSources {
    /// Creates the filter of an interface without peers.
    pub(crate) fn new() -> Result<Self> {
        let mut counters = KVVec::with_capacity(COUNTERS, GFP_KERNEL)?;
        for _ in 0..COUNTERS {
            counters.push_within_capacity(Atomic::new(0))?;
        }
        Ok(Self {
            // It may be a key from before the generator was seeded. Guessing it lets a flood from
            // chosen addresses take the places that are kept for peers, no more.
            key: siphash::Key::random(),
            counters,
        })
    }

    /// Adds the endpoint of a peer. One that several peers have is added by each.
    pub(crate) fn add(&self, remote: &SocketAddr) {
        for counter in self.counters(remote) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// Removes the endpoint of a peer, which was added.
    pub(crate) fn remove(&self, remote: &SocketAddr) {
        for counter in self.counters(remote) {
            counter.fetch_sub(1, Relaxed);
        }
    }

    /// Returns whether the source is the endpoint of a peer. A few others are taken for one.
    pub(crate) fn contains(&self, source: &SocketAddr) -> bool {
        self.counters(source)
            .all(|counter| counter.load(Relaxed) != 0)
    }

    fn counters(&self, place: &SocketAddr) -> impl Iterator<Item = &Atomic<u32>> {
        let mut bytes = [0; 19];
        let (family, address, port): (u8, &[u8], _) = match place {
            SocketAddr::V4 { addr, port } => (4, &addr.0, port),
            SocketAddr::V6 { addr, port, .. } => (6, &addr.0, port),
        };
        let port = port.to_be_bytes();
        let parts: [&[u8]; 3] = [&[family], &port, address];
        let all = parts.into_iter().flatten();
        for (to, from) in bytes.iter_mut().zip(all) {
            *to = *from;
        }
        let hash = siphash::siphash(&self.key, &bytes);
        // CAST: Parts of the hash.
        [hash as u32, (hash >> 32) as u32]
            .into_iter()
            // CAST: From 32 bits to at least as many.
            .filter_map(move |part| self.counters.get(part as usize % COUNTERS))
    }
}
