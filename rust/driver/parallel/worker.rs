// SPDX-License-Identifier: GPL-2.0

//! The work item of each CPU that encrypts and decrypts for others.
//!
//! The C driver calls it `multicore_worker`.

use super::{
    cpu_load::CpuLoads,
    fifo::Fifo,
    reorder::Job, //
};
#[cfg(wg_faults)]
use crate::faults::Hold;
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
    compat::casts::u32_as_usize,
    context::{
        Bh,
        Process, //
    },
    cpu,
    new_spinlock,
    new_timer,
    new_work,
    sync::{
        lock::SpinLock,
        rcu::RcuArc, //
    },
    time::{
        self,
        timer::{
            Expired,
            Timer, //
        }, //
    },
    workqueue::{
        self,
        Work,
        WorkItem, //
    }, //
};

/// Batches that one worker may have queued, for each of encryption and decryption. Beyond that, the
/// CPU that has them processes them itself.
const MAX_QUEUED: u32 = 4;

/// Jiffies within which a queued work item has to run. If it does not, because other tasks keep it
/// from running, a watchdog timer does its work.
pub(crate) const WATCHDOG_TIMEOUT: u64 = 3;

/// Jiffies after which a CPU whose work items do not run counts as stalled: the host of a virtual
/// machine may stop a processor for a while.
pub(crate) const STALL_TIMEOUT: u64 = time::HZ / 10;

/// A batch of packets that any CPU can encrypt or decrypt.
pub(crate) trait Batch: Send + Unpin + Sized + 'static {
    /// Encrypts or decrypts the batch of `job`, and completes it in its reorder queue.
    fn process(job: Job<Self>, bh: &Bh<'_>);
}

/// The worker of one CPU: encrypts batches `S` and decrypts batches `O`.
#[pin_data]
struct Worker<S: Batch, O: Batch> {
    cpu: u32,
    loads: Arc<CpuLoads>,
    #[pin]
    encrypt: SpinLock<Fifo<Job<S>, { MAX_QUEUED as usize }>>,
    #[pin]
    decrypt: SpinLock<Fifo<Job<O>, { MAX_QUEUED as usize }>>,
    /// How many batches are done, and how many were when the watchdog was armed.
    done: Atomic<u32>,
    seen: Atomic<u32>,
    /// Since which jiffy the CPU's work items are late, or 0.
    late_since: Atomic<u64>,
    #[pin]
    work: Work<Self, 0>,
    #[pin]
    watchdog: Timer<Self, 0>,
    #[cfg(wg_faults)]
    hold: Arc<Hold>,
}

impl<S: Batch, O: Batch> Worker<S, O> {
    fn new(
        cpu: u32,
        loads: Arc<CpuLoads>,
        #[cfg(wg_faults)] hold: Arc<Hold>,
        ctx: &mut Process,
    ) -> Result<RcuArc<Self>> {
        RcuArc::pin_init(
            pin_init!(Self {
                cpu,
                loads,
                encrypt <- new_spinlock!(Fifo::new()),
                decrypt <- new_spinlock!(Fifo::new()),
                done: Atomic::new(0),
                seen: Atomic::new(0),
                late_since: Atomic::new(0),
                work <- new_work!(),
                watchdog <- new_timer!(),
                #[cfg(wg_faults)]
                hold,
            }),
            ctx,
        )
    }

    /// Encrypts the oldest batch, if there is one.
    fn encrypt_one(&self, bh: &Bh<'_>) -> bool {
        let job = self.encrypt.lock(bh).pop();
        let Some(job) = job else {
            return false;
        };
        S::process(job, bh);
        self.finish_one();
        true
    }

    /// Decrypts the oldest batch, if there is one.
    fn decrypt_one(&self, bh: &Bh<'_>) -> bool {
        let job = self.decrypt.lock(bh).pop();
        let Some(job) = job else {
            return false;
        };
        O::process(job, bh);
        self.finish_one();
        true
    }

