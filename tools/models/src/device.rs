// SPDX-License-Identifier: GPL-2.0

//! An interface with one receive queue.

use crate::{
    batch::Workers, drops::Drops, peerlookup::IndexTable, receive, receive::queue::RxQueue,
};
use kernel::alloc::{flags::GFP_KERNEL, KBox};
use kext::{
    context::{Bh, Process},
    net::{
        device::{DeviceRef, NetDevice, Operations},
        napi::{Gro, Napi},
    },
    workqueue,
};
use std::{cell::RefCell, pin::Pin};

pub(crate) struct Device {
    napi: Napi<Device>,
    workers: Workers,
    drops: Drops,
    index_table: Pin<KBox<IndexTable>>,
    /// The numbers of packets, in the order of their delivery.
    pub(crate) delivered: RefCell<Vec<u32>>,
}

// SAFETY: Threads take turns.
unsafe impl Send for Device {}
// SAFETY: As above.
unsafe impl Sync for Device {}

impl Device {
    pub(crate) fn make() -> DeviceRef<Self> {
        // SAFETY: A model.
        let mut process = unsafe { Process::new() };
        let dev = NetDevice::make(Self {
            napi: Napi::new(RxQueue::new()),
            workers: Workers::new(workqueue::Queue, &mut process).expect("there is memory"),
            drops: Drops::default(),
            index_table: KBox::pin_init(IndexTable::new(), GFP_KERNEL).expect("there is memory"),
            delivered: RefCell::default(),
        });
        dev.data().napi.belongs_to(&dev);
        dev.data().napi.queue().start(&process.bh());
        dev
    }

    pub(crate) fn napi<'g>(&'g self, _index: u32, _bh: &'g Bh<'_>) -> Option<&'g Napi<Self>> {
        Some(&self.napi)
    }

    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    pub(crate) fn drops(&self) -> &Drops {
        &self.drops
    }

    pub(crate) fn index_table(&self) -> &IndexTable {
        &self.index_table
    }
}

impl Operations for Device {
    type NapiQueue = RxQueue;

    fn poll(
        dev: &NetDevice<Self>,
        queue: &RxQueue,
        gro: &mut Gro<'_, Self>,
        budget: usize,
        bh: &Bh<'_>,
    ) -> usize {
        receive::poll(dev, queue, gro, budget, bh)
    }
}
