// SPDX-License-Identifier: GPL-2.0

//! All registered devices of this module, in all namespaces.
//!
//! Protected by RTNL. There is one list for all kinds, as callbacks of notifiers get no data.

use super::{
    private::Header,
    NetDevice,
    Operations, //
};
use crate::net::rtnl::Rtnl;
use core::{
    any::TypeId,
    ptr::null_mut, //
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

static FIRST: Atomic<*mut Header> = Atomic::new(null_mut());

/// Puts a device on the list.
///
/// # Safety
///
/// `new` must be valid, and be removed before the core's reference to it is put.
pub(super) unsafe fn insert(new: *mut Header, _rtnl: &Rtnl) {
    let next = FIRST.load(Relaxed);
    // SAFETY: By the requirements.
    unsafe { &*new }.next.store(next, Relaxed);
    if !next.is_null() {
        // SAFETY: What is on the list is valid.
        unsafe { &*next }.prev.store(new, Relaxed);
    }
    FIRST.store(new, Relaxed);
}

/// Takes a device off the list, if it is there.
///
/// # Safety
///
/// `old` must be valid.
pub(super) unsafe fn remove(old: *mut Header, _rtnl: &Rtnl) {
    // SAFETY: By the requirements.
    let header = unsafe { &*old };
    let (next, prev) = (header.next.load(Relaxed), header.prev.load(Relaxed));
    if !prev.is_null() {
        // SAFETY: What is on the list is valid.
        unsafe { &*prev }.next.store(next, Relaxed);
    } else if FIRST.load(Relaxed) == old {
        FIRST.store(next, Relaxed);
    }
    if !next.is_null() {
        // SAFETY: What is on the list is valid.
        unsafe { &*next }.prev.store(prev, Relaxed);
    }
    header.next.store(null_mut(), Relaxed);
    header.prev.store(null_mut(), Relaxed);
}

/// Calls `f` for each device whose driver is `T`, in all namespaces.
///
/// A device is among them from [`Operations::registered`] until [`Operations::destroyed`] has
/// returned.
pub fn for_each<T: Operations>(_rtnl: &Rtnl, mut f: impl FnMut(&NetDevice<T>)) {
    let mut at = FIRST.load(Relaxed);
    while !at.is_null() {
        // SAFETY: What is on the list is valid, and does not leave it while RTNL is held: `f` has
        // no way to release the lock under `_rtnl`.
        let header = unsafe { &*at };
        if header.kind == TypeId::of::<T>() {
            // SAFETY: The device is of this `T`, and the core's reference is there while it is
            // listed.
            f(unsafe { NetDevice::from_raw(Header::device(at)) });
        }
        at = header.next.load(Relaxed);
    }
}
