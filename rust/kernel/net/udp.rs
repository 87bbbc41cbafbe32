// SPDX-License-Identifier: GPL-2.0

//! UDP sockets of tunnels.
//!
//! A [`Tunnel`] is a socket of the kernel. All datagrams that it receives go to an [`EncapRcv`],
//! and it sends packets out, each in a datagram of its own.
//!
//! # Lifetime of the receiver
//!
//! The socket owns one count of the receiver, in `sk_user_data`. Datagrams are received in RCU
//! sections. When the socket is released, C clears `sk_user_data`, but another CPU may have read it
//! just before. That count is put afterwards, and [`RcuArc`] drops and frees the receiver only
//! after the next grace period, which waits for that CPU.
//!
//! # Lifetime of the socket
//!
//! The drop of a [`Tunnel`] closes its socket. CPUs share one through an
//! [`OwnedSlot`](crate::sync::rcu::OwnedSlot), which waits for a grace period before it returns the
//! tunnel. Kernel sockets do not keep their network namespace; the removal of a namespace closes
//! those still open.
//!
//! C header: [`include/net/udp_tunnel.h`](srctree/include/net/udp_tunnel.h)

use super::{
    netns::{
        resources::{
            NetnsResources,
            Socket, //
        },
        HeldNet,
        Net, //
    },
    skb::{
        gro_list,
        Buffer,
        Reason,
        SkBuff,
        SkbList, //
    }, //
};
use crate::bindings::{
    kernel_bind,
    sock_create_kern,
    sock_type_SOCK_DGRAM,
    sockaddr_in,
    sockaddr_in6,
    AF_INET,
    AF_INET6, //
};
use crate::compat::code::{
    EAFNOSUPPORT,
    ENONET, //
};
use crate::{
    bindings,
    context::{
        Bh,
        Process, //
    },
    sync::rcu::{
        ModuleRef,
        RcuArc, //
    },
};
use bindings::{
    list_head,
    sk_buff,
    sock,
    socket,
    udp_tunnel_sock_cfg, //
};
use core::{
    marker::PhantomData,
    ptr::{
        null,
        null_mut,
        NonNull, //
    },
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    sync::{
        Arc,
        UniqueArc, //
    },
};

mod headers;
mod hook;
mod output;
mod routing;
#[cfg(CONFIG_KUNIT)]
mod tests;

pub(super) use headers::Headers4;
pub(super) use hook::Hook;
pub use output::{
    gso_by_default,
    Output4,
    Output6, //
};

/// The callback for a packet that a netfilter rule has rewritten on its way out.
pub trait OnRewrite: Send + Sync + 'static {
    /// Called when a rule of netfilter has rewritten bytes behind the UDP header of a GSO packet,
    /// of which it saw the first datagram only. Returns whether the packet may leave nevertheless.
    ///
    /// May be called in any context, and by several CPUs at once.
    fn rewritten(&self) -> bool;
}

/// The callbacks that take the datagrams of a [`Tunnel`].
pub trait EncapRcv: OnRewrite {
    /// Takes datagrams, each with its data beginning at the UDP header. `lost` is the number of
    /// further datagrams that could not be split off the received packet, mostly because
    /// memory was short.
    fn receive(&self, datagrams: SkbList, lost: usize, bh: &Bh<'_>);

    /// Returns whether GRO may merge datagrams into one packet on their way up the stack.
    fn may_gro(&self) -> bool;

    /// How many bytes of a datagram [`key`](Self::key) reads.
    const HEADER_LEN: u32;

    /// Returns the GRO key of a datagram: those with equal keys may come up the stack as one
    /// packet, until this socket gets it. `None` for one that has to come alone.
    fn key(header: &[u8]) -> Option<u64>;
}

/// The value that `sk_user_data` of all sockets of this crate points to; several sockets may share
/// it.
///
/// The first field has the same type for every `H`, so that the netfilter hook can call it. The
/// alignment is that of C's flags in the low bits of the pointer, on 32-bit machines, too.
#[repr(C, align(8))]
pub struct SkUserData<H> {
    /// Calls [`OnRewrite::rewritten`] of the value that contains this field.
    rewritten: unsafe fn(NonNull<()>) -> bool,
    receiver: H,
}

impl<H: OnRewrite> SkUserData<H> {
    /// Makes the value.
    pub fn new(receiver: H) -> Self {
        Self {
            rewritten: Self::rewritten,
            receiver,
        }
    }

