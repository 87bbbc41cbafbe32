// SPDX-License-Identifier: GPL-2.0

//! A peer: its keys, its endpoint, and the packets on their way to and from it.

mod endpoint;
mod sessions;
mod stamps;
mod traffic;

pub(crate) use endpoint::{
    EndpointState,
    Route, //
};
use stamps::Stamps;
use traffic::Direction;

use crate::{
    device::Device,
    diag::PeerDiag,
    endpoint::DisplayRemote,
    keypair::Keypair,
    parallel::{
        stream::SeenFlag,
        worker::WATCHDOG_TIMEOUT, //
    },
    peerlookup::IndexEntry,
    rcu::Rcu,
    receive::rx::Rx,
    send::tx::{
        purge_staged,
        Tx, //
    },
    timers::Timers, //
};
use kernel::{
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
    debug,
    net::{
        device::{
            DeviceRef,
            NetDevice, //
        },
        route::RouteGso, //
    },
    new_mutex,
    new_spinlock,
    new_timer,
    new_work,
    sync::{
        lock::{
            Mutex,
            SpinLock, //
        },
        rcu::RcuArc,
        slab_cache::SlabCache,
        CacheAligned,
        ReadOnce, //
    },
    time::{
        self,
        hrtimer::HrTimer,
        timer::Timer, //
    },
    workqueue::Work, //
};
use wg_proto::{
    cookie::CookieGenerator,
    handshake::Handshake,
    key::PublicKey,
    keypairs::{
        self,
        Keypairs, //
    },
    session,
    DropReason, //
};

/// Id of the work item that sends a handshake initiation (`handshake.rs`).
pub(crate) const INITIATE: usize = 0;
/// Id of the work item that zeroes all keys (`handshake.rs`).
pub(crate) const ZERO: usize = 1;
/// Id of the work item that sends batches that other CPUs have encrypted (`send/release.rs`).
pub(crate) const DRAIN: usize = 2;
/// Id of the work item that sends staged packets (`send/staged.rs`).
pub(crate) const SEND: usize = 3;
/// Id of the work item that schedules the NAPI poll after a pause (`receive/poll.rs`).
pub(crate) const POLL: usize = 4;
/// Id of the watchdog timer, which does the work of work items that do not run, in both directions
/// (`watchdog.rs`).
pub(crate) const WATCHDOG: usize = 5;
/// Id of the timer that schedules the NAPI poll for packets that are being coalesced
/// (`receive/coalesce.rs`).
pub(crate) const COALESCE: usize = 6;
/// Id of the timer that expires at the earliest deadline of the protocol's timers
/// (`timers/expired.rs`).
pub(crate) const DEADLINE: usize = 7;

/// The handshake with a peer, and the index it goes by.
pub(crate) struct Noise {
    /// The handshake in progress, and the long-term keys of the peer.
    pub(crate) handshake: Handshake,
    /// Its entry in the index table.
    pub(crate) entry: Option<RcuArc<IndexEntry>>,
    /// Counts the preshared keys that were set.
    pub(crate) psk_generation: u32,
    /// That of the preshared key in the handshake.
    pub(crate) psk_used: u32,
}

/// State that only handshakes need.
#[pin_data]
struct HandshakeState {
    #[pin]
    noise: Mutex<Noise>,
    #[pin]
    cookie_generator: SpinLock<CookieGenerator>,
}

impl HandshakeState {
    fn new(public_key: &PublicKey) -> impl PinInit<Self> {
        let key = *public_key;
        let mut generator = CookieGenerator::new();
        generator.set_remote(public_key);
        pin_init!(Self {
            noise <- new_mutex!(Noise {
                handshake: Handshake::new(key),
                entry: None,
                psk_generation: 0,
                psk_used: 0,
            }),
            cookie_generator <- new_spinlock!(generator),
        })
    }
}

/// Flags that each direction sets for the other one.
struct SeenFlags {
    rx: SeenFlag,
    tx: SeenFlag,
}

