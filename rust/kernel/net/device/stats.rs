// SPDX-License-Identifier: GPL-2.0

//! Counters of devices.
//!
//! Packets and bytes are counted for each CPU, and exist from registration on: hence by
//! [`Running`]. The rest are atomics in the device itself.

use super::{
    NetDevice,
    Operations,
    Running, //
};
use crate::bindings;

impl<T: Operations> Running<'_, T> {
    /// Counts a packet that was received.
    #[inline]
    pub fn rx_add(&self, bytes: u32) {
        // SAFETY: By the type invariants the counters exist. Bottom halves are off.
        unsafe { bindings::dev_sw_netstats_rx_add(self.as_raw(), bytes) };
    }

    /// Counts packets that were sent.
    #[inline]
    pub fn tx_add(&self, packets: u32, bytes: u32) {
        // SAFETY: As in `rx_add`.
        unsafe { bindings::dev_sw_netstats_tx_add(self.as_raw(), packets, bytes) };
    }
}

impl<T: Operations> NetDevice<T> {
    /// Counts packets that were dropped on their way out.
    #[inline]
    pub fn count_tx_dropped(&self, packets: usize) {
        // SAFETY: The device is valid, and the counter atomic.
        unsafe { bindings::dev_stats_add_tx_dropped(self.as_raw(), packets) };
    }

    /// Counts a packet that could not be sent.
    #[inline]
    pub fn count_tx_error(&self) {
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_tx_errors(self.as_raw()) };
    }

    /// Counts a packet that was received and is not what it should be.
    #[inline]
    pub fn count_rx_frame_error(&self) {
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_rx_errors(self.as_raw()) };
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_rx_frame_errors(self.as_raw()) };
    }

    /// Counts a packet that was received with a wrong length.
    #[inline]
    pub fn count_rx_length_error(&self) {
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_rx_errors(self.as_raw()) };
        // SAFETY: As in `count_tx_dropped`.
        unsafe { bindings::dev_stats_inc_rx_length_errors(self.as_raw()) };
    }
}