    /// # Safety
    ///
    /// `this` must point to such a value.
    unsafe fn rewritten(this: NonNull<()>) -> bool {
        // SAFETY: By the requirements.
        unsafe { this.cast::<Self>().as_ref() }.receiver.rewritten()
    }
}

/// Completes a GRO list of datagrams (`gro_complete`).
///
/// All sockets of this crate have this function, and no others: see [`hook`].
///
/// # Safety
///
/// Only for `udp_tunnel_sock_cfg::gro_complete`.
unsafe extern "C" fn complete_callback(_sk: *mut sock, skb: *mut sk_buff, offset: c_int) -> c_int {
    // SAFETY: By the requirements.
    unsafe { gro_list::gro_complete(skb, offset) };
    0
}

/// Returns whether the kernel has IPv6 enabled (`ipv6_mod_enabled()`).
pub fn ipv6_enabled() -> bool {
    // SAFETY: No requirements.
    unsafe { bindings::ipv6_mod_enabled() }
}

/// Binds a socket to the wildcard address of its family and to `port`, and returns the port. If
/// `port` is zero, the kernel chooses one.
///
/// # Safety
///
/// `raw` must be a socket of UDP that is not bound, of the family `AF_INET6` if `v6` is set and of
/// `AF_INET` otherwise.
unsafe fn bind(raw: NonNull<socket>, v6: bool, port: u16) -> Result<u16> {
    let raw = raw.as_ptr();
    // SAFETY: By the requirements. A `struct socket` always has its `struct sock`.
    let sk = unsafe { (*raw).sk };
    // CAST: The families have 16 bits, the sizes of addresses a few.
    let result = if v6 {
        // SAFETY: By the requirements.
        to_result(unsafe { bindings::ip6_sock_set_v6only(sk) })?;
        let mut address = sockaddr_in6 {
            sin6_family: AF_INET6 as u16,
            sin6_port: port.to_be(),
            ..pin_init::zeroed()
        };
        let len = size_of_val(&address) as c_int;
        // SAFETY: By the requirements; the address is complete.
        unsafe { kernel_bind(raw, (&raw mut address).cast(), len) }
    } else {
        let mut address = sockaddr_in {
            sin_family: AF_INET as u16,
            sin_port: port.to_be(),
            ..pin_init::zeroed()
        };
        let len = size_of_val(&address) as c_int;
        // SAFETY: As above.
        unsafe { kernel_bind(raw, (&raw mut address).cast(), len) }
    };
    to_result(result)?;
    // SAFETY: The socket is bound.
    Ok(u16::from_be(unsafe { bindings::inet_sport(sk) }))
}

/// A UDP socket for all addresses of one family of its network namespace.
///
/// Drop it in process context with bottom halves on. The drop closes the socket, or the removal of
/// the network namespace does.
///
/// # Invariants
///
/// `socket` is a bound UDP socket of the family `AF_INET6` if `v6` is set and of `AF_INET`
/// otherwise, set up for encapsulation, with an `RcuArc<SkUserData<H>>` as its receiver. It is
/// listed in `resources`, which are those of its namespace.
pub struct Tunnel<H: EncapRcv> {
    socket: Arc<Socket>,
    resources: Arc<NetnsResources>,
    v6: bool,
    /// In host order.
    port: u16,
    _receiver: PhantomData<RcuArc<SkUserData<H>>>,
}

impl<H: EncapRcv> Tunnel<H> {
    /// Opens an IPv4 socket. C chooses the port if `port` is zero.
    ///
    /// # Errors
    ///
    /// Errors of C, such as `EADDRINUSE` and `EACCES` for the port. `EOPNOTSUPP` without a
    /// [`Registration`](super::netns::Registration), `ENONET` if the namespace is being removed.
    pub fn open4(
        net: &HeldNet,
        port: u16,
        receiver: RcuArc<SkUserData<H>>,
        ctx: &mut Process,
    ) -> Result<Pin<KBox<Self>>> {
        Self::open(net, false, port, receiver, ctx)
    }

