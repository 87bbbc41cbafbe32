// SPDX-License-Identifier: GPL-2.0

//! Batches that are given to the worker of another CPU (`rust/driver/parallel/worker.rs`).

use super::{bounds, process};
use crate::parallel::{
    cpu_load::CryptoOp,
    reorder::Job,
    worker::{Batch, Workers},
};
use engine::explore_with;
use kernel::model::{machine::Machine, timer};
use kext::{context::Bh, cpu, workqueue::Queue};
use std::sync::{Arc, Mutex};

type Done = Arc<Mutex<Vec<u64>>>;

/// Notes its number when it is processed.
struct Noted(Done);

impl Batch for Noted {
    fn process(job: Job<Self>, _bh: &Bh<'_>) {
        let mut done = job.batch.0.lock().expect("held for moments only");
        done.push(job.seq);
    }
}

/// The workers of CPUs of which only the first is responsive.
fn workers() -> Arc<Workers<Noted, Noted>> {
    kext::begin();
    // This is the first CPU.
    drop(process().bh());
    let workers = Workers::new(Queue, &mut process()).expect("there is memory");
    for cpu in 1..cpu::possible_count() {
        workers.loads().set_responsive(cpu, false);
    }
    Arc::new(workers)
}

/// Has the first CPU's worker process a batch with this number.
fn give(
    workers: &Arc<Workers<Noted, Noted>>,
    seq: u64,
    done: &Done,
) -> impl FnOnce() + Send + 'static {
    let (workers, done) = (workers.clone(), done.clone());
    move || {
        let mut ctx = process();
        let bh = ctx.bh();
        workers
            .loads()
            .account(CryptoOp::Encrypt, 1, &bh, || timer::pass(5));
        let target = loop {
            if let Some(target) = workers.find_less_busy(&bh) {
                break target;
            }
        };
        let batch = Noted(done);
        assert!(workers
            .offload_encrypt(Job { seq, batch }, &target, &bh)
            .is_ok());
    }
}

fn sorted(done: &Done) -> Vec<u64> {
    let mut done = done.lock().expect("held for moments only").clone();
    done.sort_unstable();
    done
}

/// The worker does all.
#[test]
fn the_worker_does_all() {
    explore_with(bounds(1), || {
        let (workers, done) = (workers(), Done::default());
        Machine::new()
            .with_worker()
            .cpu(give(&workers, 1, &done))
            .cpu(give(&workers, 2, &done))
            .finish();
        assert_eq!(sorted(&done), [1, 2]);
        std::mem::forget(workers);
    });
}

/// The worker does not come: the timer does all.
#[test]
fn the_timer_does_all() {
    explore_with(bounds(1), || {
        let (workers, done) = (workers(), Done::default());
        Machine::new()
            .with_timers()
            .cpu(give(&workers, 1, &done))
            .cpu(give(&workers, 2, &done))
            .finish();
        assert_eq!(sorted(&done), [1, 2]);
        std::mem::forget(workers);
    });
}
