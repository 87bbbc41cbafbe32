// SPDX-License-Identifier: GPL-2.0

//! Functions of IPv6, which a kernel without `CONFIG_IPV6` declares but does not contain.
//!
//! Such a kernel creates no socket of IPv6, so nothing calls what stands in for them here.
//!
//! C headers: [`include/net/ipv6.h`](srctree/include/net/ipv6.h),
//! [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

#[cfg(not(CONFIG_IPV6))]
pub(super) use absent::*;

#[cfg(CONFIG_IPV6)]
pub(super) use crate::bindings::{
    ip6_dst_hoplimit,
    ip6_dst_lookup_flow,
    ipv6_chk_addr,
    udp_tunnel6_xmit_skb, //
};

#[cfg(not(CONFIG_IPV6))]
mod absent {
    use crate::{
        bindings::{
            self,
            dst_entry,
            flowi6,
            in6_addr,
            net,
            net_device,
            sk_buff,
            sock, //
        },
        compat::code::EAFNOSUPPORT, //
    };
    use core::ffi::c_int;

    /// Returns no hop limit.
    ///
    /// # Safety
    ///
    /// None.
    pub(crate) unsafe fn ip6_dst_hoplimit(_dst: *mut dst_entry) -> c_int {
        0
    }

    /// Finds no route: returns `EAFNOSUPPORT`, as an error pointer.
    ///
    /// # Safety
    ///
    /// None.
    pub(crate) unsafe fn ip6_dst_lookup_flow(
        _net: *mut net,
        _sk: *const sock,
        _fl6: *mut flowi6,
        _final_dst: *const in6_addr,
    ) -> *mut dst_entry {
        EAFNOSUPPORT.to_ptr()
    }

    /// Returns that no device has the address.
    ///
    /// # Safety
    ///
    /// None.
    pub(crate) unsafe fn ipv6_chk_addr(
        _net: *mut net,
        _addr: *const in6_addr,
        _dev: *const net_device,
        _strict: c_int,
    ) -> c_int {
        0
    }

    /// Drops the packet.
    ///
    /// # Safety
    ///
    /// The caller hands over `skb` and a count of `dst`.
    #[allow(clippy::too_many_arguments)]
    pub(crate) unsafe fn udp_tunnel6_xmit_skb(
        dst: *mut dst_entry,
        _sk: *mut sock,
        skb: *mut sk_buff,
        _dev: *mut net_device,
        _saddr: *const in6_addr,
        _daddr: *const in6_addr,
        _prio: u8,
        _ttl: u8,
        _label: u32,
        _src_port: u16,
        _dst_port: u16,
        _nocheck: bool,
        _ip6cb_flags: u16,
    ) {
        // SAFETY: By the requirements.
        unsafe { bindings::dst_release(dst) };
        let reason = bindings::skb_drop_reason_SKB_DROP_REASON_IP_OUTNOROUTES;
        // SAFETY: By the requirements.
        unsafe { bindings::dev_kfree_skb_any_reason(skb, reason) };
    }
}
