// SPDX-License-Identifier: GPL-2.0

//! Sockets and routes of this crate in a network namespace, which must be released before it.
//!
//! Sockets of the kernel and routes of IPv6 use their namespace but do not keep it. Their owner
//! should release them when the namespace is removed. If the owner forgets one, this file makes
//! that harmless:
//!
//! * A socket is on a list here. [`NetnsResources::release_all`] takes it away from its users,
//!   waits for a grace period, and releases it. While the list has a socket, the namespace has a
//!   [`Hook`].
//! * A route is counted here. `release_all` waits a limited time for the count to become zero.
//!   After that no code touches a route of the namespace, not even to put it: the drop of a
//!   remaining one leaks it, with a warning.
//!
//! The core runs `release_all` after the hooks of drivers, and before those of IPv6 and UDP.

use super::Net;
use crate::compat::code::ENONET;
use crate::{
    bindings,
    context::{
        may_sleep,
        Bh,
        Process, //
    },
    net::udp::Hook,
    sync::rcu::{
        reclaim,
        ModuleRef,
        RcuArc, //
    },
};
use bindings::{
    sock,
    socket, //
};
use core::{
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicPtr,
        Ordering, //
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        rcu,
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// How many rounds `release_all` waits for routes to be put.
const MAX_ROUNDS: u32 = 20;

/// A socket with a receiver for its datagrams.
///
/// # Invariants
///
/// `raw` is null or a UDP socket that belongs to this value, together with the count of the
/// receiver in its `sk_user_data`, for which `put` is right. It is cleared before the socket is
/// released. A grace period lies in between, unless no reader can have loaded it.
pub(in crate::net) struct Socket {
    raw: AtomicPtr<socket>,
    receiver: NonNull<()>,
    put: unsafe fn(NonNull<()>),
    /// Kept because C may call the receiver.
    _module: ModuleRef,
}

// SAFETY: Any thread may use a socket, and the receiver is `Send` and `Sync`.
unsafe impl Send for Socket {}
// SAFETY: As above.
unsafe impl Sync for Socket {}

impl Socket {
    /// Takes over a socket that has been set up.
    ///
    /// # Safety
    ///
    /// `raw` must be a UDP socket of the kernel that belongs to the caller, whose `sk_user_data` is
    /// `receiver`, with a count from [`RcuArc::into_raw`].
    pub(in crate::net) unsafe fn new<H>(
        raw: NonNull<socket>,
        receiver: NonNull<H>,
        module: ModuleRef,
    ) -> Self {
        /// # Safety
        ///
        /// As [`RcuArc::from_raw`].
        unsafe fn put<H>(receiver: NonNull<()>) {
            // SAFETY: By the requirements of this function.
            drop(unsafe { RcuArc::from_raw(receiver.cast::<H>().as_ptr()) });
        }
        // INVARIANT: By the requirements of this function.
        Self {
            raw: AtomicPtr::new(raw.as_ptr()),
            receiver: receiver.cast(),
            put: put::<H>,
            _module: module,
        }
    }

    /// Returns the socket for as long as the section lasts, or `None` if it is closed.
    #[inline]
    pub(in crate::net) fn sk<'g>(&'g self, _section: &'g Bh<'_>) -> Option<NonNull<sock>> {
        let raw = NonNull::new(self.raw.load(Ordering::Acquire))?;
        // SAFETY: By the type invariant the socket is valid until a grace period from now. A
        // `struct socket` always has its `struct sock`.
        NonNull::new(unsafe { (*raw.as_ptr()).sk })
    }

    /// Releases the socket, unless that was done before.
    ///
    /// # Safety
    ///
    /// The caller must be allowed to sleep. Without `wait`, no thread may use what [`Self::sk`]
    /// returned, or call it again.
    unsafe fn close(&self, wait: bool) {
        let Some(raw) = NonNull::new(self.raw.swap(null_mut(), Ordering::AcqRel)) else {
            return;
        };
        if wait {
            // SAFETY: The caller may sleep.
            unsafe { bindings::synchronize_net() };
        }
        // SAFETY: By the type invariant the socket was ours, and it always has its `struct sock`.
        let sk = unsafe { (*raw.as_ptr()).sk };
        // SAFETY: As above; set when the socket was opened.
        unsafe { bindings::sk_clear_memalloc(sk) };
        // SAFETY: As above. No thread uses the socket any more, and the caller may sleep.
        unsafe { bindings::udp_tunnel_sock_release(sk) };
        // SAFETY: The count belonged to the socket, which no new reader can reach. A reader that
        // has loaded the pointer is in an RCU section, for which `RcuArc` waits.
        unsafe { (self.put)(self.receiver) };
    }
}

/// The sockets and routes that belong to one namespace.
#[pin_data]
pub(in crate::net) struct NetnsResources {
    #[pin]
    sockets: Mutex<SocketList>,
    /// The number of [`RouteRef`]s.
    route_refs: Atomic<isize>,
    /// Whether routes of the namespace must not be touched any more.
    released: Atomic<bool>,
}

/// The list of open sockets.
struct SocketList {
    first: Option<KBox<SocketEntry>>,
    /// The hook that checks the packets that they send.
    hook: Option<Hook>,
    /// Whether the list takes no more sockets.
    released: bool,
}

/// An entry of the list.
struct SocketEntry {
    socket: Arc<Socket>,
    next: Option<KBox<SocketEntry>>,
}

