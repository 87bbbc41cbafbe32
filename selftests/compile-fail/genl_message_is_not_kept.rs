// E0521: a message cannot be written to when it is complete
// SPDX-License-Identifier: GPL-2.0

//! A message that is kept.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::net::genl::{
    DumpWriter,
    GenlMsg, //
};

/// Writes a message.
pub fn dump(out: &mut DumpWriter<'_>) -> Result {
    let mut kept: Option<&mut GenlMsg<'_>> = None;
    out.message(|message| {
        message.put_u32(1, 2)?;
        kept = Some(message); //~
        Ok(())
    })?;
    kept.map_or(Ok(()), |message| message.put_u32(1, 2))
}
