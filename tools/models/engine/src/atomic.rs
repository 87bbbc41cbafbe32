// SPDX-License-Identifier: GPL-2.0

//! Atomics of the scheduler that can stand in a `static`, as those of the language can.
//!
//! loom wants an atomic to be made by a thread that is ordered before its users. So the first
//! thread of an execution makes [`POOL`] of them, all zero, and an atomic takes one of these when
//! it is first used. What is kept there is the difference to the value that the atomic began with:
//! so this value too is there for all threads, and nothing has to be written.

use crate::memory::PerRun;
use loom::sync::atomic as inner;
use std::cell::Cell;

pub use std::sync::atomic::Ordering;

/// How many atomics an execution may use.
const POOL: usize = 96;

struct Pool {
    words: Vec<inner::AtomicU64>,
    used: Cell<usize>,
}

static WORDS: PerRun<Pool> = PerRun::new();

/// Makes the atomics of this execution. For its first thread, before it starts others.
pub(crate) fn fill() {
    WORDS.get(|| Pool {
        words: (0..POOL).map(|_| inner::AtomicU64::new(0)).collect(),
        used: Cell::new(0),
    });
}

fn pool() -> &'static Pool {
    WORDS.get(|| unreachable!("the execution began by filling it"))
}

/// The number of an atomic in the pool, from its first use on.
struct Word(PerRun<usize>);

impl Word {
    fn inner(&self) -> &'static inner::AtomicU64 {
        let pool = pool();
        let nth = self.0.get(|| pool.used.replace(pool.used.get() + 1));
        let word = pool.words.get(*nth);
        word.expect("POOL of tools/models/engine/src/atomic.rs is too small")
    }
}

/// A barrier.
#[track_caller]
pub fn fence(ordering: Ordering) {
    inner::fence(ordering);
}

macro_rules! common {
    ([$($generic:ident)?], $name:ident, $value:ty, $decode:expr) => {
        /// Stands for the atomic of the same name.
        pub struct $name $(<$generic>)? {
            first: $value,
            word: Word,
        }

        // SAFETY: Atomic.
        unsafe impl $(<$generic>)? Send for $name $(<$generic>)? {}
        // SAFETY: Atomic.
        unsafe impl $(<$generic>)? Sync for $name $(<$generic>)? {}

        impl $(<$generic>)? $name $(<$generic>)? {
            /// Makes it.
            pub const fn new(first: $value) -> Self {
                Self {
                    first,
                    word: Word(PerRun::new()),
                }
            }

            fn encode(&self, value: $value) -> u64 {
                (value as u64).wrapping_sub(self.first as u64)
            }

            fn decode(&self, word: u64) -> $value {
                $decode(word.wrapping_add(self.first as u64))
            }

            /// Reads it.
            #[track_caller]
            pub fn load(&self, ordering: Ordering) -> $value {
                self.decode(self.word.inner().load(ordering))
            }

            /// Writes it.
            #[track_caller]
            pub fn store(&self, value: $value, ordering: Ordering) {
                self.word.inner().store(self.encode(value), ordering);
            }

            /// Exchanges it.
            #[track_caller]
            pub fn swap(&self, value: $value, ordering: Ordering) -> $value {
                self.decode(self.word.inner().swap(self.encode(value), ordering))
            }

            /// Exchanges it if it is `old`.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                old: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let (old, new) = (self.encode(old), self.encode(new));
                match self.word.inner().compare_exchange(old, new, success, failure) {
                    Ok(word) => Ok(self.decode(word)),
                    Err(word) => Err(self.decode(word)),
                }
            }

            /// Exchanges it if it is `old`. It never fails without a reason.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                old: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(old, new, success, failure)
            }

            /// Lends the value to its only user.
            #[track_caller]
            pub fn get_mut(&mut self) -> &mut $value {
                // All that was stored comes before, so there is one value to be seen.
                if let Some(nth) = self.word.0.take() {
                    self.first = self.decode(pool().words[nth].load(Ordering::Relaxed));
                }
                &mut self.first
            }
        }
    };
}

macro_rules! number {
    ($name:ident, $value:ty) => {
        common!([], $name, $value, |word: u64| word as $value);

        impl $name {
            /// Adds to it.
            #[track_caller]
            pub fn fetch_add(&self, value: $value, ordering: Ordering) -> $value {
                self.decode(self.word.inner().fetch_add(value as u64, ordering))
            }

            /// Subtracts from it.
            #[track_caller]
            pub fn fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                self.decode(self.word.inner().fetch_sub(value as u64, ordering))
            }
        }
    };
}

common!([T], AtomicPtr, *mut T, |word: u64| word as usize as *mut T);
common!([], AtomicBool, bool, |word: u64| word == 1);
number!(AtomicU32, u32);
number!(AtomicU64, u64);
number!(AtomicI32, i32);
number!(AtomicIsize, isize);
number!(AtomicUsize, usize);
