// ok: a driver without mistakes compiles, so what fails below fails for its own reason
// SPDX-License-Identifier: GPL-2.0

//! Control.

#![forbid(unsafe_code)]

use kernel as _;
use kext as _;
use wg_proto as _;
