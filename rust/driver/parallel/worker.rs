// SPDX-License-Identifier: GPL-2.0

//! Sharing the encryption and decryption of one peer's packets among CPUs.

use crate::{
    effort::Efforts,
    queueing::{
        Fifo,
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
        Run,
        Work, //
    }, //
};

/// Nesting of transmissions on this CPU from which batches go to a worker: each level takes its share of the stack.
const MAX_DEPTH: u32 = 3;

/// Batches that may wait for one worker to encrypt them, and to decrypt them; beyond that others do
/// them.
const MAX_WAITING: u32 = 4;

/// Jiffies within which a worker has to come. If it does not, because other tasks keep it from
/// running, a timer does what it was to do.
pub(crate) const MAX_ABSENCE: u64 = 3;

/// Jiffies after which a CPU whose workers are late counts as one where none comes: a processor
/// that is shared with other machines may stand still for a while.
pub(crate) const MAX_STUCK: u64 = time::HZ / 10;

/// A worker on one CPU.
#[pin_data]
struct Worker {
    cpu: u32,
    efforts: Arc<Efforts>,
    #[pin]
    seal: SpinLock<Fifo<Job<send::Batch>, { MAX_WAITING as usize }>>,
    #[pin]
    open: SpinLock<Fifo<Job<receive::Batch>, { MAX_WAITING as usize }>>,
    /// How many are done, and how many were when the timer was armed.
    done: Atomic<u32>,
    seen: Atomic<u32>,
    /// Since which jiffy the CPU's workers are late, or 0.
    late_since: Atomic<u64>,
    #[pin]
    work: Work<Worker, 0>,
    #[pin]
    watch: Timer<Worker, 0>,
}

impl Worker {
    fn new(cpu: u32, efforts: Arc<Efforts>) -> Result<RcuArc<Self>> {
        RcuArc::pin_init(
            pin_init!(Self {
                cpu,
                efforts,
                seal <- new_spinlock!(Fifo::new()),
                open <- new_spinlock!(Fifo::new()),
                done: Atomic::new(0),
                seen: Atomic::new(0),
                late_since: Atomic::new(0),
                work <- new_work!(),
                watch <- new_timer!(),
            }),
            GFP_KERNEL,
        )
    }

    /// Encrypts the batch that waits longest, if there is one.
    fn seal_one(&self, bh: &Bh<'_>) -> bool {
        let job = self.seal.lock(bh).pop();
        let Some(job) = job else {
            return false;
        };
        send::seal_elsewhere(job, bh);
        self.finished();
        true
    }

    /// Decrypts the batch that waits longest, if there is one.
    fn open_one(&self, bh: &Bh<'_>) -> bool {
        let job = self.open.lock(bh).pop();
        let Some(job) = job else {
            return false;
        };
        receive::open_elsewhere(job, bh);
        self.finished();
        true
    }

    /// Decrypts one after a test has held that back.
    #[cfg(wg_faults)]
    fn hold_one(&self, ctx: &mut Process) -> bool {
        let job = self.open.lock(&ctx.bh()).pop();
        let Some(job) = job else {
            return false;
        };
        let device = job.batch.peer().device().data();
        device.workers().hold.pass(ctx);
        receive::open_elsewhere(job, &ctx.bh());
        self.finished();
        true
    }

    fn finished(&self) {
        self.done.fetch_add(1, Relaxed);
        self.efforts.done(self.cpu);
    }

    /// Notes that one of the CPU's workers did not come in time, and may be none does.
    fn is_late(&self) {
        let now = time::jiffies();
        match self.late_since.load(Relaxed) {
            0 => self.late_since.store(now, Relaxed),
            since if now.wrapping_sub(since) >= MAX_STUCK => {
                self.efforts.set_present(self.cpu, false);
            }
            _ => {}
        }
    }

    /// Notes that one has come.
    fn has_come(&self) {
        if self.late_since.load(Relaxed) != 0 {
            self.late_since.store(0, Relaxed);
            self.efforts.set_present(self.cpu, true);
        }
    }

    /// Has somebody look, in a while, whether the worker gets beyond what is done.
    fn watch(this: &RcuArc<Self>, done: u32) {
        if !this.watch.is_pending() {
            this.seen.store(done, Relaxed);
            this.watch.arm(this, MAX_ABSENCE);
        }
    }
}

impl Run<0> for Worker {
    fn run(this: RcuArc<Self>, ctx: &mut Process) {
        this.has_come();
        loop {
            let sealed = this.seal_one(&ctx.bh());
            ctx.cond_resched();
            #[cfg(wg_faults)]
            if this.hold_one(ctx) {
                continue;
            }
            let opened = this.open_one(&ctx.bh());
            ctx.cond_resched();
            if !sealed && !opened {
                return;
            }
        }
    }
}

