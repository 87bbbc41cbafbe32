// SPDX-License-Identifier: GPL-2.0

//! The module's entry points, and when its code may be freed.
//!
//! [`module!`](crate::module) takes the fields of the `kernel` crate's macro, for a type that
//! implements [`Module`]. It wraps that type, so that unloading waits until nothing is left that
//! could call the module's code, whatever the driver leaks or forgets:
//!
//! ```ignore
//! kext::module! {
//!     type: Driver,
//!     name: "driver",
//!     license: "GPL v2",
//! }
//! ```

use crate::compat::raw_try_init;
use crate::{
    context::Process,
    sync::{
        rcu::Barrier,
        slab_cache, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use pin_init::pin_init_from_closure;

/// The entry points of a module.
pub trait Module: Send + Sync + Sized + 'static {
    /// Makes the module's state, which is dropped when the module is unloaded.
    fn init(module: &'static ThisModule, ctx: &mut Process) -> impl PinInit<Self, Error>;

    /// Called when the initialisation has succeeded and dumps may begin: the place for lines in the
    /// log.
    fn started() {}
}

/// The state of a module, whose drop waits for the last call into its code.
#[pin_data]
pub struct Guarded<M> {
    /// Dropped first.
    _started: Started,
    #[pin]
    module: M,
    /// Dropped last.
    _text: ModuleText,
}

/// The module's text: its drop waits until nothing is left that could call it, and destroys the
/// slab caches, whose values are freed by then.
struct ModuleText(Option<Barrier>);

impl Drop for ModuleText {
    fn drop(&mut self) {
        drop(self.0.take());
        // SAFETY: The drop of the barrier has waited for the last value and reference. Only another
        // barrier makes new ones possible, and this module has no other. The thread may sleep, or
        // the barrier's drop would not have returned.
        unsafe { slab_cache::destroy_all() };
    }
}

impl<M: Module> Guarded<M> {
    /// Makes the initialiser; see [`module!`](crate::module).
    ///
    /// # Safety
    ///
    /// The value must be the state of this module, which is made by its initialisation and dropped
    /// by its exit.
    #[doc(hidden)]
    pub unsafe fn new(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        let init = move |slot: *mut M| {
            // SAFETY: Modules are initialised in process context, by the requirements of this
            // function.
            let mut ctx = unsafe { Process::new() };
            // SAFETY: By the requirements of the closure, which are those of this function.
            unsafe { raw_try_init(slot, M::init(module, &mut ctx)) }
        };
        try_pin_init!(Self {
            _text: ModuleText(Some(Barrier::new()?)),
            // SAFETY: The closure does what an initialiser does, and nothing else.
            module <- unsafe { pin_init_from_closure(init) },
            _started: Started::new::<M>(),
        }? Error)
    }
}

/// Whether there is a [`Started`].
static STARTED: Atomic<bool> = Atomic::new(false);

/// Marks that the initialisation of the module has succeeded.
///
/// A dump keeps the module by its reference count alone, so dumps must not begin earlier: if the
/// initialisation fails, C frees the module whatever its count is.
struct Started;

impl Started {
    fn new<M: Module>() -> Self {
        STARTED.store(true, Relaxed);
        M::started();
        Self
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        STARTED.store(false, Relaxed);
    }
}

/// Returns whether the initialisation has succeeded, so that the reference count keeps the module.
pub(crate) fn is_started() -> bool {
    STARTED.load(Relaxed)
}

/// Calls `f` as if the initialisation had not ended.
#[cfg(CONFIG_KUNIT)]
pub(crate) fn while_not_started<R>(f: impl FnOnce() -> R) -> R {
    STARTED.store(false, Relaxed);
    let result = f();
    STARTED.store(true, Relaxed);
    result
}

/// Declares the module: as the macro of the `kernel` crate, for a type that implements
/// [`Module`](crate::module::Module).
#[macro_export]
macro_rules! module {
    (type: $module:ty, $($rest:tt)*) => {
        /// The state of the module.
        #[::kernel::prelude::pin_data]
        struct GuardedModule {
            #[pin]
            guarded: $crate::module::Guarded<$module>,
        }

        impl ::kernel::InPlaceModule for GuardedModule {
            fn init(
                module: &'static ::kernel::ThisModule,
            ) -> impl ::kernel::prelude::PinInit<Self, ::kernel::error::Error> {
                // SAFETY: The initialisation of the module makes the value, and its exit drops it.
                // The driver's code runs in between only, when `Guarded::new` refuses a second
                // value.
                let guarded = unsafe { $crate::module::Guarded::new(module) };
                ::kernel::prelude::try_pin_init!(Self {
                    guarded <- guarded,
                }? ::kernel::error::Error)
            }
        }

        ::kernel::macros::module! {
            type: GuardedModule,
            $($rest)*
        }
    };
}
