// SPDX-License-Identifier: GPL-2.0

//! Batches that are processed in parallel and released in order
//! (`rust/driver/parallel/reorder.rs`).

use super::{bounds, process};
use crate::parallel::reorder::{Outcome, ReorderQueue};
use engine::{explore_with, Tracked};
use kernel::{
    alloc::{flags::GFP_KERNEL, KBox},
    model::machine::Machine,
};
use kext::{new_spinlock, sync::lock::SpinLock};
use std::{pin::Pin, sync::Arc};

struct Batch {
    number: u64,
    tracked: Tracked,
}

struct Shared {
    order: ReorderQueue<Batch>,
    released: Vec<u64>,
    /// Whether a CPU releases batches.
    is_releasing: bool,
}

impl Shared {
    fn begin_release(&mut self) {
        assert!(!self.is_releasing, "two CPUs release at once");
        self.is_releasing = true;
    }
}

type Lock = Arc<Pin<KBox<SpinLock<Shared>>>>;

fn shared() -> Lock {
    let lock = KBox::pin_init(
        new_spinlock!(Shared {
            order: ReorderQueue::new(),
            released: Vec::new(),
            is_releasing: false,
        }),
        GFP_KERNEL,
    );
    Arc::new(lock.expect("memory"))
}

/// Takes a number, works on the batch, gives it back and releases what is due: as
/// `rust/driver/receive/release.rs` does.
fn work(lock: &Lock, fails: bool) {
    let mut ctx = process();
    let bh = ctx.bh();
    let seq = {
        let mut shared = lock.lock(&bh);
        shared.order.reserve().expect("room");
        shared.order.assign_seq()
    };
    let outcome = if fails {
        Outcome::Failed
    } else {
        Outcome::Done(Batch {
            number: seq,
            tracked: Tracked::new(),
        })
    };
    let mut next = {
        let mut shared = lock.lock(&bh);
        assert!(shared.order.complete(seq, outcome).is_ok());
        shared.order.take_head()
    };
    while let Some(outcome) = next {
        lock.lock(&bh).begin_release();
        if let Outcome::Done(batch) = outcome {
            batch.tracked.write();
            // Draining, and without the lock.
            lock.lock(&bh).released.push(batch.number);
        }
        let mut shared = lock.lock(&bh);
        shared.is_releasing = false;
        shared.order.head_released();
        next = shared.order.take_head();
    }
}

/// Releases packets without a number, if nothing is ahead of them: as `rust/driver/send/tx.rs`
/// does.
fn work_inline(lock: &Lock) {
    let mut ctx = process();
    let bh = ctx.bh();
    if !lock.lock(&bh).order.start_draining_if_empty() {
        return;
    }
    lock.lock(&bh).begin_release();
    let head = {
        let mut shared = lock.lock(&bh);
        shared.is_releasing = false;
        shared.order.stop_draining();
        shared.order.take_head()
    };
    if let Some(outcome) = head {
        let mut shared = lock.lock(&bh);
        if let Outcome::Done(batch) = outcome {
            shared.released.push(batch.number);
        }
        shared.order.head_released();
    }
}

fn all(cpus: usize, batches: usize, failing: usize) {
    explore_with(bounds(2), move || {
        let lock = shared();
        let mut machine = Machine::new();
        for cpu in 0..cpus {
            let lock = lock.clone();
            machine = machine.cpu(move || {
                for nth in 0..batches {
                    work(&lock, cpu * batches + nth == failing);
                }
            });
        }
        machine.finish();
        let mut ctx = process();
        let bh = ctx.bh();
        let shared = lock.lock(&bh);
        assert_eq!(shared.order.in_flight(), 0, "a batch is left");
        assert!(shared.released.windows(2).all(|two| two[0] < two[1]));
        let count = cpus * batches - usize::from(failing < cpus * batches);
        assert_eq!(shared.released.len(), count);
    });
}

#[test]
fn two_cpus_release_all_in_order() {
    all(2, 2, usize::MAX);
}

#[test]
fn three_cpus_release_all_in_order() {
    all(3, 1, usize::MAX);
}

#[test]
fn a_batch_that_fails_holds_up_nobody() {
    all(3, 1, 1);
}

/// Packets without a number leave on one CPU while a batch is completed on another: one of the two
/// at a time releases, and the batch is not left behind.
#[test]
fn one_cpu_releases_at_a_time() {
    explore_with(bounds(3), || {
        let lock = shared();
        let (inline, numbered) = (lock.clone(), lock.clone());
        Machine::new()
            .cpu(move || work_inline(&inline))
            .cpu(move || work(&numbered, false))
            .finish();
        let mut ctx = process();
        let bh = ctx.bh();
        let shared = lock.lock(&bh);
        assert_eq!(shared.order.in_flight(), 0, "a batch is left");
        assert_eq!(shared.released, [0]);
    });
}
