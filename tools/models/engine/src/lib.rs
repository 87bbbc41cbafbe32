// SPDX-License-Identifier: GPL-2.0

//! Schedules of a few threads, all of them up to a number of preemptions, by loom.
//!
//! The files under test name atomics by the paths that they have in the kernel; the stand-ins for
//! the crates `kernel` and `kext` lead these here. The threads of an execution are CPUs, workers
//! and what else runs beside them. They switch only at an atomic access, and so plain state (as of
//! the models of RCU and NAPI) that is changed right after such an access changes together with
//! it.
//!
//! loom keeps the order of memory accesses of C11 and shows a thread old values wherever that
//! allows it. It treats `SeqCst` accesses as `AcqRel`, so a full barrier is a fence of `SeqCst`.

pub mod atomic;
mod lock;
mod memory;
mod run;
mod tracked;

pub use lock::Lock;
pub use memory::{allocate, release, PerRun};
pub use run::{block_until, current, explore_with, pause, spawn, wake, Bounds, Thread};
pub use tracked::Tracked;