    /// Decrypts the oldest batch once a test does not hold it back any more.
    #[cfg(wg_faults)]
    fn hold_one(&self, ctx: &mut Process) -> bool {
        let job = self.decrypt.lock(&ctx.bh()).pop();
        let Some(job) = job else {
            return false;
        };
        self.hold.pass(ctx);
        O::process(job, &ctx.bh());
        self.finish_one();
        true
    }

    fn finish_one(&self) {
        self.done.fetch_add(1, Relaxed);
        self.loads.note_done(self.cpu);
    }

    /// Notes that a work item of the CPU did not run in time. The CPU may have stalled.
    fn note_late(&self) {
        let now = time::jiffies();
        match self.late_since.load(Relaxed) {
            0 => self.late_since.store(now, Relaxed),
            since if now.wrapping_sub(since) >= STALL_TIMEOUT => {
                self.loads.set_responsive(self.cpu, false);
            }
            _ => {}
        }
    }

    /// Notes that a work item of the CPU runs.
    fn note_ran(&self) {
        if self.late_since.load(Relaxed) != 0 {
            self.late_since.store(0, Relaxed);
            self.loads.set_responsive(self.cpu, true);
        }
    }

    /// Arms the watchdog, which expects more than `done` batches done when it expires.
    fn arm_watchdog(this: &RcuArc<Self>, done: u32) {
        if !this.watchdog.is_pending() {
            this.seen.store(done, Relaxed);
            this.watchdog.arm(this, WATCHDOG_TIMEOUT);
        }
    }
}

impl<S: Batch, O: Batch> WorkItem<0> for Worker<S, O> {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        this.note_ran();
        loop {
            let encrypted = this.encrypt_one(&ctx.bh());
            ctx.cond_resched();
            #[cfg(wg_faults)]
            if this.hold_one(ctx) {
                continue;
            }
            let decrypted = this.decrypt_one(&ctx.bh());
            ctx.cond_resched();
            if !encrypted && !decrypted {
                return;
            }
        }
    }
}

impl<S: Batch, O: Batch> Expired<0> for Worker<S, O> {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        if !this.loads.has_queued(this.cpu) {
            return;
        }
        let done = this.done.load(Relaxed);
        if done == this.seen.load(Relaxed) {
            this.note_late();
            while this.encrypt_one(bh) || this.decrypt_one(bh) {}
        }
        Self::arm_watchdog(&this, done);
    }
}

/// The worker of a CPU that was found to be less busy than this one.
pub(crate) struct LessBusyWorker<'w, S: Batch, O: Batch>(&'w RcuArc<Worker<S, O>>);

/// The workers of an interface, one for each CPU.
pub(crate) struct Workers<S: Batch, O: Batch> {
    workers: KVec<RcuArc<Worker<S, O>>>,
    loads: Arc<CpuLoads>,
    queue: workqueue::Queue,
    /// Lets a test hold a decryption back.
    #[cfg(wg_faults)]
    pub(crate) hold: Arc<Hold>,
}

impl<S: Batch, O: Batch> Workers<S, O> {
    /// Creates the workers, to run on `queue`.
    pub(crate) fn new(queue: workqueue::Queue, ctx: &mut Process) -> Result<Self> {
        let loads = Arc::new(CpuLoads::new()?, GFP_KERNEL)?;
        #[cfg(wg_faults)]
        let hold = Arc::new(Hold::new(), GFP_KERNEL)?;
        let mut workers = KVec::new();
        for cpu in 0..cpu::possible_count() {
            let worker = Worker::new(
                cpu,
                loads.clone(),
                #[cfg(wg_faults)]
                hold.clone(),
                ctx,
            )?;
            workers.push(worker, GFP_KERNEL)?;
        }
        Ok(Self {
            workers,
            loads,
            queue,
            #[cfg(wg_faults)]
            hold,
        })
    }

    /// Returns the workqueue that runs the workers.
    pub(crate) fn workqueue(&self) -> &workqueue::Queue {
        &self.queue
    }

