// E0521: an event is gone when it is sent, so a driver cannot keep what it is written to
// SPDX-License-Identifier: GPL-2.0

//! An event that is kept.

#![forbid(unsafe_code)]

use kernel::prelude::*;
use kext::{
    context::Bh,
    net::{
        genl::{
            Family,
            GenlMsg, //
        },
        netns::Net, //
    }, //
};

/// Sends an event.
pub fn notify(family: &'static Family, net: &Net, bh: &Bh<'_>) -> Result {
    let mut kept: Option<&mut GenlMsg<'_>> = None;
    family.notify(net, 0, 1, bh, |message| {
        message.put_u32(1, 2)?;
        kept = Some(message); //~
        Ok(())
    })?;
    kept.map_or(Ok(()), |message| message.put_u32(1, 2))
}
