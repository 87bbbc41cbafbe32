// SPDX-License-Identifier: GPL-2.0

//! The commands of a family.

use super::{
    dump::{
        DumpStatus,
        DumpWriter, //
    },
    policy::PolicyRef,
    request::Request, //
};
use crate::{
    bindings::{
        self,
        genl_info,
        genl_info_dump,
        genl_split_ops,
        netlink_callback,
        sk_buff, //
    },
    context::Process,
    module, //
};
use core::ptr::NonNull;
use kernel::{
    error::from_result,
    ffi::c_int,
    prelude::*, //
};
use zerocopy::{
    FromBytes,
    Immutable,
    IntoBytes, //
};

/// The right to send a command, or to listen to a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Every sender. The command may check more: see [`Request::is_admin`].
    Anyone,
    /// Senders with `CAP_NET_ADMIN` in the user namespace that owns the network namespace of their
    /// socket.
    NetAdmin,
}

impl Permission {
    const fn command_flags(self) -> u8 {
        match self {
            Self::Anyone => 0,
            // CAST: A small constant.
            Self::NetAdmin => bindings::GENL_UNS_ADMIN_PERM as u8,
        }
    }
}

/// A command that one call carries out (`doit`).
///
/// The core runs the commands of all families one at a time, in process context, without RTNL.
pub trait Do: 'static {
    /// Number of the command.
    const COMMAND: u8;
    /// The policy that checks the attributes of a request.
    const POLICY: PolicyRef;
    /// The right that the sender needs.
    const PERMISSION: Permission;

    /// Carries out a request.
    fn execute(request: &Request<'_>, ctx: &mut Process) -> Result;
}

/// A command that answers with any number of messages (`dumpit`).
///
/// The core runs it as it runs a [`Do`].
pub trait Dump: 'static {
    /// Number of the command.
    const COMMAND: u8;
    /// The policy that checks the attributes of a request.
    const POLICY: PolicyRef;
    /// The right that the sender needs. A [`Do`] of the same number must have the same.
    const PERMISSION: Permission;

    /// The place at which a dump goes on; all zeros before its first message. At most 48 bytes.
    type Ctx: FromBytes + IntoBytes + Immutable + Send + 'static;

    /// Begins a dump.
    ///
    /// An error becomes the result of the request, while a later one ends the dump. Until the
    /// initialisation of the module has succeeded, user space gets `EBUSY`, and this is not called.
    fn start(request: &Request<'_>, cursor: &mut Self::Ctx, ctx: &mut Process) -> Result;

    /// Writes as much of a dump as fits into the buffer.
    fn dump(
        request: &Request<'_>,
        cursor: &mut Self::Ctx,
        out: &mut DumpWriter<'_>,
        ctx: &mut Process,
    ) -> Result<DumpStatus>;
}

/// A [`Do`] or a [`Dump`] in the list that makes a family.
///
/// # Invariants
///
/// The callbacks and the policy are those of one [`Do`] or of one [`Dump`], and the flag says
/// which.
#[repr(transparent)]
pub struct Command(genl_split_ops);

// SAFETY: Never changed; what it points to is `'static` and `Sync`.
unsafe impl Sync for Command {}
// SAFETY: As above.
unsafe impl Send for Command {}

impl Command {
    /// Makes the entry of the command `C`.
    pub const fn new_do<C: Do>() -> Self {
        // INVARIANT: All are from `C`.
        Self(genl_split_ops {
            __bindgen_anon_1: bindings::genl_split_ops__bindgen_ty_1 {
                __bindgen_anon_1: bindings::genl_split_ops__bindgen_ty_1__bindgen_ty_1 {
                    pre_doit: None,
                    doit: Some(do_callback::<C>),
                    post_doit: None,
                },
            },
            policy: C::POLICY.rules,
            maxattr: C::POLICY.max as u32,
            cmd: C::COMMAND,
            // CAST: A small constant.
            flags: C::PERMISSION.command_flags() | bindings::GENL_CMD_CAP_DO as u8,
            ..pin_init::zeroed()
        })
    }

    /// Makes the entry of the command `D`.
    pub const fn new_dump<D: Dump>() -> Self {
        // INVARIANT: All are from `D`.
        Self(genl_split_ops {
            __bindgen_anon_1: bindings::genl_split_ops__bindgen_ty_1 {
                __bindgen_anon_2: bindings::genl_split_ops__bindgen_ty_1__bindgen_ty_2 {
                    start: Some(start_callback::<D>),
                    dumpit: Some(dump_callback::<D>),
                    done: None,
                },
            },
            policy: D::POLICY.rules,
            maxattr: D::POLICY.max as u32,
            cmd: D::COMMAND,
            // CAST: A small constant.
            flags: D::PERMISSION.command_flags() | bindings::GENL_CMD_CAP_DUMP as u8,
            ..pin_init::zeroed()
        })
    }

