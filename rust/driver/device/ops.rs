// SPDX-License-Identifier: GPL-2.0

//! What the network stack calls on an interface: its life, its packets and its polls.

use super::{
    DebugfsFiles,
    Device,
    Napis,
    Queues,
    UDP_GRO,
    UDP_GSO, //
};
use crate::{
    batch::Workers,
    config::{
        Config,
        RemovedPeers, //
    },
    diag::{
        self,
        InterfaceDiag, //
    },
    drops::Drops,
    handshake::{
        known::KnownSources,
        queue::HandshakeQueue, //
    },
    peerlookup::{
        IndexTable,
        KeyTable, //
    },
    ratelimiter::RateLimiter,
    receive::{
        self,
        RxQueue, //
    },
    send,
    socket::{
        self,
        Sockets, //
    },
    tx_memory::{
        Backlogs,
        TxMemory, //
    }, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*,
    str::CString,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    }, //
};
use kext::{
    compat::casts::usize_as_u64,
    context::{
        Bh,
        Process, //
    },
    cpu,
    debug,
    net::{
        device::{
            self,
            NetDevice,
            NewLink,
            Operations,
            Running, //
        },
        napi::{
            Gro,
            Napi, //
        },
        rtnl::Rtnl,
        skb::Outgoing,
        udp, //
    },
    new_mutex,
    new_rw_semaphore,
    sync::{
        rcu::{
            self,
            RcuArc,
            Slot, //
        },
        ReadOnce, //
    },
    workqueue::{
        self,
        Flags, //
    }, //
};
use wg_proto::{
    allowedips::AllowedIps,
    cookie::CookieChecker,
    crypto::TAG_LEN,
    handshake::Identity,
    message::DataHeader,
    DropReason, //
};

/// Bytes that a tunnelled packet grows by: message header and tag, UDP, and the larger IP header.
const OVERHEAD: u32 = DataHeader::MIN_MESSAGE_LEN as u32 + 8 + 40;

/// Packets are padded to a multiple of this.
const PADDING_MULTIPLE: u32 = 16;

/// Numbers of interfaces.
static DEVICES: Atomic<u64> = Atomic::new(0);

/// Returns which private flags are on in a new interface.
fn default_priv_flags() -> u32 {
    if udp::gso_by_default() {
        UDP_GSO | UDP_GRO
    } else {
        UDP_GRO
    }
}

impl Operations for Device {
    const KIND: &'static CStr = c"wireguard";

    const CONFIG: device::LinkSetup = device::LinkSetup {
        mtu: 1500 - OVERHEAD,
        max_mtu: (i32::MAX as u32 & !(PADDING_MULTIPLE - 1)) - OVERHEAD,
        headroom: send::HEADROOM as u16,
        tailroom: (PADDING_MULTIPLE + TAG_LEN as u32) as u16,
        threaded_napi: false,
    };

    type NapiQueue = RxQueue;