/// A peer of an interface.
///
/// Fields that are written for each batch lie on cache lines of their own, apart from fields that
/// other CPUs read for theirs. The deadlines of the timers do not.
///
/// The configuration, the tables, and packets, timers and work items in flight hold references. The
/// last one to go frees the peer.
#[pin_data]
pub(crate) struct Peer {
    id: u64,
    public_key: PublicKey,
    dead: Atomic<bool>,
    persistent_keepalive: Atomic<u32>,
    last_sent_handshake: Atomic<u64>,
    gso_max: Atomic<u32>,
    gathers_gso: Atomic<bool>,
    has_endpoint: Atomic<bool>,
    endpoint_changes: Atomic<u32>,
    napi_index: u32,
    keypairs: Keypairs<Rcu, Keypair>,
    #[pin]
    keypairs_writer: SpinLock<keypairs::KeypairsWriter>,
    #[pin]
    handshake_state: HandshakeState,
    #[pin]
    diag: PeerDiag,
    #[pin]
    endpoint: CacheAligned<SpinLock<EndpointState>>,
    #[pin]
    tx: CacheAligned<Direction<Tx>>,
    #[pin]
    rx: CacheAligned<Direction<Rx>>,
    #[pin]
    seen_flags: CacheAligned<SeenFlags>,
    #[pin]
    stamps: SpinLock<Stamps>,
    #[pin]
    timers: Timers,
    #[pin]
    pub(crate) initiate_work: Work<Peer, INITIATE>,
    #[pin]
    pub(crate) zero_work: Work<Peer, ZERO>,
    #[pin]
    pub(crate) drain_work: Work<Peer, DRAIN>,
    #[pin]
    pub(crate) send_work: Work<Peer, SEND>,
    #[pin]
    pub(crate) poll_work: Work<Peer, POLL>,
    #[pin]
    pub(crate) watchdog: Timer<Peer, WATCHDOG>,
    #[pin]
    pub(crate) coalesce: HrTimer<Peer, COALESCE>,
    /// The number that names the peer in the log.
    number: u64,
    device: DeviceRef<Device>,
}

/// The slab cache of peers. C's is `wg_peer`, and the tests load both drivers at once.
pub(crate) static CACHE: SlabCache<Peer> = SlabCache::new(c"wireguard_peer");

/// Numbers of peers in the log, over all interfaces.
static PEERS: Atomic<u64> = Atomic::new(0);

impl Peer {
    /// Creates a peer, which the caller adds to the tables.
    ///
    /// `id` is its number on the interface.
    pub(crate) fn new(
        dev: &NetDevice<Device>,
        id: u64,
        public_key: PublicKey,
        ctx: &mut Process,
    ) -> Result<RcuArc<Self>> {
        let number = PEERS.fetch_add(1, Relaxed).wrapping_add(1);
        let device = dev.hold();
        let owner = (device.clone(), number);
        // CAST: The lower half spreads the peers as well.
        let napi_index = (id as u32).checked_rem(cpu::possible_count()).unwrap_or(0);
        let handshake_state = HandshakeState::new(&public_key);
        let peer = CACHE.pin_init(
            try_pin_init!(Self {
                id,
                public_key,
                dead: Atomic::new(false),
                persistent_keepalive: Atomic::new(0),
                last_sent_handshake: Atomic::new(session::long_ago(time::boottime_coarse())),
                gso_max: Atomic::new(u32::MAX),
                gathers_gso: Atomic::new(false),
                has_endpoint: Atomic::new(false),
                endpoint_changes: Atomic::new(0),
                napi_index,
                keypairs: Keypairs::new(),
                keypairs_writer <- new_spinlock!(keypairs::KeypairsWriter::new()),
                handshake_state <- handshake_state,
                diag <- PeerDiag::new(),
                endpoint <- CacheAligned::new(new_spinlock!(EndpointState::new(owner))),
                tx <- CacheAligned::new(Direction::new(new_spinlock!(Tx::new()))),
                rx <- CacheAligned::new(Direction::new(new_spinlock!(Rx::new()))),
                seen_flags <- CacheAligned::new(SeenFlags {
                    rx: SeenFlag::new(),
                    tx: SeenFlag::new(),
                }),
                stamps <- new_spinlock!(Stamps::new()),
                timers <- Timers::new(),
                initiate_work <- new_work!(),
                zero_work <- new_work!(),
                drain_work <- new_work!(),
                send_work <- new_work!(),
                poll_work <- new_work!(),
                watchdog <- new_timer!(),
                coalesce <- HrTimer::new(),
                number,
                device,
            }? Error),
            ctx,
        )?;
        debug!("{}: Peer {} created\n", dev.name(), peer.number());
        Ok(peer)
    }

    /// Returns the peer's number on its interface, which rises in the order of creation.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns the number that names the peer in the log.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Returns the interface.
    #[inline]
    pub(crate) fn device(&self) -> &NetDevice<Device> {
        &self.device
    }

    /// Returns the public key.
    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Returns which NAPI context delivers the peer's packets.
    #[inline]
    pub(crate) fn napi_index(&self) -> u32 {
        self.napi_index
    }

