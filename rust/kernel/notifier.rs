// SPDX-License-Identifier: GPL-2.0

//! Being told that the machine's state changes.
//!
//! The callbacks have no data of their own. A registration is removed when it is dropped, which
//! sleeps; where that is not possible it is leaked, with a warning.
//!
//! C headers: [`include/linux/notifier.h`](srctree/include/linux/notifier.h),
//! [`include/linux/suspend.h`](srctree/include/linux/suspend.h),
//! [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::bindings::notifier_block;
use crate::{
    context::Process,
    sync::rcu::{
        reclaim,
        ModuleRef, //
    },
};
use core::{
    marker::PhantomData,
    mem::ManuallyDrop, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*,
    types::Opaque, //
};

/// A chain of notifiers that C calls in process context.
///
/// # Safety
///
/// * After a call of `add` that returned 0, and until one of `remove` has returned, C calls
///   `notify` with what `add` was given.
/// * C does so in process context, where it may sleep.
unsafe trait Chain: 'static {
    /// Adds to the chain.
    ///
    /// # Safety
    ///
    /// `block` must be valid, and stay so until it is removed.
    unsafe fn add(block: *mut notifier_block) -> c_int;

    /// Removes from the chain; sleeps.
    ///
    /// # Safety
    ///
    /// `block` must have been added.
    unsafe fn remove(block: *mut notifier_block);

    /// Called by C.
    fn notify(action: c_ulong, process: &mut Process);
}

/// What C keeps a pointer to.
struct Entry {
    block: Opaque<notifier_block>,
    _module: ModuleRef,
}

/// A notifier in the chain `C`.
///
/// # Invariants
///
/// `entry` is in the chain, unless it is being dropped.
struct NotifierBlock<C: Chain> {
    entry: ManuallyDrop<KBox<Entry>>,
    _chain: PhantomData<C>,
}

// SAFETY: May be removed from another thread; there is no data.
unsafe impl<C: Chain> Send for NotifierBlock<C> {}
// SAFETY: Nothing can be done with a shared one.
unsafe impl<C: Chain> Sync for NotifierBlock<C> {}

