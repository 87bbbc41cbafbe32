// SPDX-License-Identifier: GPL-2.0

//! Handling of suspend, of clones of a virtual machine, and of namespaces that are removed.

use crate::device::Device;
use kext::{
    context::Process,
    debug,
    net::{
        device,
        netns::{
            self,
            Net, //
        },
        rtnl::{
            self,
            Rtnl, //
        }, //
    },
    notifier::{
        pm::SleepNotifier,
        vmfork::ForkNotifier, //
    },
    sync::rcu, //
};

/// Zeroes all keys before the machine sleeps, as its memory could be read then.
pub(crate) enum PmNotification {}

impl SleepNotifier for PmNotification {
    fn prepare(ctx: &mut Process) {
        {
            let mut held = rtnl::lock(ctx);
            let (rtnl, ctx) = held.parts();
            device::for_each::<Device>(rtnl, |dev| {
                let config = dev.data().config().lock(ctx);
                for peer in config.peers() {
                    peer.timers().cancel_zero_keys();
                    peer.clear_handshake(ctx);
                    peer.clear_keypairs(&ctx.bh());
                }
            });
        }
        rcu::barrier(ctx);
    }
}

/// Ends sessions in a clone of a virtual machine: both would use the same nonces.
pub(crate) enum VmNotification {}

impl ForkNotifier for VmNotification {
    fn forked(ctx: &mut Process) {
        let mut held = rtnl::lock(ctx);
        let (rtnl, ctx) = held.parts();
        device::for_each::<Device>(rtnl, |dev| {
            let config = dev.data().config().lock(ctx);
            for peer in config.peers() {
                peer.expire_keypairs(ctx);
            }
        });
    }
}

/// Closes the sockets of interfaces whose creating namespace is removed. The interfaces stay in
/// their current namespace.
pub(crate) enum NetnsPreExit {}

impl netns::NamespaceExit for NetnsPreExit {
    fn exit(net: &Net, rtnl: &Rtnl, ctx: &mut Process) {
        device::for_each::<Device>(rtnl, |dev| {
            let device = dev.data();
            if !device.creating_net().is(net) {
                return;
            }
            debug!("{}: Creating namespace exiting\n", dev.name());
            dev.carrier_off(rtnl);
            let config = device.config().lock(ctx);
            device.sockets().close(ctx);
            for peer in config.peers() {
                peer.clear_source(&ctx.bh());
            }
        });
    }
}