    /// Returns whether the core accepts this command right behind `before` in a list. It wants
    /// rising numbers, and for one number the [`Do`] before the [`Dump`], with the same permission.
    #[inline]
    pub(super) const fn may_follow(&self, before: &Self) -> bool {
        // CAST: Small constants.
        const DO: u8 = bindings::GENL_CMD_CAP_DO as u8;
        const DUMP: u8 = bindings::GENL_CMD_CAP_DUMP as u8;
        let (a, b) = (&before.0, &self.0);
        if a.cmd != b.cmd {
            return a.cmd < b.cmd;
        }
        a.flags & DO != 0 && b.flags & DUMP != 0 && (a.flags ^ b.flags) == DO | DUMP
    }
}

/// # Safety
///
/// Only for `genl_split_ops::doit`.
unsafe extern "C" fn do_callback<C: Do>(skb: *mut sk_buff, info: *mut genl_info) -> c_int {
    // SAFETY: The core passes the request with the attributes parsed by our policy; the message
    // belongs to this thread for the call.
    let request = unsafe { Request::from_raw(info, skb, C::POLICY.max) };
    // SAFETY: The core calls this in process context with nothing but mutexes held.
    let mut ctx = unsafe { Process::new() };
    from_result(|| C::execute(&request, &mut ctx).map(|()| 0))
}

/// # Safety
///
/// Only for `genl_split_ops::start`.
pub(super) unsafe extern "C" fn start_callback<D: Dump>(cb: *mut netlink_callback) -> c_int {
    if !module::is_started() {
        // The dump would hold its code by the module's reference count, which does not yet keep it.
        return EBUSY.to_errno();
    }
    // SAFETY: The callback is that of a dump of this family.
    let request = unsafe { dump_request::<D>(cb) };
    // SAFETY: As in `do_callback`.
    let mut ctx = unsafe { Process::new() };
    // SAFETY: The callback is valid and locked.
    let result = unsafe { with_cursor::<D, _>(cb, |cursor| D::start(&request, cursor, &mut ctx)) };
    from_result(|| result.map(|()| 0))
}

/// # Safety
///
/// Only for `genl_split_ops::dumpit`.
unsafe extern "C" fn dump_callback<D: Dump>(skb: *mut sk_buff, cb: *mut netlink_callback) -> c_int {
    // SAFETY: As in `start_callback`.
    let request = unsafe { dump_request::<D>(cb) };
    // SAFETY: As in `do_callback`.
    let mut ctx = unsafe { Process::new() };
    let write = |cursor: &mut D::Ctx| {
        let skb = NonNull::new(skb).ok_or(EINVAL)?;
        let cb = NonNull::new(cb).ok_or(EINVAL)?;
        // SAFETY: The core passes a fresh buffer for this dump.
        let mut out = unsafe { DumpWriter::from_raw(skb, cb, request.info(), D::COMMAND) };
        let progress = D::dump(&request, cursor, &mut out, &mut ctx)?;
        out.conclude(progress)
    };
    // SAFETY: The callback is valid and locked.
    let result = unsafe { with_cursor::<D, _>(cb, write) };
    from_result(|| result)
}

/// Returns the request that a dump answers.
///
/// # Safety
///
/// `cb` must be the callback of a dump `D`, valid and locked for `'a`.
unsafe fn dump_request<'a, D: Dump>(cb: *mut netlink_callback) -> Request<'a> {
    // SAFETY: By the requirements of this function.
    let info = unsafe { genl_info_dump(cb) };
    // SAFETY: As above.
    let skb = unsafe { (*cb).skb };
    // SAFETY: The core has attached the message and the request, with the attributes parsed by our
    // policy. They belong to the dump, which is locked.
    unsafe { Request::from_raw(info, skb, D::POLICY.max) }
}

/// Calls `f` with the cursor of a dump.
///
/// The callback keeps it in a `long` array, which on some machines is not aligned for a `u64`:
/// hence the copies.
///
/// # Safety
///
/// `cb` must be the callback of a dump `D`, valid and locked, and no other code may use its context
/// meanwhile.
unsafe fn with_cursor<D: Dump, R>(
    cb: *mut netlink_callback,
    f: impl FnOnce(&mut D::Ctx) -> R,
) -> R {
    const { assert!(size_of::<D::Ctx>() <= 48, "no room for the cursor") };
    // SAFETY: By the requirements of this function.
    let state = unsafe { &raw mut (*cb).__bindgen_anon_1 };
    // Both views of the union begin with the context.
    let ctx = state.cast::<D::Ctx>();
    // SAFETY: The context has 48 bytes, which the core has set to zero and only this function
    // writes. All bytes make a cursor.
    let mut cursor = unsafe { ctx.read_unaligned() };
    let result = f(&mut cursor);
    // SAFETY: As above. A cursor has no uninitialised bytes, and nothing to drop.
    unsafe { ctx.write_unaligned(cursor) };
    result
}
