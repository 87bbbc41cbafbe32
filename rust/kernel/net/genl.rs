// SPDX-License-Identifier: GPL-2.0

//! Generic netlink families.
//!
//! A [`Family`] with one command to change something and one to dump it, as a `static` of the
//! driver:
//!
//! ```ignore
//! static FAMILY: genl::Family<Configuration> = genl::Family::new();
//! let registration = FAMILY.register(ctx)?;
//! ```
//!
//! What a request may hold is said by a [`Policy`], which the core checks; it is read by
//! [`Attrs`] and [`Attr`]. Answers are written by [`DumpWriter`] and [`Message`].
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

use super::netns::Net;
use crate::bindings::{
    self,
    genl_family,
    genl_info,
    genl_split_ops,
    netlink_callback,
    sk_buff, //
};
use crate::{
    bindings::genl_info_dump,
    context::Process,
    module,
    sync::rcu::{
        reclaim,
        ModuleRef, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_int,
        c_void, //
    },
    prelude::*,
    types::Opaque, //
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

mod attr;
mod dump;
mod message;
mod policy;

pub use self::{
    attr::{
        Attr,
        Attrs,
        Elements,
        NulStr,
        Parsed, //
    },
    dump::{
        DumpWriter,
        Progress, //
    },
    message::Message,
    policy::{
        Policy,
        Table, //
    },
};

/// The commands of a family.
///
/// Both ask for `CAP_NET_ADMIN` in the user namespace that owns the network namespace of the
/// sender. The core calls them one at a time, in process context, without RTNL.
pub trait Commands: 'static {
    /// Name of the family, at most 15 bytes.
    const NAME: &'static CStr;
    /// Version of the family.
    const VERSION: u32;
    /// Number of the command that dumps.
    const GET: u8;
    /// What a dump may ask with.
    const GET_POLICY: Table;
    /// Number of the command that changes, above [`Self::GET`].
    const SET: u8;
    /// What a change may hold.
    const SET_POLICY: Table;

    /// Where a dump is to go on; all zeros before its first message. At most 48 bytes.
    type Cursor: FromBytes + IntoBytes + Immutable + Send + 'static;

    /// Changes something.
    fn set(request: &Request<'_>, ctx: &mut Process) -> Result;

    /// Begins a dump. Not before the initialisation of the module has succeeded: until then user
    /// space gets `EBUSY`.
    ///
    /// What this refuses is reported as the outcome of the request; later errors end the dump.
    fn dump_start(request: &Request<'_>, cursor: &mut Self::Cursor, ctx: &mut Process) -> Result;

    /// Writes as much of a dump as there is room for.
    fn dump(
        request: &Request<'_>,
        cursor: &mut Self::Cursor,
        out: &mut DumpWriter<'_>,
        ctx: &mut Process,
    ) -> Result<Progress>;
}

/// A request from user space.
///
/// # Invariants
///
/// `0` is valid for `'a`, as are its attributes, which nobody else uses meanwhile, and of which
/// there are those up to `max`.
pub struct Request<'a> {
    info: &'a genl_info,
    max: u16,
}

impl<'a> Request<'a> {
    /// # Safety
    ///
    /// `info` must be valid for `'a`, come from the core with attributes parsed up to `max`, and
    /// not be used by anybody else meanwhile.
    unsafe fn from_raw(info: *const genl_info, max: u16) -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            // SAFETY: By the requirements of this function.
            info: unsafe { &*info },
            max,
        }
    }

    /// Returns the attributes.
    pub fn attrs(&self) -> Attrs<'a> {
        // SAFETY: By the type invariants.
        unsafe { Attrs::from_raw(self.info.attrs, self.max) }
    }

    /// Returns the attribute `index`.
    pub fn get(&self, index: u16) -> Option<Attr<'a>> {
        self.attrs().get(index)
    }

    /// Returns the network namespace of the socket that the request was sent by.
    pub fn net(&self) -> &'a Net {
        // SAFETY: The core has set the namespace, and the sender's socket, which waits for the
        // answer, keeps it alive.
        unsafe { Net::from_raw(self.info._net.net) }
    }
}

/// A generic netlink family that can be used from all network namespaces.
///
/// It is a `static`, because dumps that were begun refer to it even when it is no longer
/// registered; they keep the module loaded.
#[repr(transparent)]
pub struct Family<C>(Opaque<genl_family>, PhantomData<fn() -> C>);

// SAFETY: Only the core changes the inside, under its own lock.
unsafe impl<C> Sync for Family<C> {}

