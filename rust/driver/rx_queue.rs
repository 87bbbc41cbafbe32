// SPDX-License-Identifier: GPL-2.0

//! What waits to be delivered by one NAPI context.

use crate::{
    packet::PacketCb,
    queueing::{
        Chain,
        Job, //
    },
    receive::{
        self,
        Batch, //
    }, //
};
use kernel::prelude::*;
use kext::{
    context::Bh,
    net::skb,
    new_spinlock,
    sync::lock::SpinLock, //
};
use wg_proto::Reject;

/// Packets that may wait: what one softirq brings at once, 64 bundles of 64 packets.
const MAX_QUEUED_PACKETS: usize = 64 * 64;

/// Packets that gather at most: as many as one poll takes.
const MAX_GATHERED: usize = 64;

/// What waits for one NAPI context. A peer's packets all go through the same one.
#[pin_data]
pub(crate) struct Queue {
    #[pin]
    input: SpinLock<Input>,
    #[pin]
    opened: SpinLock<Opened>,
}

struct Input {
    is_open: bool,
    /// How many packets have come since a worker was asked, for any peer of this queue, to have them polled; 0: none was.
    gathered: usize,
    packets: skb::List,
}

/// When packets that were added are polled.
pub(crate) enum Queued {
    /// At once.
    Poll,
    /// When a worker runs, which has to be started.
    Defer,
    /// When that worker runs.
    Deferred,
}

struct Opened {
    is_open: bool,
    jobs: Chain<Batch>,
}

impl Queue {
    /// Creates a closed queue.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            input <- new_spinlock!(Input {
                is_open: false,
                gathered: 0,
                packets: skb::List::new(),
            }),
            opened <- new_spinlock!(Opened {
                is_open: false,
                jobs: Chain::new(),
            }),
        })
    }

    /// Accepts packets from now on.
    pub(crate) fn open(&self, bh: &Bh<'_>) {
        {
            let mut input = self.input.lock(bh);
            (input.is_open, input.gathered) = (true, 0);
        }
        self.opened.lock(bh).is_open = true;
    }

    /// Drops what waits and accepts nothing more; returns how many packets never got their turn. The NAPI context must not
    /// run any more.
    pub(crate) fn close(&self, bh: &Bh<'_>) -> usize {
        let mut packets = skb::List::new();
        {
            let mut input = self.input.lock(bh);
            input.is_open = false;
            packets.append(&mut input.packets);
        }
        let mut jobs = {
            let mut opened = self.opened.lock(bh);
            opened.is_open = false;
            opened.jobs.take_in_order()
        };
        while let Some(job) = jobs.pop() {
            // Also for peers that were removed: what waits behind this batch would never be due.
            if let Some(batch) = &job.batch {
                receive::reset(batch.peer(), bh);
            }
        }
        packets.len()
    }

    /// Adds packets, and tells when they are to be polled, or how many it does not take, and why.
    ///
    /// Who sends one packet after the other without waiting for answers gets them received by as many as have come until
    /// a worker runs; for that `may_wait` is set.
    pub(crate) fn push(
        &self,
        mut packets: skb::List,
        may_wait: bool,
        bh: &Bh<'_>,
    ) -> Result<Queued, (Reject, u64)> {
        let mut input = self.input.lock(bh);
        let reason = if input.is_open {
            let room = MAX_QUEUED_PACKETS.saturating_sub(input.packets.len());
            if packets.len() <= room {
                // Then a poll is to come, unless a worker was asked.
                let is_waiting = !input.packets.is_empty();
                let n = packets.len();
                input.packets.append(&mut packets);
                let queued = match input.gathered {
                    _ if !may_wait || input.packets.len() >= MAX_GATHERED => {
                        return Ok(Queued::Poll)
                    }
                    0 if is_waiting => return Ok(Queued::Poll),
                    0 => Queued::Defer,
                    _ => Queued::Deferred,
                };
                input.gathered = input.gathered.saturating_add(n);
                return Ok(queued);
            }
            input.packets.append(&mut packets.split_front(room));
            Reject::RxQueueFull
        } else {
            Reject::Gone
        };
        // CAST: From small to large.
        Err((reason, packets.len() as u64))
    }

    /// Lets packets gather no longer, and returns how many have.
    pub(crate) fn end_gathering(&self, bh: &Bh<'_>) -> usize {
        let mut input = self.input.lock(bh);
        core::mem::take(&mut input.gathered)
    }

    /// Takes up to `max` packets of the session that the first one belongs to.
    pub(crate) fn take_run(&self, max: usize, bh: &Bh<'_>) -> Option<(u32, skb::List)> {
        let mut input = self.input.lock(bh);
        let mut run = skb::List::new();
        let first = input.packets.pop_front()?;
        let index = first.cb::<PacketCb>().mtu_or_index;
        run.push_back(first);
        while run.len() < max
            && input
                .packets
                .front()
                .is_some_and(|skb| skb.cb::<PacketCb>().mtu_or_index == index)
        {
            if let Some(skb) = input.packets.pop_front() {
                run.push_back(skb);
            }
        }
        Some((index, run))
    }

    /// Takes a batch that another CPU has decrypted. A closed queue gives it back.
    pub(crate) fn push_opened(
        &self,
        job: KBox<Job<Batch>>,
        bh: &Bh<'_>,
    ) -> Result<(), KBox<Job<Batch>>> {
        let mut opened = self.opened.lock(bh);
        if !opened.is_open {
            return Err(job);
        }
        opened.jobs.push(job);
        Ok(())
    }

    /// Takes a batch that another CPU has decrypted. Tickets tell their order.
    pub(crate) fn pop_opened(&self, bh: &Bh<'_>) -> Option<KBox<Job<Batch>>> {
        self.opened.lock(bh).jobs.pop()
    }
}
