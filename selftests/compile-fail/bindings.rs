// E0432: a driver cannot name the raw bindings
// SPDX-License-Identifier: GPL-2.0

//! Names the crate of the bindings.

#![forbid(unsafe_code)]

use wg_bindings as _; //~