    /// Opens an IPv6 socket that does not take IPv4. C chooses the port if `port` is zero.
    ///
    /// # Errors
    ///
    /// Errors of C, such as `EADDRINUSE` and `EACCES` for the port. `EOPNOTSUPP` without a
    /// [`Registration`](super::netns::Registration), `ENONET` if the namespace is being removed.
    pub fn open6(
        net: &HeldNet,
        port: u16,
        receiver: RcuArc<SkUserData<H>>,
        ctx: &mut Process,
    ) -> Result<Pin<KBox<Self>>> {
        Self::open(net, true, port, receiver, ctx)
    }

    fn open(
        net: &HeldNet,
        v6: bool,
        port: u16,
        receiver: RcuArc<SkUserData<H>>,
        ctx: &mut Process,
    ) -> Result<Pin<KBox<Self>>> {
        const {
            assert!(
                align_of::<SkUserData<H>>() >= 8,
                "C keeps flags in the low bits of the pointer"
            )
        };
        let resources = net.resources()?;
        let namespace: &Net = net;
        let module = ModuleRef::get()?;
        let memory = KBox::<Self>::new_uninit(GFP_KERNEL)?;
        let shared = UniqueArc::<Socket>::new_uninit(GFP_KERNEL)?;
        let net = net.as_raw();
        // CAST: Small numbers.
        let (family, kind) = (
            if v6 { AF_INET6 } else { AF_INET } as c_int,
            sock_type_SOCK_DGRAM as c_int,
        );
        let mut socket = null_mut();
        // SAFETY: The namespace is held.
        to_result(unsafe { sock_create_kern(net, family, kind, 0, &raw mut socket) })?;
        let raw = NonNull::new(socket).ok_or(EINVAL)?;
        // SAFETY: A `struct socket` always has its `struct sock`.
        let sk = unsafe { (*raw.as_ptr()).sk };
        // SAFETY: The socket is new, and no other code uses it.
        unsafe { bindings::sk_set_allocation(sk, bindings::CONST_GFP_ATOMIC) };
        // SAFETY: As above.
        unsafe { bindings::sk_set_sndbuf(sk, c_int::MAX) };
        // SAFETY: As above.
        unsafe { bindings::sk_set_memalloc(sk) };
        // `setup_udp_tunnel_sock()` shows the socket to GRO. C would free it without a grace period
        // if it cannot be bound.
        // SAFETY: As above.
        unsafe { bindings::sk_set_rcu_free(sk) };
        let receiver = RcuArc::into_raw(receiver).cast_mut();
        let mut setup = udp_tunnel_sock_cfg {
            sk_user_data: receiver.cast(),
            encap_type: 1,
            encap_rcv: Some(Self::receive_callback),
            gro_receive: Some(Self::gro_receive_callback),
            gro_complete: Some(complete_callback),
            ..pin_init::zeroed()
        };
        // SAFETY: The socket is one of UDP in that namespace, and the receiver exists until a grace
        // period after the socket is released.
        unsafe { bindings::setup_udp_tunnel_sock(net, sk, &raw mut setup) };
        // `setup_udp_tunnel_sock()` asked for conversion of inner checksums, so C would compute the
        // checksum of each datagram of a GSO packet that arrives by a virtual device. The receiver
        // never uses it.
        // SAFETY: As above.
        unsafe { bindings::inet_dec_convert_csum(sk) };
        // SAFETY: As above. The callback takes GRO lists apart.
        unsafe { bindings::udp_allow_gso(sk) };
        // SAFETY: The address of a value is not null.
        let receiver = unsafe { NonNull::new_unchecked(receiver) };
        // SAFETY: Ours, and set up just above.
        let socket = unsafe { Socket::new(raw, receiver, module) };
        let mut tunnel = KBox::write(
            memory,
            // INVARIANT: Set up just above, and bound and listed below. If that fails, the drop
            // closes the socket, which need not be bound or listed for that.
            Self {
                socket: shared.write(socket).into(),
                v6,
                port,
                _receiver: PhantomData,
                resources,
            },
        );
        // Bind last: as soon as C finds the socket by its port, it passes datagrams to the
        // callback, or to another tunnel's if it takes that one for the only one.
        // SAFETY: The socket is new, and of that family.
        tunnel.port = unsafe { bind(raw, v6, port) }?;
        // SAFETY: The resources are those of that namespace.
        unsafe { tunnel.resources.add_socket(namespace, &tunnel.socket, ctx) }?;
        Ok(KBox::into_pin(tunnel))
    }

