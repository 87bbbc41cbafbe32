// SPDX-License-Identifier: GPL-2.0

//! The way of packets out of the interface, in the order in which a packet meets the files.
//!
//! 1. `xmit.rs`: [`xmit`] runs in `ndo_start_xmit`, finds the peer, and segments a super-packet.
//! 2. `submit.rs`: `submit()` sends packets inline if nothing is ahead of them, and otherwise
//!    stages them in `tx.rs`.
//! 3. `staged.rs`: `send_batch()` takes staged packets with their nonces, in the sender's call or
//!    in the work item `SEND`.
//! 4. `encrypt.rs`: `encrypt()` gathers single packets and encrypts (`aead.rs`), on this CPU or on
//!    a less busy one.
//! 5. `release.rs`: `complete()` hands the batch back; one CPU releases batches in order.
//! 6. `transmit.rs`: `transmit()` finds the path and hands the packets to the UDP socket.
//!
//! Short cut: with nothing ahead, `submit()` goes to 4 and 6 (`send_inline()`), then to 5 for
//! batches completed meanwhile. Way back: what 6 learns of the route (`Path::to_peer()`) decides
//! in 1 and 4 how the next packets are laid out (`layout.rs`).
//!
//! `nesting.rs` says when packets must not leave within the call of 1. `deferred.rs` queues the
//! work items of 3 and 5, `overdue.rs` does their work if they do not run in time. `keepalive.rs`
//! and `message.rs` send what does not come from `ndo_start_xmit`.

mod aead;
mod deferred;
mod encrypt;
mod keepalive;
mod layout;
mod message;
mod nesting;
mod next;
mod overdue;
mod packets;
mod release;
mod rewritten;
mod staged;
mod submit;
mod transmit;
pub(crate) mod tx;
mod tx_cpu;
mod xmit;

pub(crate) use deferred::is_work_item_sending;
pub(crate) use keepalive::send_keepalive;
pub(crate) use layout::HEADROOM;
pub(crate) use message::{
    message_packet,
    send_message, //
};
pub(crate) use overdue::do_overdue;
pub(crate) use staged::send_staged;
pub(crate) use xmit::xmit;
