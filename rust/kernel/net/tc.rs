// SPDX-License-Identifier: GPL-2.0

//! Programs and rules of traffic control at a device.
//!
//! They see a GSO packet, or what GRO has put together, as one packet: a policer drops it if it is
//! longer than its burst, and `bpf_skb_adjust_room()` refuses it.
//!
//! C header: [`include/net/tcx.h`](srctree/include/net/tcx.h)

use crate::bindings::net_device;

/// Returns whether a device has any for what it receives.
///
/// # Safety
///
/// `dev` must be valid.
#[inline]
#[cfg(CONFIG_NET_XGRESS)]
pub(in crate::net) unsafe fn has_ingress(dev: *mut net_device) -> bool {
    // SAFETY: By the requirements.
    let programs = unsafe { &raw const (*dev).tcx_ingress };
    // SAFETY: As above; other CPUs may change the pointer, which this only compares.
    !unsafe { programs.read_volatile() }.is_null()
}

/// Returns whether a device has any for what it sends.
///
/// # Safety
///
/// `dev` must be valid.
#[cfg(CONFIG_NET_XGRESS)]
pub(in crate::net) unsafe fn has_egress(dev: *mut net_device) -> bool {
    // SAFETY: By the requirements.
    let programs = unsafe { &raw const (*dev).tcx_egress };
    // SAFETY: As above; other CPUs may change the pointer, which this only compares.
    !unsafe { programs.read_volatile() }.is_null()
}

/// # Safety
///
/// None.
#[cfg(not(CONFIG_NET_XGRESS))]
pub(in crate::net) unsafe fn has_ingress(_dev: *mut net_device) -> bool {
    false
}

/// # Safety
///
/// None.
#[cfg(not(CONFIG_NET_XGRESS))]
pub(in crate::net) unsafe fn has_egress(_dev: *mut net_device) -> bool {
    false
}
