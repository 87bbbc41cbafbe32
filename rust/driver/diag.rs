// SPDX-License-Identifier: GPL-2.0

//! The generic netlink family `wireguard-diag`: facts about peers, events, and settings that the
//! first family lacks.
//!
//! The driver tells this module what happens, by [`PeerDiag`] and [`InterfaceDiag`]; user space
//! reads it, listens to events, and sets what the first family does not know.
//!
//! `schema.rs` describes its messages.

mod event;
mod facts;
mod find;
mod get;
mod interface;
mod peer;
mod put;
mod schema;
mod set;
mod settings;
mod state;
mod stream;
mod trace;
mod unknown;

pub(crate) use self::{
    event::{
        configured,
        of_unknown, //
    },
    facts::Learnt,
    interface::InterfaceDiag,
    peer::{
        count_drops,
        PeerDiag, //
    },
    settings::{
        EndpointPin,
        Label, //
    },
    trace::sender, //
};

use kext::net::genl::{
    Command,
    Family,
    MulticastGroup,
    Permission, //
};

/// The family.
pub(crate) static FAMILY: Family = Family::new(
    c"wireguard-diag",
    1,
    &[
        Command::new_do::<get::Get>(),
        Command::new_dump::<get::Get>(),
        Command::new_do::<set::Set>(),
    ],
    &[
        MulticastGroup::new(c"peers", Permission::NetAdmin),
        MulticastGroup::new(c"config", Permission::NetAdmin),
        MulticastGroup::new(c"unknown", Permission::NetAdmin),
    ],
);
