// SPDX-License-Identifier: GPL-2.0

//! The queue of one NAPI context: received packets that wait for a poll.

use super::{
    next::{
        AfterPush,
        Pause, //
    },
    rx::forget_batches, //
};
use crate::{
    batch::RxBatch,
    drops::drop_for,
    packet::PacketCb,
    parallel::reorder::Job, //
};
use kernel::{
    alloc::{
        flags::{
            GFP_ATOMIC,
            __GFP_NOWARN, //
        },
        kvec::PushError, //
    },
    prelude::*, //
};
use kext::{
    context::Bh,
    net::skb::{
        Listed,
        SkbList, //
    },
    new_spinlock,
    sync::lock::SpinLock,
    time, //
};
use wg_proto::DropReason;

/// Packets that may wait: what one softirq brings at once, 64 GSO packets of 64 datagrams.
const MAX_QUEUED_PACKETS: usize = 64 * 64;

/// Packets among which a late run is sorted: several times what a poll of a device brings, and few
/// enough that datagrams with invented counters cannot keep the CPU busy.
const MAX_SORTED: usize = 256;

/// Sessions of which the newest message is remembered.
const SESSIONS: usize = 8;

/// Packets that are coalesced at most: as many as NAPI takes at once.
const MAX_COALESCED: usize = 64;

/// Limits of a pause, in packets and in jiffies: softirqs or other tasks may keep the work item
/// from running for long.
const MAX_PAUSED: usize = 256;
const MAX_PAUSE: u64 = 3;

/// Packets of one poll on a CPU that was idle. Readers of these packets then answer while the next
/// ones are decrypted.
const SMALL_POLL: usize = 16;

/// Small polls after a CPU was idle. If packets keep coming, it is not idle any more.
const MAX_SMALL_POLLS: usize = 16;

/// The queue of one NAPI context. All packets of a peer go through the same one.
#[pin_data]
pub(crate) struct RxQueue {
    #[pin]
    input: SpinLock<Input>,
    #[pin]
    decrypted: SpinLock<Decrypted>,
}

struct Input {
    accepts: bool,
    waits: Waits,
    /// How many more polls are small ones.
    small_polls: usize,
    packets: SkbList,
    /// Of the sessions with this index, modulo the length.
    newest: [MessageId; SESSIONS],
}

/// The index of a session and the counter of a message in it.
#[derive(Clone, Copy)]
struct MessageId {
    index: u32,
    counter: u64,
}

impl Input {
    /// Adds a run at the end, or among packets of its session that have higher counters.
    ///
    /// GRO holds a datagram until the device's poll is over. Fragments overtake it, which GRO does
    /// not hold, and so do datagrams with another hash, as the inner fragments of one flow have.
    /// Mostly all of them are here before this queue is polled. With `gro_flush_timeout`, and with
    /// 1000 ticks a second after a poll that has used up its budget, GRO may hold some for longer.
    #[inline]
    fn add(&mut self, mut run: SkbList) {
        if let (Some(first), Some(last)) = (message(run.front()), message(run.back())) {
            if let Some(newest) = self.newest.get_mut(slot(first)) {
                if newest.index == first.index && first.counter < newest.counter {
                    return self.add_older(run, last);
                }
                *newest = last;
            }
        }
        self.packets.append(&mut run);
    }

    /// Adds a run that is older than the newest message of its session; `last` ends it.
    #[cold]
    fn add_older(&mut self, mut run: SkbList, last: MessageId) {
        let is_late = self.packets.len() < MAX_SORTED && self.merge(&mut run);
        if let Some(newest) = self.newest.get_mut(slot(last)) {
            if !is_late || last.counter > newest.counter {
                *newest = last;
            }
        }
        self.packets.append(&mut run);
    }

    /// Puts the packets of a run in front of those of its session that have higher counters.
    /// Returns whether there were any, and leaves those for which there were none.
    fn merge(&mut self, run: &mut SkbList) -> bool {
        let mut merged = SkbList::new();
        let mut is_late = false;
        while let (Some(old), Some(new)) = (message(self.packets.front()), message(run.front())) {
            let is_before = new.index == old.index && new.counter < old.counter;
            is_late |= is_before;
            let from = if is_before {
                &mut *run
            } else {
                &mut self.packets
            };
            if let Some(next) = from.pop_front() {
                merged.push_back(next);
            }
        }
        merged.append(&mut self.packets);
        self.packets.append(&mut merged);
        is_late
    }
}

