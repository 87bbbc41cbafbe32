// SPDX-License-Identifier: GPL-2.0

//! The UDP sockets of an interface.

use crate::{
    device::Device,
    receive, //
};
use kernel::{
    alloc::flags::GFP_KERNEL,
    prelude::*, //
};
use kext::compat::code::{
    EADDRINUSE,
    ENONET, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    info_ratelimited,
    net::{
        device::{
            DeviceRef,
            NetDevice, //
        },
        skb::List,
        udp::{
            self,
            Tunnel, //
        }, //
    },
    sync::rcu::{
        Owned,
        RcuArc, //
    }, //
};
use wg_proto::{
    message::DataHeader,
    DropReason, //
};

/// How often a random port is tried that is free for IPv4 but not for IPv6.
const PORT_RETRIES: usize = 100;

/// Hands datagrams to the interface that opened the socket.
pub(crate) struct Receiver(DeviceRef<Device>);

impl udp::Receiver for Receiver {
    fn receive(&self, datagrams: List, lost: usize, bh: &Bh<'_>) {
        if lost > 0 {
            // CAST: From small to large.
            self.0.data().drops().add(DropReason::NoMemory, lost as u64);
        }
        receive::datagrams(&self.0, datagrams, bh);
    }

    fn rewritten(&self) -> bool {
        let is_first = self.0.data().note_rewritten();
        if is_first {
            info_ratelimited!(
                "{}: A rule rewrites outgoing datagrams: they are sent one at a time from now on\n",
                self.0.name()
            );
        }
        is_first
    }

    // CAST: Sixteen.
    const HEADER_LEN: u32 = DataHeader::LEN as u32;

    fn may_gro(&self) -> bool {
        self.0.data().may_gro()
    }

    fn key(header: &[u8]) -> Option<u64> {
        receive::session_index(header).map(u64::from)
    }
}

/// The sockets of an interface; both use the same port.
pub(crate) struct Sockets {
    pub(crate) v4: Owned<Tunnel<Receiver>>,
    pub(crate) v6: Owned<Tunnel<Receiver>>,
}

impl Sockets {
    /// Creates the state without sockets.
    pub(crate) const fn new() -> Self {
        Self {
            v4: Owned::empty(),
            v6: Owned::empty(),
        }
    }

    /// Closes the sockets once nobody uses them any more.
    pub(crate) fn close(&self, ctx: &mut Process) {
        drop(self.v4.replace(None, ctx));
        drop(self.v6.replace(None, ctx));
    }
}

/// Opens sockets on `port` (0: any) in the namespace where the interface was created, and closes the old ones.
///
/// Returns the port. On failure the old sockets stay.
pub(crate) fn open(dev: &NetDevice<Device>, port: u16, ctx: &mut Process) -> Result<u16> {
    let device = dev.data();
    let net = device.creating_net().get().ok_or(ENONET)?;
    let receiver = RcuArc::new(udp::Shared::new(Receiver(dev.hold())), GFP_KERNEL)?;
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
