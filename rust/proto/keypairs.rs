// SPDX-License-Identifier: GPL-2.0

//! The three sessions that a peer may have at a time.
//!
//! We send in `current`. We derived `next` as responder; it waits for its first packet. `previous`
//! still receives packets that were on their way when `current` changed.

use core::marker::PhantomData;

use crate::memory::{
    same,
    Reclaim, //
};

/// Proof that the caller may change the slots of a peer. The driver keeps it under a lock, one for
/// each [`Keypairs`].
#[derive(Default)]
pub struct KeypairsWriter(());

impl KeypairsWriter {
    /// Creates the token of a new peer.
    pub const fn new() -> Self {
        Self(())
    }
}

/// Sessions that were taken out of their slots.
///
/// The caller has to remove them from the index table, too. It should drop them after it has
/// released the lock.
#[must_use]
pub struct Retired<M: Reclaim, K: Send + Sync + 'static> {
    list: [Option<M::Shared<K>>; 3],
}

impl<M: Reclaim, K: Send + Sync + 'static> IntoIterator for Retired<M, K> {
    type Item = M::Shared<K>;
    type IntoIter = core::iter::Flatten<core::array::IntoIter<Option<M::Shared<K>>, 3>>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter().flatten()
    }
}

/// The sessions of a peer.
pub struct Keypairs<M: Reclaim, K: Send + Sync + 'static> {
    previous: M::Slot<K>,
    current: M::Slot<K>,
    next: M::Slot<K>,
    _memory: PhantomData<fn() -> M>,
}

impl<M: Reclaim, K: Send + Sync + 'static> Default for Keypairs<M, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Reclaim, K: Send + Sync + 'static> Keypairs<M, K> {
    /// Makes empty slots.
    pub fn new() -> Self {
        Self {
            previous: M::slot(None),
            current: M::slot(None),
            next: M::slot(None),
            _memory: PhantomData,
        }
    }

    /// Returns the session to send in.
    #[inline]
    pub fn current<'g>(&'g self, guard: &'g M::Guard<'_>) -> Option<M::Ref<'g, K>> {
        M::load(&self.current, guard)
    }

    /// Returns the session that waits for its first packet.
    #[inline]
    pub fn next<'g>(&'g self, guard: &'g M::Guard<'_>) -> Option<M::Ref<'g, K>> {
        M::load(&self.next, guard)
    }

    /// Returns the session that was current before.
    #[inline]
    pub fn previous<'g>(&'g self, guard: &'g M::Guard<'_>) -> Option<M::Ref<'g, K>> {
        M::load(&self.previous, guard)
    }

    /// Returns whether `session` waits for its first packet. Cheap enough to ask for each packet
    /// before [`confirm`](Self::confirm).
    #[inline]
    pub fn is_next(&self, session: &K, guard: &M::Guard<'_>) -> bool {
        M::load(&self.next, guard).is_some_and(|next| same(M::target(next), session))
    }

    /// Adds a session that this side initiated. The response has confirmed it, so it becomes the
    /// current one at once.
    ///
    /// A session that waits becomes the previous one instead of being dropped: if both sides
    /// initiated at the same time, the other side may be sending in it.
    pub fn add_initiated(&self, _: &mut KeypairsWriter, session: M::Shared<K>) -> Retired<M, K> {
        let next = M::swap(&self.next, None);
        let had_next = next.is_some();
        let previous = M::swap(&self.previous, next.or_else(|| M::get(&self.current)));
        let current = M::swap(&self.current, Some(session));
        Retired {
            // Without a waiting session the old current one becomes the previous one.
            list: [previous, current.filter(|_| had_next), None],
        }
    }

    /// Adds a session that the other side initiated. It waits for its first packet.
    pub fn add_answered(&self, _: &mut KeypairsWriter, session: M::Shared<K>) -> Retired<M, K> {
        let next = M::swap(&self.next, Some(session));
        let previous = M::swap(&self.previous, None);
        Retired {
            list: [next, previous, None],
        }
    }

    /// Makes `session` the current one if it waits for its first packet, which has arrived.
    ///
    /// Returns `None` if it does not wait (any more).
    pub fn confirm(&self, _: &mut KeypairsWriter, session: &K) -> Option<Retired<M, K>> {
        let next = M::get(&self.next).filter(|next| same::<K>(next, session))?;
        let previous = M::swap(&self.previous, M::get(&self.current));
        // Both sessions are in a slot again, so dropping these counts ends neither.
        let _ = M::swap(&self.current, Some(next));
        let _ = M::swap(&self.next, None);
        Some(Retired {
            list: [previous, None, None],
        })
    }

    /// Removes all sessions.
    pub fn clear(&self, _: &mut KeypairsWriter) -> Retired<M, K> {
        Retired {
            list: [&self.next, &self.previous, &self.current].map(|slot| M::swap(slot, None)),
        }
    }
}
