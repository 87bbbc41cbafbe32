// E0432: the raw bindings are not for drivers
// SPDX-License-Identifier: GPL-2.0

//! The raw bindings are not for drivers.

#![forbid(unsafe_code)]

use kext as _;
use wg_bindings as _; //~
