// SPDX-License-Identifier: GPL-2.0

//! Tells the driver's files where they are.

fn main() {
    println!("cargo::rustc-cfg=wg_models");
    println!("cargo::rerun-if-changed=build.rs");
}
