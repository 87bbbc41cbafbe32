// SPDX-License-Identifier: GPL-2.0

//! How busy each CPU is with the packets of an interface.

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
    compat::casts::{
        u32_as_usize,
        usize_as_u64, //
    },
    context::Bh,
    cpu,
    sync::ReadOnce,
    time, //
};

/// Jiffies of a window. Crypto time is known for the current window and the one before.
const WINDOW: u64 = time::HZ / 50;

/// Crypto time per two windows, in nanoseconds, above which a CPU counts as busy: a twelfth of
/// them, as the CPU also has to make, send and deliver the packets.
const BUSY_NS: u64 = 1_000_000_000 / time::HZ * WINDOW / 6;

/// Packets that a CPU may hand to the stack before it runs softirqs.
///
/// A receiver on this machine takes them in a softirq. Until then they wait in the CPU's backlog,
/// which holds 1000, or with a veth device that does GRO in a ring of 256.
pub(crate) const SOFTIRQ_BUDGET: usize = 128;

/// What NAPI polls of other contexts receive per poll, at most (`NAPI_POLL_WEIGHT`).
const NAPI_WEIGHT: u32 = 64;

/// Jiffies during which a CPU whose work items stalled gets no batches, unless one runs.
const STALL_HOLD: u64 = time::HZ;

/// CPUs to ask whether they are less busy: each costs a foreign cache line. Each call begins where
/// the last one ended, so that a free CPU is found soon.
const MAX_ASKED: u32 = 2;

/// Which work a CPU does on packets.
#[derive(Clone, Copy)]
pub(crate) enum CryptoOp {
    /// Encryption.
    Encrypt,
    /// Decryption.
    Decrypt,
}

/// What one CPU has done, and whether it can do more.
///
/// Only this CPU writes, with bottom halves off, except for `queued` and `stalled_since`. (Where
/// bottom halves can be preempted, as with PREEMPT_RT, a count may be lost.) All of it is one cache
/// line: another CPU that looks for a less busy one reads no more than this.
#[repr(align(64))]
struct CpuLoad {
    encrypted: Atomic<u64>,
    decrypted: Atomic<u64>,
    /// Crypto nanoseconds in a window, in the one before, and which window that is.
    busy_ns: Atomic<u64>,
    previous_ns: Atomic<u64>,
    window: Atomic<u32>,
    /// Packets handed to the stack since softirqs ran.
    since_softirq: Atomic<u32>,
    /// Which CPU this one asked last.
    last_asked: Atomic<u32>,
    /// Batches that were given to this CPU's worker and are not done.
    queued: Atomic<u32>,
    /// Since which jiffy the work items of this CPU count as stalled.
    stalled_since: Atomic<u64>,
}

// The atomics of `tools/models` have another size.
const _: () = assert!(cfg!(wg_models) || size_of::<CpuLoad>() == 64);

impl CpuLoad {
    fn new(cpu: u32) -> Self {
        Self {
            encrypted: Atomic::new(0),
            decrypted: Atomic::new(0),
            busy_ns: Atomic::new(0),
            previous_ns: Atomic::new(0),
            window: Atomic::new(0),
            since_softirq: Atomic::new(0),
            last_asked: Atomic::new(cpu),
            queued: Atomic::new(0),
            stalled_since: Atomic::new(time::jiffies().wrapping_sub(STALL_HOLD)),
        }
    }

    fn is_responsive(&self) -> bool {
        time::jiffies().wrapping_sub(self.stalled_since.read_once()) >= STALL_HOLD
    }

    fn count(&self, op: CryptoOp, n: usize) {
        let counter = match op {
            CryptoOp::Encrypt => &self.encrypted,
            CryptoOp::Decrypt => &self.decrypted,
        };
        counter.store(counter.read_once().wrapping_add(usize_as_u64(n)), Relaxed);
    }

    fn add_ns(&self, ns: u64) {
        let (busy, before) = self.windows();
        self.busy_ns.store(busy.saturating_add(ns), Relaxed);
        self.previous_ns.store(before, Relaxed);
        self.window.store(window(), Relaxed);
    }

    /// Returns the crypto time of this window and the one before.
    fn recent_ns(&self) -> u64 {
        let (busy, before) = self.windows();
        busy.saturating_add(before)
    }

    /// Returns the nanoseconds of this window, and those of the one before.
    fn windows(&self) -> (u64, u64) {
        match window().wrapping_sub(self.window.read_once()) {
            0 => (self.busy_ns.read_once(), self.previous_ns.read_once()),
            1 => (0, self.busy_ns.read_once()),
            _ => (0, 0),
        }
    }
}

fn window() -> u32 {
    // CAST: Only the last two are distinguished. When the lower half of the counter wraps, a CPU's
    // load is forgotten once.
    time::jiffies() as u32 / WINDOW as u32
}

/// The load that an interface puts on each CPU.
///
/// debugfs shows it as `wireguard/<interface>/cpus`: a line for each possible CPU, with the packets
/// that it has encrypted and decrypted, whatever became of them.
pub(crate) struct CpuLoads(KVec<CpuLoad>);

impl CpuLoads {
    /// Creates the counters at zero.
    pub(crate) fn new() -> Result<Self> {
        let mut loads = KVec::new();
        for cpu in 0..cpu::possible_count() {
            loads.push(CpuLoad::new(cpu), GFP_KERNEL)?;
        }
        Ok(Self(loads))
    }

