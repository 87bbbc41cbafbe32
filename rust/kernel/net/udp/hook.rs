// SPDX-License-Identifier: GPL-2.0

//! A hook of netfilter that checks what the sockets of tunnels send, behind all rules.
//!
//! A rule takes a GSO packet for one datagram. If a rule rewrites bytes behind the headers, it has
//! rewritten those of the first datagram only. Then the hook calls [`OnRewrite::rewritten`].
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)
//!
//! [`OnRewrite::rewritten`]: super::OnRewrite::rewritten

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
    context::Process,
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

/// The registered hook of a namespace.
///
/// # Invariants
///
/// `ops` is registered in `net`.
#[cfg_attr(not(CONFIG_NETFILTER), allow(dead_code))]
pub(in crate::net) struct Hook {
    net: NonNull<net>,
    ops: RcuArc<Ops>,
}

// SAFETY: Any thread may remove a hook.
unsafe impl Send for Hook {}

/// The operations, to which C has a pointer. C may run or list the hook until a grace period after
/// its removal, which is when an [`RcuArc`] is freed.
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
    /// Errors of C: `ENOMEM`, or `E2BIG` if there are too many.
    ///
    /// # Safety
    ///
    /// The drop needs process context, and the namespace must exist until it has returned.
    pub(in crate::net) unsafe fn new(net: &Net, ctx: &mut Process) -> Result<Self> {
        let ops = nf_hook_ops {
            hook: Some(look),
            // CAST: A small number. It stands for IPv4 and IPv6.
            pf: bindings::NFPROTO_INET as u8,
            hooknum: bindings::nf_inet_hooks_NF_INET_POST_ROUTING,
            priority: c_int::MAX,
            ..pin_init::zeroed()
        };
        let ops = RcuArc::new(Ops(Opaque::new(ops)), ctx)?;
        let net = NonNull::from(net).cast::<net>();
        // SAFETY: The thread may sleep, and the namespace is there by the requirements. The
        // operations stay where they are until a grace period after the drop.
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

/// Checks a packet that leaves the namespace. Most packets are not from our sockets, so the
/// cheapest checks come first.
///
/// # Safety
///
/// Only for `nf_hook_ops::hook`.
unsafe extern "C" fn look(
    _priv: *mut c_void,
    skb: *mut sk_buff,
    state: *const nf_hook_state,
) -> c_uint {
    // SAFETY: C passes a valid state.
    let sk = unsafe { (*state).sk };
    // SAFETY: C passes a valid buffer, which no other code changes meanwhile.
    let skb = unsafe { &*skb };
    // A forwarded packet has no socket.
    // SAFETY: C passes a socket that is valid for as long as the hook runs.
    if sk.is_null() || !has_copied(skb) || unsafe { may_leave(sk, skb) } {
        bindings::NF_ACCEPT
    } else {
        bindings::NF_DROP
    }
}

/// Returns whether a packet may leave: asks the receiver if the packet is ours and was rewritten.
///
/// # Safety
///
/// The caller must be in an RCU section for which `sk` is valid. `sk` must have sent the packet.
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
        .is_some_and(|complete| complete as usize == complete_callback as *const () as usize);
    // SAFETY: Only `Gso` packets leave by our sockets as GSO packets.
    if !is_ours || !unsafe { is_rewritten(skb) } {
        return true;
    }
    // SAFETY: As above, in an RCU section.
    let shared = unsafe { bindings::rcu_dereference_sk_user_data(sk) };
    let Some(shared) = NonNull::new(shared) else {
        return true;
    };
    // SAFETY: All sockets with that function have a `SkUserData<H>` there, whose first field is
    // this. The count that the socket had is put later, and then a grace period passes, which waits
    // for this section.
    let rewritten = unsafe { shared.cast::<unsafe fn(NonNull<()>) -> bool>().read() };
    // A hook may also run in process context (`nf_reinject()`). With bottom halves off, destructors
    // of this crate see that they must not sleep.
    // SAFETY: Undone below.
    unsafe { bindings::rcu_read_lock_bh() };
    // SAFETY: As above.
    let may_leave = unsafe { rewritten(shared.cast()) };
    // SAFETY: Taken above.
    unsafe { bindings::rcu_read_unlock_bh() };
    may_leave
}
