// SPDX-License-Identifier: GPL-2.0

//! Encryption and decryption on several CPUs, with packets released in order.
//!
//! Batches and reordering are the same for both directions, which implement [`worker::Batch`]. The
//! C driver and padata (`kernel/padata.c`) solve the same problem, and the names follow them.
//!
//! * `cpu_load.rs`: how busy each CPU is, and how many packets it has handed to the stack since it
//!   ran softirqs.
//! * `fifo.rs`: batches that wait for a worker.
//! * `stream.rs`: whether single packets belong to a stream, or to questions and answers.
//! * `worker.rs`: the worker of each CPU, a work item, and the watchdog for when it does not run.
//! * `reorder.rs`: the queue that releases batches by rising sequence number.

pub(crate) mod cpu_load;
mod fifo;
pub(crate) mod reorder;
pub(crate) mod stream;
pub(crate) mod worker;
