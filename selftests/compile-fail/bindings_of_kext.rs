// E0603: nor reach them through the abstractions
// SPDX-License-Identifier: GPL-2.0

//! Names the import of the bindings in `kext`.

#![forbid(unsafe_code)]

use kext::bindings as _; //~
