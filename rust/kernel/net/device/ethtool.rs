// SPDX-License-Identifier: GPL-2.0

//! The private flags of a device that user space sets with `ethtool --set-priv-flags`, and the
//! statistics that `ethtool --statistics` shows.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

use super::{
    NetDevice,
    Operations, //
};
use crate::{
    bindings::{
        ethtool_ops,
        ethtool_stats,
        ethtool_stringset_ETH_SS_PRIV_FLAGS,
        ethtool_stringset_ETH_SS_STATS,
        net_device,
        ETH_GSTRING_LEN, //
    },
    compat::code::EOPNOTSUPP, //
};
use core::marker::PhantomData;
use kernel::{
    error::from_result,
    ffi::c_int, //
};

/// Size of a name in C, its final NUL included.
const NAME_LEN: usize = ETH_GSTRING_LEN as usize;

/// The C callbacks of a device of this `T`, all under RTNL.
pub(super) struct Ethtool<T>(PhantomData<T>);

impl<T: Operations> Ethtool<T> {
    pub(super) const OPS: &'static ethtool_ops = &ethtool_ops {
        get_sset_count: Some(Self::count),
        get_strings: Some(Self::names),
        get_ethtool_stats: Some(Self::statistics),
        get_priv_flags: Some(Self::get),
        set_priv_flags: Some(Self::set),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Only for `ethtool_ops`.
    unsafe extern "C" fn count(_dev: *mut net_device, set: c_int) -> c_int {
        // C allocates names and values for the number that this returns.
        const { assert!(T::STATISTICS <= i32::MAX as usize / NAME_LEN) };
        from_result(|| {
            // CAST: Small constants.
            const PRIV_FLAGS: c_int = ethtool_stringset_ETH_SS_PRIV_FLAGS as c_int;
            const STATS: c_int = ethtool_stringset_ETH_SS_STATS as c_int;
            match set {
                // CAST: At most 32.
                PRIV_FLAGS => Ok(T::PRIV_FLAGS.len() as c_int),
                // CAST: A constant of the driver, which C compares with the number that user space
                // expects.
                STATS if T::STATISTICS > 0 => Ok(T::STATISTICS as c_int),
                _ => Err(EOPNOTSUPP),
            }
        })
    }

    /// Writes name number `nth`, cut to [`NAME_LEN`] with its NUL.
    ///
    /// # Safety
    ///
    /// `to` must have room for `nth + 1` names.
    unsafe fn put_name(to: *mut u8, nth: usize, name: &[u8]) {
        let mut field = [0; NAME_LEN];
        let room = NAME_LEN.saturating_sub(1);
        for (to, from) in field.iter_mut().take(room).zip(name) {
            *to = *from;
        }
        // SAFETY: By the requirements.
        let to = unsafe { to.cast::<[u8; NAME_LEN]>().add(nth) };
        // SAFETY: As above.
        unsafe { to.write(field) };
    }

    /// # Safety
    ///
    /// Only for `ethtool_ops`: `to` must have room for as many names as `count` returns.
    unsafe extern "C" fn names(_dev: *mut net_device, set: u32, to: *mut u8) {
        const {
            assert!(T::PRIV_FLAGS.len() <= 32);
            let mut i = 0;
            while i < T::PRIV_FLAGS.len() {
                assert!(T::PRIV_FLAGS[i].to_bytes().len() < NAME_LEN);
                i += 1;
            }
        }
        if set == ethtool_stringset_ETH_SS_STATS {
            for i in 0..T::STATISTICS {
                // SAFETY: By the requirements there is room for that many.
                unsafe { Self::put_name(to, i, T::statistic_name(i).as_bytes()) };
            }
        }
        if set == ethtool_stringset_ETH_SS_PRIV_FLAGS {
            for (i, name) in T::PRIV_FLAGS.iter().enumerate() {
                // SAFETY: By the requirements there is room for that many.
                unsafe { Self::put_name(to, i, name.to_bytes()) };
            }
        }
    }

    /// # Safety
    ///
    /// Only for `ethtool_ops`: `to` must have room for as many values as `count` returns.
    unsafe extern "C" fn statistics(dev: *mut net_device, _: *mut ethtool_stats, to: *mut u64) {
        // SAFETY: As in `get`.
        let dev = unsafe { NetDevice::<T>::from_raw(dev.cast()) };
        for i in 0..T::STATISTICS {
            // SAFETY: By the requirements.
            let to = unsafe { to.add(i) };
            // SAFETY: As above.
            unsafe { to.write_unaligned(dev.data().statistic(i)) };
        }
    }

    /// # Safety
    ///
    /// Only for `ethtool_ops`.
    unsafe extern "C" fn get(dev: *mut net_device) -> u32 {
        // SAFETY: A device that C has a pointer to is initialised; C holds it during the call.
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
