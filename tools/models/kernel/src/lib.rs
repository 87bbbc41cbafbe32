// SPDX-License-Identifier: GPL-2.0

//! What the files under test use of the `kernel` crate, with the scheduler's atomics.

extern crate self as kernel;

pub mod alloc;
pub mod error;
pub mod sync;
pub mod types;

pub mod bindings;
pub mod model;
pub mod rbtree;
pub mod time;

/// C's integers.
pub mod ffi {
    pub use std::ffi::{c_int, c_uint, c_ulong};
}

/// Tests of the kernel's own kind, which do not run here.
pub mod macros {
    pub use crate::types::kunit_tests;
}

/// Formatting.
pub use std::fmt;

/// Files below debugfs.
pub mod debugfs {
    /// What is shown.
    pub trait Writer {
        /// Writes it.
        fn write(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result;
    }
}

/// What most files use.
pub mod prelude {
    pub use crate::{
        alloc::{
            flags::{GFP_ATOMIC, GFP_KERNEL, __GFP_NOWARN},
            KBox, KVVec, KVec,
        },
        error::{code::*, Error, Result},
        pr_warn,
        types::CStrExt,
    };
    pub use pin_init::{pin_data, pin_init, try_pin_init, PinInit};
    pub use std::pin::Pin;
}

/// Returns where the structure lies that has this field.
#[macro_export]
macro_rules! container_of {
    ($field_ptr:expr, $container:ty, $field:ident) => {
        ($field_ptr)
            .byte_sub(::core::mem::offset_of!($container, $field))
            .cast::<$container>()
    };
}

/// Returns the condition. It is a fault of the model if it holds.
#[macro_export]
macro_rules! warn_on {
    ($condition:expr) => {{
        let condition = $condition;
        assert!(!condition, "a warning: {}", stringify!($condition));
        condition
    }};
}

/// Ends the model.
#[macro_export]
macro_rules! pr_warn {
    ($($arguments:tt)*) => {
        panic!($($arguments)*)
    };
}

/// Stands for the key of a class of locks.
#[macro_export]
macro_rules! static_lock_class {
    () => {
        $crate::types::LockClass
    };
}
