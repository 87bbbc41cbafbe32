// SPDX-License-Identifier: GPL-2.0

//! Models of what C does when CPUs meet, and the machine that they make up.

pub mod machine;
pub mod napi;
pub mod rcu;
pub mod softirq;
pub mod timer;
pub mod workqueue;
