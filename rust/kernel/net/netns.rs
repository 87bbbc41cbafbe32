// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! A namespace that is being removed still exists for a while, but cannot be held any more. So a
//! value that outlives a call has either a [`HeldNet`], which keeps the namespace from being
//! removed, or a [`WeakNet`], which does not even keep its memory. The latter points to an anchor
//! that this module gives each namespace, and clears when the namespace is removed:
//!
//! ```text
//!   WeakNet --> Anchor --> struct net       until the namespace's `pre_exit`
//!   WeakNet --> Anchor --> null             then; the core waits for a grace period
//! ```
//!
//! The anchors come with a [`Registration`], of which there is at most one.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

pub(super) mod resources;

use super::rtnl::Rtnl;
use crate::compat::code::{
    ENONET,
    EOPNOTSUPP, //
};
use crate::{
    bindings,
    context::Process,
    sync::rcu::{
        reclaim,
        ModuleRef,
        RcuArc,
        Slot, //
    },
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Relaxed,
            Release, //
        },
        rcu,
        Arc, //
    },
    types::Opaque,
};
use resources::NetnsResources;

/// A network namespace.
#[repr(transparent)]
pub struct Net(Opaque<bindings::net>);

// SAFETY: A namespace may be used by any thread.
unsafe impl Send for Net {}
// SAFETY: What `&Net` offers may be done at the same time.
unsafe impl Sync for Net {}

impl Net {
    /// Makes a reference from C's pointer.
    ///
    /// # Safety
    ///
    /// `ptr` must be a namespace that is valid for `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(ptr: *mut bindings::net) -> &'a Self {
        // SAFETY: `Self` is transparent over `Opaque<net>`; the rest by the requirements.
        unsafe { &*ptr.cast() }
    }

    /// Returns C's pointer to the namespace.
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// Returns whether this is the same namespace as `other`.
    #[inline]
    pub fn is(&self, other: &Net) -> bool {
        core::ptr::eq(self, other)
    }

    /// Takes a reference that keeps the namespace, unless it is being removed already.
    pub fn hold(&self) -> Option<HeldNet> {
        let _section = rcu::read_lock();
        // C frees a namespace that it cannot set up whatever its count is (`copy_net_ns()`). Its
        // callbacks for removal run before, and only these can reach it.
        if READY.load(Acquire) {
            // SAFETY: As in `downgrade`.
            let anchor = unsafe { slot(self.as_raw()) }.get()?;
            if anchor.net.load(Acquire).is_null() {
                return None;
            }
        }
        // SAFETY: The namespace is valid.
        let net = unsafe { bindings::maybe_get_net(self.as_raw()) };
        // INVARIANT: If there is a result, then it is a new reference.
        NonNull::new(net).map(HeldNet)
    }

    /// Makes a reference that does not keep the namespace.
    ///
    /// Fails with `ENONET` if the namespace is being removed, and with `EOPNOTSUPP` without a
    /// [`Registration`].
    pub fn downgrade(&self) -> Result<WeakNet> {
        let _section = rcu::read_lock();
        if !READY.load(Acquire) {
            return Err(EOPNOTSUPP);
        }
        // SAFETY: The registration exists for this section: its drop clears `READY` and then waits
        // for a grace period. A namespace that is being removed keeps the slot for as long as code
        // can reach the namespace: through a device that is up, or in a callback before `exit`.
        let slot = unsafe { slot(self.as_raw()) };
        Ok(WeakNet {
            anchor: slot.get().ok_or(ENONET)?,
        })
    }

    /// Returns the list of sockets and routes to release before the namespace is removed.
    ///
    /// Fails as [`Self::downgrade`] does.
    pub(super) fn resources(&self) -> Result<Arc<NetnsResources>> {
        Ok(self.downgrade()?.anchor.resources.clone())
    }

    /// Returns whether the current task has `CAP_NET_ADMIN` for the namespace.
    pub fn is_administrable(&self) -> bool {
        // SAFETY: The namespace is valid.
        let owner = unsafe { (*self.as_raw()).user_ns };
        // CAST: The constant is a small number.
        // SAFETY: The namespace holds its owner.
        unsafe { bindings::ns_capable(owner.cast(), bindings::CAP_NET_ADMIN as c_int) }
    }
}

/// A reference that keeps a namespace from being removed.
///
/// # Invariants
///
/// The value holds a reference.
pub struct HeldNet(NonNull<bindings::net>);

// SAFETY: A reference is not tied to a thread.
unsafe impl Send for HeldNet {}
// SAFETY: It gives no more than `&Net`.
unsafe impl Sync for HeldNet {}

