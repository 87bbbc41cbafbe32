// SPDX-License-Identifier: GPL-2.0

//! Dropped packets and messages: counted by reason, and freed for a reason that tracing shows.

mod counters;

pub(crate) use self::counters::{
    DropCounter,
    DropCounters, //
};

use kernel::{
    debugfs::Writer,
    fmt, //
};
use kext::net::skb::{
    self,
    Buffer,
    Reason, //
};
use wg_proto::DropReason;

/// Drops packets for a reason, and returns that for the caller to count.
///
/// Inlined, as tracing shows the address of the call: so it names the function that drops.
#[inline(always)]
pub(crate) fn drop_for(packets: impl Buffer, reason: DropReason) -> DropReason {
    packets.drop(traced(reason));
    reason
}

/// Returns what tracing calls a reason.
///
/// The stack has no name for most of what the protocol drops packets for. Those of other protocols
/// would mislead: then it is "not specified", and the function says more.
const fn traced(reason: DropReason) -> Reason {
    match reason {
        DropReason::BadDatagram => Reason::HDR_TRUNC,
        DropReason::BadLength | DropReason::BadType => Reason::DEV_HDR,
        DropReason::RngNotReady | DropReason::NoIdentity | DropReason::Gone => Reason::DEV_READY,
        DropReason::HandshakeQueueFull
        | DropReason::RxQueueFull
        | DropReason::TxStagedOverflow
        | DropReason::TxQueueFull => Reason::FULL_RING,
        DropReason::NoMemory => Reason::NOMEM,
        DropReason::InnerHeader => Reason::IP_INHDR,
        DropReason::InnerLength => Reason::PKT_TOO_SMALL,
        DropReason::TxProtocol => Reason::UNHANDLED_PROTO,
        DropReason::TxNoPeer | DropReason::TxNoEndpoint => Reason::NO_TX_TARGET,
        DropReason::TxSegmentation => Reason::SKB_GSO_SEG,
        DropReason::TxGaveUp => Reason::QUEUE_PURGE,
        DropReason::TxNoSocket => Reason::NO_SOCKET,
        DropReason::TxNoRoute => Reason::IP_OUTNOROUTES,
        DropReason::BadMac1
        | DropReason::CookieSent
        | DropReason::RateLimited
        | DropReason::LowOrder
        | DropReason::BadStatic
        | DropReason::UnknownPeer
        | DropReason::BadTimestamp
        | DropReason::ReplayedTimestamp
        | DropReason::Flood
        | DropReason::UnknownHandshake
        | DropReason::WrongState
        | DropReason::BadResponse
        | DropReason::Superseded
        | DropReason::UnknownCookie
        | DropReason::UnexpectedCookie
        | DropReason::BadCookie
        | DropReason::UnknownSession
        | DropReason::ExpiredSession
        | DropReason::CounterLimit
        | DropReason::BadData
        | DropReason::ReplayedCounter
        | DropReason::InnerSource
        | DropReason::TxEncrypt => Reason::NOT_SPECIFIED,
    }
}

/// How many packets were freed without a reason, on all interfaces. Any at all are a bug.
///
/// Shown by debugfs as `wireguard/unreasoned-packets`. The name is longer than that of any
/// interface, which would have a folder beside it.
pub(crate) struct Unreasoned;

impl Writer for Unreasoned {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", skb::unreasoned())
    }
}

/// How often each [`DropReason`] happened on one interface.
///
/// Shown by debugfs as `wireguard/<interface>/drops`, one `name count` per line.
pub(crate) struct Drops([DropCounter; DropReason::COUNT]);

impl Drops {
    /// Creates the counters at zero.
    pub(crate) fn new() -> Self {
        Self([const { DropCounter::new() }; DropReason::COUNT])
    }

    /// Counts `n` drops for the same reason.
    pub(crate) fn add(&self, reason: DropReason, n: u64) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.add(n);
        }
    }

    /// Returns the counter of the reason with this index.
    pub(crate) fn get(&self, index: usize) -> u64 {
        let counter = self.0.get(index).and_then(DropCounter::get);
        counter.map_or(0, |(count, _)| count)
    }

    /// Iterates over the reasons that occurred: how often, and when last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (DropReason, u64, u64)> + '_ {
        DropReason::ALL
            .iter()
            .zip(&self.0)
            .filter_map(|(reason, counter)| {
                counter.get().map(|(count, last)| (*reason, count, last))
            })
    }
}

impl Writer for Drops {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for reason in DropReason::ALL {
            writeln!(f, "{} {}", reason.name(), self.get(reason.index()))?;
        }
        Ok(())
    }
}
