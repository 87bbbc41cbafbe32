// E0080: offsets of headers have 16 bits
// SPDX-License-Identifier: GPL-2.0

//! A device that needs as much headroom as offsets have room for.

#![forbid(unsafe_code)]

use core::mem::MaybeUninit;
use kernel::prelude::*;
use kext::{
    context::{Bh, Process},
    net::{
        device::{LinkSetup, NetDevice, NewLink, Operations, Running},
        napi::Gro,
        rtnl::{Registration, Rtnl},
        skb::{Buffer, Outgoing},
    },
};

/// The headroom that the device needs.
const HEADROOM: u16 = {
    let mut headroom = 4096;
    headroom = headroom + 1; //~
    headroom
};

/// The state of a device.
pub struct Device(MaybeUninit<u8>);

impl Operations for Device {
    const KIND: &'static CStr = c"sample";
    const CONFIG: LinkSetup = LinkSetup {
        mtu: 1500,
        max_mtu: 1500,
        headroom: HEADROOM,
        tailroom: 0,
        threaded_napi: false,
    };
    const PRIV_FLAGS: &'static [&'static CStr] = &[];
    type NapiQueue = ();

    fn priv_flags(&self) -> u32 {
        0
    }

    fn set_priv_flags(&self, _on: u32) {}

    fn new(_link: NewLink<'_>, _ctx: &mut Process) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self(MaybeUninit::uninit()))
    }

    fn open(&self, _dev: &NetDevice<Self>, _rtnl: &Rtnl, _ctx: &mut Process) -> Result {
        Ok(())
    }

    fn stop(&self, _dev: &NetDevice<Self>, _rtnl: &Rtnl, _ctx: &mut Process) {}

    fn xmit(&self, _dev: Running<'_, Self>, skb: Outgoing<'_>, _bh: &Bh<'_>) -> Result {
        skb.consume();
        Ok(())
    }

    fn destroyed(&self, _dev: &NetDevice<Self>, _ctx: &mut Process) {}

    fn poll(
        _dev: &NetDevice<Self>,
        _queue: &(),
        _gro: &mut Gro<'_, Self>,
        _budget: usize,
        _bh: &Bh<'_>,
    ) -> usize {
        0
    }
}

/// Registers the kind.
#[inline(never)]
pub fn registers() -> Result<Registration<Device>> {
    Registration::new()
}