impl<C: Commands> Family<C> {
    /// Returns the family of the commands `C`.
    ///
    /// Only of use for a `static`.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        const { assert!(C::GET < C::SET, "the core wants commands in order") };
        const {
            assert!(
                C::NAME.to_bytes_with_nul().len() <= 16,
                "the name is too long"
            )
        };
        let mut family: genl_family = genl_family {
            version: C::VERSION,
            _bitfield_1: Self::NETNS_OK,
            n_split_ops: 2,
            split_ops: Self::OPS.as_ptr(),
            module: this_module(),
            ..pin_init::zeroed()
        };
        let name = C::NAME.to_bytes_with_nul();
        let mut i = 0;
        while i < name.len() {
            // PANIC: At compile time, and the length was checked.
            family.name[i] = name[i];
            i += 1;
        }
        Self(Opaque::new(family), PhantomData)
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

    const OPS: &'static [genl_split_ops; 2] = &[
        genl_split_ops {
            __bindgen_anon_1: bindings::genl_split_ops__bindgen_ty_1 {
                __bindgen_anon_2: bindings::genl_split_ops__bindgen_ty_1__bindgen_ty_2 {
                    start: Some(Self::start_callback),
                    dumpit: Some(Self::dump_callback),
                    done: None,
                },
            },
            policy: C::GET_POLICY.rules,
            maxattr: C::GET_POLICY.max as u32,
            cmd: C::GET,
            flags: (bindings::GENL_UNS_ADMIN_PERM | bindings::GENL_CMD_CAP_DUMP) as u8,
            ..pin_init::zeroed()
        },
        genl_split_ops {
            __bindgen_anon_1: bindings::genl_split_ops__bindgen_ty_1 {
                __bindgen_anon_1: bindings::genl_split_ops__bindgen_ty_1__bindgen_ty_1 {
                    pre_doit: None,
                    doit: Some(Self::set_callback),
                    post_doit: None,
                },
            },
            policy: C::SET_POLICY.rules,
            maxattr: C::SET_POLICY.max as u32,
            cmd: C::SET,
            flags: (bindings::GENL_UNS_ADMIN_PERM | bindings::GENL_CMD_CAP_DO) as u8,
            ..pin_init::zeroed()
        },
    ];

    /// Makes the family known to user space.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is a family of this name, be it this one.
    pub fn register(&'static self, _process: &mut Process) -> Result<Registration<C>> {
        let module = ModuleRef::get()?;
        // SAFETY: The family is complete, and as a `static` it stays.
        to_result(unsafe { bindings::genl_register_family(self.0.get()) })?;
        // INVARIANT: Just registered.
        Ok(Registration {
            family: self,
            module: ManuallyDrop::new(module),
        })
    }

    /// # Safety
    ///
    /// Only for `genl_split_ops::doit`.
    unsafe extern "C" fn set_callback(_skb: *mut sk_buff, info: *mut genl_info) -> c_int {
        // SAFETY: The core hands over the request with the attributes parsed by our policy; the
        // message is ours for the call.
        let request = unsafe { Request::from_raw(info, C::SET_POLICY.max) };
        // SAFETY: The core calls this in process context with nothing but mutexes held.
        let mut ctx = unsafe { Process::new() };
        from_result(|| C::set(&request, &mut ctx).map(|()| 0))
    }

    /// # Safety
    ///
    /// Only for `genl_split_ops::start`.
    unsafe extern "C" fn start_callback(cb: *mut netlink_callback) -> c_int {
        if !module::is_started() {
            // Nothing but the module's reference count would keep the dump's code.
            return EBUSY.to_errno();
        }
        // SAFETY: The callback is that of a dump of this family.
        let info = unsafe { genl_info_dump(cb) };
        // SAFETY: The core has attached the request, with the attributes parsed by our policy; it
        // belongs to the dump, which is locked.
        let request = unsafe { Request::from_raw(info, C::GET_POLICY.max) };
        // SAFETY: As in `set_callback`.
        let mut ctx = unsafe { Process::new() };
        // SAFETY: The callback is valid and locked.
        let result =
            unsafe { Self::with_cursor(cb, |cursor| C::dump_start(&request, cursor, &mut ctx)) };
        from_result(|| result.map(|()| 0))
    }

    /// # Safety
    ///
    /// Only for `genl_split_ops::dumpit`.
    unsafe extern "C" fn dump_callback(skb: *mut sk_buff, cb: *mut netlink_callback) -> c_int {
        // SAFETY: As in `start_callback`.
        let info = unsafe { genl_info_dump(cb) };
        // SAFETY: As in `start_callback`.
        let request = unsafe { Request::from_raw(info, C::GET_POLICY.max) };
        // SAFETY: As in `set_callback`.
        let mut ctx = unsafe { Process::new() };
        let write = |cursor: &mut C::Cursor| {
            let skb = NonNull::new(skb).ok_or(EINVAL)?;
            let cb = NonNull::new(cb).ok_or(EINVAL)?;
            let info = NonNull::new(info.cast_mut()).ok_or(EINVAL)?;
            // SAFETY: The core hands over a fresh buffer for the dump that it calls for.
            let mut out = unsafe { DumpWriter::from_raw(skb, cb, info, C::GET) };
            let progress = C::dump(&request, cursor, &mut out, &mut ctx)?;
            out.conclude(progress)
        };
        // SAFETY: The callback is valid and locked.
        let result = unsafe { Self::with_cursor(cb, write) };
        from_result(|| result)
    }

    /// Calls `f` with the cursor of a dump.
    ///
    /// The callback keeps it in a `long` array, which on some machines is not aligned for a `u64`:
    /// hence the copies.
    ///
    /// # Safety
    ///
    /// `cb` must be the callback of a dump of this family, valid and locked, and its context must
    /// not be used by anybody else meanwhile.
    unsafe fn with_cursor<R>(cb: *mut netlink_callback, f: impl FnOnce(&mut C::Cursor) -> R) -> R {
        const { assert!(size_of::<C::Cursor>() <= 48, "no room for the cursor") };
        // SAFETY: By the requirements of this function.
        let state = unsafe { &raw mut (*cb).__bindgen_anon_1 };
        // Both views of the union begin with the context.
        let ctx = state.cast::<C::Cursor>();
        // SAFETY: The context has 48 bytes, which the core has set to zero and only this function
        // writes. All bytes make a cursor.
        let mut cursor = unsafe { ctx.read_unaligned() };
        let result = f(&mut cursor);
        // SAFETY: As above. A cursor has no uninitialised bytes, and nothing to drop.
        unsafe { ctx.write_unaligned(cursor) };
        result
    }
}