    /// Takes a datagram, or a packet that stands for several.
    ///
    /// # Safety
    ///
    /// Only for `udp_tunnel_sock_cfg::encap_rcv` of a socket opened by [`Self::open`].
    unsafe extern "C" fn receive_callback(sk: *mut sock, skb: *mut sk_buff) -> c_int {
        // SAFETY: C passes a valid buffer.
        let dev = unsafe { gro_list::device(skb) };
        // SAFETY: C gives the buffer away if this returns zero, which it always does. The buffer
        // may still point to the next one of a burst, but is not on a list.
        let Some(mut skb) = (unsafe { SkBuff::from_shared(skb) }) else {
            return 0;
        };
        // A buffer that came by loopback may hold a route, which must not outlive this namespace.
        // The receiver may keep the buffer for as long as it likes.
        skb.drop_dst();
        // SAFETY: C calls this with bottom halves off. Only a reference is passed on.
        let bh = unsafe { Bh::in_softirq() };
        // SAFETY: C calls this for one of our sockets, in an RCU section.
        let receiver = unsafe { bindings::rcu_dereference_sk_user_data(sk) };
        let Some(receiver) = NonNull::new(receiver.cast::<SkUserData<H>>()) else {
            skb.drop(Reason::NO_SOCKET);
            return 0;
        };
        // SAFETY: The count that the socket had when the pointer was read is put later, and then a
        // grace period passes, which waits for this section.
        let receiver = &unsafe { receiver.as_ref() }.receiver;
        let count = skb.segments();
        let datagrams = if !skb.is_gso() {
            let mut alone = SkbList::new();
            alone.push_back(skb);
            alone
        } else if skb.is_gro_list() {
            skb.segment_list()
        } else {
            // SAFETY: C calls this for one of our sockets, with a packet that was received by
            // `dev`.
            unsafe { skb.segment_received(sk, dev) }
        };
        let lost = count.saturating_sub(datagrams.len());
        receiver.receive(datagrams, lost, &bh);
        0
    }

    /// Hands a datagram to [`gro_list::gro_receive`].
    ///
    /// The socket may be another tunnel's. While `udp_tunnel_gro_rcv()` takes this callback for the
    /// only one, it asks no socket for its own, and `setup_udp_tunnel_sock()` shows a new kind of
    /// socket before it ends that.
    ///
    /// # Safety
    ///
    /// Only for `udp_tunnel_sock_cfg::gro_receive`.
    unsafe extern "C" fn gro_receive_callback(
        sk: *mut sock,
        held: *mut list_head,
        skb: *mut sk_buff,
    ) -> *mut sk_buff {
        // SAFETY: C calls this for a socket of UDP, in an RCU section.
        let receive = unsafe { bindings::udp_gro_receive(sk) };
        // CAST: Addresses of functions, to be compared.
        let is_ours = receive.is_some_and(|receive| {
            receive as usize == Self::gro_receive_callback as *const () as usize
        });
        // SAFETY: As above.
        let receiver = unsafe { bindings::rcu_dereference_sk_user_data(sk) };
        let receiver = receiver.cast_const().cast::<SkUserData<H>>();
        let receiver = if is_ours { receiver } else { null() };
        // SAFETY: Only our sockets have this callback. The rest is as in `receive_callback`.
        let may_gro = unsafe { receiver.as_ref() }.is_some_and(|shared| shared.receiver.may_gro());
        let key = |header: &[u8]| H::key(header).filter(|_| may_gro);
        // SAFETY: By the requirements.
        unsafe { gro_list::gro_receive(held, skb, H::HEADER_LEN, key) }
    }

    /// Returns the socket for as long as the section lasts.
    ///
    /// # Errors
    ///
    /// `EAFNOSUPPORT` if the socket is of the other family, `ENONET` if its network namespace was
    /// removed.
    #[inline]
    fn sk<'g>(&'g self, v6: bool, bh: &'g Bh<'_>) -> Result<*mut sock> {
        if self.v6 != v6 {
            return Err(EAFNOSUPPORT);
        }
        Ok(self.socket.sk(bh).ok_or(ENONET)?.as_ptr())
    }

    /// Returns the port that the socket is bound to.
    #[inline]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl<H: EncapRcv> Drop for Tunnel<H> {
    fn drop(&mut self) {
        // SAFETY: All uses of the socket borrow `self`, and no borrow is left.
        unsafe { self.resources.remove_socket(&self.socket) };
    }
}
