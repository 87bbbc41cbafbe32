// SPDX-License-Identifier: GPL-2.0

//! Generic netlink families.
//!
//! A [`Family`] has any number of commands, each a type that implements [`Do`] or [`Dump`], and any
//! number of multicast [`MulticastGroup`]s. It is a `static` of the driver:
//!
//! ```ignore
//! static FAMILY: genl::Family = genl::Family::new(c"example", 1, COMMANDS, GROUPS);
//! const COMMANDS: &[Command] = &[Command::new_do::<Set>(), Command::new_dump::<Get>()];
//! const GROUPS: &[MulticastGroup] = &[MulticastGroup::new(c"events", Permission::NetAdmin)];
//!
//! let registration = FAMILY.register(ctx)?;
//! ```
//!
//! A [`Policy`] says what a request may hold, and the core checks that. [`Attrs`] and [`Attr`] read
//! it. [`DumpWriter`] and [`GenlMsg`] write answers and events.
//!
//! C header: [`include/net/genetlink.h`](srctree/include/net/genetlink.h)

mod attr;
mod command;
mod dump;
mod family;
mod message;
mod policy;
mod request;
#[cfg(CONFIG_KUNIT)]
mod tests;

pub use self::{
    attr::{
        Attr,
        Attrs,
        Elements,
        NulStr,
        Parsed, //
    },
    command::{
        Command,
        Do,
        Dump,
        Permission, //
    },
    dump::{
        DumpStatus,
        DumpWriter, //
    },
    family::{
        Family,
        MulticastGroup,
        Registration, //
    },
    message::GenlMsg,
    policy::{
        Policy,
        PolicyRef, //
    },
    request::Request,
};
