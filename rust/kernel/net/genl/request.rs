// SPDX-License-Identifier: GPL-2.0

//! Requests, and the reasons that user space gets when a command refuses one.

use super::{
    attr::{
        Attr,
        Attrs, //
    },
    message::{
        complete,
        GenlMsg, //
    },
};
use crate::{
    bindings::{
        self,
        genl_info,
        genlmsg_unicast,
        netlink_ext_ack,
        sk_buff, //
    },
    context::may_sleep,
    net::netns::Net, //
};
use core::ptr::{
    null,
    NonNull, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*, //
};

/// A request from user space.
///
/// # Invariants
///
/// `info` is valid for `'a`, as are its attributes, which are parsed up to `max` and which no other
/// code uses meanwhile. `skb` is the message that contains them.
pub struct Request<'a> {
    info: &'a genl_info,
    skb: *mut sk_buff,
    max: u16,
}

impl<'a> Request<'a> {
    /// Makes the value of a request that C handles.
    ///
    /// # Safety
    ///
    /// `info` and `skb` must be valid for `'a` and come from the core with attributes parsed up to
    /// `max`, and no other code may use them meanwhile.
    pub(super) unsafe fn from_raw(info: *const genl_info, skb: *mut sk_buff, max: u16) -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            // SAFETY: By the requirements of this function.
            info: unsafe { &*info },
            skb,
            max,
        }
    }

    /// Returns the core's `struct genl_info` of the request.
    pub(super) fn info(&self) -> NonNull<genl_info> {
        NonNull::from(self.info)
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

    /// Returns the network namespace of the sender's socket.
    pub fn net(&self) -> &'a Net {
        // SAFETY: The core has set the namespace, and the sender's socket, which waits for the
        // answer, keeps it alive.
        unsafe { Net::from_raw(self.info._net.net) }
    }

    /// Returns whether the sender has `CAP_NET_ADMIN`, as
    /// [`Permission::NetAdmin`](super::Permission) asks for.
    pub fn is_admin(&self) -> bool {
        // CAST: A small constant.
        let capability = bindings::CAP_NET_ADMIN as c_int;
        // SAFETY: By the type invariants this is the message, whose socket waits for the answer.
        unsafe { bindings::netlink_net_capable(self.skb, capability) }
    }

    /// Returns the extended acknowledgement of the request, if it has one.
    fn extack(&self) -> Option<NonNull<netlink_ext_ack>> {
        NonNull::new(self.info.extack)
    }

    /// Stores `why`, a sentence for people, in the extended acknowledgement, and returns `error`.
    ///
    /// The text is cut after 79 bytes. The sender sees it if its socket has `NETLINK_EXT_ACK` set.
    pub fn refuse(&self, error: Error, why: &CStr) -> Error {
        let Some(extack) = self.extack() else {
            return error;
        };
        // SAFETY: By the type invariants only this thread handles the request, and with it the
        // extended acknowledgement.
        let extack = unsafe { &mut *extack.as_ptr() };
        // Copy the text: the module may be unloaded when the core reads it.
        let room = extack._msg_buf.len().saturating_sub(1);
        extack._msg_buf.fill(0);
        let text = why.to_bytes_with_nul();
        for (to, from) in extack._msg_buf.iter_mut().zip(text).take(room) {
            *to = *from;
        }
        extack._msg = extack._msg_buf.as_ptr();
        error
    }

    /// Stores `why` and the attribute that is at fault, and returns `error`.
    pub fn refuse_attr(&self, error: Error, attr: &Attr<'a>, why: &CStr) -> Error {
        if let Some(extack) = self.extack() {
            // SAFETY: As in `refuse`.
            let extack = unsafe { &mut *extack.as_ptr() };
            extack.bad_attr = attr.as_raw();
            extack.policy = null();
        }
        self.refuse(error, why)
    }

    /// Stores `why` and that the attribute `index` is missing, in `nest` or, without one, at the
    /// top, and returns `EINVAL`.
    pub fn missing(&self, nest: Option<&Attr<'a>>, index: u16, why: &CStr) -> Error {
        if let Some(extack) = self.extack() {
            // SAFETY: As in `refuse`.
            let extack = unsafe { &mut *extack.as_ptr() };
            extack.miss_type = index;
            extack.miss_nest = nest.map_or(null(), |nest| nest.as_raw());
        }
        self.refuse(EINVAL, why)
    }

    /// Answers the request with one message, whose attributes `fill` puts.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EMSGSIZE` if the answer does not fit into a message, what `fill` returns, and
    /// what C returns if the sender's socket takes no more.
    pub fn reply(&self, command: u8, fill: impl FnOnce(&mut GenlMsg<'_>) -> Result) -> Result {
        // The caller may hold a guard of bottom halves.
        let flags = match may_sleep() {
            true => bindings::CONST_GFP_KERNEL,
            false => bindings::CONST_GFP_ATOMIC,
        };
        // SAFETY: No requirements.
        let skb = unsafe { bindings::genlmsg_new(bindings::CONST_GENLMSG_DEFAULT_SIZE, flags) };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?;
        // SAFETY: The buffer is new, and the family that of the request.
        let header = unsafe {
            bindings::genlmsg_put(
                skb.as_ptr(),
                self.info.snd_portid,
                self.info.snd_seq,
                self.info.family,
                0,
                command,
            )
        };
        // SAFETY: The header was just begun in this buffer, which is ours alone.
        let written = unsafe { complete(skb, header, fill) };
        if let Err(error) = written {
            // SAFETY: The buffer is ours, and not used again.
            unsafe { bindings::nlmsg_free(skb.as_ptr()) };
            return Err(error);
        }
        // SAFETY: The namespace is valid as in `net`; C takes over the buffer.
        to_result(unsafe {
            genlmsg_unicast(self.info._net.net, skb.as_ptr(), self.info.snd_portid)
        })
    }
}
