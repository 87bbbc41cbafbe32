// SPDX-License-Identifier: GPL-2.0

//! Kinds of links: their registration, and what all devices of a kind share.

use super::{
    callbacks::Callbacks,
    private::PrivateArea,
    Name,
    Operations, //
};
use crate::{
    bindings,
    compat::casts::u32_as_usize,
    context::{
        Bh,
        Process, //
    },
    cpu,
    debugfs::Dir,
    net::{
        netns::Net,
        skb::PageRing, //
    },
    new_spinlock,
    sync::{
        lock::SpinLock,
        rcu::{
            reclaim,
            ModuleRef, //
        }, //
    },
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    sync::{
        Completion,
        Refcount, //
    },
    types::Opaque,
};

/// A registered kind of link.
///
/// The drop removes all links of the kind, and waits until the last reference to each has been put:
/// no device needs the driver's code any more then.
///
/// # Invariants
///
/// The registry is registered for `T`.
pub struct Registration<T: Operations> {
    registry: ManuallyDrop<Pin<KBox<Registry>>>,
    kind: PhantomData<T>,
}

// SAFETY: The registration may be dropped by any thread; the rest is up to C.
unsafe impl<T: Operations> Send for Registration<T> {}
// SAFETY: A shared registration gives access to its debugfs directory only, which is `Sync`.
unsafe impl<T: Operations> Sync for Registration<T> {}

/// The part of a registration to which its devices point.
///
/// # Invariants
///
/// `users` is the number of private areas, and one for the registration itself.
#[pin_data]
#[repr(C)]
pub(crate) struct Registry {
    /// The first field, to which C passes a pointer.
    #[pin]
    ops: Opaque<bindings::rtnl_link_ops>,
    users: Refcount,
    #[pin]
    unused: Completion,
    queue: ReleaseQueue,
    debugfs: Dir,
    /// A ring of pages for each possible CPU.
    pages: KVec<Pin<KBox<SpinLock<PageRing>>>>,
    /// The ring for a CPU that has none.
    #[pin]
    spare_pages: SpinLock<PageRing>,
    _module: ModuleRef,
}

/// The workqueue that ends devices and NAPI instances after their last reference.
///
/// # Invariants
///
/// The pointer is a workqueue that the value owns.
struct ReleaseQueue(NonNull<crate::bindings::workqueue_struct>);

impl ReleaseQueue {
    fn new() -> Result<Self> {
        // SAFETY: The format takes one string.
        let queue = unsafe {
            crate::bindings::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                crate::bindings::wq_flags_WQ_UNBOUND,
                0,
                c"netdev-release".as_char_ptr(),
            )
        };
        // INVARIANT: Allocated just now.
        NonNull::new(queue).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for ReleaseQueue {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. Waits until the functions of the works have returned.
        unsafe { crate::bindings::destroy_workqueue(self.0.as_ptr()) };
    }
}

impl Registry {
    pub(super) fn get(&self) {
        self.users.inc();
    }

    /// Removes a user. The last one completes the wait in the drop of the registration.
    pub(super) fn put(&self) {
        if self.users.dec_and_test() {
            self.unused.complete_all();
        }
    }

    /// Returns the debugfs directory of the kind of link.
    pub(super) fn debugfs(&self) -> &Dir {
        &self.debugfs
    }

    /// Returns the ring of pages for the packets that this CPU makes.
    #[inline]
    pub(super) fn pages(&self, bh: &Bh<'_>) -> &SpinLock<PageRing> {
        match self.pages.get(u32_as_usize(bh.cpu())) {
            Some(ring) => ring,
            None => &self.spare_pages,
        }
    }

    /// Queues `work` on the workqueue of the registry.
    ///
    /// # Safety
    ///
    /// `work` must be initialised, stay valid until it runs, and hold a user of the registry until
    /// then.
    pub(crate) unsafe fn enqueue(&self, work: *mut crate::bindings::work_struct) {
        // SAFETY: The queue exists for as long as the registry has users.
        unsafe {
            crate::bindings::queue_work_on(
                // CAST: The constant is a small number.
                crate::bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int,
                self.queue.0.as_ptr(),
                work,
            )
        };
    }
}

