// SPDX-License-Identifier: GPL-2.0

//! Notifiers of changes of the machine: sleep, and copies of virtual machines.
//!
//! The callbacks have no data of their own. Dropping a registration removes its callback, and
//! sleeps. In atomic context the drop leaks the registration instead, with a warning.
//!
//! C headers: [`include/linux/notifier.h`](srctree/include/linux/notifier.h),
//! [`include/linux/suspend.h`](srctree/include/linux/suspend.h),
//! [`include/linux/random.h`](srctree/include/linux/random.h)

use crate::bindings::{
    cancel_work_sync,
    init_work_with_key,
    notifier_block,
    queue_work_on,
    system_dfl_wq,
    work_struct, //
};
use crate::{
    compat::casts::usize_as_u64,
    context::{
        self,
        Process, //
    },
    sync::rcu::{
        reclaim,
        ModuleRef, //
    }, //
};
use core::{
    marker::PhantomData,
    mem::{
        offset_of,
        ManuallyDrop, //
    }, //
};
use kernel::{
    error::to_result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    prelude::*,
    static_lock_class,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::Opaque, //
};

/// The argument of `queue_work_on()` for any CPU.
// CAST: A small number.
const WORK_CPU_UNBOUND: c_int = crate::bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;

/// A chain of notifiers.
///
/// # Safety
///
/// After `add` has returned 0, C may call the function of that block, until `remove` has returned.
/// After that C does not.
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

    /// Called in process context: by C, or by a work item if C called in atomic context.
    fn notify(action: c_ulong, process: &mut Process);
}

/// The part of a notifier to which C has a pointer.
#[pin_data]
struct NotifierEntry {
    #[pin]
    block: Opaque<notifier_block>,
    /// Calls [`Chain::notify`] if C called in atomic context.
    #[pin]
    later: Opaque<work_struct>,
    /// The action for which `later` was queued.
    action: Atomic<u64>,
    _module: ModuleRef,
}

/// A notifier in the chain `C`.
///
/// # Invariants
///
/// `entry` is in the chain, unless it is being dropped.
struct NotifierBlock<C: Chain> {
    entry: ManuallyDrop<Pin<KBox<NotifierEntry>>>,
    _chain: PhantomData<C>,
}

// SAFETY: Any thread may remove the notifier, and it has no data.
unsafe impl<C: Chain> Send for NotifierBlock<C> {}
// SAFETY: A shared notifier has no methods.
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
        let entry = KBox::pin_init(
            try_pin_init!(NotifierEntry {
                block: Opaque::new(block),
                // SAFETY: `slot` is valid for writes and stays where it is.
                later <- Opaque::ffi_init(|slot| unsafe {
                    init_work_with_key(
                        slot,
                        Some(Self::run_later),
                        false,
                        c"notifier".as_char_ptr(),
                        static_lock_class!().as_ptr().cast(),
                    )
                }),
                action: Atomic::new(0),
                _module: ModuleRef::get()?,
            }? Error),
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

    /// Calls [`Chain::notify`], or queues the work item that does.
    ///
    /// C calls blocking chains from interrupts too: `vmgenid` does on machines that a device tree
    /// describes.
    ///
    /// # Safety
    ///
    /// Only for the chain `C`.
    unsafe extern "C" fn callback(
        block: *mut notifier_block,
        action: c_ulong,
        _data: *mut c_void,
    ) -> c_int {
        // `NOTIFY_DONE`
        const DONE: c_int = 0;
        if context::may_sleep() {
            // SAFETY: `may_sleep` has just said so. C calls this from no callback of ours.
            let mut process = unsafe { Process::new() };
            C::notify(action, &mut process);
            return DONE;
        }
        let entry = block
            .wrapping_byte_sub(offset_of!(NotifierEntry, block))
            .cast::<NotifierEntry>();
        // SAFETY: The block is part of an entry, which exists until the block is removed.
        let entry = unsafe { &*entry };
        entry.action.store(usize_as_u64(action), Relaxed);
        // SAFETY: The kernel sets it once, before it loads modules.
        let queue = unsafe { system_dfl_wq };
        // SAFETY: The queue exists for as long as the kernel runs, and the drop waits for the item.
        unsafe { queue_work_on(WORK_CPU_UNBOUND, queue, entry.later.get()) };
        DONE
    }

    /// # Safety
    ///
    /// Only for [`NotifierEntry::later`].
    unsafe extern "C" fn run_later(work: *mut work_struct) {
        let entry = work
            .wrapping_byte_sub(offset_of!(NotifierEntry, later))
            .cast::<NotifierEntry>();
        // SAFETY: The item is part of an entry, whose drop waits for this function.
        let action = unsafe { &*entry }.action.load(Relaxed);
        // SAFETY: Workers run in process context.
        let mut process = unsafe { Process::new() };
        // CAST: What was stored.
        C::notify(action as c_ulong, &mut process);
    }
}