    /// Returns whether the peer was removed. Nothing new may be started for it then.
    #[inline]
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.read_once()
    }

    /// Returns the lock around the handshake.
    pub(crate) fn noise(&self) -> &Mutex<Noise> {
        &self.handshake_state.noise
    }

    /// Returns the cookie and mac state for messages to the peer.
    pub(crate) fn cookie_generator(&self) -> &SpinLock<CookieGenerator> {
        &self.handshake_state.cookie_generator
    }

    /// Returns the lock around the endpoint.
    #[inline]
    pub(crate) fn endpoint(&self) -> &SpinLock<EndpointState> {
        &self.endpoint
    }

    /// Returns whether the remote address is known. Takes no lock, as each packet asks.
    #[inline]
    pub(crate) fn has_endpoint(&self) -> bool {
        self.has_endpoint.read_once()
    }

    /// Returns the number of the endpoint's last change.
    #[inline]
    pub(crate) fn endpoint_change_number(&self) -> u32 {
        self.endpoint_changes.read_once()
    }

    /// Notes that the endpoint changes, and whether there is one. The caller holds its lock.
    pub(crate) fn note_endpoint_change(&self, is_known: bool) {
        self.has_endpoint.store(is_known, Relaxed);
        let change = self.endpoint_change_number().wrapping_add(1);
        self.endpoint_changes.store(change, Relaxed);
    }

    /// Returns how long datagrams may be of which GSO packets are made, when the route was last
    /// examined; 0: it takes none.
    #[inline]
    pub(crate) fn gso_max(&self) -> u32 {
        self.gso_max.read_once()
    }

    /// Returns whether making GSO packets from single datagrams paid off then.
    #[inline]
    pub(crate) fn gathers_gso(&self) -> bool {
        self.gathers_gso.read_once()
    }

    /// Sets which GSO packets should use the route, and how long their datagrams may be.
    pub(crate) fn set_gso(&self, gso: RouteGso, max: u32) {
        let max = if gso == RouteGso::None { 0 } else { max };
        self.gso_max.store(max, Relaxed);
        self.gathers_gso.store(gso == RouteGso::All, Relaxed);
    }

    /// Returns the lock around the state of sending.
    #[inline]
    pub(crate) fn tx(&self) -> &SpinLock<Tx> {
        &self.tx.state
    }

    /// Returns the lock around the state of receiving.
    #[inline]
    pub(crate) fn rx(&self) -> &SpinLock<Rx> {
        &self.rx.state
    }

    /// Returns the timers.
    #[inline]
    pub(crate) fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Returns the persistent keepalive interval in seconds, or 0.
    #[inline]
    pub(crate) fn persistent_keepalive(&self) -> u16 {
        // CAST: Only ever set from 16 bits.
        self.persistent_keepalive.read_once() as u16
    }

    /// Sets the persistent keepalive interval and returns the old one.
    pub(crate) fn set_persistent_keepalive(&self, seconds: u16) -> u16 {
        let old = self.persistent_keepalive();
        self.persistent_keepalive.store(u32::from(seconds), Relaxed);
        old
    }

    /// Returns when the last handshake message was sent.
    pub(crate) fn last_sent_handshake(&self) -> u64 {
        self.last_sent_handshake.read_once()
    }

    /// Notes that a handshake message is sent now.
    pub(crate) fn handshake_sent_now(&self) {
        self.last_sent_handshake
            .store(time::boottime_coarse(), Relaxed);
    }

    /// Lets the next initiation leave at once.
    pub(crate) fn reset_last_sent_handshake(&self) {
        self.last_sent_handshake
            .store(session::long_ago(time::boottime_coarse()), Relaxed);
    }

    /// Returns the state for diagnostics.
    #[inline]
    pub(crate) fn diag(&self) -> &PeerDiag {
        &self.diag
    }

    /// Returns the flag that is set when data is received, and taken when data is sent.
    #[inline]
    pub(crate) fn rx_seen(&self) -> &SeenFlag {
        &self.seen_flags.rx
    }

    /// Returns the flag that is set when data is sent, and taken when data is received.
    #[inline]
    pub(crate) fn tx_seen(&self) -> &SeenFlag {
        &self.seen_flags.tx
    }

    /// Returns the remote address as the log shows it.
    pub(crate) fn display_remote(&self, bh: &Bh<'_>) -> DisplayRemote {
        DisplayRemote(self.remote(bh))
    }

    /// Forgets the handshake in progress and frees its index.
    pub(crate) fn clear_handshake(&self, ctx: &mut Process) {
        let entry = {
            let mut noise = self.noise().lock(ctx);
            let _ = noise.handshake.clear();
            noise.entry.take()
        };
        if let Some(entry) = entry {
            let bh = ctx.bh();
            self.device().data().index_table().remove(&entry, &bh);
        }
    }

    /// Marks the peer as removed. After a grace period, nothing new is started for it.
    pub(crate) fn mark_dead(&self) {
        self.dead.store(true, Relaxed);
    }

    /// Stops a removed peer's timers, ends its sessions and handshake, and drops its staged
    /// packets, a grace period after [`mark_dead`](Self::mark_dead).
    pub(crate) fn end(&self, ctx: &mut Process) {
        // First: a timer that runs may still stage a packet.
        self.timers.stop(ctx);
        {
            let bh = ctx.bh();
            self.clear_keypairs(&bh);
            purge_staged(self, DropReason::Gone, &bh);
            // The namespace of the route may be removed right after the peer.
            self.clear_source(&bh);
        }
        self.clear_handshake(ctx);
    }
}

/// Arms the watchdog, unless it is armed.
pub(crate) fn arm_watchdog(peer: &RcuArc<Peer>) {
    if !peer.watchdog.is_pending() {
        peer.watchdog.arm(peer, WATCHDOG_TIMEOUT);
    }
}
