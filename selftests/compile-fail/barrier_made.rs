// E0603: what waits at the end of the module is made by the module alone, so a driver cannot leak it
// SPDX-License-Identifier: GPL-2.0

//! A driver that makes what waits at its end.

#![forbid(unsafe_code)]

use kext as _;
use kext::sync::rcu::Barrier; //~