    const PRIV_FLAGS: &'static [&'static CStr] = &[c"udp-gso", c"udp-gro"];

    fn priv_flags(&self) -> u32 {
        self.priv_flags.read_once()
    }

    fn set_priv_flags(&self, on: u32) {
        self.priv_flags.store(on, Relaxed);
    }

    const STATISTICS: usize = DropReason::COUNT;

    fn statistic_name(nth: usize) -> &'static str {
        DropReason::ALL.get(nth).map_or("", |reason| reason.name())
    }

    fn statistic(&self, nth: usize) -> u64 {
        self.drops.get(nth)
    }

    fn new(link: NewLink<'_>, ctx: &mut Process) -> impl PinInit<Self, Error> {
        let creating_net = link.net().downgrade();
        let queues = Self::queues(&link, ctx);
        try_pin_init!(Self {
            id: DEVICES.fetch_add(1, Relaxed).wrapping_add(1),
            is_announced: Atomic::new(false),
            creating_net: creating_net?,
            config <- new_mutex!(Config::new()),
            identity <- new_rw_semaphore!(Identity::new()),
            cookie_checker <- new_rw_semaphore!(CookieChecker::new()),
            key_table <- KeyTable::new(),
            index_table <- IndexTable::new(),
            allowed_ips: AllowedIps::new(),
            sockets: Sockets::new(),
            fwmark: Atomic::new(0),
            priv_flags: Atomic::new(default_priv_flags()),
            is_rewritten: Atomic::new(false),
            drops: Arc::new(Drops::new(), GFP_KERNEL)?,
            known: KnownSources::new()?,
            debugfs <- new_mutex!(None),
            handshake_queue <- HandshakeQueue::new(),
            ratelimiter <- RateLimiter::new(),
            napis: Slot::empty(),
            queues: queues?,
            tx_memory: Arc::new(TxMemory::new()?, GFP_KERNEL)?,
            backlogs <- Backlogs::new(),
            diag <- InterfaceDiag::new(),
        })
    }

    fn registered(&self, dev: &NetDevice<Self>, rtnl: &Rtnl, ctx: &mut Process) {
        // The interface works without debugfs.
        let _ = self.show_counters(dev, rtnl, ctx);
        debug!("{}: Interface created\n", dev.name());
        self.is_announced.store(true, Relaxed);
    }

    fn open(&self, dev: &NetDevice<Self>, rtnl: &Rtnl, ctx: &mut Process) -> Result {
        dev.silence_addressing(rtnl);
        let mut config = self.config.lock(ctx);
        let napis = self.napis(dev, ctx)?;
        self.is_rewritten.store(false, Relaxed);
        config.incoming_port = socket::open(dev, config.incoming_port, ctx)?;
        for napi in napis.iter() {
            napi.enable(rtnl, ctx);
            napi.queue().start(&ctx.bh());
        }
        for peer in config.peers() {
            let bh = ctx.bh();
            send::send_staged(peer.borrow(), &bh);
            if peer.persistent_keepalive() != 0 {
                send::send_keepalive(peer.borrow(), &bh);
            }
        }
        Ok(())
    }

    fn stop(&self, dev: &NetDevice<Self>, rtnl: &Rtnl, ctx: &mut Process) {
        let config = self.config.lock(ctx);
        // Wait for the sections that saw the interface up, in which timers are armed. There are no
        // sockets after the end of the namespace that they were in.
        if !self.sockets.close(ctx) {
            rcu::synchronize(ctx);
        }
        for peer in config.peers() {
            send::tx::purge_staged(peer, DropReason::Gone, &ctx.bh());
            peer.timers().stop(ctx);
            // It would wipe a session of the next time the interface is up.
            peer.zero_work.cancel_sync(ctx);
            peer.clear_handshake(ctx);
            peer.clear_keypairs(&ctx.bh());
            peer.reset_last_sent_handshake();
        }
        let n = self.handshake_queue.purge(&ctx.bh());
        diag::count_drops(dev, DropReason::Gone, n, None);
        self.diag.unknown_initiators().purge(&ctx.bh());
        for napi in self.napis.get().iter().flat_map(|napis| napis.iter()) {
            napi.disable(rtnl, ctx);
            let n = usize_as_u64(napi.queue().stop(&ctx.bh()));
            diag::count_drops(dev, DropReason::Gone, n, None);
        }
        for peer in config.peers() {
            receive::rx::forget_batches(peer.rx(), &ctx.bh());
        }
    }

    fn xmit(&self, dev: Running<'_, Self>, skb: Outgoing<'_>, bh: &Bh<'_>) -> Result {
        send::xmit(dev, skb, bh)
    }

    fn destroyed(&self, dev: &NetDevice<Self>, ctx: &mut Process) {
        let mut dead = RemovedPeers::new();
        {
            let mut config = self.config.lock(ctx);
            config.is_closed = true;
            config.incoming_port = 0;
            config.remove_all_peers(dev, &mut dead, ctx);
        }
        self.sockets.close(ctx);
        dead.finish(ctx);
        let _ = self.handshake_queue.purge(&ctx.bh());
        self.handshake_queue.stop_workers();
        drop(self.napis.swap(None));
        drop(self.debugfs.lock(ctx).take());
        if self.is_announced.read_once() {
            debug!("{}: Interface destroyed\n", dev.name());
        }
    }

    fn poll(
        dev: &NetDevice<Self>,
        queue: &Self::NapiQueue,
        gro: &mut Gro<'_, Self>,
        budget: usize,
        bh: &Bh<'_>,
    ) -> usize {
        receive::poll(dev, queue, gro, budget, bh)
    }
}

