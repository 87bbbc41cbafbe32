// SPDX-License-Identifier: GPL-2.0

//! A peer: what other CPUs see of it.

#[path = "../../../rust/driver/peer/sessions.rs"]
mod sessions;

use crate::{
    device::Device, keypair::Keypair, parallel::worker::WATCHDOG_TIMEOUT, rcu::Rcu, receive::rx::Rx,
};
use engine::Tracked;
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};
use kext::{
    context::{Bh, Process},
    net::device::{DeviceRef, NetDevice},
    new_spinlock, new_timer, new_work,
    sync::{lock::SpinLock, rcu::RcuArc},
    time::timer::Timer,
    workqueue::Work,
};
use wg_proto::{
    keypairs::{self, Keypairs},
    DropReason,
};

/// Work item that has received packets polled while others have their turn.
pub(crate) const POLL: usize = 4;
/// Timer that does what work items were to do.
pub(crate) const WATCHDOG: usize = 5;

#[pin_data]
pub(crate) struct Peer {
    device: DeviceRef<Device>,
    dead: Atomic<bool>,
    keypairs: Keypairs<Rcu, Keypair>,
    #[pin]
    keypairs_writer: SpinLock<keypairs::KeypairsWriter>,
    #[pin]
    rx: SpinLock<Rx>,
    pub(crate) poll_work: Work<Peer, POLL>,
    pub(crate) watchdog: Timer<Peer, WATCHDOG>,
    tracked: Tracked,
}

/// How many peers were freed.
static ENDED: engine::PerRun<std::cell::Cell<usize>> = engine::PerRun::new();

impl Drop for Peer {
    fn drop(&mut self) {
        let ended = ENDED.get(Default::default);
        ended.set(ended.get() + 1);
    }
}

impl Peer {
    /// Returns how many peers were freed.
    pub(crate) fn ended() -> usize {
        ENDED.get(Default::default).get()
    }

    pub(crate) fn make(device: &DeviceRef<Device>) -> RcuArc<Self> {
        let device = device.clone();
        let peer = RcuArc::pin_init_atomic(pin_init!(Self {
            device,
            dead: Atomic::new(false),
            keypairs: Keypairs::new(),
            keypairs_writer <- new_spinlock!(keypairs::KeypairsWriter::new()),
            rx <- new_spinlock!(Rx::new()),
            poll_work: new_work!(),
            watchdog: new_timer!(),
            tracked: Tracked::new(),
        }));
        peer.expect("there is a barrier")
    }

    pub(crate) fn device(&self) -> &NetDevice<Device> {
        self.tracked.read();
        &self.device
    }

    pub(crate) fn napi_index(&self) -> u32 {
        0
    }

    pub(crate) fn id(&self) -> u64 {
        1
    }

    pub(crate) fn number(&self) -> u64 {
        1
    }

    pub(crate) fn public_key(&self) -> &wg_proto::key::PublicKey {
        unreachable!("not by these models")
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    pub(crate) fn mark_dead(&self) {
        self.dead.store(true, Relaxed);
    }

    pub(crate) fn rx(&self) -> &SpinLock<Rx> {
        &self.rx
    }

    pub(crate) fn count_drops(&self, reason: DropReason, n: u64, _bh: &Bh<'_>) {
        self.device().data().drops().add(reason, n);
    }

    pub(crate) fn count_drops_of_device(&self, reason: DropReason, n: u64) {
        self.device().data().drops().add(reason, n);
    }

    fn note_reset(&self, _bh: &Bh<'_>) {}

    fn clear_handshake(&self, _ctx: &mut Process) {}

    fn noise(&self) -> Noise {
        Noise {
            handshake: Handshake,
        }
    }

    fn reset_last_sent_handshake(&self) {}
}

/// As in `rust/driver/peer.rs`.
pub(crate) fn arm_watchdog(peer: &RcuArc<Peer>) {
    if !peer.watchdog.is_pending() {
        peer.watchdog.arm(peer, WATCHDOG_TIMEOUT);
    }
}

/// The handshake, which these models leave alone.
struct Noise {
    handshake: Handshake,
}

struct Handshake;

impl Noise {
    fn lock(self, _ctx: &mut Process) -> Self {
        self
    }
}

impl Handshake {
    fn remote_mut(&mut self) -> &mut Self {
        self
    }

    fn forget_ours(&mut self) {}
}
