// E0432: the raw bindings are not for drivers
// SPDX-License-Identifier: GPL-2.0

//! The raw bindings are not for drivers.

#![forbid(unsafe_code)]

use wg_bindings as _; //~
use kext as _;