    /// Runs `work`, which processes `n` packets, and adds its time to the load of this CPU.
    #[inline]
    pub(crate) fn account<R>(
        &self,
        op: CryptoOp,
        n: usize,
        bh: &Bh<'_>,
        work: impl FnOnce() -> R,
    ) -> R {
        let Some(load) = self.own(bh) else {
            return work();
        };
        load.count(op, n);
        // There is no other CPU to give work to.
        if cpu::online_count() < 2 {
            return work();
        }
        let start = time::local_clock();
        let result = work();
        load.add_ns(time::local_clock().wrapping_sub(start));
        result
    }

    /// Notes that this CPU hands `n` packets to the stack.
    pub(crate) fn note_handed_on(&self, n: usize, bh: &Bh<'_>) {
        let Some(load) = self.own(bh) else {
            return;
        };
        let since_softirq = if bh.softirqs_follow() {
            0
        } else {
            // CAST: The packets of a batch.
            load.since_softirq.read_once().saturating_add(n as u32)
        };
        load.since_softirq.store(since_softirq, Relaxed);
    }

    /// Notes a NAPI poll, after which other NAPI contexts take packets from the backlog.
    pub(crate) fn note_poll(&self, bh: &Bh<'_>) {
        if let Some(load) = self.own(bh) {
            let since_softirq = load.since_softirq.read_once();
            load.since_softirq
                .store(since_softirq.saturating_sub(NAPI_WEIGHT), Relaxed);
        }
    }

    /// Notes that softirqs run.
    pub(crate) fn note_softirq(&self, bh: &Bh<'_>) {
        if let Some(load) = self.own(bh) {
            load.since_softirq.store(0, Relaxed);
        }
    }

    /// Returns how many more packets this CPU may hand to the stack before it runs softirqs.
    pub(crate) fn softirq_budget(&self, bh: &Bh<'_>) -> usize {
        let since_softirq = match self.own(bh) {
            Some(load) if !bh.softirqs_follow() => load.since_softirq.read_once(),
            _ => 0,
        };
        SOFTIRQ_BUDGET.saturating_sub(u32_as_usize(since_softirq))
    }

    /// Returns the load of this CPU.
    fn own(&self, bh: &Bh<'_>) -> Option<&CpuLoad> {
        self.of(bh.cpu())
    }

    fn of(&self, cpu: u32) -> Option<&CpuLoad> {
        self.0.get(u32_as_usize(cpu))
    }

    /// Returns whether the work items of a CPU run when they are queued.
    pub(crate) fn is_responsive(&self, cpu: u32) -> bool {
        self.of(cpu).is_none_or(CpuLoad::is_responsive)
    }

    /// Sets whether the work items of a CPU run when they are queued.
    pub(crate) fn set_responsive(&self, cpu: u32, is_responsive: bool) {
        if let Some(load) = self.of(cpu) {
            let age = if is_responsive { STALL_HOLD } else { 0 };
            load.stalled_since
                .store(time::jiffies().wrapping_sub(age), Relaxed);
        }
    }

    /// Returns whether a CPU's worker has batches that it has not processed.
    ///
    /// Ordered against [`note_queued`](Self::note_queued): a timer that has expired sees that batch
    /// here, or the caller of `note_queued` sees that the timer is not pending.
    pub(crate) fn has_queued(&self, cpu: u32) -> bool {
        self.of(cpu)
            .is_some_and(|load| load.queued.fetch_add(0, Full) != 0)
    }

    /// Notes that a batch is queued for a CPU's worker.
    pub(crate) fn note_queued(&self, cpu: u32) {
        if let Some(load) = self.of(cpu) {
            load.queued.fetch_add(1, Full);
        }
    }

    /// Notes that a CPU's worker has processed a batch, or that its queue was full.
    pub(crate) fn note_done(&self, cpu: u32) {
        if let Some(load) = self.of(cpu) {
            load.queued.fetch_sub(1, Relaxed);
        }
    }

    /// Returns whether [`find_less_busy`](Self::find_less_busy) finds a CPU. The next call then
    /// returns it.
    pub(crate) fn has_less_busy(&self, max: u32, bh: &Bh<'_>) -> bool {
        let Some(own) = self.own(bh) else {
            return false;
        };
        let last_asked = own.last_asked.read_once();
        let found = self.find_less_busy(max, bh).is_some();
        if found {
            own.last_asked.store(last_asked, Relaxed);
        }
        found
    }

    /// Returns another CPU that is less busy than this one, with fewer than `max` batches queued.
    pub(crate) fn find_less_busy(&self, max: u32, bh: &Bh<'_>) -> Option<u32> {
        let own = self.own(bh)?;
        for _ in 0..cpu::online_count().min(MAX_ASKED) {
            let mut other = cpu::next_online(own.last_asked.read_once());
            if other == bh.cpu() {
                other = cpu::next_online(other);
            }
            own.last_asked.store(other, Relaxed);
            let Some(load) = self.of(other) else {
                continue;
            };
            if other != bh.cpu()
                && load.queued.read_once() < max
                && load.is_responsive()
                && load.recent_ns() < own.recent_ns()
            {
                return Some(other);
            }
        }
        None
    }

    /// Returns whether this CPU is busy.
    #[inline]
    pub(crate) fn is_busy(&self, bh: &Bh<'_>) -> bool {
        self.own(bh).is_some_and(|own| own.recent_ns() >= BUSY_NS)
    }
}

impl Writer for CpuLoads {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cpu: u32 = 0;
        for load in self.0.iter() {
            writeln!(
                f,
                "cpu{cpu} encrypted {} decrypted {}",
                load.encrypted.read_once(),
                load.decrypted.read_once()
            )?;
            cpu = cpu.wrapping_add(1);
        }
        Ok(())
    }
}
