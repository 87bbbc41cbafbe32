// SPDX-License-Identifier: GPL-2.0

//! Sharing the encryption and decryption of one peer's packets among CPUs.

use crate::{
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
    sync::atomic::{
        Atomic,
        Relaxed, //
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
    time,
    workqueue::{
        self,
        Run,
        Work, //
    }, //
};

/// Nesting of transmissions on this CPU from which batches go to a worker: each level takes its share of the stack.
const MAX_DEPTH: u32 = 3;

/// Packets of one peer in a jiffy above which one CPU has enough of it.
const MANY_PACKETS: usize = 512;

/// Single packets in a jiffy, with nothing received in between, from which on a worker sends them.
const MANY_UNANSWERED: u32 = 8;

/// Batches of an interface that may wait to be decrypted by workers; beyond that the receiving CPU does it.
const MAX_OPENING: u32 = 128;

/// How much of a peer's traffic a CPU has seen lately.
pub(crate) struct Pace {
    jiffy: u64,
    packets: usize,
    /// Packets that were sent one by one in that jiffy since something was received.
    unanswered: u32,
    turn: bool,
}

impl Pace {
    /// Creates the pace of an idle peer.
    pub(crate) const fn new() -> Self {
        Self {
            jiffy: 0,
            packets: 0,
            unanswered: 0,
            turn: false,
        }
    }

    /// Counts `n` more packets, and returns whether they should go to another CPU.
    pub(crate) fn is_high(&mut self, n: usize, bh: &Bh<'_>) -> bool {
        if xmit_depth(bh) >= MAX_DEPTH {
            return true;
        }
        self.look_at_clock();
        self.packets = self.packets.saturating_add(n);
        if self.packets <= MANY_PACKETS || cpu::online_count() < 2 {
            return false;
        }
        self.next_elsewhere()
    }

    /// Counts one packet sent alone, and returns whether its sender does not seem to wait for an answer.
    pub(crate) fn is_burst(&mut self, is_answered: bool) -> bool {
        self.look_at_clock();
        if is_answered {
            self.unanswered = 0;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        self.unanswered > MANY_UNANSWERED
    }

    /// Returns whether the next batch goes to another CPU. This one keeps a share: it would be idle otherwise.
    pub(crate) fn next_elsewhere(&mut self) -> bool {
        self.turn = !self.turn && cpu::online_count() > 1;
        self.turn
    }

    fn look_at_clock(&mut self) {
        let jiffy = time::jiffies();
        if jiffy != self.jiffy {
            self.jiffy = jiffy;
            self.packets = 0;
            self.unanswered = 0;
        }
    }
}

/// A worker on one CPU.
#[pin_data]
struct Worker {
    #[pin]
    seal: SpinLock<Chain<send::Batch>>,
    #[pin]
    open: SpinLock<Chain<receive::Batch>>,
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
                ctx.cond_resched();
            }
            while let Some(job) = open.pop() {
                #[cfg(wg_faults)]
                if let Some(batch) = &job.batch {
                    let device = batch.peer().device().data();
                    device.workers().hold.pass(ctx);
                }
                receive::open_elsewhere(job, &ctx.bh());
                ctx.cond_resched();
            }
        }
    }
}

/// The workers of an interface, one for each CPU.
pub(crate) struct Workers {
    workers: KVec<RcuArc<Worker>>,
    last: Atomic<u32>,
    /// Batches that wait to be decrypted.
    opening: Atomic<u32>,
    queue: workqueue::Queue,
    /// Holds back one of those who decrypt.
    #[cfg(wg_faults)]
    pub(crate) hold: kernel::sync::Arc<crate::faults::Hold>,
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
                        work <- new_work!(),
                    }),
                    GFP_KERNEL,
                )?,
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            workers,
            last: Atomic::new(0),
            opening: Atomic::new(0),
            queue,
            #[cfg(wg_faults)]
            hold: kernel::sync::Arc::new(crate::faults::Hold::new(), GFP_KERNEL)?,
        })
    }

    /// Returns the workqueue that runs the workers.
    pub(crate) fn queue(&self) -> &workqueue::Queue {
        &self.queue
    }

    fn next(&self) -> Option<(u32, &RcuArc<Worker>)> {
        let cpu = cpu::next_online(self.last.load(Relaxed));
        self.last.store(cpu, Relaxed);
        // CAST: From small to large.
        let worker = self.workers.get(cpu as usize).or(self.workers.first())?;
        Some((cpu, worker))
    }

    /// Has a batch encrypted by the next worker.
    pub(crate) fn seal(&self, job: KBox<Job<send::Batch>>, bh: &Bh<'_>) {
        match self.next() {
            Some((cpu, worker)) => {
                worker.seal.lock(bh).push(job);
                let _ = self.queue.enqueue_on(cpu, &worker.work, worker);
            }
            None => send::seal_elsewhere(job, bh),
        }
    }

    /// Returns whether the workers keep up with decrypting.
    pub(crate) fn may_open(&self) -> bool {
        self.opening.load(Relaxed) < MAX_OPENING
    }

    /// Notes that a batch was decrypted.
    pub(crate) fn opened(&self) {
        self.opening.fetch_sub(1, Relaxed);
    }

    /// Has a batch decrypted by the next worker.
    pub(crate) fn open(&self, job: KBox<Job<receive::Batch>>, bh: &Bh<'_>) {
        self.opening.fetch_add(1, Relaxed);
        match self.next() {
            Some((cpu, worker)) => {
                worker.open.lock(bh).push(job);
                let _ = self.queue.enqueue_on(cpu, &worker.work, worker);
            }
            None => receive::open_elsewhere(job, bh),
        }
    }
}
