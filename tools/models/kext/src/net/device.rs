// SPDX-License-Identifier: GPL-2.0

//! Devices, which live as long as an execution.

use super::napi::Gro;
use crate::context::Bh;
use std::ops::Deref;

/// What a driver does.
pub trait Operations: Send + Sync + Sized + 'static {
    /// What is polled.
    type NapiQueue: Send + Sync;

    /// Polls it.
    fn poll(
        dev: &NetDevice<Self>,
        queue: &Self::NapiQueue,
        gro: &mut Gro<'_, Self>,
        budget: usize,
        bh: &Bh<'_>,
    ) -> usize;
}

/// A device.
pub struct NetDevice<T> {
    data: T,
}

/// A reference to one.
pub struct DeviceRef<T: 'static>(&'static NetDevice<T>);

impl<T> Clone for DeviceRef<T> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<T> Deref for DeviceRef<T> {
    type Target = NetDevice<T>;
    fn deref(&self) -> &NetDevice<T> {
        self.0
    }
}

impl<T: 'static> NetDevice<T> {
    /// Makes one.
    pub fn make(data: T) -> DeviceRef<T> {
        DeviceRef(Box::leak(Box::new(Self { data })))
    }

    /// Returns what the driver keeps.
    pub fn data(&self) -> &T {
        &self.data
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        "wg0"
    }
}

/// Returns how deep transmissions are nested.
pub fn xmit_depth(_bh: &Bh<'_>) -> u32 {
    0
}
