// SPDX-License-Identifier: GPL-2.0

//! The functions that C calls for a kind of link: `net_device_ops`, `rtnl_link_ops`, the
//! destructor.

use super::{
    ethtool::Ethtool,
    link::{
        NewLink,
        Registry, //
    },
    list,
    private::{
        self,
        Header, //
    },
    NetDevice,
    Operations, //
};
use crate::{
    bindings,
    context::{
        Bh,
        Process, //
    },
    net::{
        netns::Net,
        rtnl::{
            self,
            Rtnl, //
        },
        skb::{
            Buffer,
            Outgoing,
            Reason,
            MAX_HEADROOM, //
        },
    },
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_ulong, //
    },
    prelude::*, //
};

/// The C callbacks of the devices whose private state is a `T`.
pub(super) struct Callbacks<T>(PhantomData<T>);

impl<T: Operations> Callbacks<T> {
    const NETDEV_OPS: &'static bindings::net_device_ops = &bindings::net_device_ops {
        ndo_open: Some(Self::open),
        ndo_stop: Some(Self::stop),
        ndo_start_xmit: Some(Self::start_xmit),
        ..pin_init::zeroed()
    };

    const DEVICE_TYPE: &'static crate::bindings::device_type = &crate::bindings::device_type {
        name: kernel::str::as_char_ptr_in_const_context(T::KIND),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Only for `rtnl_link_ops.setup`.
    pub(super) unsafe extern "C" fn setup(dev: *mut bindings::net_device) {
        let features = bindings::CONST_NETIF_F_TUNNEL;
        let config = T::CONFIG;
        // The stack makes packets with at least that much headroom. The room behind has no offsets.
        const { assert!(T::CONFIG.headroom as usize <= MAX_HEADROOM) };
        // SAFETY: C passes a device that no other code has seen yet.
        let d = unsafe { &mut *dev };
        d.netdev_ops = Self::NETDEV_OPS;
        d.ethtool_ops = Ethtool::<T>::OPS;
        d.header_ops = &raw const bindings::ip_tunnel_header_ops;
        d.needed_headroom = config.headroom;
        d.needed_tailroom = config.tailroom;
        d.type_ = bindings::ARPHRD_NONE as u16;
        d.flags = bindings::net_device_flags_IFF_POINTOPOINT | bindings::net_device_flags_IFF_NOARP;
        d.features |= features;
        d.hw_features |= features;
        d.hw_enc_features |= features;
        d.mtu = config.mtu;
        d.max_mtu = config.max_mtu;
        d.dev.type_ = Self::DEVICE_TYPE;
        d.set_pcpu_stat_type(bindings::netdev_stat_type_NETDEV_PCPU_STAT_TSTATS);
        // SAFETY: Both members of the union are these flags.
        let flags = unsafe { &mut d.__bindgen_anon_1.priv_flags_fast };
        flags.set_lltx(1);
        // CAST: From 32 bits to at least as many.
        let no_queue = bindings::netdev_priv_flags_IFF_NO_QUEUE as c_ulong;
        // netpoll would call `start_xmit` with interrupts off. Functions below it that turn bottom
        // halves on again, as UDP transmission does, would then run softirqs within our section.
        // CAST: As above.
        let no_netpoll = bindings::netdev_priv_flags_IFF_DISABLE_NETPOLL as c_ulong;
        flags.set_priv_flags(flags.priv_flags() | no_queue | no_netpoll);
        // SAFETY: As above. C keeps the route of a packet until `start_xmit`.
        unsafe { bindings::netif_keep_dst(dev) };
        // SAFETY: As above.
        unsafe { bindings::netif_set_tso_max_size(dev, bindings::GSO_MAX_SIZE) };
        if config.threaded_napi {
            // SAFETY: As above.
            unsafe { bindings::netif_threaded_enable(dev) };
        }
    }

    /// # Safety
    ///
    /// Only for `rtnl_link_ops.newlink`.
    pub(super) unsafe extern "C" fn newlink(
        dev: *mut bindings::net_device,
        params: *mut bindings::rtnl_newlink_params,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: C holds RTNL.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: Netlink requests run in process context, and may sleep.
        let mut ctx = unsafe { Process::under_rtnl() };
        from_result(|| {
            // SAFETY: `setup` made the device for this `T`, and no other code has seen it.
            unsafe { Self::construct(dev, params, &mut ctx) }?;
            // SAFETY: RTNL is held, and the device has never been registered.
            let registered = to_result(unsafe { bindings::register_netdevice(dev) });
            match registered {
                Ok(()) => {
                    // SAFETY: The header was initialised by `construct`.
                    unsafe { list::insert(private::header(dev), &rtnl) };
                    // SAFETY: The header is initialised.
                    unsafe { private::set_destructor(dev) };
                    // SAFETY: The device is initialised, and RTNL keeps it registered.
                    let dev = unsafe { NetDevice::<T>::from_raw(dev) };
                    dev.data().registered(dev, &rtnl, &mut ctx);
                    Ok(0)
                }
                Err(e) => {
                    // SAFETY: As above.
                    unsafe { Self::not_registered(dev) };
                    Err(e)
                }
            }
        })
    }

    /// Initialises the private area.
    ///
    /// # Safety
    ///
    /// `dev` must have been made by `setup` for this `T`, and no other code may have seen it;
    /// `params` must be those of the request.
    unsafe fn construct(
        dev: *mut bindings::net_device,
        params: *mut bindings::rtnl_newlink_params,
        ctx: &mut Process,
    ) -> Result {
        // SAFETY: The device is valid.
        let ops = unsafe { (*dev).rtnl_link_ops };
        // By the requirements these are the ones of a `Registry`, which they are the first field
        // of.
        let registry = NonNull::new(ops.cast_mut().cast::<Registry>()).ok_or(EINVAL)?;
        // SAFETY: A kind of link that is in use is registered.
        unsafe { registry.as_ref() }.get();
        let header = private::header(dev);
        // SAFETY: The private area has room for `PrivateArea<T>`, and is not used yet. The user was
        // counted just now.
        unsafe { Header::init::<T>(header, registry, Self::drop_data, Self::destroyed) };
        // SAFETY: `params` is valid.
        let net = unsafe { bindings::rtnl_newlink_link_net(params) };
        // SAFETY: The namespace is held by the request.
        let net = unsafe { Net::from_raw(net) };
        let link = NewLink {
            // SAFETY: Not null.
            dev: unsafe { NonNull::new_unchecked(dev) },
            net,
        };
        // SAFETY: There is room for a `T`, which stays where it is.
        unsafe { crate::compat::raw_try_init(private::data::<T>(dev), T::new(link, ctx)) }
            .inspect_err(|_| {
                // SAFETY: Nothing has seen the header.
                unsafe { Header::abandon(header) }
            })
    }

    /// Cleans up after a registration that failed.
    ///
    /// # Safety
    ///
    /// `register_netdevice` must have failed for `dev` just now, under RTNL.
    unsafe fn not_registered(dev: *mut bindings::net_device) {
        // SAFETY: The caller frees the device only after we return.
        let state = unsafe { (*dev).reg_state };
        if u32::from(state) == bindings::netdev_reg_state_NETREG_UNREGISTERING {
            // A notifier refused the device after the core had listed it, so there may be
            // references. The core unregisters it as if it had been registered, and calls the
            // destructor only then.
            // SAFETY: As in `newlink`.
            unsafe { private::set_destructor(dev) };
        } else {
            // The device never was present, and has not been shown to `T`.
            // SAFETY: Hence ours is the only reference; the caller frees the memory.
            unsafe { Self::drop_data(dev) };
            // SAFETY: As above.
            unsafe { Header::abandon(private::header(dev)) };
        }
    }

    /// # Safety
    ///
    /// `dev` must have an initialised `T`, which must not be used again.
    unsafe fn drop_data(dev: *mut bindings::net_device) {
        // SAFETY: By the requirements.
        unsafe { private::data::<T>(dev).drop_in_place() };
    }

    /// # Safety
    ///
    /// `dev` must have an initialised `T`; process context.
    unsafe fn destroyed(dev: *mut bindings::net_device) {
        // SAFETY: By the requirements.
        let mut ctx = unsafe { Process::new() };
        // SAFETY: The caller holds a reference.
        let dev = unsafe { NetDevice::<T>::from_raw(dev) };
        dev.data().destroyed(dev, &mut ctx);
    }

    /// # Safety
    ///
    /// Only for `net_device_ops`.
    unsafe extern "C" fn open(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: C holds RTNL.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: C runs this in process context, lets it sleep, and holds RTNL meanwhile.
        let mut ctx = unsafe { Process::under_rtnl() };
        // SAFETY: A device that C has a pointer to is initialised; C holds it during the call.
        let dev = unsafe { NetDevice::<T>::from_raw(dev) };
        from_result(|| dev.data().open(dev, &rtnl, &mut ctx).map(|()| 0))
    }

    /// # Safety
    ///
    /// Only for `net_device_ops`.
    unsafe extern "C" fn stop(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: C holds RTNL.
        let rtnl = unsafe { Rtnl::assume_held() };
        // SAFETY: C runs this in process context, lets it sleep, and holds RTNL meanwhile.
        let mut ctx = unsafe { Process::under_rtnl() };
        // SAFETY: As in `open`.
        let dev = unsafe { NetDevice::<T>::from_raw(dev) };
        dev.data().stop(dev, &rtnl, &mut ctx);
        0
    }

    /// # Safety
    ///
    /// Only for `net_device_ops`.
    unsafe extern "C" fn start_xmit(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: C passes a packet for a queue of this device, with bottom halves off.
        let has_qdisc = unsafe { bindings::skb_has_qdisc(dev, skb) };
        // C counts nested transmissions by devices without a discipline only.
        if has_qdisc {
            // SAFETY: Bottom halves are off, so the thread stays on its CPU.
            unsafe { bindings::dev_xmit_recursion_inc() };
        }
        // SAFETY: By the requirements.
        let result = unsafe { Self::xmit(skb, dev) };
        if has_qdisc {
            // SAFETY: As above, after `dev_xmit_recursion_inc()`.
            unsafe { bindings::dev_xmit_recursion_dec() };
        }
        result
    }

    /// # Safety
    ///
    /// As [`Self::start_xmit`].
    #[inline(always)]
    unsafe fn xmit(
        skb: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: C calls this with bottom halves off.
        let bh = unsafe { Bh::in_softirq() };
        // SAFETY: As in `open`.
        let dev = unsafe { NetDevice::<T>::from_raw(dev) };
        // SAFETY: C passes the buffer on: for both values returned below it does not use it any
        // more.
        let skb = unsafe { Outgoing::new(skb, &bh) };
        let Some(skb) = skb else {
            dev.count_tx_dropped(1);
            return bindings::netdev_tx_NETDEV_TX_OK;
        };
        // C may still send a packet while the device goes down.
        let Some(running) = dev.running(&bh) else {
            dev.count_tx_dropped(1);
            skb.drop(Reason::DEV_READY);
            return bindings::netdev_tx_NETDEV_TX_OK;
        };
        match dev.data().xmit(running, skb, &bh) {
            Ok(()) => bindings::netdev_tx_NETDEV_TX_OK,
            Err(e) => e.to_errno(),
        }
    }
}

/// The destructor of all devices of this module.
///
/// # Safety
///
/// Only for `net_device.priv_destructor`, of devices whose header is initialised.
pub(super) unsafe extern "C" fn destroy(dev: *mut bindings::net_device) {
    let header = private::header(dev);
    // SAFETY: This function drops the core's reference, below.
    let destroyed = unsafe { (*header).destroyed };
    // First: a device that is being added finds this one in the list while the driver shows it.
    // SAFETY: As above; process context.
    unsafe { destroyed(dev) };
    {
        // SAFETY: C calls this in process context, without RTNL, and lets it sleep.
        let mut ctx = unsafe { Process::new() };
        let held = rtnl::lock(&mut ctx);
        // SAFETY: The header is valid.
        unsafe { list::remove(header, held.rtnl()) };
    }
    // The last reference frees the memory, so C must not.
    // SAFETY: The device is valid.
    unsafe { (*dev).needs_free_netdev = false };
    // SAFETY: C left the core's reference to this function.
    unsafe { Header::put(header) };
}
