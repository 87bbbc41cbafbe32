// SPDX-License-Identifier: GPL-2.0

//! The driver's structures in which CPUs meet, from the driver's own files.
//!
//! What is in this folder stands for the rest of the driver: it has the names that those files use,
//! and does as much as a model needs. Each model is a test.

mod device;
mod drops;
mod peer;
mod receive;
mod send;

#[path = "../../../rust/driver/batch.rs"]
mod batch;
#[path = "../../../rust/driver/jiffies.rs"]
mod jiffies;
#[path = "../../../rust/driver/keypair.rs"]
mod keypair;
#[path = "../../../rust/driver/peerlookup.rs"]
mod peerlookup;
#[path = "../../../rust/driver/rcu.rs"]
mod rcu;

#[path = "../../../rust/driver/timers"]
mod timers {
    pub(crate) mod deadlines;
}

#[path = "../../../rust/driver/parallel"]
mod parallel {
    pub(crate) mod cpu_load;
    mod fifo;
    pub(crate) mod reorder;
    pub(crate) mod stream;
    pub(crate) mod worker;
}

/// The counters of drops, which user space reads.
mod diag {
    use crate::{device::Device, drops::Drops, endpoint::Endpoint};
    use kext::net::device::NetDevice;
    use wg_proto::DropReason;

    /// As in the driver.
    pub(crate) fn count_drops(
        dev: &NetDevice<Device>,
        reason: DropReason,
        n: u64,
        _remote: Option<Endpoint>,
    ) {
        let drops: &Drops = dev.data().drops();
        drops.add(reason, n);
    }
}

/// Where a peer is: not by these models.
mod endpoint {
    #[derive(Clone, Copy)]
    pub(crate) struct Endpoint;

    impl Endpoint {
        pub(crate) fn is_same(&self, _other: &Self) -> bool {
            true
        }
    }
}

/// What travels with a packet.
mod packet {
    /// As in the driver.
    #[derive(Clone, Copy, Default)]
    pub(crate) struct PacketCb {
        pub(crate) counter: u64,
        pub(crate) index: u32,
    }
}

#[cfg(test)]
mod models;
