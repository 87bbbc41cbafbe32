// SPDX-License-Identifier: GPL-2.0

//! Devices, NAPI contexts and packets.

pub mod device;
pub mod napi;
pub mod skb;