/// Returns where the newest message of a session is remembered.
fn slot(of: MessageId) -> usize {
    // CAST: From 32 bits to at least as many.
    of.index as usize % SESSIONS
}

/// Returns which message a packet is.
fn message(packet: Option<Listed<'_>>) -> Option<MessageId> {
    packet.map(|packet| {
        let cb = packet.cb::<PacketCb>();
        MessageId {
            index: cb.index,
            counter: cb.counter,
        }
    })
}

/// What the next poll waits for, whichever peers of this queue the packets are from.
#[derive(Clone, Copy)]
enum Waits {
    /// Nothing: a poll is scheduled if there are packets.
    No,
    /// A timer: packets are coalesced. The number is how many have come since it was started.
    Coalescing(usize),
    /// A work item, since this jiffy, so that other tasks run on this CPU meanwhile.
    Paused(u64),
}

struct Decrypted {
    accepts: bool,
    /// Has capacity for the batches that are expected.
    jobs: KVec<Job<RxBatch>>,
    expected: usize,
}

impl RxQueue {
    /// Creates a stopped queue.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            input <- new_spinlock!(Input {
                accepts: false,
                waits: Waits::No,
                small_polls: 0,
                packets: SkbList::new(),
                newest: [MessageId { index: 0, counter: 0 }; SESSIONS],
            }),
            decrypted <- new_spinlock!(Decrypted {
                accepts: false,
                jobs: KVec::new(),
                expected: 0,
            }),
        })
    }

    /// Accepts packets from now on.
    pub(crate) fn start(&self, bh: &Bh<'_>) {
        {
            let mut input = self.input.lock(bh);
            (input.accepts, input.waits) = (true, Waits::No);
        }
        self.decrypted.lock(bh).accepts = true;
    }

    /// Adds packets and returns what the caller does next. On failure gives those back that did not
    /// fit, and says why.
    ///
    /// With `may_wait` a single packet of a stream waits for more. During a pause all packets wait.
    pub(crate) fn push(
        &self,
        mut packets: SkbList,
        may_wait: bool,
        bh: &Bh<'_>,
    ) -> Result<AfterPush, (DropReason, SkbList)> {
        let mut input = self.input.lock(bh);
        let reason = if input.accepts {
            let room = MAX_QUEUED_PACKETS.saturating_sub(input.packets.len());
            if packets.len() <= room {
                // Then a poll is scheduled, unless the work item will do that.
                let is_waiting = !input.packets.is_empty();
                input.add(core::mem::take(&mut packets));
                let waiting = input.packets.len();
                let (waits, next) = match input.waits {
                    paused @ Waits::Paused(since)
                        if waiting < MAX_PAUSED
                            && time::jiffies().wrapping_sub(since) < MAX_PAUSE =>
                    {
                        (paused, AfterPush::Nothing)
                    }
                    Waits::Paused(_) => (Waits::No, AfterPush::Poll),
                    waits if !may_wait || waiting >= MAX_COALESCED => (waits, AfterPush::Poll),
                    Waits::No if is_waiting => (Waits::No, AfterPush::Poll),
                    Waits::No => (Waits::Coalescing(1), AfterPush::Coalesce),
                    Waits::Coalescing(coalesced) => (
                        Waits::Coalescing(coalesced.saturating_add(1)),
                        AfterPush::Nothing,
                    ),
                };
                input.waits = waits;
                return Ok(next);
            }
            input.add(packets.split_front(room));
            DropReason::RxQueueFull
        } else {
            DropReason::Gone
        };
        Err((reason, packets))
    }

    /// Ends coalescing, and returns how many packets came meanwhile, if any are still queued.
    pub(crate) fn end_coalescing(&self, bh: &Bh<'_>) -> Option<usize> {
        let mut input = self.input.lock(bh);
        let Waits::Coalescing(coalesced) = input.waits else {
            return None;
        };
        input.waits = Waits::No;
        (!input.packets.is_empty()).then_some(coalesced)
    }

    /// Returns how many packets the poll that begins takes, at most `budget`.
    pub(crate) fn begin_poll(&self, budget: usize, bh: &Bh<'_>) -> usize {
        let mut input = self.input.lock(bh);
        if bh.is_idle() {
            input.small_polls = MAX_SMALL_POLLS;
        }
        if input.small_polls == 0 {
            return budget;
        }
        input.small_polls = input.small_polls.saturating_sub(1);
        budget.min(SMALL_POLL)
    }

    /// Takes a batch that another CPU has decrypted. Sequence numbers tell their order.
    pub(crate) fn pop_decrypted(&self, bh: &Bh<'_>) -> Option<Job<RxBatch>> {
        self.decrypted.lock(bh).jobs.pop()
    }

    /// Takes up to `max` packets of the session that the first one belongs to.
    pub(crate) fn take_run(&self, max: usize, bh: &Bh<'_>) -> Option<(u32, SkbList)> {
        let mut input = self.input.lock(bh);
        let mut run = SkbList::new();
        let first = input.packets.pop_front()?;
        let index = first.cb::<PacketCb>().index;
        run.push_back(first);
        while run.len() < max
            && input
                .packets
                .front()
                .is_some_and(|skb| skb.cb::<PacketCb>().index == index)
        {
            if let Some(skb) = input.packets.pop_front() {
                run.push_back(skb);
            }
        }
        Some((index, run))
    }

    /// Reserves capacity for a batch that another CPU will decrypt.
    pub(crate) fn expect_decrypted(&self, bh: &Bh<'_>) -> Result {
        let mut guard = self.decrypted.lock(bh);
        let decrypted = &mut *guard;
        let expected = decrypted.expected.saturating_add(1);
        let most = decrypted.jobs.len().saturating_add(expected);
        if most > decrypted.jobs.capacity() {
            let flags = GFP_ATOMIC | __GFP_NOWARN;
            let mut jobs = KVec::with_capacity(most.saturating_mul(2), flags)?;
            // Sequence numbers tell the order.
            while let Some(job) = decrypted.jobs.pop() {
                jobs.push_within_capacity(job)?;
            }
            decrypted.jobs = jobs;
        }
        decrypted.expected = expected;
        Ok(())
    }

    /// Notes that such a batch will not come.
    pub(crate) fn unexpect_decrypted(&self, bh: &Bh<'_>) {
        let mut decrypted = self.decrypted.lock(bh);
        decrypted.expected = decrypted.expected.saturating_sub(1);
    }

    /// Adds a batch that another CPU has decrypted. A stopped queue gives it back.
    pub(crate) fn push_decrypted(
        &self,
        job: Job<RxBatch>,
        bh: &Bh<'_>,
    ) -> Result<(), Job<RxBatch>> {
        let mut decrypted = self.decrypted.lock(bh);
        decrypted.expected = decrypted.expected.saturating_sub(1);
        if !decrypted.accepts {
            return Err(job);
        }
        decrypted
            .jobs
            .push_within_capacity(job)
            .map_err(|PushError(job)| job)
    }

    /// Pauses polling if packets are left or the poll was a small one, as more of the same burst is
    /// likely to follow. Returns whether it did: the caller then queues the work item that ends
    /// the pause.
    pub(crate) fn pause(&self, was_small: bool, bh: &Bh<'_>) -> bool {
        let mut input = self.input.lock(bh);
        let waits = was_small || !input.packets.is_empty();
        if waits {
            input.waits = Waits::Paused(time::jiffies());
        }
        waits
    }

    /// Ends a pause.
    pub(crate) fn end_pause(&self, bh: &Bh<'_>) {
        let mut input = self.input.lock(bh);
        if let Waits::Paused(_) = input.waits {
            input.waits = Waits::No;
        }
    }

    /// Ends a pause that the work item should have ended.
    pub(crate) fn claim_overdue(&self, bh: &Bh<'_>) -> Pause {
        let mut input = self.input.lock(bh);
        let Waits::Paused(since) = input.waits else {
            return Pause::No;
        };
        if time::jiffies().wrapping_sub(since) < MAX_PAUSE {
            return Pause::GoesOn;
        }
        input.waits = Waits::No;
        Pause::Ended
    }

    /// Drops all packets and accepts no more. Returns how many packets were not polled. The NAPI
    /// context must not run any more.
    pub(crate) fn stop(&self, bh: &Bh<'_>) -> usize {
        let mut packets = SkbList::new();
        {
            let mut input = self.input.lock(bh);
            input.accepts = false;
            packets.append(&mut input.packets);
        }
        let jobs = {
            let mut decrypted = self.decrypted.lock(bh);
            decrypted.accepts = false;
            core::mem::take(&mut decrypted.jobs)
        };
        for job in jobs {
            // Also for removed peers: batches behind this one would never be released.
            forget_batches(job.batch.keypair.peer().rx(), bh);
        }
        let n = packets.len();
        let _ = drop_for(packets, DropReason::Gone);
        n
    }
}