impl<T: Operations> Registration<T> {
    /// Registers the kind of link that `T` describes.
    ///
    /// # Errors
    ///
    /// [`EEXIST`] if there is such a kind.
    pub fn new() -> Result<Self> {
        if kernel::warn_on!(!reclaim::may_wait()) {
            return Err(EBUSY);
        }
        let registry = KBox::try_pin_init(
            try_pin_init!(Registry {
                users: Refcount::new(1),
                unused <- Completion::new(),
                queue: ReleaseQueue::new()?,
                debugfs: {
                    // SAFETY: The context was checked. No code can use a `Process` of the caller
                    // while this runs.
                    let mut process = unsafe { Process::new() };
                    Dir::new(T::KIND, &mut process)?
                },
                pages: {
                    let mut pages = KVec::new();
                    for _ in 0..cpu::possible_count() {
                        let ring = KBox::pin_init(new_spinlock!(PageRing::new()), GFP_KERNEL)?;
                        pages.push(ring, GFP_KERNEL)?;
                    }
                    pages
                },
                spare_pages <- new_spinlock!(PageRing::new()),
                _module: ModuleRef::get()?,
                // The last field: from here on C calls back.
                ops <- Opaque::try_ffi_init(|slot: *mut bindings::rtnl_link_ops| {
                    let ops = bindings::rtnl_link_ops {
                        kind: kernel::str::as_char_ptr_in_const_context(T::KIND),
                        priv_size: size_of::<PrivateArea<T>>(),
                        setup: Some(Callbacks::<T>::setup),
                        newlink: Some(Callbacks::<T>::newlink),
                        ..pin_init::zeroed()
                    };
                    // SAFETY: `slot` is valid for writes.
                    unsafe { slot.write(ops) };
                    // SAFETY: `slot` is pinned and stays registered until the drop.
                    to_result(unsafe { bindings::rtnl_link_register(slot) })
                }),
            }? Error),
            GFP_KERNEL,
        )?;
        // INVARIANT: Registered just now.
        Ok(Self {
            registry: ManuallyDrop::new(registry),
            kind: PhantomData,
        })
    }

    /// Returns the debugfs directory of the kind, below which drivers make those of their devices.
    pub fn debugfs(&self) -> &Dir {
        self.registry.debugfs()
    }
}

impl<T: Operations> Drop for Registration<T> {
    fn drop(&mut self) {
        if kernel::warn_on!(!reclaim::may_wait()) {
            // Leak the registry with its module reference, which keeps the module loaded.
            return;
        }
        // SAFETY: By the type invariant. Removes the links, and waits for their destructors.
        unsafe { bindings::rtnl_link_unregister(self.registry.ops.get()) };
        self.registry.put();
        self.registry.unused.wait_for_completion();
        // SAFETY: The last user was removed, so nothing points to the registry; it is not used
        // again.
        unsafe { ManuallyDrop::drop(&mut self.registry) };
    }
}

/// The name and namespace of a link that user space is adding.
pub struct NewLink<'a> {
    pub(super) dev: NonNull<bindings::net_device>,
    pub(super) net: &'a Net,
}

impl NewLink<'_> {
    /// Returns the name asked for, which may still be a pattern with `%d` in it.
    pub fn name(&self) -> Name {
        // SAFETY: The device is valid while the value exists.
        unsafe { Name::of(self.dev.as_ptr()) }
    }

    /// Returns the namespace that the link is added from.
    pub fn net(&self) -> &Net {
        self.net
    }
}

/// See [`NetDevice::silence_addressing`]. RTNL must be held.
pub(super) fn silence_addressing(dev: *mut bindings::net_device) {
    // SAFETY: The device is valid, and RTNL is held.
    if let Some(in_dev) = NonNull::new(unsafe { bindings::in_dev_get_rtnl(dev) }) {
        // SAFETY: Valid under RTNL.
        unsafe { bindings::in_dev_clear_send_redirects(in_dev.as_ptr()) };
        // SAFETY: The device is valid.
        let net = unsafe { (*dev).nd_net.net };
        // SAFETY: A device with addresses is in a namespace, which cannot change under RTNL.
        unsafe { bindings::ipv4_devconf_all_clear_send_redirects(net) };
    }
    // SAFETY: The device is valid, and RTNL is held.
    if let Some(in6_dev) = NonNull::new(unsafe { bindings::in6_dev_get(dev) }) {
        // SAFETY: Valid under RTNL.
        unsafe { bindings::in6_dev_set_addr_gen_mode_none(in6_dev.as_ptr()) };
    }
}
