// SPDX-License-Identifier: GPL-2.0

//! What each CPU does for an interface.

use kernel::{
    alloc::flags::GFP_KERNEL,
    debugfs::Writer,
    fmt,
    prelude::*,
    sync::atomic::{
        Atomic,
        Full,
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
const RECEIVED_BETWEEN_POLLS: u32 = 64;

/// Jiffies during which nothing is left to the workers of a CPU where none came, unless one comes
/// meanwhile.
const DISTRUST: u64 = time::HZ;

/// CPUs that are asked whether they can take a batch: the line of each is a foreign one. Which are
/// asked changes with each batch, so that a free one is found soon.
const MAX_ASKED: u32 = 2;

/// What is done to a packet.
#[derive(Clone, Copy)]
pub(crate) enum Task {
    /// It is encrypted.
    Seal,
    /// It is decrypted.
    Open,
}

/// What one CPU has done, and whether it can do more.
///
/// Only this CPU writes, with bottom halves off (where these can be preempted, as with PREEMPT_RT, a
/// count may be lost), but for `waiting` and `absent_since`. It is one cache line: another CPU that
/// looks for help reads no more than this.
#[repr(align(64))]
struct Effort {
    sealed: Atomic<u64>,
    opened: Atomic<u64>,
    /// Nanoseconds of both in a window, in the one before, and which window that is.
    busy: Atomic<u64>,
    before: Atomic<u64>,
    window: Atomic<u32>,
    /// Packets that left while softirqs had no turn.
    unbroken: Atomic<u32>,
    /// Which CPU this one asked for help last.
    asked: Atomic<u32>,
    /// Batches that were given to this CPU's worker and are not done.
    waiting: Atomic<u32>,
    /// Since which jiffy no worker of this CPU is expected to come.
    absent_since: Atomic<u64>,
}

// Not by the atomics of the models.
const _: () = assert!(cfg!(wg_models) || size_of::<Effort>() == 64);

impl Effort {
    fn new(cpu: u32) -> Self {
        Self {
            sealed: Atomic::new(0),
            opened: Atomic::new(0),
            busy: Atomic::new(0),
            before: Atomic::new(0),
            window: Atomic::new(0),
            unbroken: Atomic::new(0),
            asked: Atomic::new(cpu),
            waiting: Atomic::new(0),
            absent_since: Atomic::new(time::jiffies().wrapping_sub(DISTRUST)),
        }
    }

    fn is_present(&self) -> bool {
        time::jiffies().wrapping_sub(self.absent_since.load(Relaxed)) >= DISTRUST
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

    /// Returns the nanoseconds that the CPU was busy lately.
    fn busy_lately(&self) -> u64 {
        let (busy, before) = self.windows();
        busy.saturating_add(before)
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

fn window() -> u32 {
    // CAST: It wraps, and only the last two are told apart.
    (time::jiffies() / WINDOW) as u32
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
        for cpu in 0..cpu::possible_count() {
            efforts.push(Effort::new(cpu), GFP_KERNEL)?;
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
            // CAST: The packets of a batch.
            effort.unbroken.load(Relaxed).saturating_add(n as u32)
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
        // CAST: From small to large.
        MAX_UNBROKEN.saturating_sub(unbroken as usize)
    }

    /// Returns what this CPU does.
    fn own(&self, bh: &Bh<'_>) -> Option<&Effort> {
        self.of(bh.cpu())
    }

    fn of(&self, cpu: u32) -> Option<&Effort> {
        // CAST: From small to large.
        self.0.get(cpu as usize)
    }

    /// Returns whether the workers of a CPU come when something is left to them.
    pub(crate) fn is_present(&self, cpu: u32) -> bool {
        self.of(cpu).is_none_or(Effort::is_present)
    }

    /// Notes whether the workers of a CPU come.
    pub(crate) fn set_present(&self, cpu: u32, is_present: bool) {
        if let Some(effort) = self.of(cpu) {
            let age = if is_present { DISTRUST } else { 0 };
            effort
                .absent_since
                .store(time::jiffies().wrapping_sub(age), Relaxed);
        }
    }

    /// Returns whether batches were given to a CPU's worker that it has not done.
    ///
    /// Ordered against [`given`](Self::given): a timer that has expired sees that batch here, or
    /// the caller of `given` sees that the timer is not pending.
    pub(crate) fn has_waiting(&self, cpu: u32) -> bool {
        self.of(cpu)
            .is_some_and(|effort| effort.waiting.fetch_add(0, Full) != 0)
    }

    /// Notes that a batch is given to a CPU's worker.
    pub(crate) fn given(&self, cpu: u32) {
        if let Some(effort) = self.of(cpu) {
            effort.waiting.fetch_add(1, Full);
        }
    }

    /// Notes that a CPU's worker has done a batch, or did not get it after all.
    pub(crate) fn done(&self, cpu: u32) {
        if let Some(effort) = self.of(cpu) {
            effort.waiting.fetch_sub(1, Relaxed);
        }
    }

    /// Returns whether [`idle`](Self::idle) finds one, which it then returns next.
    pub(crate) fn has_idle(&self, max: u32, bh: &Bh<'_>) -> bool {
        let Some(own) = self.own(bh) else {
            return false;
        };
        let asked = own.asked.load(Relaxed);
        let found = self.idle(max, bh).is_some();
        if found {
            own.asked.store(asked, Relaxed);
        }
        found
    }

    /// Returns another CPU that has more time for a batch than this one, and fewer than `max`
    /// waiting.
    pub(crate) fn idle(&self, max: u32, bh: &Bh<'_>) -> Option<u32> {
        let own = self.own(bh)?;
        for _ in 0..cpu::online_count().min(MAX_ASKED) {
            let mut other = cpu::next_online(own.asked.load(Relaxed));
            if other == bh.cpu() {
                other = cpu::next_online(other);
            }
            own.asked.store(other, Relaxed);
            let Some(effort) = self.of(other) else {
                continue;
            };
            if other != bh.cpu()
                && effort.waiting.load(Relaxed) < max
                && effort.is_present()
                && effort.busy_lately() < own.busy_lately()
            {
                return Some(other);
            }
        }
        None
    }

    /// Returns whether this CPU has enough to do at this moment.
    #[inline]
    pub(crate) fn has_enough(&self, bh: &Bh<'_>) -> bool {
        self.own(bh).is_some_and(|own| own.busy_lately() >= ENOUGH)
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
