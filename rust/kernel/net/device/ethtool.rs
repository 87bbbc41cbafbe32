// SPDX-License-Identifier: GPL-2.0

//! Switches of a device that user space turns with `ethtool --set-priv-flags`.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use super::{
    NetDevice,
    Operations, //
};
use crate::bindings::{
    ethtool_ops,
    ethtool_stringset_ETH_SS_PRIV_FLAGS,
    net_device,
    ETH_GSTRING_LEN, //
};
use crate::compat::code::EOPNOTSUPP;
use core::marker::PhantomData;
use kernel::{error::from_result, ffi::c_int};

/// Bytes that C gives to the name of a switch, which ends with a zero.
const NAME_LEN: usize = ETH_GSTRING_LEN as usize;

/// The functions that C calls for a device of this `T`, all under RTNL.
pub(super) struct Ethtool<T>(PhantomData<T>);

impl<T: Operations> Ethtool<T> {
    pub(super) const OPS: &'static ethtool_ops = &ethtool_ops {
        get_sset_count: Some(Self::count),
        get_strings: Some(Self::names),
        get_priv_flags: Some(Self::get),
        set_priv_flags: Some(Self::set),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Only for `ethtool_ops`.
    unsafe extern "C" fn count(_dev: *mut net_device, set: c_int) -> c_int {
        from_result(|| {
            // CAST: A small constant.
            if set != ethtool_stringset_ETH_SS_PRIV_FLAGS as c_int {
                return Err(EOPNOTSUPP);
            }
            // CAST: At most 32.
            Ok(T::PRIV_FLAGS.len() as c_int)
        })
    }

    /// # Safety
    ///
    /// Only for `ethtool_ops`: `to` must have room for the names that `count` tells of.
    unsafe extern "C" fn names(_dev: *mut net_device, set: u32, to: *mut u8) {
        const {
            assert!(T::PRIV_FLAGS.len() <= 32);
            let mut i = 0;
            while i < T::PRIV_FLAGS.len() {
                assert!(T::PRIV_FLAGS[i].to_bytes().len() < NAME_LEN);
                i += 1;
            }
        }
        if set != ethtool_stringset_ETH_SS_PRIV_FLAGS {
            return;
        }
        for (i, name) in T::PRIV_FLAGS.iter().enumerate() {
            let mut field = [0; NAME_LEN];
            for (to, from) in field.iter_mut().zip(name.to_bytes()) {
                *to = *from;
            }
            // SAFETY: By the requirements.
            let to = unsafe { to.cast::<[u8; NAME_LEN]>().add(i) };
            // SAFETY: As above.
            unsafe { to.write(field) };
        }
    }

    /// # Safety
    ///
    /// Only for `ethtool_ops`.
    unsafe extern "C" fn get(dev: *mut net_device) -> u32 {
        // SAFETY: A device that C knows is initialised; it is held by C.
        let dev = unsafe { NetDevice::<T>::from_raw(dev.cast()) };
        dev.data().priv_flags()
    }

    /// # Safety
    ///
    /// Only for `ethtool_ops`.
    unsafe extern "C" fn set(dev: *mut net_device, on: u32) -> c_int {
        // SAFETY: As in `get`.
        let dev = unsafe { NetDevice::<T>::from_raw(dev.cast()) };
        dev.data().set_priv_flags(on);
        0
    }
}