    /// Returns the load of each CPU.
    pub(crate) fn loads(&self) -> &Arc<CpuLoads> {
        &self.loads
    }

    /// Returns whether this CPU is busy, and there are others.
    pub(crate) fn should_offload(&self, bh: &Bh<'_>) -> bool {
        cpu::online_count() > 1 && self.loads.is_busy(bh)
    }

    /// Returns the worker to offload the next batch to, if this CPU is busy and a less busy one is
    /// found.
    pub(crate) fn offload_target(&self, bh: &Bh<'_>) -> Option<LessBusyWorker<'_, S, O>> {
        if self.should_offload(bh) {
            self.find_less_busy(bh)
        } else {
            None
        }
    }

    /// Returns whether there is an [`offload_target`](Self::offload_target). The next call of that
    /// then returns it.
    pub(crate) fn has_offload_target(&self, bh: &Bh<'_>) -> bool {
        self.should_offload(bh) && self.loads.has_less_busy(MAX_QUEUED, bh)
    }

    /// Returns the worker of another CPU that is less busy than this one.
    pub(crate) fn find_less_busy(&self, bh: &Bh<'_>) -> Option<LessBusyWorker<'_, S, O>> {
        let cpu = self.loads.find_less_busy(MAX_QUEUED, bh)?;
        self.worker(cpu).map(LessBusyWorker)
    }

    /// Queues a batch to be encrypted by `target`. If its queue is full, the batch comes back.
    pub(crate) fn offload_encrypt(
        &self,
        job: Job<S>,
        target: &LessBusyWorker<'_, S, O>,
        bh: &Bh<'_>,
    ) -> Result<(), Job<S>> {
        self.offload(target, || target.0.encrypt.lock(bh).push(job))
    }

    /// Queues a batch to be decrypted by `target`. If its queue is full, the batch comes back.
    pub(crate) fn offload_decrypt(
        &self,
        job: Job<O>,
        target: &LessBusyWorker<'_, S, O>,
        bh: &Bh<'_>,
    ) -> Result<(), Job<O>> {
        self.offload(target, || target.0.decrypt.lock(bh).push(job))
    }

    fn offload<J>(
        &self,
        target: &LessBusyWorker<'_, S, O>,
        push: impl FnOnce() -> Result<(), J>,
    ) -> Result<(), J> {
        let worker = target.0;
        let done = worker.done.load(Relaxed);
        self.loads.note_queued(worker.cpu);
        if let Err(job) = push() {
            self.loads.note_done(worker.cpu);
            return Err(job);
        }
        let _ = self.queue.enqueue_on(worker.cpu, &worker.work, worker);
        Worker::arm_watchdog(worker, done);
        Ok(())
    }

    /// Returns how many more packets this CPU may hand to the stack before it runs softirqs.
    /// Unlimited if its work items, which would go on with the rest, do not run.
    pub(crate) fn softirq_budget(&self, bh: &Bh<'_>) -> usize {
        if self.is_responsive(bh.cpu()) {
            self.loads.softirq_budget(bh)
        } else {
            usize::MAX
        }
    }

    /// Returns whether the work items of a CPU run when they are queued.
    pub(crate) fn is_responsive(&self, cpu: u32) -> bool {
        self.loads.is_responsive(cpu)
    }

    /// Notes that a work item runs on this CPU.
    pub(crate) fn note_ran(&self, bh: &Bh<'_>) {
        if let Some(worker) = self.worker(bh.cpu()) {
            worker.note_ran();
        }
    }

    /// Notes that a work item of `cpu` did not run in time.
    pub(crate) fn note_late(&self, cpu: u32) {
        if let Some(worker) = self.worker(cpu) {
            worker.note_late();
        }
    }

    fn worker(&self, cpu: u32) -> Option<&RcuArc<Worker<S, O>>> {
        self.workers.get(u32_as_usize(cpu))
    }
}
