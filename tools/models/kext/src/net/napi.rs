// SPDX-License-Identifier: GPL-2.0

//! NAPI contexts, as `rust/kernel/net/napi.rs` has them.

use super::device::{DeviceRef, Operations};
use crate::context::Bh;
use kernel::{
    alloc::{flags::GFP_KERNEL, KBox},
    model::napi,
};
use pin_init::PinInit;
use std::{cell::OnceCell, marker::PhantomData, pin::Pin};

/// Packets that a poll may take.
pub const BUDGET: usize = 2;

/// A context.
pub struct Napi<T: Operations> {
    napi: napi::Napi,
    queue: Pin<KBox<T::NapiQueue>>,
    dev: OnceCell<DeviceRef<T>>,
}

// SAFETY: Threads take turns.
unsafe impl<T: Operations> Send for Napi<T> {}
// SAFETY: As above.
unsafe impl<T: Operations> Sync for Napi<T> {}

impl<T: Operations> Napi<T> {
    /// Makes one that is enabled.
    pub fn new(queue: impl PinInit<T::NapiQueue>) -> Self {
        Self {
            napi: napi::Napi::new(),
            queue: KBox::pin_init(queue, GFP_KERNEL).expect("there is memory"),
            dev: OnceCell::new(),
        }
    }

    /// Notes whose it is.
    pub fn belongs_to(&self, dev: &DeviceRef<T>) {
        let _ = self.dev.set(dev.clone());
    }

    /// Returns what is polled.
    pub fn queue(&self) -> &T::NapiQueue {
        &self.queue
    }

    /// Has the queue polled soon.
    pub fn schedule(&self, _bh: &Bh<'_>) {
        let this: *const Self = self;
        let dev = self.dev.get().expect("noted").clone();
        // What `Poller::poll` does in `rust/kernel/net/napi.rs`.
        let poll = move || {
            // SAFETY: Part of a device, which lives as long as the execution.
            let this = unsafe { &*this };
            // SAFETY: Polls are softirqs.
            let bh = unsafe { Bh::in_softirq() };
            let mut gro = Gro(PhantomData);
            let done = T::poll(&dev, &this.queue, &mut gro, BUDGET, &bh).min(BUDGET);
            done >= BUDGET || this.napi.complete()
        };
        // SAFETY: As above.
        unsafe { self.napi.schedule(poll) };
    }
}

/// Hands packets to the stack.
pub struct Gro<'a, T>(PhantomData<&'a T>);