impl Deref for HeldNet {
    type Target = Net;

    #[inline]
    fn deref(&self) -> &Net {
        // SAFETY: By the type invariant the namespace is valid.
        unsafe { Net::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for HeldNet {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours; a worker of C does the rest.
        unsafe { bindings::put_net(self.0.as_ptr()) };
    }
}

/// The part of a namespace to which [`WeakNet`]s point, and which outlives it.
///
/// # Invariants
///
/// `net` is null or a valid namespace; it is cleared a grace period before C frees the namespace.
#[pin_data]
struct Anchor {
    net: Atomic<*mut bindings::net>,
    /// Sockets and routes to release before the namespace is removed.
    resources: Arc<NetnsResources>,
}

/// The identifier by which a namespace finds its slot; C writes it.
static ID: Atomic<u32> = Atomic::new(0);
/// Whether `ID` may be used.
static READY: Atomic<bool> = Atomic::new(false);
/// Whether there is a registration.
static TAKEN: Atomic<bool> = Atomic::new(false);

/// A weak reference to a namespace, which may be removed meanwhile.
#[derive(Clone)]
pub struct WeakNet {
    anchor: RcuArc<Anchor>,
}

impl WeakNet {
    /// Takes a reference that keeps the namespace, unless it is being or has been removed.
    pub fn get(&self) -> Option<HeldNet> {
        let _section = rcu::read_lock();
        let net = NonNull::new(self.anchor.net.load(Acquire))?;
        // SAFETY: By the type invariant of `Anchor` the namespace is valid for this section.
        unsafe { Net::from_raw(net.as_ptr()) }.hold()
    }

    /// Returns whether this refers to `net`, which may be in removal.
    ///
    /// Returns `false` while the [`Registration`] is being dropped, also in
    /// [`NamespaceExit::exit`].
    pub fn is(&self, net: &Net) -> bool {
        net.downgrade()
            .is_ok_and(|other| RcuArc::ptr_eq(&self.anchor, &other.anchor))
    }
}

/// The driver's callback for the removal of namespaces.
pub trait NamespaceExit: 'static {
    /// Called for each namespace that is removed, before its devices are, and for each that exists
    /// when the [`Registration`] is dropped.
    ///
    /// Also called for a namespace that C cannot set up. In these cases no new [`HeldNet`] of it
    /// can be made.
    fn exit(net: &Net, rtnl: &Rtnl, ctx: &mut Process);
}

/// A registered [`NamespaceExit`].
///
/// # Invariants
///
/// The operations are registered.
pub struct Registration<E: NamespaceExit> {
    ops: ManuallyDrop<Pin<KBox<PernetOps>>>,
    callbacks: PhantomData<E>,
}

/// The part of a registration to which C has a pointer.
#[pin_data]
struct PernetOps {
    #[pin]
    ops: Opaque<bindings::pernet_operations>,
    _taken: Taken,
    _module: ModuleRef,
}

// SAFETY: The registration may be dropped by any thread; the rest is up to C.
unsafe impl<E: NamespaceExit> Send for Registration<E> {}
// SAFETY: There is nothing to do with a shared registration.
unsafe impl<E: NamespaceExit> Sync for Registration<E> {}

/// Proof that there is no other registration.
struct Taken;

impl Taken {
    fn new() -> Result<Self> {
        if TAKEN.xchg(true, Full) {
            return Err(EBUSY);
        }
        Ok(Self)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        TAKEN.store(false, Release);
    }
}

impl<E: NamespaceExit> Registration<E> {
    /// Registers `E`.
    ///
    /// # Errors
    ///
    /// [`EBUSY`] if there is a registration.
    pub fn new() -> Result<Self> {
        if kernel::warn_on!(!reclaim::may_wait()) {
            return Err(EBUSY);
        }
        let ops = try_pin_init!(PernetOps {
            _taken: Taken::new()?,
            _module: ModuleRef::get()?,
            ops <- Opaque::try_ffi_init(|slot: *mut bindings::pernet_operations| {
                let ops = bindings::pernet_operations {
                    init: Some(init),
                    pre_exit: Some(pre_exit),
                    exit: Some(exit),
                    exit_rtnl: Some(exit_rtnl::<E>),
                    id: ID.as_ptr().cast::<c_uint>(),
                    size: size_of::<Slot<Anchor>>(),
                    ..pin_init::zeroed()
                };
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(ops) };
                // SAFETY: `slot` is pinned and stays registered until the drop. C may write to
                // `ID`, as this is the only registration.
                to_result(unsafe { bindings::register_pernet_device(slot) })?;
                READY.store(true, Release);
                Ok::<(), Error>(())
            }),
        }? Error);
        // INVARIANT: Making the value registers it.
        Ok(Self {
            ops: ManuallyDrop::new(KBox::try_pin_init(ops, GFP_KERNEL)?),
            callbacks: PhantomData,
        })
    }
}

