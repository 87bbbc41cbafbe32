// E0603: claims on the text of the module are not for drivers
// SPDX-License-Identifier: GPL-2.0

//! Claims on the text of the module are not for drivers.

#![forbid(unsafe_code)]

use kext as _;
use kext::sync::rcu::ModuleRef; //~
