// SPDX-License-Identifier: GPL-2.0

//! Counters of devices.
//!
//! Packets and bytes have per-CPU counters, which exist from registration on: hence the methods of
//! [`Running`]. The other counters are atomics in the device itself.

use super::{
    NetDevice,
    Operations,
    Running, //
};
use crate::bindings;

impl<T: Operations> Running<'_, T> {
    /// Counts a received packet.
    #[inline]
    pub fn rx_add(&self, bytes: u32) {
        // SAFETY: By the type invariants the counters exist. Bottom halves are off.
        unsafe { bindings::dev_sw_netstats_rx_add(self.as_raw(), bytes) };
    }

    /// Counts sent packets.
    #[inline]
    pub fn tx_add(&self, packets: u32, bytes: u32) {
        // SAFETY: As in `rx_add`.
        unsafe { bindings::dev_sw_netstats_tx_add(self.as_raw(), packets, bytes) };
    }
}

impl<T: Operations> NetDevice<T> {
    /// Counts packets dropped on their way out (`tx_dropped`).
    #[inline]
    pub fn count_tx_dropped(&self, packets: usize) {
        // SAFETY: The device is valid, and the counter atomic.
        unsafe { bindings::dev_stats_add_tx_dropped(self.as_raw(), packets) };
    }

    /// Counts a packet that could not be sent (`tx_errors`).
    #[inline]
    pub fn count_tx_error(&self) {
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_tx_errors(self.as_raw()) };
    }

    /// Counts a received packet with bad content (`rx_errors`, `rx_frame_errors`).
    #[inline]
    pub fn count_rx_frame_error(&self) {
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_rx_errors(self.as_raw()) };
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_rx_frame_errors(self.as_raw()) };
    }

    /// Counts a received packet with a wrong length (`rx_errors`, `rx_length_errors`).
    #[inline]
    pub fn count_rx_length_error(&self) {
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_rx_errors(self.as_raw()) };
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_rx_length_errors(self.as_raw()) };
    }
}
