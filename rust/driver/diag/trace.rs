// SPDX-License-Identifier: GPL-2.0

//! The tracepoints, for perf and bpftrace: drops, handshakes, sessions, endpoints.
//!
//! The record of a peer has its public key as `wg` shows it. Nothing here can name a secret: keys
//! are [`PublicKey`]s, the rest are words, addresses and numbers.

use super::facts::Learnt;
use crate::{
    device::Device,
    endpoint::Endpoint,
    keypair::Keypair,
    peer::Peer, //
};
use core::fmt::{
    self,
    Display,
    Formatter,
    Write, //
};
use kext::{
    context::Bh,
    net::{
        addr::SocketAddr,
        device::NetDevice,
        skb::SkBuff, //
    },
    trace::{
        AddressEvent,
        AssociationEvent,
        DropEvent,
        NegotiationEvent, //
    }, //
};
use wg_proto::{
    key::PublicKey,
    DropReason, //
};

/// A step of a handshake with a peer.
#[derive(Clone, Copy)]
pub(super) enum HandshakeStep {
    /// We send an initiation. The number counts those since the last answer.
    Begun(u32),
    /// We send a response.
    Answered,
    /// The response to our initiation has come.
    Response,
    /// A cookie has come instead: the next initiation has it.
    Cookie,
    /// The session can be used in both directions.
    Completed,
    /// No response came. The number is as above.
    GivenUp(u32),
}

impl HandshakeStep {
    const fn name(self) -> &'static str {
        match self {
            Self::Begun(_) => "begun",
            Self::Answered => "answered",
            Self::Response => "response",
            Self::Cookie => "cookie",
            Self::Completed => "completed",
            Self::GivenUp(_) => "given-up",
        }
    }

    /// The attempts, zero where they are not counted.
    const fn attempt(self) -> u32 {
        match self {
            Self::Begun(n) | Self::GivenUp(n) => n,
            Self::Answered | Self::Response | Self::Cookie | Self::Completed => 0,
        }
    }
}

/// A change of a peer's sessions.
#[derive(Clone, Copy)]
pub(crate) enum Session {
    /// There is a new one.
    Up,
    /// It is too old, and wiped.
    Expired,
    /// It is dropped, or not sent under any more, for another reason than age.
    Reset,
}

impl Session {
    const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Expired => "expired",
            Self::Reset => "reset",
        }
    }
}

/// A public key in base64, as `wg` shows it.
struct Base64<'a>(&'a PublicKey);

impl Display for Base64<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for chunk in self.0.as_bytes().chunks(3) {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().skip(1).zip(chunk) {
                *to = *from;
            }
            let word = u32::from_be_bytes(word);
            for (nth, shift) in [18, 12, 6, 0].into_iter().enumerate() {
                // CAST: Six bits.
                let six = (word.wrapping_shr(shift) & 63) as usize;
                let letter = ALPHABET.get(six).filter(|_| nth <= chunk.len());
                f.write_char(letter.map_or('=', |letter| char::from(*letter)))?;
            }
        }
        Ok(())
    }
}

/// A value, shown as `(none)` if it is unknown.
struct Maybe<T>(Option<T>);

impl<T: Display> Display for Maybe<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(known) => known.fmt(f),
            None => f.write_str("(none)"),
        }
    }
}

/// Returns where a datagram came from, for [`dropped`], or [`None`] while the tracepoint is off.
#[inline]
pub(crate) fn sender(skb: &SkBuff) -> Option<SocketAddr> {
    if !DropEvent::is_on() {
        return None;
    }
    skb.udp_source()
        .and_then(|source| Endpoint::of(&source).remote)
}

/// Records `wg_refusal`; `peer` is [`None`] if the packet belongs to no known peer.
#[inline]
pub(super) fn dropped(
    dev: &NetDevice<Device>,
    peer: Option<&Peer>,
    reason: DropReason,
    n: u64,
    remote: Option<SocketAddr>,
) {
    if DropEvent::is_on() && n != 0 {
        let key = Maybe(peer.map(|peer| Base64(peer.public_key())));
        DropEvent::record(dev, &key, &reason.name(), &Maybe(remote), n);
    }
}

/// Tells how far the handshake with a peer has come.
pub(super) fn handshake(peer: &Peer, state: HandshakeStep, bh: &Bh<'_>) {
    if NegotiationEvent::is_on() {
        let remote = Maybe(peer.remote(bh));
        let key = Base64(peer.public_key());
        NegotiationEvent::record(peer.device(), &key, &state.name(), &remote, state.attempt());
    }
}

/// Tells what has become of a peer's session.
pub(super) fn session(peer: &Peer, change: Session, keypair: Option<&Keypair>) {
    if AssociationEvent::is_on() {
        let role = keypair.map(|keypair| match keypair.is_initiator() {
            true => "initiator",
            false => "responder",
        });
        let id = keypair.map_or(0, Keypair::id);
        let key = Base64(peer.public_key());
        AssociationEvent::record(peer.device(), &key, &change.name(), &Maybe(role), id);
    }
}

/// Tells that a peer is somewhere else, and how that was learnt.
pub(super) fn moved(peer: &Peer, how: Learnt, old: Option<SocketAddr>, new: Option<SocketAddr>) {
    if AddressEvent::is_on() {
        let learnt = match how {
            Learnt::Not => "(none)",
            Learnt::Configuration => "configuration",
            Learnt::Initiation => "initiation",
            Learnt::Response => "response",
            Learnt::Data => "data",
        };
        let key = Base64(peer.public_key());
        AddressEvent::record(peer.device(), &key, &learnt, &Maybe(old), &Maybe(new));
    }
}
