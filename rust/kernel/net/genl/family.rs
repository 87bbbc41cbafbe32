// SPDX-License-Identifier: GPL-2.0

//! Families, and the groups that they send events to.

use super::{
    command::{
        Command,
        Permission, //
    },
    message::{
        complete,
        GenlMsg, //
    },
};
use crate::{
    bindings::{
        self,
        genl_family,
        genl_multicast_group,
        genlmsg_multicast_netns, //
    },
    context::{
        Bh,
        Process, //
    },
    net::netns::Net,
    sync::rcu::{
        reclaim,
        ModuleRef, //
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Release, //
    },
    types::Opaque, //
};

/// Size of a name in C, its final NUL included.
const NAME_LEN: usize = bindings::GENL_NAMSIZ as usize;

/// Returns a name in the form of C's field.
#[inline]
const fn name(text: &CStr) -> [u8; NAME_LEN] {
    let text = text.to_bytes_with_nul();
    // PANIC: At compile time, as all of these.
    assert!(text.len() <= NAME_LEN, "the name is too long");
    let mut name = [0; NAME_LEN];
    let mut i = 0;
    while i < text.len() {
        name[i] = text[i];
        i += 1;
    }
    name
}

/// A multicast group, whose listeners get the events sent to it.
#[repr(transparent)]
pub struct MulticastGroup(genl_multicast_group);

impl MulticastGroup {
    /// Makes a group of this name, at most 15 bytes, for listeners with this permission.
    #[inline]
    pub const fn new(text: &CStr, permission: Permission) -> Self {
        Self(genl_multicast_group {
            name: name(text),
            flags: match permission {
                Permission::Anyone => 0,
                Permission::NetAdmin => bindings::CONST_GENL_MCAST_CAP_NET_ADMIN,
            },
        })
    }
}

/// A generic netlink family that sockets of all network namespaces can use.
///
/// It is a `static`, because dumps that were begun refer to it even when it is no longer
/// registered; they keep the module loaded.
///
/// # Invariants
///
/// `family` refers to commands and groups that are `'static`. `is_registered` is set only after the
/// family was registered and its groups got their numbers.
pub struct Family {
    family: Opaque<genl_family>,
    is_registered: Atomic<bool>,
    groups: usize,
}

// SAFETY: Only the core changes the inside, under its own lock.
unsafe impl Sync for Family {}

impl Family {
    /// Makes a family, for a `static`. The name has at most 15 bytes.
    ///
    /// Commands are in the order that the core wants: by rising number, and for one number the
    /// [`Do`](super::Do) before the [`Dump`](super::Dump).
    #[inline]
    pub const fn new(
        text: &CStr,
        version: u32,
        commands: &'static [Command],
        groups: &'static [MulticastGroup],
    ) -> Self {
        // PANIC: At compile time, as all of these.
        assert!(!commands.is_empty() && commands.len() <= u8::MAX as usize);
        assert!(groups.len() <= u8::MAX as usize);
        let mut i = 1;
        while i < commands.len() {
            assert!(
                commands[i].may_follow(&commands[i - 1]),
                "the core wants commands in order"
            );
            i += 1;
        }
        let family: genl_family = genl_family {
            name: name(text),
            version,
            _bitfield_1: Self::NETNS_OK,
            // CAST: Compared above.
            n_split_ops: commands.len() as u8,
            // A `Command` is transparent, as is a `MulticastGroup`.
            split_ops: commands.as_ptr().cast(),
            // CAST: As above.
            n_mcgrps: groups.len() as u8,
            mcgrps: groups.as_ptr().cast(),
            module: this_module(),
            ..pin_init::zeroed()
        };
        // INVARIANT: The lists are `'static`, and nothing is registered yet.
        Self {
            family: Opaque::new(family),
            is_registered: Atomic::new(false),
            groups: groups.len(),
        }
    }

    /// The bit `netnsok` alone. The setters that bindgen makes are not `const`.
    ///
    /// It is the first bit of its byte, which is the highest one on big-endian machines.
    const NETNS_OK: bindings::__BindgenBitfieldUnit<[u8; 1]> =
        bindings::__BindgenBitfieldUnit::new([if cfg!(target_endian = "big") {
            1 << 7
        } else {
            1 << 0
        }]);