impl<C: Chain> NotifierBlock<C> {
    fn new() -> Result<Self> {
        if kernel::warn_on!(!reclaim::may_wait()) {
            return Err(EBUSY);
        }
        let block = notifier_block {
            notifier_call: Some(Self::callback),
            ..pin_init::zeroed()
        };
        let entry = KBox::new(
            Entry {
                block: Opaque::new(block),
                _module: ModuleRef::get()?,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: The entry is on the heap, and stays there until it is removed.
        to_result(unsafe { C::add(entry.block.get()) })?;
        Ok(Self {
            // INVARIANT: It was just added.
            entry: ManuallyDrop::new(entry),
            _chain: PhantomData,
        })
    }

    /// Calls [`Chain::notify`].
    ///
    /// # Safety
    ///
    /// Only for the chain `C`.
    unsafe extern "C" fn callback(
        _block: *mut notifier_block,
        action: c_ulong,
        _data: *mut c_void,
    ) -> c_int {
        // SAFETY: Process context, by the requirements of `Chain`.
        let mut process = unsafe { Process::new() };
        C::notify(action, &mut process);
        // `NOTIFY_DONE`
        0
    }
}

impl<C: Chain> Drop for NotifierBlock<C> {
    fn drop(&mut self) {
        if kernel::warn_on!(!reclaim::may_wait()) {
            // Leaked, with its module reference, so that the module stays too.
            return;
        }
        // SAFETY: By the type invariant.
        unsafe { C::remove(self.entry.block.get()) };
        // SAFETY: Not used again.
        unsafe { ManuallyDrop::drop(&mut self.entry) };
    }
}

/// Power management.
pub mod pm {
    use super::{
        Chain,
        NotifierBlock, //
    };
    use crate::bindings::{
        notifier_block,
        PM_HIBERNATION_PREPARE,
        PM_SUSPEND_PREPARE, //
    };
    use crate::{
        bindings,
        context::Process, //
    };
    use core::marker::PhantomData;
    use kernel::{
        ffi::{
            c_int,
            c_ulong, //
        },
        prelude::*,
    };

    /// What to do before the machine goes to sleep.
    pub trait SleepNotifier: 'static {
        /// Called before the machine is suspended or hibernated.
        fn prepare(process: &mut Process);
    }

    /// Whether the machine sleeps all the time as part of its normal operation. Then being told of
    /// it is of no use.
    const SLEEPY: bool = cfg!(CONFIG_PM_AUTOSLEEP) || cfg!(CONFIG_PM_USERSPACE_AUTOSLEEP);

    /// The actions to tell of.
    // CAST: Small numbers.
    const BEFORE_SLEEP: [c_ulong; 2] = [
        PM_HIBERNATION_PREPARE as c_ulong,
        PM_SUSPEND_PREPARE as c_ulong,
    ];

    struct Sleep<T>(PhantomData<T>);

    // SAFETY: The chain is a blocking one.
    unsafe impl<T: SleepNotifier> Chain for Sleep<T> {
        unsafe fn add(block: *mut notifier_block) -> c_int {
            // SAFETY: By the requirements of this function.
            unsafe { bindings::register_pm_notifier(block) }
        }

        unsafe fn remove(block: *mut notifier_block) {
            // SAFETY: By the requirements of this function.
            unsafe { bindings::unregister_pm_notifier(block) };
        }

        fn notify(action: c_ulong, process: &mut Process) {
            if BEFORE_SLEEP.contains(&action) {
                T::prepare(process);
            }
        }
    }

    /// Calls `T` before the machine goes to sleep.
    pub struct Registration<T: SleepNotifier> {
        _block: Option<NotifierBlock<Sleep<T>>>,
    }

    impl<T: SleepNotifier> Registration<T> {
        /// Registers.
        ///
        /// # Errors
        ///
        /// [`EBUSY`], with a warning, where one may not sleep.
        pub fn new() -> Result<Self> {
            Ok(Self {
                _block: if SLEEPY {
                    None
                } else {
                    Some(NotifierBlock::new()?)
                },
            })
        }
    }
}

/// Copies of virtual machines.
pub mod vmfork {
    use super::{
        Chain,
        NotifierBlock, //
    };
    use crate::bindings::notifier_block;
    use crate::{
        bindings,
        context::Process, //
    };
    use core::marker::PhantomData;
    use kernel::{
        ffi::{
            c_int,
            c_ulong, //
        },
        prelude::*,
    };

    /// What to do in a copy of the machine.
    pub trait ForkNotifier: 'static {
        /// Called when the machine finds itself to be a copy of another one, after the random
        /// number generator was seeded anew.
        fn forked(process: &mut Process);
    }

    struct Fork<T>(PhantomData<T>);

    // SAFETY: The chain is a blocking one.
    unsafe impl<T: ForkNotifier> Chain for Fork<T> {
        unsafe fn add(block: *mut notifier_block) -> c_int {
            // SAFETY: By the requirements of this function.
            unsafe { bindings::register_random_vmfork_notifier(block) }
        }

        unsafe fn remove(block: *mut notifier_block) {
            // SAFETY: By the requirements of this function.
            unsafe { bindings::unregister_random_vmfork_notifier(block) };
        }

        fn notify(_action: c_ulong, process: &mut Process) {
            T::forked(process);
        }
    }

    /// Calls `T` in a copy of the machine.
    pub struct Registration<T: ForkNotifier> {
        _block: NotifierBlock<Fork<T>>,
    }

    impl<T: ForkNotifier> Registration<T> {
        /// Registers.
        ///
        /// # Errors
        ///
        /// [`EBUSY`], with a warning, where one may not sleep.
        pub fn new() -> Result<Self> {
            Ok(Self {
                _block: NotifierBlock::new()?,
            })
        }
    }
}