impl Expired<0> for Worker {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        if !this.efforts.has_waiting(this.cpu) {
            return;
        }
        let done = this.done.load(Relaxed);
        if done == this.seen.load(Relaxed) {
            this.is_late();
            while this.seal_one(bh) || this.open_one(bh) {}
        }
        Self::watch(&this, done);
    }
}

/// Returns whether transmissions on this CPU are nested so deep that another one must not begin.
pub(crate) fn is_nested(bh: &Bh<'_>) -> bool {
    xmit_depth(bh) >= MAX_DEPTH
}

/// Somebody who takes a batch.
pub(crate) struct Helper<'w>(&'w RcuArc<Worker>);

/// The workers of an interface, one for each CPU.
pub(crate) struct Workers {
    workers: KVec<RcuArc<Worker>>,
    efforts: Arc<Efforts>,
    queue: workqueue::Queue,
    /// Holds back one of those who decrypt.
    #[cfg(wg_faults)]
    pub(crate) hold: Arc<crate::faults::Hold>,
}

impl Workers {
    /// Creates the workers; `queue` runs them.
    pub(crate) fn new(queue: workqueue::Queue) -> Result<Self> {
        let efforts = Arc::new(Efforts::new()?, GFP_KERNEL)?;
        let mut workers = KVec::new();
        for cpu in 0..cpu::possible_count() {
            workers.push(Worker::new(cpu, efforts.clone())?, GFP_KERNEL)?;
        }
        Ok(Self {
            workers,
            efforts,
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

    /// Returns who does the next batch, if this CPU has enough to do and another one has time.
    pub(crate) fn helper(&self, bh: &Bh<'_>) -> Option<Helper<'_>> {
        if self.may_help(bh) {
            self.idle(bh)
        } else {
            None
        }
    }

    /// Returns whether [`helper`](Self::helper) has one, which it then returns next.
    pub(crate) fn has_helper(&self, bh: &Bh<'_>) -> bool {
        self.may_help(bh) && self.efforts.has_idle(MAX_WAITING, bh)
    }

    /// Returns the worker of another CPU that has more time for a batch than this one.
    pub(crate) fn idle(&self, bh: &Bh<'_>) -> Option<Helper<'_>> {
        let cpu = self.efforts.idle(MAX_WAITING, bh)?;
        self.worker(cpu).map(Helper)
    }

    /// Has a batch encrypted, unless too many wait there.
    pub(crate) fn seal(
        &self,
        job: Job<send::Batch>,
        helper: &Helper<'_>,
        bh: &Bh<'_>,
    ) -> Result<(), Job<send::Batch>> {
        self.start(helper, || helper.0.seal.lock(bh).push(job))
    }

    /// Has a batch decrypted, unless too many wait there.
    pub(crate) fn open(
        &self,
        job: Job<receive::Batch>,
        helper: &Helper<'_>,
        bh: &Bh<'_>,
    ) -> Result<(), Job<receive::Batch>> {
        self.start(helper, || helper.0.open.lock(bh).push(job))
    }

    fn start<J>(&self, helper: &Helper<'_>, push: impl FnOnce() -> Result<(), J>) -> Result<(), J> {
        let worker = helper.0;
        let done = worker.done.load(Relaxed);
        self.efforts.given(worker.cpu);
        if let Err(job) = push() {
            self.efforts.done(worker.cpu);
            return Err(job);
        }
        let _ = self.queue.enqueue_on(worker.cpu, &worker.work, worker);
        Worker::watch(worker, done);
        Ok(())
    }

    /// Returns how many more packets may leave this CPU before others go on. Without a limit if
    /// these do not come.
    pub(crate) fn room(&self, bh: &Bh<'_>) -> usize {
        if self.is_present(bh.cpu()) {
            self.efforts.room(bh)
        } else {
            usize::MAX
        }
    }

    /// Returns whether the workers of a CPU come when something is left to them.
    pub(crate) fn is_present(&self, cpu: u32) -> bool {
        self.efforts.is_present(cpu)
    }

    /// Notes that a worker of this CPU has come.
    pub(crate) fn has_come(&self, bh: &Bh<'_>) {
        if let Some(worker) = self.worker(bh.cpu()) {
            worker.has_come();
        }
    }

    /// Notes that a worker of a CPU did not come in time.
    pub(crate) fn is_late(&self, cpu: u32) {
        if let Some(worker) = self.worker(cpu) {
            worker.is_late();
        }
    }

    fn worker(&self, cpu: u32) -> Option<&RcuArc<Worker>> {
        // CAST: From small to large.
        self.workers.get(cpu as usize)
    }
}
