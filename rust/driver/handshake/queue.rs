// SPDX-License-Identifier: GPL-2.0

//! The queue of handshake messages, its workers, and whether the interface is under load.

use crate::{
    device::Device,
    drops::drop_for, //
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
    compat::casts::{
        u32_as_usize,
        usize_as_u64, //
    },
    context::{
        Bh,
        Process, //
    },
    cpu,
    net::{
        device::DeviceRef,
        skb::{
            SkBuff,
            SkbList, //
        }, //
    },
    new_spinlock,
    new_work,
    sync::{
        lock::SpinLock,
        rcu::{
            RcuArc,
            Slot, //
        }, //
    },
    workqueue::{
        self,
        Work, //
    }, //
};
use wg_proto::{
    session::has_expired,
    DropReason, //
};

/// Messages that may wait.
const MAX_QUEUED: usize = 4096;

/// Messages from endpoints of peers that may wait in a second queue, while many wait in the first.
const MAX_KNOWN: usize = 512;

/// Waiting messages from which on the interface is under load.
const LOAD_THRESHOLD: u64 = MAX_QUEUED as u64 / 8;

/// How long the interface stays under load, in seconds.
const LOAD_HOLD: u64 = 1;

/// The messages that wait for a worker.
struct Waiting {
    /// From endpoints of peers, which came while many others waited.
    known: SkbList,
    others: SkbList,
}

/// A worker on one CPU that answers queued handshake messages.
#[pin_data]
pub(crate) struct HandshakeWorker {
    pub(super) device: DeviceRef<Device>,
    #[pin]
    work: Work<HandshakeWorker, 0>,
}

impl HandshakeWorker {
    /// Creates an idle worker.
    fn new(device: DeviceRef<Device>, ctx: &mut Process) -> Result<RcuArc<Self>> {
        RcuArc::pin_init(
            pin_init!(Self {
                device,
                work <- new_work!(),
            }),
            ctx,
        )
    }
}

/// The queue of handshake messages of an interface, with its workers.
#[pin_data]
pub(crate) struct HandshakeQueue {
    #[pin]
    queue: SpinLock<Waiting>,
    /// Messages in the queue or with a worker.
    pending: Atomic<u64>,
    last_under_load: Atomic<u64>,
    last_cpu: Atomic<u32>,
    workers: KVec<Slot<HandshakeWorker>>,
}

impl HandshakeQueue {
    /// Creates an empty queue without workers.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            queue <- new_spinlock!(Waiting {
                known: SkbList::new(),
                others: SkbList::new(),
            }),
            pending: Atomic::new(0),
            last_under_load: Atomic::new(0),
            last_cpu: Atomic::new(0),
            workers: {
                let mut workers = KVec::new();
                for _ in 0..cpu::possible_count() {
                    workers.push(Slot::empty(), GFP_KERNEL)?;
                }
                workers
            },
        })
    }

    /// Creates a worker for each CPU. Workers hold the interface until
    /// [`stop_workers`](Self::stop_workers).
    pub(crate) fn start_workers(&self, device: &DeviceRef<Device>, ctx: &mut Process) -> Result {
        for slot in &self.workers {
            let _ = slot.swap(Some(HandshakeWorker::new(device.clone(), ctx)?));
        }
        Ok(())
    }

    /// Drops the workers.
    pub(crate) fn stop_workers(&self) {
        for slot in &self.workers {
            drop(slot.swap(None));
        }
    }

    /// Queues a message and wakes a worker. Drops a message for which there is no room.
    ///
    /// While many wait, those for which `is_known` go into a queue of their own, which workers look
    /// at first: in a flood from unknown senders, peers keep their sessions.
    pub(crate) fn push(
        &self,
        skb: SkBuff,
        is_known: impl FnOnce() -> bool,
        queue: &workqueue::Queue,
        bh: &Bh<'_>,
    ) -> Result<(), DropReason> {
        {
            // A flood must not make CPUs spin here that have data packets to handle.
            let crowded = self.pending.load(Relaxed) > MAX_QUEUED as u64 / 2;
            let is_known = crowded && is_known();
            let locked = if crowded && !is_known {
                self.queue.try_lock(bh)
            } else {
                Some(self.queue.lock(bh))
            };
            let Some(mut waiting) = locked else {
                return Err(drop_for(skb, DropReason::HandshakeQueueFull));
            };
            let (list, max) = if is_known {
                (&mut waiting.known, MAX_KNOWN)
            } else {
                (&mut waiting.others, MAX_QUEUED)
            };
            if list.len() >= max {
                drop(waiting);
                return Err(drop_for(skb, DropReason::HandshakeQueueFull));
            }
            list.push_back(skb);
            self.pending.fetch_add(1, Relaxed);
        }
        self.wake(queue, bh);
        Ok(())
    }

    /// Wakes a worker. It also answers unknown initiators that have become peers
    /// (`rust/driver/diag/unknown.rs`).
    pub(crate) fn wake(&self, queue: &workqueue::Queue, bh: &Bh<'_>) {
        let cpu = cpu::next_online(self.last_cpu.load(Relaxed));
        self.last_cpu.store(cpu, Relaxed);
        if let Some(worker) = self
            .workers
            .get(u32_as_usize(cpu))
            .or(self.workers.first())
            .and_then(|slot| slot.load(bh))
            .and_then(|worker| worker.upgrade())
        {
            let _ = queue.enqueue_on(cpu, &worker.work, &worker);
        }
    }

    /// Takes the next message. [`finished`](Self::finished) must follow.
    pub(crate) fn pop(&self, ctx: &mut Process) -> Option<SkBuff> {
        let bh = ctx.bh();
        let mut waiting = self.queue.lock(&bh);
        let known = waiting.known.pop_front();
        known.or_else(|| waiting.others.pop_front())
    }

    /// Notes that a worker is done with a message.
    pub(crate) fn finished(&self) {
        self.pending.fetch_sub(1, Relaxed);
    }

    /// Drops all messages that wait, and returns how many these were.
    pub(crate) fn purge(&self, bh: &Bh<'_>) -> u64 {
        let mut old = SkbList::new();
        {
            let mut waiting = self.queue.lock(bh);
            old.append(&mut waiting.known);
            old.append(&mut waiting.others);
        }
        let n = usize_as_u64(old.len());
        self.pending.fetch_sub(n, Relaxed);
        let _ = drop_for(old, DropReason::Gone);
        n
    }

    /// Returns whether the interface is under load, so that senders need a valid cookie.
    pub(crate) fn is_under_load(&self, now: u64) -> bool {
        if self.pending.load(Relaxed) >= LOAD_THRESHOLD {
            self.last_under_load.store(now, Relaxed);
            return true;
        }
        let last = self.last_under_load.load(Relaxed);
        last != 0 && !has_expired(last, LOAD_HOLD, now)
    }
}