impl SocketList {
    fn remove(&mut self, socket: &Arc<Socket>) {
        let mut at = &mut self.first;
        loop {
            if let Some(mut entry) = at.take_if(|entry| Arc::ptr_eq(&entry.socket, socket)) {
                *at = entry.next.take();
                return;
            }
            let Some(entry) = at else {
                return;
            };
            at = &mut entry.next;
        }
    }
}

impl NetnsResources {
    /// Makes an empty list.
    pub(in crate::net) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            sockets <- new_mutex!(SocketList {
                first: None,
                hook: None,
                released: false,
            }),
            route_refs: Atomic::new(0),
            released: Atomic::new(false),
        })
    }

    /// Adds a socket of this namespace to the list.
    ///
    /// # Safety
    ///
    /// These must be the resources of `net`.
    pub(in crate::net) unsafe fn add_socket(
        &self,
        net: &Net,
        socket: &Arc<Socket>,
        ctx: &mut Process,
    ) -> Result {
        let mut entry = KBox::new(
            SocketEntry {
                socket: socket.clone(),
                next: None,
            },
            GFP_KERNEL,
        )?;
        let mut sockets = self.sockets.lock();
        if sockets.released {
            return Err(ENONET);
        }
        if sockets.hook.is_none() {
            // SAFETY: `remove_socket` or `release_all` drops it, in process context. The namespace
            // exists until the latter has returned.
            sockets.hook = Some(unsafe { Hook::new(net, ctx) }?);
        }
        entry.next = sockets.first.take();
        sockets.first = Some(entry);
        Ok(())
    }

    /// Closes a socket that no thread can use any more.
    ///
    /// # Safety
    ///
    /// No thread may use what [`Socket::sk`] returned, or call it again.
    pub(in crate::net) unsafe fn remove_socket(&self, socket: &Arc<Socket>) {
        if kernel::warn_on!(!may_sleep()) {
            // This thread cannot wait, so the socket stays until the namespace is removed.
            return;
        }
        // `release_all` takes the lock once more before it returns, so the namespace exists while
        // this thread holds the lock.
        let mut sockets = self.sockets.lock();
        sockets.remove(socket);
        if sockets.first.is_none() {
            sockets.hook = None;
        }
        // SAFETY: The context was checked; the rest by the requirements of this function.
        unsafe { socket.close(false) };
    }

    /// Releases the sockets, and ends the use of the routes, before the namespace is removed.
    ///
    /// # Safety
    ///
    /// The caller must be allowed to sleep.
    pub(in crate::net) unsafe fn release_all(&self) {
        let (mut next, hook) = {
            let mut sockets = self.sockets.lock();
            sockets.released = true;
            (sockets.first.take(), sockets.hook.take())
        };
        drop(hook);
        while let Some(mut entry) = next {
            // SAFETY: The caller may sleep.
            unsafe { entry.socket.close(true) };
            next = entry.next.take();
        }
        // `remove_socket` on another CPU may be closing a socket that was found closed above: wait
        // for it.
        drop(self.sockets.lock());
        // No route can be looked up any more. Values that were dropped just before may hold routes
        // until their grace period ends.
        for round in 0..MAX_ROUNDS {
            if self.route_refs.load(Acquire) == 0 {
                break;
            }
            // SAFETY: The caller may sleep. The namespace has its resources by a registration,
            // whose module reference keeps the barrier, which initialised the worker.
            unsafe { reclaim::drain() };
            if round != 0 {
                fsleep(Delta::from_millis(10));
            }
        }
        self.released.store(true, Relaxed);
        // Either this reads a count of zero, and sees all that was done under it, or another CPU
        // that has not seen the flag is in an RCU section, for which the grace period below waits.
        // SAFETY: No requirements.
        unsafe { bindings::smp_mb() };
        if self.route_refs.load(Acquire) != 0 {
            // SAFETY: The caller may sleep.
            unsafe { bindings::synchronize_net() };
        }
    }
}

/// The count of a route, which must not be touched after its namespace was removed.
///
/// # Invariants
///
/// This owns one count of `route_refs`.
pub(in crate::net) struct RouteRef(Arc<NetnsResources>);

impl RouteRef {
    /// Counts one more route.
    ///
    /// Call this in an RCU section in which the namespace was found alive, for instance by
    /// [`Socket::sk`], or while another [`RouteRef`] exists.
    pub(in crate::net) fn new(resources: &Arc<NetnsResources>) -> Self {
        resources.route_refs.add(1, Relaxed);
        // INVARIANT: Counted just above.
        Self(resources.clone())
    }

    /// Returns whether the namespace exists for as long as the section lasts.
    #[inline]
    pub(in crate::net) fn is_netns_alive(&self, _section: &Bh<'_>) -> bool {
        !self.0.released.load(Acquire)
    }

    /// Calls `f` if the namespace still exists, and delays its removal meanwhile.
    pub(in crate::net) fn with_netns(&self, f: impl FnOnce()) {
        let section = rcu::read_lock();
        if !kernel::warn_on!(self.0.released.load(Acquire)) {
            f();
        }
        drop(section);
    }
}

impl Clone for RouteRef {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for RouteRef {
    fn drop(&mut self) {
        // Release: what was done while counted comes before `release_all` sees the count.
        self.0.route_refs.fetch_sub(1, Release);
    }
}
