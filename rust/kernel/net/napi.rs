// SPDX-License-Identifier: GPL-2.0

//! NAPI: reception by polling, in softirq context or in a thread.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    device::{
        DeviceRef,
        NetDevice,
        Operations,
        Running, //
    },
    rtnl::Rtnl,
    skb::SkBuff,
};
use crate::{
    bindings,
    context::{
        Bh,
        Process, //
    },
    sync::ReadOnce, //
};
use core::{
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    ffi::c_int,
    prelude::*,
    static_lock_class,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// A NAPI instance with a queue of the driver, polled in softirq context or by a thread of its own.
///
/// It may be dropped in any context: a work item stops the polling and drops the queue. It holds
/// its device, so a `T` that owns one has to drop it in [`Operations::destroyed`].
///
/// # Invariants
///
/// The pointer is a [`Poller`] made by [`Napi::new`]; only the drop gives it to the work item.
pub struct Napi<T: Operations>(NonNull<Poller<T>>);

// SAFETY: The value may be used and dropped by any thread, and `T::NapiQueue` is `Send`.
unsafe impl<T: Operations> Send for Napi<T> {}
// SAFETY: C synchronises what `&Napi` offers, and `T::NapiQueue` is `Sync`.
unsafe impl<T: Operations> Sync for Napi<T> {}

/// The part of a [`Napi`] to which C has pointers.
#[pin_data]
struct Poller<T: Operations> {
    /// Added by `netif_napi_add`, and not deleted yet.
    napi: Opaque<bindings::napi_struct>,
    /// Queued by the drop of the [`Napi`].
    release: Opaque<crate::bindings::work_struct>,
    /// Whether `napi_enable` has been called. Written under RTNL, or by the work item after the
    /// drop.
    enabled: Atomic<bool>,
    #[pin]
    queue: T::NapiQueue,
    dev: DeviceRef<T>,
}

impl<T: Operations> Napi<T> {
    /// Makes a NAPI instance that polls `queue` on behalf of `dev`, disabled at first.
    ///
    /// The instance has no NAPI ID and cannot be busy polled, so there may be any number of them.
    pub fn new<E>(
        dev: &NetDevice<T>,
        queue: impl PinInit<T::NapiQueue, E>,
        _ctx: &mut Process,
    ) -> Result<Self>
    where
        Error: From<E>,
    {
        let poller = KBox::try_pin_init(
            try_pin_init!(Poller {
                napi: Opaque::zeroed(),
                release: Opaque::zeroed(),
                enabled: Atomic::new(false),
                queue <- queue,
                dev: dev.hold(),
            }? Error),
            GFP_KERNEL,
        )?;
        // SAFETY: The value stays where it is until `release` frees it.
        let poller = NonNull::from(unsafe { KBox::leak(Pin::into_inner_unchecked(poller)) });
        // SAFETY: As above.
        let this = unsafe { poller.as_ref() };
        // SAFETY: The work is valid and stays where it is.
        unsafe {
            crate::bindings::init_work_with_key(
                this.release.get(),
                Some(Poller::<T>::release),
                false,
                c"napi release".as_char_ptr(),
                static_lock_class!().as_ptr().cast(),
            )
        };
        // SAFETY: The napi is zeroed, and not shared yet.
        unsafe { bindings::napi_set_no_busy_poll(this.napi.get()) };
        // SAFETY: The device is held until `netif_napi_del`. The caller may sleep.
        unsafe { bindings::netif_napi_add(dev.as_raw(), this.napi.get(), Some(Poller::<T>::poll)) };
        // INVARIANT: Made just now.
        Ok(Self(poller))
    }

    #[inline]
    fn poller(&self) -> &Poller<T> {
        // SAFETY: By the type invariants.
        unsafe { self.0.as_ref() }
    }

    /// Returns the driver's queue.
    #[inline]
    pub fn queue(&self) -> &T::NapiQueue {
        &self.poller().queue
    }

    /// Allows polls of the queue.
    pub fn enable(&self, _rtnl: &Rtnl, _ctx: &mut Process) {
        if !self.poller().enabled.read_once() {
            self.poller().enabled.store(true, Relaxed);
            // SAFETY: The napi was added, and is disabled. The caller may sleep.
            unsafe { bindings::napi_enable(self.poller().napi.get()) };
        }
    }

    /// Forbids polls of the queue, and waits for a running one to end.
    pub fn disable(&self, _rtnl: &Rtnl, _ctx: &mut Process) {
        if self.poller().enabled.read_once() {
            // SAFETY: The napi is enabled. The caller may sleep.
            unsafe { bindings::napi_disable(self.poller().napi.get()) };
            self.poller().enabled.store(false, Relaxed);
        }
    }

    /// Schedules a poll of the queue, unless it is disabled.
    ///
    /// A poll that starts after this call sees what was put into the queue before the call.
    #[inline]
    pub fn schedule(&self, _bh: &Bh<'_>) {
        // SAFETY: The napi was added. C ignores the call if it is disabled.
        unsafe { bindings::napi_schedule(self.poller().napi.get()) };
    }
}

impl<T: Operations> Drop for Napi<T> {
    fn drop(&mut self) {
        let poller = self.poller();
        // SAFETY: The work is initialised. The poller holds the device until the work runs, and the
        // device counts as a user of its registry.
        unsafe { poller.dev.header().registry().enqueue(poller.release.get()) };
    }
}

impl<T: Operations> Poller<T> {
    /// # Safety
    ///
    /// Only for [`Napi::drop`].
    unsafe extern "C" fn release(work: *mut crate::bindings::work_struct) {
        let this = work
            .wrapping_byte_sub(offset_of!(Self, release))
            .cast::<Self>();
        {
            // SAFETY: The `Napi` was dropped and left the value to this work item. C may still poll
            // it.
            let poller = unsafe { &*this };
            if poller.enabled.read_once() {
                // SAFETY: The napi is enabled, and a work item may sleep.
                unsafe { bindings::napi_disable(poller.napi.get()) };
            }
            // SAFETY: The napi was added, and is disabled. Waits for a grace period.
            unsafe { bindings::netif_napi_del(poller.napi.get()) };
        }
        // SAFETY: From `KBox::leak`; C does not know it any more, and the `Napi` was dropped.
        drop(unsafe { KBox::from_raw(this) });
    }

    /// # Safety
    ///
    /// Only for `netif_napi_add`.
    unsafe extern "C" fn poll(napi: *mut bindings::napi_struct, budget: c_int) -> c_int {
        // Netpoll calls with a budget of 0, to have transmissions completed. There are none here.
        let Ok(limit) = usize::try_from(budget) else {
            return 0;
        };
        if limit == 0 {
            return 0;
        }
        // SAFETY: C polls with bottom halves off.
        let bh = unsafe { Bh::in_softirq() };
        let this = napi
            .wrapping_byte_sub(offset_of!(Self, napi))
            .cast::<Self>();
        // SAFETY: The napi is part of a `Self`, which exists until the napi is deleted.
        let this = unsafe { &*this };
        let mut gro = Gro {
            napi,
            running: this.dev.running(&bh),
            dev: &this.dev,
            thread: NotThreadSafe,
        };
        let done = T::poll(&this.dev, &this.queue, &mut gro, limit, &bh).min(limit);
        // What GRO keeps for the next poll points to the device, which is known to be registered in
        // this section only.
        // SAFETY: This is the poll function of the napi.
        unsafe { bindings::napi_gro_flush(napi) };
        // CAST: At most `budget`.
        let done = done as c_int;
        if done < budget {
            // SAFETY: This is the poll function of the napi, with budget left.
            unsafe { bindings::napi_complete_done(napi, done) };
        }
        done
    }
}

/// Passes packets to the stack within a poll.
///
/// # Invariants
///
/// `napi` is being polled on this CPU, on behalf of `dev`.
pub struct Gro<'a, T: Operations> {
    napi: *mut bindings::napi_struct,
    dev: &'a NetDevice<T>,
    running: Option<Running<'a, T>>,
    thread: NotThreadSafe,
}

impl<'a, T: Operations> Gro<'a, T> {
    /// Returns the device if it is up.
    #[inline]
    pub fn running(&self) -> Option<Running<'a, T>> {
        self.running
    }

    /// Passes a packet to the stack as received by the device.
    ///
    /// Its data must start with the IP header. If the device is down, or without memory to unshare
    /// the data, this returns the packet. C gets what GRO has collected by the end of the poll, so
    /// that `gro_flush_timeout` has no effect.
    pub fn receive(&mut self, mut skb: SkBuff) -> Result<(), SkBuff> {
        // GRO moves the data of packets without looking for clones.
        if self.running.is_none() || skb.make_private().is_err() {
            return Err(skb);
        }
        skb.prepare_receive(self.dev.as_raw());
        // SAFETY: By the type invariants. C takes over the buffer. The device is up, so it exists
        // until this section has ended, and `Poller::poll` leaves nothing to GRO for longer.
        unsafe { bindings::napi_gro_receive(self.napi, skb.into_raw()) };
        Ok(())
    }
}
