// SPDX-License-Identifier: GPL-2.0

//! What happens when a netfilter rule rewrites a GSO packet.

use crate::socket::Receiver;
use kext::{
    info_ratelimited,
    net::udp, //
};

impl udp::OnRewrite for Receiver {
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
}
