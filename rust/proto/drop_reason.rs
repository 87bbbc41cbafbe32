// SPDX-License-Identifier: GPL-2.0

//! Reasons why the driver drops a packet or message.

/// Declares [`DropReason`] together with the list and the names of its values, so that they agree.
macro_rules! rejects {
    ($($(#[$doc:meta])* $reason:ident = $name:literal,)*) => {
        /// Why a packet or message was refused.
        ///
        /// Counted by the driver under [`DropReason::index`] and shown under [`DropReason::name`].
        #[derive(Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(not(MODULE), derive(Debug, Hash))]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[$doc])* $reason,)*
        }

        impl DropReason {
            /// Every reason, in the order of [`DropReason::index`].
            pub const ALL: [Self; Self::COUNT] = [$(Self::$reason,)*];

            /// Number of reasons.
            pub const COUNT: usize = [$($name,)*].len();

            /// Returns the name under which the reason is shown.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                }
            }
        }
    };
}

rejects! {
    /// The outer IP or UDP header is bogus or lies about the length.
    BadDatagram = "rx-bad-datagram",
    /// No message of this type has this length.
    BadLength = "rx-bad-length",
    /// The type is unknown or a reserved byte is not zero.
    BadType = "rx-bad-type",
    /// The kernel's random numbers are not ready, so no handshake is taken.
    RngNotReady = "rx-rng-not-ready",
    /// Too many handshake messages wait already.
    HandshakeQueueFull = "rx-handshake-queue-full",
    /// The first mac is not right: the sender does not know our public key.
    BadMac1 = "rx-bad-mac1",
    /// Under load, and the message had no valid second mac: a cookie was sent instead.
    CookieSent = "rx-cookie-sent",
    /// Under load, and this source sends too much.
    RateLimited = "rx-rate-limited",
    /// The interface has no private key.
    NoIdentity = "no-identity",
    /// A Diffie-Hellman result is zero: a public key is of low order.
    LowOrder = "low-order-key",
    /// The static key in an initiation does not decrypt.
    BadStatic = "rx-initiation-bad-static",
    /// No peer has the static key in an initiation.
    UnknownPeer = "rx-initiation-unknown-peer",
    /// The timestamp in an initiation does not decrypt.
    BadTimestamp = "rx-initiation-bad-timestamp",
    /// The timestamp of an initiation is not later than the latest one.
    ReplayedTimestamp = "rx-initiation-replayed",
    /// The last initiation of this peer was accepted a moment ago.
    Flood = "rx-initiation-flood",
    /// The receiver index of a response is no pending handshake's.
    UnknownHandshake = "rx-response-unknown-index",
    /// The handshake is not in the state for this step.
    WrongState = "handshake-wrong-state",
    /// The payload of a response does not decrypt.
    BadResponse = "rx-response-bad",
    /// The handshake that a response answers was replaced while the response was checked.
    Superseded = "rx-response-superseded",
    /// No handshake or session has the receiver index of a cookie reply.
    UnknownCookie = "rx-cookie-unknown-index",
    /// A cookie came without a message of ours that it could answer.
    UnexpectedCookie = "rx-cookie-unexpected",
    /// A cookie does not decrypt.
    BadCookie = "rx-cookie-bad",
    /// The receiver index of a data message is no session's.
    UnknownSession = "rx-data-unknown-index",
    /// The session of a data message is too old or was ended.
    ExpiredSession = "rx-data-expired",
    /// The session of a data message has used up its counters.
    CounterLimit = "rx-data-counter-limit",
    /// A queue on the way of a received data message is full.
    RxQueueFull = "rx-data-queue-full",
    /// A data message does not decrypt.
    BadData = "rx-data-bad",
    /// The counter of a data message was seen or is too old.
    ReplayedCounter = "rx-data-replayed",
    /// The peer or interface went away while the message was on its way.
    Gone = "gone",
    /// No memory.
    NoMemory = "no-memory",
    /// The decrypted packet is neither IPv4 nor IPv6 or too short for its header.
    InnerHeader = "rx-inner-bad-header",
    /// The decrypted packet is longer in its header than in fact.
    InnerLength = "rx-inner-bad-length",
    /// The decrypted packet comes from an address that is not the peer's.
    InnerSource = "rx-inner-bad-source",
    /// The packet to send is neither IPv4 nor IPv6 or too short for its header.
    TxProtocol = "tx-bad-protocol",
    /// No peer has the destination.
    TxNoPeer = "tx-no-peer",
    /// The peer of the destination has no endpoint.
    TxNoEndpoint = "tx-no-endpoint",
    /// The packet could not be split into segments.
    TxSegmentation = "tx-segmentation",
    /// The oldest waiting packet made room for a newer one.
    TxStagedOverflow = "tx-staged-overflow",
    /// No session came about in time for the waiting packets.
    TxGaveUp = "tx-gave-up",
    /// A queue on the way of a packet to send is full.
    TxQueueFull = "tx-queue-full",
    /// The packet could not be brought into the form that is encrypted.
    TxEncrypt = "tx-encrypt",
    /// There is no socket for the endpoint's family.
    TxNoSocket = "tx-no-socket",
    /// There is no route to the endpoint.
    TxNoRoute = "tx-no-route",
}

impl DropReason {
    /// Returns the place of the reason in [`DropReason::ALL`].
    #[inline]
    pub const fn index(self) -> usize {
        // CAST: The discriminant of a field-less enum of one byte.
        self as usize
    }
}