impl<C: Chain> Drop for NotifierBlock<C> {
    fn drop(&mut self) {
        if kernel::warn_on!(!reclaim::may_wait()) {
            // Leak the entry with its module reference, which keeps the module loaded.
            return;
        }
        // SAFETY: By the type invariant.
        unsafe { C::remove(self.entry.block.get()) };
        // SAFETY: The item is initialised. C does not call the notifier any more, so nothing queues
        // the item. The thread may sleep.
        unsafe { cancel_work_sync(self.entry.later.get()) };
        // SAFETY: `entry` is not used again.
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

    /// The driver's callback before the machine sleeps.
    pub trait SleepNotifier: 'static {
        /// Called before the machine is suspended or hibernated.
        fn prepare(process: &mut Process);
    }

    /// Whether the machine suspends all the time as part of its normal operation. Then a
    /// registration does nothing.
    const SLEEPY: bool = cfg!(CONFIG_PM_AUTOSLEEP) || cfg!(CONFIG_PM_USERSPACE_AUTOSLEEP);

    /// The actions on which [`SleepNotifier::prepare`] is called.
    // CAST: Small numbers.
    const BEFORE_SLEEP: [c_ulong; 2] = [
        PM_HIBERNATION_PREPARE as c_ulong,
        PM_SUSPEND_PREPARE as c_ulong,
    ];

    struct Sleep<T>(PhantomData<T>);

    // SAFETY: `register_pm_notifier()` and `unregister_pm_notifier()` keep this contract.
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

    /// A registered [`SleepNotifier`].
    pub struct Registration<T: SleepNotifier> {
        _block: Option<NotifierBlock<Sleep<T>>>,
    }

    impl<T: SleepNotifier> Registration<T> {
        /// Registers `T`.
        ///
        /// # Errors
        ///
        /// [`EBUSY`], with a warning, in atomic context.
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

/// Copies of virtual machines, such as clones and restored snapshots.
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

    /// The driver's callback in a copy of a virtual machine.
    pub trait ForkNotifier: 'static {
        /// Called when the machine finds that it is a copy of another one, after the random number
        /// generator was seeded anew.
        fn forked(process: &mut Process);
    }

    struct Fork<T>(PhantomData<T>);

    // SAFETY: Both functions of C keep this contract.
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

    /// A registered [`ForkNotifier`].
    pub struct Registration<T: ForkNotifier> {
        _block: NotifierBlock<Fork<T>>,
    }

    impl<T: ForkNotifier> Registration<T> {
        /// Registers `T`.
        ///
        /// # Errors
        ///
        /// [`EBUSY`], with a warning, in atomic context.
        pub fn new() -> Result<Self> {
            Ok(Self {
                _block: NotifierBlock::new()?,
            })
        }
    }
}

#[kernel::macros::kunit_tests(kext_notifier)]
mod tests {
    use super::*;
    use core::ptr::null_mut;
    use kernel::{
        interrupt::local_interrupt_disable,
        time::{
            delay::fsleep,
            Delta, //
        },
    };

    /// A chain that only the test calls.
    struct Nobody;

    static CALLS: Atomic<u64> = Atomic::new(0);

    // SAFETY: Nothing is kept.
    unsafe impl Chain for Nobody {
        unsafe fn add(_block: *mut notifier_block) -> c_int {
            0
        }

        unsafe fn remove(_block: *mut notifier_block) {}

        fn notify(action: c_ulong, _process: &mut Process) {
            assert!(context::may_sleep());
            CALLS.fetch_add(action as u64, Relaxed);
        }
    }

    /// Calls the notifier as C does, and returns the action that `notify` got by the end of that.
    fn call(notifier: &NotifierBlock<Nobody>, action: c_ulong) -> u64 {
        let before = CALLS.load(Relaxed);
        // SAFETY: The block of a notifier, which is there.
        let _ = unsafe {
            NotifierBlock::<Nobody>::callback(notifier.entry.block.get(), action, null_mut())
        };
        CALLS.load(Relaxed).wrapping_sub(before)
    }

    #[test]
    fn an_interrupt_leaves_it_to_a_worker() -> Result {
        let notifier = NotifierBlock::<Nobody>::new()?;
        assert!(call(&notifier, 1) == 1);
        let at_once = {
            let _irqs = local_interrupt_disable();
            call(&notifier, 10)
        };
        assert!(at_once == 0);
        for _ in 0..100 {
            if CALLS.load(Relaxed) == 11 {
                break;
            }
            fsleep(Delta::from_millis(10));
        }
        assert!(CALLS.load(Relaxed) == 11);
        Ok(())
    }
}