/// A family that is registered until this is dropped.
///
/// Dropping it waits for the commands that are being executed. Where one may not sleep it is
/// leaked, with a warning.
///
/// # Invariants
///
/// The family is registered, and there is only one of these for it.
pub struct Registration<C: Commands> {
    family: &'static Family<C>,
    /// C may call the commands.
    module: ManuallyDrop<ModuleRef>,
}

impl<C: Commands> Drop for Registration<C> {
    fn drop(&mut self) {
        if kernel::warn_on!(!reclaim::may_wait()) {
            // Leaked, with its module reference, so that the module stays too.
            return;
        }
        // SAFETY: Registered by the type invariants; the thread may sleep.
        unsafe { bindings::genl_unregister_family(self.family.0.get()) };
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
        static __this_module: Opaque<c_void>;
    }
    // SAFETY: The kernel sets it up before any code of the module runs.
    unsafe { __this_module.get() }.cast()
}

#[kernel::macros::kunit_tests(kext_genl)]
mod tests {
    use super::*;
    use core::mem::MaybeUninit;

    struct Nothing;

    static POLICY: Policy<2> = Policy::new().u32(1);

    impl Commands for Nothing {
        const NAME: &'static CStr = c"kext-test";
        const VERSION: u32 = 1;
        const GET: u8 = 0;
        const GET_POLICY: Table = POLICY.table();
        const SET: u8 = 1;
        const SET_POLICY: Table = POLICY.table();

        type Cursor = u64;

        fn set(_: &Request<'_>, _: &mut Process) -> Result {
            Ok(())
        }

        fn dump_start(_: &Request<'_>, _: &mut u64, _: &mut Process) -> Result {
            Ok(())
        }

        fn dump(
            _: &Request<'_>,
            _: &mut u64,
            _: &mut DumpWriter<'_>,
            _: &mut Process,
        ) -> Result<Progress> {
            Ok(Progress::Done)
        }
    }

    static FAMILY: Family<Nothing> = Family::new();

    #[test]
    fn no_dump_begins_before_the_module_has() {
        let mut cb = MaybeUninit::<netlink_callback>::zeroed();
        let code = module::while_not_started(|| {
            // SAFETY: Refused before anybody looks at the callback.
            unsafe { Family::<Nothing>::start_callback(cb.as_mut_ptr()) }
        });
        assert_eq!(code, EBUSY.to_errno());
    }

    #[test]
    fn families_are_for_all_namespaces() {
        // SAFETY: The family is not registered, so nobody changes it.
        let family = unsafe { &*FAMILY.0.get() };
        assert_eq!(family.netnsok(), 1);
        assert_eq!(family.parallel_ops(), 0);
    }
}
