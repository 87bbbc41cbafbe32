// SPDX-License-Identifier: GPL-2.0

//! Sharing the encryption and decryption of one peer's packets among CPUs.

use crate::{
    effort::Efforts,
    queueing::{
        Chain,
        Job, //
    },
    receive,
    send, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    cpu,
    net::device::xmit_depth,
    new_spinlock,
    new_work,
    sync::{
        lock::SpinLock,
        rcu::RcuArc, //
    },
    workqueue::{
        self,
        Run,
        Work, //
    }, //
};

/// Nesting of transmissions on this CPU from which batches go to a worker: each level takes its share of the stack.
const MAX_DEPTH: u32 = 3;

/// Batches that may wait for one worker; beyond that others do them.
const MAX_WAITING: u32 = 4;

/// Workers that are asked whether they can take a batch.
const MAX_ASKED: u32 = 8;

/// A worker on one CPU.
#[pin_data]
struct Worker {
    #[pin]
    seal: SpinLock<Chain<send::Batch>>,
    #[pin]
    open: SpinLock<Chain<receive::Batch>>,
    /// Batches that were pushed and are not done.
    waiting: Atomic<u32>,
    #[pin]
    work: Work<Worker, 0>,
}

impl Run<0> for Worker {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        loop {
            let (mut seal, mut open) = {
                let bh = ctx.bh();
                let seal = this.seal.lock(&bh).take_in_order();
                let open = this.open.lock(&bh).take_in_order();
                (seal, open)
            };
            if seal.is_empty() && open.is_empty() {
                return;
            }
            while let Some(job) = seal.pop() {
                send::seal_elsewhere(job, &ctx.bh());
                this.waiting.fetch_sub(1, Relaxed);
                ctx.cond_resched();
            }
            while let Some(job) = open.pop() {
                #[cfg(wg_faults)]
                if let Some(batch) = &job.batch {
                    let device = batch.peer().device().data();
                    device.workers().hold.pass(ctx);
                }
                receive::open_elsewhere(job, &ctx.bh());
                this.waiting.fetch_sub(1, Relaxed);
                ctx.cond_resched();
            }
        }
    }
}

/// Returns whether transmissions on this CPU are nested so deep that another one must not begin.
pub(crate) fn is_nested(bh: &Bh<'_>) -> bool {
    xmit_depth(bh) >= MAX_DEPTH
}

/// Somebody who takes a batch.
pub(crate) struct Helper<'w> {
    cpu: u32,
    worker: &'w RcuArc<Worker>,
}

/// The workers of an interface, one for each CPU.
pub(crate) struct Workers {
    workers: KVec<RcuArc<Worker>>,
    efforts: Arc<Efforts>,
    last: Atomic<u32>,
    queue: workqueue::Queue,
    /// Holds back one of those who decrypt.
    #[cfg(wg_faults)]
    pub(crate) hold: Arc<crate::faults::Hold>,
}

impl Workers {
    /// Creates the workers; `queue` runs them.
    pub(crate) fn new(queue: workqueue::Queue) -> Result<Self> {
        let mut workers = KVec::new();
        for _ in 0..cpu::possible_count() {
            workers.push(
                RcuArc::pin_init(
                    pin_init!(Worker {
                        seal <- new_spinlock!(Chain::new()),
                        open <- new_spinlock!(Chain::new()),
                        waiting: Atomic::new(0),
                        work <- new_work!(),
                    }),
                    GFP_KERNEL,
                )?,
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            workers,
            efforts: Arc::new(Efforts::new()?, GFP_KERNEL)?,
            last: Atomic::new(0),
            queue,
            #[cfg(wg_faults)]
            hold: Arc::new(crate::faults::Hold::new(), GFP_KERNEL)?,
        })
    }

    /// Returns the workqueue that runs the workers.
    pub(crate) fn queue(&self) -> &workqueue::Queue {
        &self.queue
    }

    /// Returns what each CPU has done.
    pub(crate) fn efforts(&self) -> &Arc<Efforts> {
        &self.efforts
    }

    /// Returns whether this CPU has enough to do, and there are others.
    pub(crate) fn may_help(&self, bh: &Bh<'_>) -> bool {
        cpu::online_count() > 1 && self.efforts.has_enough(bh)
    }

    /// Returns who encrypts the next batch, if not this CPU.
    pub(crate) fn sealer(&self, bh: &Bh<'_>) -> Option<Helper<'_>> {
        if is_nested(bh) {
            return self.next();
        }
        if self.may_help(bh) {
            self.idle(bh)
        } else {
            None
        }
    }

    /// Returns who decrypts the next batch, if not this CPU, which [has enough](Self::may_help).
    pub(crate) fn opener(&self, bh: &Bh<'_>) -> Option<Helper<'_>> {
        self.idle(bh)
    }

    /// Has a batch encrypted.
    pub(crate) fn seal(&self, job: KBox<Job<send::Batch>>, helper: &Helper<'_>, bh: &Bh<'_>) {
        helper.worker.seal.lock(bh).push(job);
        self.start(helper);
    }

    /// Has a batch decrypted.
    pub(crate) fn open(&self, job: KBox<Job<receive::Batch>>, helper: &Helper<'_>, bh: &Bh<'_>) {
        helper.worker.open.lock(bh).push(job);
        self.start(helper);
    }

    fn start(&self, helper: &Helper<'_>) {
        helper.worker.waiting.fetch_add(1, Relaxed);
        let _ = self
            .queue
            .enqueue_on(helper.cpu, &helper.worker.work, helper.worker);
    }

    /// Returns another CPU that has more time for a batch than this one.
    fn idle(&self, bh: &Bh<'_>) -> Option<Helper<'_>> {
        for _ in 0..cpu::online_count().min(MAX_ASKED) {
            let helper = self.next()?;
            if helper.cpu != bh.cpu()
                && helper.worker.waiting.load(Relaxed) < MAX_WAITING
                && self.efforts.has_less(helper.cpu, bh)
            {
                return Some(helper);
            }
        }
        None
    }

    fn next(&self) -> Option<Helper<'_>> {
        let cpu = cpu::next_online(self.last.load(Relaxed));
        self.last.store(cpu, Relaxed);
        // CAST: From small to large.
        let worker = self.workers.get(cpu as usize).or(self.workers.first())?;
        Some(Helper { cpu, worker })
    }
}
