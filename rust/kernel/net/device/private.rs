// SPDX-License-Identifier: GPL-2.0

//! The private area of a device and its reference count.

use super::link::Registry;
use crate::bindings;
use core::{
    any::TypeId,
    mem::{
        offset_of,
        MaybeUninit, //
    },
    ptr::{
        fn_addr_eq,
        NonNull, //
    },
};
use kernel::{
    prelude::*,
    static_lock_class,
    sync::{
        atomic::Atomic,
        Refcount, //
    },
    types::Opaque,
};

/// The part of the private area that does not depend on the type of the driver's state.
///
/// # Invariants
///
/// The header lies in the private area of a device, in front of a `T` of the type `kind`, which is
/// initialised while `refs` is not zero. `registry` counts the header among its users.
#[repr(C)]
pub(crate) struct Header {
    refs: Refcount,
    release: Opaque<crate::bindings::work_struct>,
    pub(super) kind: TypeId,
    drop: unsafe fn(*mut bindings::net_device),
    pub(super) destroyed: unsafe fn(*mut bindings::net_device),
    registry: NonNull<Registry>,
    pub(super) next: Atomic<*mut Header>,
    pub(super) prev: Atomic<*mut Header>,
}

/// The whole private area.
#[repr(C)]
pub(super) struct PrivateArea<T> {
    header: Header,
    data: MaybeUninit<T>,
}

/// Returns a pointer to the header of a device.
#[inline]
pub(crate) fn header(dev: *mut bindings::net_device) -> *mut Header {
    dev.wrapping_byte_add(offset_of!(bindings::net_device, priv_))
        .cast()
}

/// Returns a pointer to the driver's state of a device.
#[inline]
pub(super) fn data<T>(dev: *mut bindings::net_device) -> *mut T {
    const {
        // The private area starts at a multiple of the alignment of the device itself.
        assert!(align_of::<PrivateArea<T>>() <= align_of::<bindings::net_device>());
        assert!(offset_of!(bindings::net_device, priv_) % align_of::<bindings::net_device>() == 0);
        // `alloc_netdev_mqs()` takes an `int` for the size.
        assert!(size_of::<PrivateArea<T>>() <= i32::MAX as usize);
    };
    header(dev)
        .wrapping_byte_add(offset_of!(PrivateArea<T>, data))
        .cast()
}

/// The type of `net_device.priv_destructor`.
type PrivDestructor = unsafe extern "C" fn(*mut bindings::net_device);

/// The offset of that field.
const DESTRUCTOR: usize = offset_of!(bindings::net_device, priv_destructor);

/// Has the core call [`destroy`](super::callbacks::destroy) after it has unregistered the device.
///
/// # Safety
///
/// `dev` must have an initialised header, whose first reference becomes the core's.
pub(super) unsafe fn set_destructor(dev: *mut bindings::net_device) {
    let ours: Option<PrivDestructor> = Some(super::callbacks::destroy);
    let field = dev
        .wrapping_byte_add(DESTRUCTOR)
        .cast::<Option<PrivDestructor>>();
    // SAFETY: By the requirements; the field may be read meanwhile, hence the volatile write.
    unsafe { field.write_volatile(ours) };
}

/// Returns the type of the driver's state if the device is one of this module that has been
/// registered.
///
/// # Safety
///
/// `dev` must be valid and held by a reference of the network stack.
pub(super) unsafe fn kind(dev: *mut bindings::net_device) -> Option<TypeId> {
    // SAFETY: By the requirements; this is the type of the field.
    let destructor: Option<PrivDestructor> = unsafe { super::peek(dev, DESTRUCTOR) };
    let destructor = destructor?;
    let ours: PrivDestructor = super::callbacks::destroy;
    // SAFETY: Only devices with an initialised header get this destructor.
    fn_addr_eq(destructor, ours).then(|| unsafe { (*header(dev)).kind })
}

impl Header {
    /// Initialises the header with one reference.
    ///
    /// # Safety
    ///
    /// `slot` must be the header of a device that no other code has seen, with room for a `T`
    /// behind it. `drop` and `destroyed` must be callable on the device: the first once, after the
    /// last reference was put, the second while there is a reference. The registry must have
    /// counted one more user.
    pub(super) unsafe fn init<T: 'static>(
        slot: *mut Header,
        registry: NonNull<Registry>,
        drop: unsafe fn(*mut bindings::net_device),
        destroyed: unsafe fn(*mut bindings::net_device),
    ) {
        let header = Header {
            refs: Refcount::new(1),
            release: Opaque::uninit(),
            kind: TypeId::of::<T>(),
            drop,
            destroyed,
            registry,
            next: Atomic::new(core::ptr::null_mut()),
            prev: Atomic::new(core::ptr::null_mut()),
        };
        // SAFETY: `slot` is valid for writes by the requirements.
        unsafe { slot.write(header) };
        // SAFETY: As above.
        let work = unsafe { (*slot).release.get() };
        // SAFETY: `work` is valid and stays where it is.
        unsafe {
            crate::bindings::init_work_with_key(
                work,
                Some(release),
                false,
                c"netdev release".as_char_ptr(),
                static_lock_class!().as_ptr().cast(),
            )
        };
    }

    /// Returns the device that the header belongs to.
    #[inline]
    pub(super) fn device(this: *mut Header) -> *mut bindings::net_device {
        this.wrapping_byte_sub(offset_of!(bindings::net_device, priv_))
            .cast()
    }

    /// Returns the registry of the kind of link.
    #[inline]
    pub(crate) fn registry(&self) -> &Registry {
        // SAFETY: By the type invariants the registry waits for this user.
        unsafe { self.registry.as_ref() }
    }

    /// Takes a reference.
    #[inline]
    pub(super) fn get(&self) {
        self.refs.inc();
    }

    /// Puts a reference. Any context: after the last one a worker frees the device.
    ///
    /// # Safety
    ///
    /// The reference must be the caller's.
    #[inline]
    pub(super) unsafe fn put(this: *mut Header) {
        // SAFETY: By the requirements the header is still there.
        let header = unsafe { &*this };
        if header.refs.dec_and_test() {
            // The work is idle: only the put of the last reference gets here.
            // SAFETY: The work was initialised, and stays valid until it runs.
            unsafe { header.registry().enqueue(header.release.get()) };
        }
    }

    /// Undoes [`Header::init`], without dropping the driver's state. C frees the device.
    ///
    /// # Safety
    ///
    /// There must be no other reference, and the header must not be used again.
    pub(super) unsafe fn abandon(this: *mut Header) {
        // SAFETY: By the requirements the header is still there.
        unsafe { &*this }.registry().put();
    }
}

/// Drops the driver's state and frees the device, after the last reference was put.
///
/// # Safety
///
/// Only for [`Header::release`].
unsafe extern "C" fn release(work: *mut crate::bindings::work_struct) {
    let this = work
        .wrapping_byte_sub(offset_of!(Header, release))
        .cast::<Header>();
    let dev = Header::device(this);
    // SAFETY: The header is valid until the device is freed below.
    let header = unsafe { &*this };
    let registry = header.registry;
    // SAFETY: No reference is left, so no other code uses the driver's state.
    unsafe { (header.drop)(dev) };
    // The device type lies in this module, which may be unloaded before C frees the memory.
    // SAFETY: No other code uses the device, and user space cannot find it any more.
    unsafe { (*dev).dev.type_ = core::ptr::null() };
    // SAFETY: The device is no longer registered, and the core left freeing it to this function.
    unsafe { bindings::free_netdev(dev) };
    // SAFETY: By the type invariants the registry waits for this user.
    unsafe { registry.as_ref() }.put();
}