impl<E: NamespaceExit> Drop for Registration<E> {
    fn drop(&mut self) {
        if kernel::warn_on!(!reclaim::may_wait()) {
            // Leak the operations with their module reference, which keeps the module loaded.
            return;
        }
        READY.store(false, Release);
        // SAFETY: By the type invariant. Waits for a grace period before it calls `exit`.
        unsafe { bindings::unregister_pernet_device(self.ops.ops.get()) };
        // SAFETY: `ops` is not used again.
        unsafe { ManuallyDrop::drop(&mut self.ops) };
    }
}

/// Returns the slot of a namespace.
///
/// # Safety
///
/// The namespace must have the slot for `'a`, as in the callbacks of `pernet_operations`.
unsafe fn slot<'a>(net: *mut bindings::net) -> &'a Slot<Anchor> {
    // SAFETY: By the requirements.
    let slot = unsafe { bindings::net_generic(net, ID.load(Relaxed)) };
    // SAFETY: By the requirements. `init` made the slot.
    unsafe { &*slot.cast() }
}

/// # Safety
///
/// Only for `pernet_operations`.
unsafe extern "C" fn init(net: *mut bindings::net) -> c_int {
    // SAFETY: Namespaces are set up in process context. Where that is within `Registration::new`,
    // which has checked its context, no code can use a `Process` of its caller meanwhile.
    let mut ctx = unsafe { Process::new() };
    from_result(|| {
        // INVARIANT: The namespace is valid; `pre_exit` clears the pointer.
        let anchor = RcuArc::pin_init(
            try_pin_init!(Anchor {
                net: Atomic::new(net),
                resources: Arc::pin_init(NetnsResources::new(), GFP_KERNEL)?,
            }? Error),
            &mut ctx,
        )?;
        // SAFETY: The namespace has an area of the size asked for.
        let slot = unsafe { bindings::net_generic(net, ID.load(Relaxed)) };
        // SAFETY: As above; the area is ours, and aligned for pointers.
        unsafe { slot.cast::<Slot<Anchor>>().write(Slot::new(Some(anchor))) };
        Ok(0)
    })
}

/// # Safety
///
/// Only for `pernet_operations`.
unsafe extern "C" fn pre_exit(net: *mut bindings::net) {
    // SAFETY: By the requirements.
    if let Some(anchor) = unsafe { slot(net) }.get() {
        // The core waits for a grace period between this and `exit`, and frees the memory later.
        anchor.net.store(null_mut(), Release);
    }
}

/// # Safety
///
/// Only for `pernet_operations`.
unsafe extern "C" fn exit_rtnl<E: NamespaceExit>(
    net: *mut bindings::net,
    _devices: *mut bindings::list_head,
) {
    // SAFETY: C holds RTNL.
    let rtnl = unsafe { Rtnl::assume_held() };
    // SAFETY: Namespaces are taken down in process context; RTNL as above.
    let mut ctx = unsafe { Process::under_rtnl() };
    // SAFETY: The namespace is valid for the call.
    E::exit(unsafe { Net::from_raw(net) }, &rtnl, &mut ctx);
}

/// # Safety
///
/// Only for `pernet_operations`.
unsafe extern "C" fn exit(net: *mut bindings::net) {
    // C frees the area without a drop, so nothing may stay in it.
    // SAFETY: By the requirements.
    if let Some(anchor) = unsafe { slot(net) }.swap(None) {
        // SAFETY: Namespaces are removed in process context. This runs before the hooks of IPv6 and
        // UDP, as the core calls hooks in the reverse of their order of registration.
        unsafe { anchor.resources.release_all() };
    }
}

#[kernel::macros::kunit_tests(kext_netns)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_in_removal_are_not_held() -> Result {
        // SAFETY: The first namespace exists for ever.
        let net = unsafe { Net::from_raw(&raw mut bindings::init_net) };
        assert!(net.hold().is_some());
        let weak = net.downgrade()?;
        let old = weak.anchor.net.xchg(null_mut(), Relaxed);
        let held = net.hold();
        weak.anchor.net.store(old, Release);
        assert!(held.is_none());
        Ok(())
    }
}
