// SPDX-License-Identifier: GPL-2.0

//! Resumable dumps.
//!
//! A dump takes as many calls of [`Dump::dump`](super::Dump::dump) as user space needs to read it,
//! with any amount of time between them. In between only the cursor remains, which is plain bytes:
//! a dump that user space stops reading keeps no object alive.

use super::message::{
    complete,
    GenlMsg, //
};
use crate::bindings::{
    self,
    genl_dump_check_consistent,
    genl_info,
    netlink_callback, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*,
    types::NotThreadSafe, //
};

/// Whether a dump is complete.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DumpStatus {
    /// More follows: call again, with the cursor as it is now.
    More,
    /// The dump is complete.
    Done,
}

/// The buffer that the messages of a dump are written to.
///
/// # Invariants
///
/// `skb`, `cb` and `info` are those of a dump that asks for more messages, and valid for `'a`. No
/// other code uses `skb` meanwhile.
pub struct DumpWriter<'a> {
    skb: NonNull<bindings::sk_buff>,
    cb: NonNull<netlink_callback>,
    info: NonNull<genl_info>,
    command: u8,
    _dump: PhantomData<&'a mut ()>,
    _thread: NotThreadSafe,
}

impl DumpWriter<'_> {
    /// Makes the value of a dump that C has begun.
    ///
    /// # Safety
    ///
    /// The pointers must be what the type invariants say, for as long as the result is in use, and
    /// no other code may use `skb` meanwhile.
    pub(super) unsafe fn from_raw(
        skb: NonNull<bindings::sk_buff>,
        cb: NonNull<netlink_callback>,
        info: NonNull<genl_info>,
        command: u8,
    ) -> Self {
        // INVARIANT: By the requirements of this function.
        Self {
            skb,
            cb,
            info,
            command,
            _dump: PhantomData,
            _thread: NotThreadSafe,
        }
    }

    /// Sets the generation number of what is dumped.
    ///
    /// If it differs between two messages of a dump, the later one carries `NLM_F_DUMP_INTR`, which
    /// tells readers that the dump is inconsistent. It takes effect for messages begun afterwards.
    /// Zero turns this off.
    pub fn set_seq(&mut self, generation: u32) {
        // SAFETY: The callback is valid by the type invariants.
        // CAST: `unsigned int` has 32 bits.
        unsafe { (*self.cb.as_ptr()).seq = generation as c_uint };
    }

    /// Writes a message whose attributes `fill` puts.
    ///
    /// If `fill` returns an error, this removes the message.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is no room for its header.
    pub fn message<R>(&mut self, fill: impl FnOnce(&mut GenlMsg<'_>) -> Result<R>) -> Result<R> {
        let skb = self.skb.as_ptr();
        // SAFETY: Valid by the type invariants.
        let info = unsafe { self.info.as_ref() };
        // SAFETY: All are valid by the type invariants; the answer gets the port and sequence
        // number of the request from `info`.
        let header = unsafe {
            bindings::genlmsg_put(
                skb,
                info.snd_portid,
                info.snd_seq,
                info.family,
                bindings::NLM_F_MULTI as c_int,
                self.command,
            )
        };
        let header = NonNull::new(header).ok_or(EMSGSIZE)?;
        // SAFETY: `header` is what `genlmsg_put` returned, and `cb` is valid.
        unsafe { genl_dump_check_consistent(self.cb.as_ptr(), header.as_ptr()) };
        // SAFETY: As above; no other code uses the buffer, by the type invariants.
        unsafe { complete(self.skb, header.as_ptr(), fill) }
    }

    /// Returns what the dump callback returns to the core after this progress.
    pub(super) fn conclude(&self, progress: DumpStatus) -> Result<c_int> {
        // SAFETY: The buffer is valid by the type invariants.
        let len = unsafe { (*self.skb.as_ptr()).len };
        match progress {
            DumpStatus::Done => Ok(0),
            // An empty message would have the reader call for ever.
            DumpStatus::More if len == 0 => Err(EMSGSIZE),
            DumpStatus::More => c_int::try_from(len).map_err(|_| EMSGSIZE),
        }
    }
}
