// SPDX-License-Identifier: GPL-2.0

//! What becomes of GSO packets on their way out.
//!
//! `__udp_gso_segment()` hands on the owner of a packet only if its destructor is `sock_wfree()`. A
//! packet of TCP that a queueing discipline cuts when it is enqueued gives its memory back at once,
//! so that TCP takes what is in that queue for sent: its small queues do not hold it back.

use super::Dst;
use crate::{
    bindings,
    context::Bh, //
};
use bindings::{
    net_device,
    netdev_nested_priv, //
};
use core::ptr::null_mut;
use kernel::ffi::c_int;

/// What becomes of UDP GSO packets that leave by a route.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum GsoSupport {
    /// They stay whole down to the device.
    Whole,
    /// A queueing discipline may cut them when they are enqueued.
    CutOnEnqueue,
    /// They may be refused: `bpf_lwt_push_encap()` does not take them, and `udp_send_skb()` makes none
    /// for IPsec.
    Refused,
}

/// Returns the first bytes of the name of a queueing discipline, which are all of it.
const fn id(name: &[u8]) -> [u8; 8] {
    let mut id = [0; 8];
    let mut i = 0;
    while i < name.len() {
        id[i] = name[i];
        i += 1;
    }
    id
}

/// The queueing disciplines that may cut GSO packets when they are enqueued (`skb_gso_segment()` in
/// `net/sched`; netem does so only to corrupt them), and those whose classes may hold such ones.
const CUTTERS: [[u8; 8]; 11] = [
    id(b"tbf"),
    id(b"cake"),
    id(b"cake_mq"),
    id(b"taprio"),
    id(b"dualpi2"),
    id(b"htb"),
    id(b"hfsc"),
    id(b"drr"),
    id(b"qfq"),
    id(b"ets"),
    id(b"prio"),
];

/// Returns whether the queueing discipline of a device is one of these, or the device keeps queues of
/// its own behind the place where packets are cut, as those of mac80211 do.
///
/// # Safety
///
/// `dev` must be valid, within an RCU section with bottom halves off.
unsafe fn cuts(dev: *mut net_device) -> bool {
    #[cfg(CONFIG_CFG80211)]
    // SAFETY: By the requirements. The field is set before the device is registered.
    if !unsafe { (*dev).ieee80211_ptr }.is_null() {
        return true;
    }
    // SAFETY: By the requirements; a device always has such a one.
    let name = unsafe { bindings::dev_qdisc_id(dev) };
    // SAFETY: The name has 16 bytes, in an operations structure that stays for as long as the section.
    let name = unsafe { name.cast::<[u8; 8]>().read() };
    // What follows the end of the name is zero.
    CUTTERS.contains(&name)
}

/// # Safety
///
/// Only for `netdev_walk_all_lower_dev_rcu()`, as in [`Dst::gso_support`].
unsafe extern "C" fn visit(dev: *mut net_device, _: *mut netdev_nested_priv) -> c_int {
    // SAFETY: By the requirements.
    unsafe { cuts(dev) }.into()
}

impl Dst {
    /// Returns what becomes of GSO packets, as far as the devices tell that the route leaves by.
    pub(super) fn gso_support(&self, bh: &Bh<'_>) -> GsoSupport {
        let Some(entry) = self.get(bh) else {
            return GsoSupport::Whole;
        };
        // SAFETY: Valid by the type invariants.
        let has_lwtstate = unsafe { bindings::dst_has_lwtstate(entry) };
        // SAFETY: As above.
        let has_xfrm = unsafe { bindings::dst_has_xfrm(entry) };
        if has_lwtstate || has_xfrm {
            return GsoSupport::Refused;
        }
        let _rcu = kernel::sync::rcu::read_lock();
        // SAFETY: As above.
        let dev = unsafe { bindings::dst_dev(entry) };
        // SAFETY: An entry always has a device, which stays for as long as this RCU section does.
        let is_cut = unsafe { cuts(dev) };
        // A VLAN, a bond or a bridge has no queue: the device below it has.
        let mut private = netdev_nested_priv {
            flags: 0,
            data: null_mut(),
        };
        // SAFETY: As above. The function looks at the devices only.
        let below =
            unsafe { bindings::netdev_walk_all_lower_dev_rcu(dev, Some(visit), &raw mut private) };
        if is_cut || below != 0 {
            GsoSupport::CutOnEnqueue
        } else {
            GsoSupport::Whole
        }
    }
}
