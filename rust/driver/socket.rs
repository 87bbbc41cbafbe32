// SPDX-License-Identifier: GPL-2.0

//! The UDP sockets of an interface.

use crate::device::Device;
use kernel::prelude::*;
use kext::compat::code::{
    EADDRINUSE,
    ENONET, //
};
use kext::{
    context::Process,
    net::{
        device::{
            DeviceRef,
            NetDevice, //
        },
        udp::{
            self,
            Tunnel, //
        }, //
    },
    sync::rcu::{
        OwnedSlot,
        RcuArc, //
    }, //
};
/// How many random ports are tried that are free for IPv4 but not for IPv6.
const PORT_RETRIES: usize = 100;

/// The interface that a socket delivers to; `receive/encap.rs` takes the datagrams.
pub(crate) struct Receiver(pub(crate) DeviceRef<Device>);

/// The sockets of an interface; both use the same port.
pub(crate) struct Sockets {
    pub(crate) v4: OwnedSlot<Tunnel<Receiver>>,
    pub(crate) v6: OwnedSlot<Tunnel<Receiver>>,
}

impl Sockets {
    /// Creates the state without sockets.
    pub(crate) const fn new() -> Self {
        Self {
            v4: OwnedSlot::empty(),
            v6: OwnedSlot::empty(),
        }
    }

    /// Waits for the sections that may use the sockets, and closes them. Returns whether there were
    /// any: without one, this waits for nothing.
    pub(crate) fn close(&self, ctx: &mut Process) -> bool {
        let old = (self.v4.replace(None, ctx), self.v6.replace(None, ctx));
        old.0.is_some() || old.1.is_some()
    }
}

/// Opens sockets on `port` (0: any) in the namespace where the interface was created, and closes
/// the old ones.
///
/// Returns the port. On failure the old sockets stay.
pub(crate) fn open(dev: &NetDevice<Device>, port: u16, ctx: &mut Process) -> Result<u16> {
    let device = dev.data();
    let net = device.creating_net().get().ok_or(ENONET)?;
    let receiver = RcuArc::new(udp::SkUserData::new(Receiver(dev.hold())), ctx)?;
    let mut retries = 0;
    let (v4, v6) = loop {
        let v4 = Tunnel::open4(&net, port, receiver.clone(), ctx).inspect_err(|_| {
            pr_err!("{}: Could not create IPv4 socket\n", dev.name());
        })?;
        if !udp::ipv6_enabled() {
            break (v4, None);
        }
        match Tunnel::open6(&net, v4.port(), receiver.clone(), ctx) {
            Ok(v6) => break (v4, Some(v6)),
            // The random port is taken for IPv6: try another.
            Err(e) if e == EADDRINUSE && port == 0 && retries < PORT_RETRIES => retries += 1,
            Err(e) => {
                pr_err!("{}: Could not create IPv6 socket\n", dev.name());
                return Err(e);
            }
        }
    };
    let port = v4.port();
    let sockets = device.sockets();
    let old4 = sockets.v4.replace(Some(v4), ctx);
    let old6 = sockets.v6.replace(v6, ctx);
    drop((old4, old6));
    Ok(port)
}
