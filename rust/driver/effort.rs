// SPDX-License-Identifier: GPL-2.0

//! What each CPU does for an interface.

use kernel::{
    alloc::flags::GFP_KERNEL,
    debugfs::Writer,
    fmt,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    context::Bh,
    cpu,
    time, //
};

/// Jiffies of a window, for this one and the one before of which a CPU's time is known.
const WINDOW: u64 = time::HZ / 50;

/// Nanoseconds in two windows from which on a CPU has enough of encrypting and decrypting: a twelfth of them, as the
/// packets have to be made, sent and delivered as well.
const ENOUGH: u64 = 1_000_000_000 / time::HZ * WINDOW / 6;

/// Packets that may leave before softirqs get their turn. Who receives on this machine does so in a softirq, and until
/// then they wait: in the CPU's backlog for 1000, or with a veth device that does GRO for 256.
pub(crate) const MAX_UNBROKEN: usize = 128;

/// Packets that others receive on this CPU between two polls: what NAPI lets each have.
const RECEIVED_BETWEEN_POLLS: usize = 64;

/// What is done to a packet.
#[derive(Clone, Copy)]
pub(crate) enum Task {
    /// It is encrypted.
    Seal,
    /// It is decrypted.
    Open,
}

/// What one CPU has done. Only this CPU writes, with bottom halves off (where these can be preempted, as with PREEMPT_RT,
/// a count may be lost); cache lines are not shared.
#[repr(align(64))]
struct Effort {
    sealed: Atomic<u64>,
    opened: Atomic<u64>,
    /// Nanoseconds of both in a window, in the one before, and which window that is.
    busy: Atomic<u64>,
    before: Atomic<u64>,
    window: Atomic<u64>,
    /// Packets that left while softirqs had no turn.
    unbroken: Atomic<usize>,
}

impl Effort {
    const fn new() -> Self {
        Self {
            sealed: Atomic::new(0),
            opened: Atomic::new(0),
            busy: Atomic::new(0),
            before: Atomic::new(0),
            window: Atomic::new(0),
            unbroken: Atomic::new(0),
        }
    }

    fn count(&self, task: Task, n: usize) {
        let counter = match task {
            Task::Seal => &self.sealed,
            Task::Open => &self.opened,
        };
        // CAST: From small to large.
        counter.store(counter.load(Relaxed).wrapping_add(n as u64), Relaxed);
    }

    fn spent(&self, ns: u64) {
        let (busy, before) = self.windows();
        self.busy.store(busy.saturating_add(ns), Relaxed);
        self.before.store(before, Relaxed);
        self.window.store(window(), Relaxed);
    }

    /// Returns the nanoseconds spent in this window and in the one before.
    fn windows(&self) -> (u64, u64) {
        match window().wrapping_sub(self.window.load(Relaxed)) {
            0 => (self.busy.load(Relaxed), self.before.load(Relaxed)),
            1 => (0, self.busy.load(Relaxed)),
            _ => (0, 0),
        }
    }
}

fn window() -> u64 {
    time::jiffies() / WINDOW
}

/// What the CPUs have done for an interface.
///
/// Shown by debugfs as `wireguard/<interface>/cpus`: a line for each possible CPU, with the packets it has encrypted and
/// decrypted, whatever became of them.
pub(crate) struct Efforts(KVec<Effort>);

impl Efforts {
    /// Creates the counters at zero.
    pub(crate) fn new() -> Result<Self> {
        let mut efforts = KVec::new();
        for _ in 0..cpu::possible_count() {
            efforts.push(Effort::new(), GFP_KERNEL)?;
        }
        Ok(Self(efforts))
    }

    /// Does something to `n` packets, and notes it for this CPU.
    #[inline]
    pub(crate) fn note<R>(&self, task: Task, n: usize, bh: &Bh<'_>, work: impl FnOnce() -> R) -> R {
        let Some(effort) = self.own(bh) else {
            return work();
        };
        effort.count(task, n);
        // Nobody could help anyway.
        if cpu::online_count() < 2 {
            return work();
        }
        let start = time::local_clock();
        let result = work();
        effort.spent(time::local_clock().wrapping_sub(start));
        result
    }

    /// Notes that `n` packets leave this CPU.
    pub(crate) fn sent(&self, n: usize, bh: &Bh<'_>) {
        let Some(effort) = self.own(bh) else {
            return;
        };
        let unbroken = if bh.softirqs_follow() {
            0
        } else {
            effort.unbroken.load(Relaxed).saturating_add(n)
        };
        effort.unbroken.store(unbroken, Relaxed);
    }

    /// Notes that a softirq lets others receive.
    pub(crate) fn polled(&self, bh: &Bh<'_>) {
        if let Some(effort) = self.own(bh) {
            let unbroken = effort.unbroken.load(Relaxed);
            effort
                .unbroken
                .store(unbroken.saturating_sub(RECEIVED_BETWEEN_POLLS), Relaxed);
        }
    }

    /// Notes that this is a turn for softirqs.
    pub(crate) fn had_turn(&self, bh: &Bh<'_>) {
        if let Some(effort) = self.own(bh) {
            effort.unbroken.store(0, Relaxed);
        }
    }

    /// Returns how many more packets may leave this CPU before softirqs get their turn.
    pub(crate) fn room(&self, bh: &Bh<'_>) -> usize {
        let unbroken = match self.own(bh) {
            Some(effort) if !bh.softirqs_follow() => effort.unbroken.load(Relaxed),
            _ => 0,
        };
        MAX_UNBROKEN.saturating_sub(unbroken)
    }

    /// Returns what this CPU does.
    fn own(&self, bh: &Bh<'_>) -> Option<&Effort> {
        // CAST: From small to large.
        self.0.get(bh.cpu() as usize)
    }

    /// Returns whether this CPU has enough to do at this moment.
    #[inline]
    pub(crate) fn has_enough(&self, bh: &Bh<'_>) -> bool {
        self.busy(bh.cpu()) >= ENOUGH
    }

    /// Returns whether another CPU has done less than this one lately.
    pub(crate) fn has_less(&self, other: u32, bh: &Bh<'_>) -> bool {
        self.busy(other) < self.busy(bh.cpu())
    }

    /// Returns the nanoseconds that a CPU was busy lately.
    fn busy(&self, cpu: u32) -> u64 {
        // CAST: From small to large.
        let (busy, before) = self.0.get(cpu as usize).map_or((0, 0), Effort::windows);
        busy.saturating_add(before)
    }
}

impl Writer for Efforts {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpu: u32 = 0;
        for effort in self.0.iter() {
            writeln!(
                f,
                "cpu{cpu} encrypted {} decrypted {}",
                effort.sealed.load(Relaxed),
                effort.opened.load(Relaxed)
            )?;
            cpu = cpu.wrapping_add(1);
        }
        Ok(())
    }
}