impl Device {
    /// Creates the workqueues, with the name that the interface has now.
    fn queues(link: &NewLink<'_>, ctx: &mut Process) -> Result<Queues> {
        let kex = CString::try_from_fmt(fmt!("wg-kex-{}", link.name()))?;
        let crypt = CString::try_from_fmt(fmt!("wg-crypt-{}", link.name()))?;
        let receive = Flags::CPU_INTENSIVE | Flags::FREEZABLE | Flags::PERCPU;
        let send = Flags::UNBOUND | Flags::FREEZABLE;
        let crypto = Flags::CPU_INTENSIVE | Flags::MEM_RECLAIM | Flags::PERCPU;
        Ok(Queues {
            handshake_receive_wq: workqueue::Queue::new(&kex, receive)?,
            handshake_send_wq: workqueue::Queue::new(&kex, send)?,
            workers: Workers::new(workqueue::Queue::new(&crypt, crypto)?, ctx)?,
        })
    }

    /// Shows the counters in debugfs, by the name of the interface.
    ///
    /// Interfaces in different namespaces may share a name. Later ones get a number behind it.
    fn show_counters(&self, dev: &NetDevice<Self>, rtnl: &Rtnl, ctx: &mut Process) -> Result {
        let mut name = CString::try_from_fmt(fmt!("{}", dev.name()))?;
        // Unique, so that the second name is free unless another interface is really called so.
        let mut number = self.id;
        loop {
            let mut is_taken = false;
            device::for_each::<Self>(rtnl, |other| {
                let shown = other.data().debugfs.lock(ctx);
                is_taken |= shown.as_ref().is_some_and(|(taken, _)| **taken == *name);
            });
            if !is_taken {
                break;
            }
            name = CString::try_from_fmt(fmt!("{}.{}", dev.name(), number))?;
            number = number.wrapping_add(1);
        }
        let dir = dev.debugfs().subdir(&name, ctx)?;
        let shown = DebugfsFiles {
            _drops: dir.read_only_file(c"drops", self.drops.clone(), ctx)?,
            _cpus: dir.read_only_file(c"cpus", self.workers().loads().clone(), ctx)?,
            _waiting: dir.read_only_file(c"waiting", self.tx_memory.clone(), ctx)?,
            #[cfg(wg_faults)]
            _hold: dir.read_write_file(c"hold", self.workers().hold.clone(), ctx)?,
        };
        *self.debugfs.lock(ctx) = Some((name, shown));
        Ok(())
    }

    /// Returns the NAPI contexts. The first call creates them and the handshake workers.
    fn napis(&self, dev: &NetDevice<Self>, ctx: &mut Process) -> Result<RcuArc<Napis>> {
        if let Some(napis) = self.napis.get() {
            return Ok(napis);
        }
        let mut napis = KVec::new();
        for _ in 0..cpu::possible_count() {
            napis.push(Napi::new(dev, RxQueue::new(), ctx)?, GFP_KERNEL)?;
        }
        let napis = RcuArc::new(napis, ctx)?;
        self.handshake_queue.start_workers(&dev.hold(), ctx)?;
        drop(self.napis.swap(Some(napis.clone())));
        Ok(napis)
    }
}
