// SPDX-License-Identifier: GPL-2.0

//! How the messages of outgoing packets are laid out.

use crate::peer::Peer;
use kext::{
    compat::casts::u32_as_usize,
    context::Bh,
    net::skb::Layout, //
};
use wg_proto::{
    crypto::TAG_LEN,
    message::DataHeader,
    padding::padding, //
};

/// Head room of an outgoing message: ours, UDP, IPv6 and what the stack reserves, aligned.
pub(crate) const HEADROOM: usize = 128;

/// Tail room for padding, the tag, and the slack that lets encryption run in one pass.
const TAILROOM: usize = 3 * TAG_LEN;

/// Returns how this CPU lays out the messages of a packet to a peer, whose path has this MTU.
///
/// They become one GSO packet, if that is possible and `pays`. `Peer::gso_max()` is what
/// `Path::to_peer()` found for an earlier packet; `transmit.rs` splits a GSO packet that the route
/// no longer takes.
pub(super) fn layout<'a>(
    peer: &'a Peer,
    mtu: u32,
    pays: bool,
    bh: &Bh<'_>,
) -> Layout<'a, impl Fn(usize) -> usize + use<>> {
    // Packets that wait for a session must not keep large pages.
    let has_session = peer.current(bh).is_some_and(|current| current.may_send());
    let device = peer.device().data();
    Layout {
        headroom: HEADROOM,
        header: DataHeader::LEN,
        trailer: move |len| padding(len, u32_as_usize(mtu)).saturating_add(TAG_LEN),
        tailroom: TAILROOM,
        pages: peer.device().pages(bh),
        gso_max: if pays && has_session && device.may_gso() && !device.is_rewritten() {
            u32_as_usize(peer.gso_max())
        } else {
            0
        },
    }
}
