// SPDX-License-Identifier: GPL-2.0

//! A look at what the sockets of tunnels send, behind all rules of netfilter.
//!
//! Rules take a packet that stands for several datagrams for one. One that rewrites what lies
//! behind the headers would rewrite that of the first datagram only; [`Receiver::rewritten`] is
//! called then.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)
//!
//! [`Receiver::rewritten`]: super::Receiver::rewritten

use super::complete_callback;
use crate::{
    bindings::{
        self,
        net,
        nf_hook_ops,
        nf_hook_state,
        sk_buff,
        sock, //
    },
    net::{
        netns::Net,
        skb::rewrite::{
            has_copied,
            is_rewritten, //
        },
    },
    sync::rcu::RcuArc,
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_uint,
        c_void, //
    },
    prelude::*,
    types::Opaque, //
};

/// The hook of a namespace.
///
/// # Invariants
///
/// `ops` is registered in `net`.
#[cfg_attr(not(CONFIG_NETFILTER), allow(dead_code))]
pub(in crate::net) struct Hook {
    net: NonNull<net>,
    ops: RcuArc<Ops>,
}

// SAFETY: A hook may be removed by another thread.
unsafe impl Send for Hook {}

/// The operations, to which C keeps a pointer. C may run or list the hook until a grace period
/// after its removal, which is when an [`RcuArc`] is freed.
#[cfg_attr(not(CONFIG_NETFILTER), allow(dead_code))]
struct Ops(Opaque<nf_hook_ops>);

// SAFETY: Only C uses it, from any thread.
unsafe impl Send for Ops {}
// SAFETY: As above.
unsafe impl Sync for Ops {}

impl Hook {
    /// Adds the hook to a namespace.
    ///
    /// # Errors
    ///
    /// What C says: `ENOMEM`, or `E2BIG` if there are too many.
    ///
    /// # Safety
    ///
    /// In process context, as must be the drop, before which the namespace must not go.
    pub(in crate::net) unsafe fn new(net: &Net) -> Result<Self> {
        let ops = nf_hook_ops {
            hook: Some(look),
            // CAST: A small number. It stands for IPv4 and IPv6.
            pf: bindings::NFPROTO_INET as u8,
            hooknum: bindings::nf_inet_hooks_NF_INET_POST_ROUTING,
            priority: c_int::MAX,
            ..pin_init::zeroed()
        };
        let ops = RcuArc::new(Ops(Opaque::new(ops)), GFP_KERNEL)?;
        let net = NonNull::from(net).cast::<net>();
        // SAFETY: The context and the namespace by the requirements. The operations stay where they
        // are until a grace period after the drop.
        #[cfg(CONFIG_NETFILTER)]
        let error = unsafe { bindings::nf_register_net_hook(net.as_ptr(), ops.0.get()) };
        #[cfg(not(CONFIG_NETFILTER))]
        let error = 0;
        to_result(error)?;
        // INVARIANT: Registered just now.
        Ok(Self { net, ops })
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and the requirements of `new`.
        #[cfg(CONFIG_NETFILTER)]
        unsafe {
            bindings::nf_unregister_net_hook(self.net.as_ptr(), self.ops.0.get())
        };
    }
}

/// Looks at a packet that leaves the namespace. Most have nothing to do with us: the cheapest
/// questions come first.
///
/// # Safety
///
/// Only for `nf_hook_ops::hook`.
unsafe extern "C" fn look(
    _priv: *mut c_void,
    skb: *mut sk_buff,
    state: *const nf_hook_state,
) -> c_uint {
    // SAFETY: C gives us a valid state.
    let sk = unsafe { (*state).sk };
    // SAFETY: C gives us a valid buffer, which nobody else changes meanwhile.
    let skb = unsafe { &*skb };
    // What is forwarded has no socket.
    // SAFETY: C gives us a socket that is valid for as long as the hook runs.
    if sk.is_null() || !has_copied(skb) || unsafe { may_leave(sk, skb) } {
        bindings::NF_ACCEPT
    } else {
        bindings::NF_DROP
    }
}

/// Asks the receiver, if there is one and the packet was rewritten.
///
/// # Safety
///
/// In an RCU section for which `sk` is valid. It must have sent the packet.
#[cold]
unsafe fn may_leave(sk: *mut sock, skb: &sk_buff) -> bool {
    // SAFETY: By the requirements.
    let is_full = unsafe { bindings::sk_fullsock(sk) };
    // SAFETY: As above; only a full socket has the fields.
    let is_udp = is_full && unsafe { bindings::sk_is_udp(sk) };
    // SAFETY: A socket of UDP.
    let complete = is_udp.then(|| unsafe { bindings::udp_gro_complete(sk) });
    // CAST: Addresses of functions, to be compared.
    let is_ours = complete
        .flatten()
        .is_some_and(|complete| complete as usize == complete_callback as usize);
    // SAFETY: Only `Gso` packets leave by our sockets as GSO packets.
    if !is_ours || !unsafe { is_rewritten(skb) } {
        return true;
    }
    // SAFETY: As above, in an RCU section.
    let shared = unsafe { bindings::rcu_dereference_sk_user_data(sk) };
    let Some(shared) = NonNull::new(shared) else {
        return true;
    };
    // SAFETY: All sockets with that function have a `Shared<H>` there, whose first field is this.
    // The count that the socket had is put later, and then a grace period passes, which waits for
    // this section.
    let rewritten = unsafe { shared.cast::<unsafe fn(NonNull<()>) -> bool>().read() };
    // SAFETY: As above.
    unsafe { rewritten(shared.cast()) }
}
