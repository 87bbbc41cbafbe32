// SPDX-License-Identifier: GPL-2.0

//! Sharing work among CPUs; knows neither direction.

pub(crate) mod cpu_load;
pub(crate) mod reorder;
pub(crate) mod stream;
pub(crate) mod tx_cpu;
pub(crate) mod worker;
