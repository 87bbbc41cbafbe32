// SPDX-License-Identifier: GPL-2.0

//! Reasons why the driver drops a packet or message.

/// Declares [`DropReason`] together with the list and the names of its values, so that they agree.
macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $reason:ident = $name:literal,)*) => {
        /// Why a packet or message was dropped.
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

drop_reasons! {
    /// The outer IP or UDP header is malformed, or its length is wrong.
    BadDatagram = "rx-bad-datagram",
    /// A message of this type never has this length.
    BadLength = "rx-bad-length",
    /// The message type is unknown, or a reserved byte is not zero.
    BadType = "rx-bad-type",
    /// A handshake message came before the kernel's random number generator was seeded.
    RngNotReady = "rx-rng-not-ready",
    /// The queue of received handshake messages is full.
    HandshakeQueueFull = "rx-handshake-queue-full",
    /// The mac1 of a handshake message is wrong: the sender does not know our public key.
    BadMac1 = "rx-bad-mac1",
    /// The interface is under load and the message had no valid mac2: a cookie reply was sent.
    CookieSent = "rx-cookie-sent",
    /// The interface is under load and the source exceeds its rate limit.
    RateLimited = "rx-rate-limited",
    /// The interface has no private key.
    NoIdentity = "no-identity",
    /// The result of a Diffie-Hellman function is zero: the public key is of low order.
    LowOrder = "low-order-key",
    /// The encrypted static key of an initiation is not authentic.
    BadStatic = "rx-initiation-bad-static",
    /// No peer has the static key of an initiation.
    UnknownPeer = "rx-initiation-unknown-peer",
    /// The encrypted timestamp of an initiation is not authentic.
    BadTimestamp = "rx-initiation-bad-timestamp",
    /// The timestamp of an initiation is not later than the last one that was accepted.
    ReplayedTimestamp = "rx-initiation-replayed",
    /// An initiation came too soon after the last one that was accepted.
    Flood = "rx-initiation-flood",
    /// No pending handshake has the receiver index of a response.
    UnknownHandshake = "rx-response-unknown-index",
    /// The handshake is in another state than the message needs.
    WrongState = "handshake-wrong-state",
    /// The encrypted part of a response is not authentic.
    BadResponse = "rx-response-bad",
    /// A new handshake replaced the one that a response answers.
    Superseded = "rx-response-superseded",
    /// No handshake or session has the receiver index of a cookie reply.
    UnknownCookie = "rx-cookie-unknown-index",
    /// A cookie reply came although no message of ours awaited one.
    UnexpectedCookie = "rx-cookie-unexpected",
    /// The cookie in a cookie reply is not authentic.
    BadCookie = "rx-cookie-bad",
    /// No session has the receiver index of a data message.
    UnknownSession = "rx-data-unknown-index",
    /// The session of a data message has expired or was ended.
    ExpiredSession = "rx-data-expired",
    /// The session of a data message has used up its counters.
    CounterLimit = "rx-data-counter-limit",
    /// A queue of received data messages is full.
    RxQueueFull = "rx-data-queue-full",
    /// A data message is not authentic.
    BadData = "rx-data-bad",
    /// The counter of a data message was received before, or is older than the window.
    ReplayedCounter = "rx-data-replayed",
    /// The peer or the interface was removed, or the interface was set down, meanwhile.
    Gone = "gone",
    /// An allocation failed.
    NoMemory = "no-memory",
    /// The decrypted packet is not IPv4 or IPv6, or is shorter than its header.
    InnerHeader = "rx-inner-bad-header",
    /// The decrypted packet is shorter than its IP header says.
    InnerLength = "rx-inner-bad-length",
    /// The source address of the decrypted packet is not in the peer's allowed IPs.
    InnerSource = "rx-inner-bad-source",
    /// The packet to send is not IPv4 or IPv6, or is shorter than its header.
    TxProtocol = "tx-bad-protocol",
    /// The destination address is in no peer's allowed IPs.
    TxNoPeer = "tx-no-peer",
    /// The peer of the destination has no endpoint.
    TxNoEndpoint = "tx-no-endpoint",
    /// The packet to send could not be segmented.
    TxSegmentation = "tx-segmentation",
    /// A newer packet took the place of this one, the oldest that waited for a session.
    TxStagedOverflow = "tx-staged-overflow",
    /// The handshake that the packet waited for did not complete.
    TxGaveUp = "tx-gave-up",
    /// A queue of packets to send is full.
    TxQueueFull = "tx-queue-full",
    /// The buffer of the packet could not be prepared for encryption.
    TxEncrypt = "tx-encrypt",
    /// The interface has no socket of the endpoint's address family.
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