    /// Registers the family with generic netlink.
    ///
    /// # Errors
    ///
    /// `EEXIST` if a family of this name is registered, such as this one.
    pub fn register(&'static self, _process: &mut Process) -> Result<Registration> {
        let module = ModuleRef::get()?;
        // SAFETY: The family is complete, and as a `static` it stays.
        to_result(unsafe { bindings::genl_register_family(self.family.get()) })?;
        // INVARIANT: Just registered.
        self.is_registered.store(true, Release);
        // INVARIANT: Just registered.
        Ok(Registration {
            family: self,
            module: ManuallyDrop::new(module),
        })
    }

    /// Returns whether sockets in `net` listen to the group with this index in the family's list.
    ///
    /// This is cheap: ask before making an event. Listeners may come and go meanwhile.
    #[inline]
    pub fn has_listeners(&'static self, net: &Net, group: usize) -> bool {
        if group >= self.groups || !self.is_registered.load(Acquire) {
            return false;
        }
        // CAST: Below 256.
        let group = group as u32;
        // SAFETY: The group has its number by the type invariants. The namespace is valid, and
        // keeps its socket of generic netlink for as long as it has devices or references.
        let has = unsafe { bindings::genl_has_listeners(self.family.get(), net.as_raw(), group) };
        has != 0
    }

    /// Sends an event, whose attributes `fill` puts, to the listeners of a group in `net`.
    ///
    /// # Errors
    ///
    /// `ESRCH` if no socket listens, `ENOBUFS` if a listener has no room for it, `ENOMEM`,
    /// `EMSGSIZE` if the event does not fit into a message, and what `fill` returns.
    pub fn notify(
        &'static self,
        net: &Net,
        group: usize,
        command: u8,
        _bh: &Bh<'_>,
        fill: impl FnOnce(&mut GenlMsg<'_>) -> Result,
    ) -> Result {
        if !self.has_listeners(net, group) {
            return Err(ESRCH);
        }
        let flags = bindings::CONST_GFP_ATOMIC;
        // SAFETY: No requirements.
        let skb = unsafe { bindings::genlmsg_new(bindings::CONST_GENLMSG_DEFAULT_SIZE, flags) };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: The buffer is new. The family was registered, so it has its number.
        let header =
            unsafe { bindings::genlmsg_put(skb.as_ptr(), 0, 0, self.family.get(), 0, command) };
        // SAFETY: The header was just begun in this buffer, which is ours alone.
        let written = unsafe { complete(skb, header, fill) };
        if let Err(error) = written {
            // SAFETY: The buffer is ours, and not used again.
            unsafe { bindings::nlmsg_free(skb.as_ptr()) };
            return Err(error);
        }
        // CAST: Below 256.
        // SAFETY: As in `has_listeners`; C takes over the buffer.
        to_result(unsafe {
            genlmsg_multicast_netns(
                self.family.get(),
                net.as_raw(),
                skb.as_ptr(),
                0,
                group as u32,
                flags,
            )
        })
    }

    /// Returns C's pointer to the family.
    #[cfg(CONFIG_KUNIT)]
    pub(super) fn as_raw(&self) -> *mut genl_family {
        self.family.get()
    }
}

/// A registered family. The drop unregisters it.
///
/// The drop waits for running commands, and sleeps. In atomic context it leaks the registration
/// instead, with a warning.
///
/// # Invariants
///
/// The family is registered, and there is only one of these for it.
pub struct Registration {
    family: &'static Family,
    /// Kept because C may call the commands.
    module: ManuallyDrop<ModuleRef>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if kernel::warn_on!(!reclaim::may_wait()) {
            // Leak the registration with its module reference, which keeps the module loaded.
            return;
        }
        // A `notify` that runs on another CPU may have seen the flag set. Its event may then reach
        // the listeners of a group that gets the same number later, which harms no memory.
        self.family.is_registered.store(false, Release);
        // SAFETY: Registered by the type invariants; the thread may sleep.
        unsafe { bindings::genl_unregister_family(self.family.family.get()) };
        // SAFETY: Not used again.
        unsafe { ManuallyDrop::drop(&mut self.module) };
    }
}

/// Returns the module that this crate is linked into; none where that is the kernel itself.
#[cfg(not(MODULE))]
const fn this_module() -> *mut bindings::module {
    core::ptr::null_mut()
}

/// Returns the module that this crate is linked into.
#[cfg(MODULE)]
const fn this_module() -> *mut bindings::module {
    extern "C" {
        static __this_module: Opaque<kernel::ffi::c_void>;
    }
    // SAFETY: The kernel sets it up before any code of the module runs.
    unsafe { __this_module.get() }.cast()
}
