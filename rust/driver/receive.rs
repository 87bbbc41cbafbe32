// SPDX-License-Identifier: GPL-2.0

//! The way of datagrams into the interface, in the order in which a datagram meets the files.
//!
//! 1. `encap.rs`: `EncapRcv::receive()` gets the datagrams of the UDP socket, GRO lists split.
//! 2. `sort.rs`: `sort_datagrams()` queues handshake messages for the handshake workers, and runs
//!    of data messages of one session for the peer's NAPI context (`queue.rs`). `coalesce.rs` lets
//!    single packets of a stream wait for more.
//! 3. `poll.rs`: [`poll`] runs in that NAPI context and takes runs from the queue.
//! 4. `decrypt.rs`: `decrypt()` decrypts a run (`aead.rs`), on this CPU or on a less busy one.
//! 5. `release.rs`: `complete()` hands the batch back, and releases batches in order.
//! 6. `deliver.rs`: `deliver()` checks counters, source and length, and passes packets up.
//!
//! Short cut: with nothing ahead, `decrypt()` goes straight to 6. Way back: a batch that another
//! CPU has decrypted returns through `queue.rs` and 3, as only that NAPI context delivers.
//!
//! `overdue.rs` schedules the poll if the work item `POLL` does not do it in time.

mod aead;
mod coalesce;
mod decrypt;
mod deliver;
mod encap;
mod next;
mod overdue;
mod poll;
mod queue;
mod release;
pub(crate) mod rx;
mod sort;

pub(crate) use overdue::do_overdue;
pub(crate) use poll::poll;
pub(crate) use queue::RxQueue;
