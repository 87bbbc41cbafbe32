// SPDX-License-Identifier: GPL-2.0

//! What the files under test use of `kext`: its own files for RCU, models for the rest.

pub use kernel::bindings;

/// What differs between kernels.
#[path = "../../../../rust/kernel/compat"]
pub mod compat {
    pub mod casts;

    pub use kernel::error::code;
    pub use pin_init::raw_try_init;
}

pub mod context;
pub mod cpu;
pub mod net;
pub mod random;
pub mod siphash;
pub mod time;
pub mod workqueue;

/// Log lines.
#[macro_export]
macro_rules! debug_ratelimited {
    ($($arguments:tt)*) => {
        let _ = format_args!($($arguments)*);
    };
}

/// Atomics, locks and RCU.
#[path = "../../../../rust/kernel/sync"]
pub mod sync {
    pub mod rcu;

    #[path = "../../../tools/models/kext/src/lock.rs"]
    pub mod lock;

    /// The atomics of the scheduler in place of those of the language.
    pub(crate) use engine::atomic;

    #[path = "../../../tools/models/kext/src/cache_aligned.rs"]
    mod cache_aligned;
    pub use cache_aligned::CacheAligned;

    #[path = "../../../tools/models/kext/src/read_once.rs"]
    mod read_once;
    pub use read_once::ReadOnce;
}

/// Begins an execution: values and registrations may be made.
pub fn begin() {
    std::mem::forget(sync::rcu::Barrier::new().expect("the first one"));
}

#[cfg(test)]
mod models {
    mod rcu;
}
