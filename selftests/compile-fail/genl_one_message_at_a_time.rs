// E0499: while a message is being written, no other one can be begun behind it

//! A message inside a message.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::net::genl::DumpWriter;

/// Writes a message.
pub fn dump(out: &mut DumpWriter<'_>) -> Result {
    out.message(|message| {
        out.message(|_| Ok(()))?; //~
        message.put_u32(1, 2)
    })
}
