// SPDX-License-Identifier: GPL-2.0

//! Work items that are fields of a counted value, and queues to run them.
//!
//! A [`Work`] is a field of a `T` in an [`RcuArc`], as a [`Timer`](crate::time::timer::Timer) is,
//! and the same reasoning holds: while the item is pending it owns one count of the value.
//!
//! # One count for each pending instance
//!
//! An item is pending or idle; C keeps that in one bit, which it changes atomically:
//!
//! | change         | by                                                | the count                    |
//! |----------------|---------------------------------------------------|------------------------------|
//! | idle → pending | `queue_work_on()`, which then returns true        | [`Queue::enqueue`] gives one |
//! | pending → idle | `cancel_work()` or `_sync()`, which then say true | the caller drops it          |
//! | pending → idle | a worker, which then calls the callback once      | the callback takes it        |
//!
//! The item is idle again before the callback starts. So another CPU, or the callback itself, may
//! enqueue it while it runs, and the new instance has its own count. C does not run one item twice
//! at the same time, unless it is enqueued on two queues: then each call has its own count, and
//! [`WorkItem::run`] has a shared reference only.
//!
//! # Memory
//!
//! A worker does not access an item after it has called the item's function, apart from comparing
//! its address, so the callback may drop the last count. A [`Queue`] keeps the module's text until
//! it is destroyed, which waits for running callbacks; pending items keep it by their counts.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::bindings::{
    __flush_workqueue,
    alloc_workqueue_noprof,
    cancel_work_sync,
    destroy_workqueue,
    init_work_with_key,
    queue_work_on,
    work_struct,
    workqueue_struct, //
};
use crate::{
    bindings,
    context::{
        may_sleep,
        Process, //
    },
    cpu,
    sync::rcu::{
        reclaim,
        ModuleRef,
        PendingOwner,
        RcuArc, //
    },
};
use core::{
    marker::PhantomPinned,
    mem::ManuallyDrop,
    ops::BitOr,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    ffi::{
        c_int,
        c_uint, //
    },
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

/// The argument of `queue_work_on()` for any CPU.
// CAST: The number of CPUs that the kernel was built for.
const ANY_CPU: c_int = crate::bindings::wq_misc_consts_WORK_CPU_UNBOUND as c_int;

/// Makes the initialiser of a [`Work`] with a lock class of its own.
#[macro_export]
macro_rules! new_work {
    ($($name:literal)?) => {
        $crate::workqueue::Work::new(
            ::kernel::optional_name!($($name)?),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use new_work;

/// Properties of a [`Queue`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(c_uint);

impl Flags {
    /// Items run on the CPU that enqueues them.
    pub const PERCPU: Self = Self(crate::bindings::wq_flags_WQ_PERCPU);
    /// Items run on any CPU.
    pub const UNBOUND: Self = Self(crate::bindings::wq_flags_WQ_UNBOUND);
    /// Items may keep a CPU busy; the CPU's other items start meanwhile.
    pub const CPU_INTENSIVE: Self = Self(crate::bindings::wq_flags_WQ_CPU_INTENSIVE);
    /// Items do not run while the machine is suspended.
    pub const FREEZABLE: Self = Self(crate::bindings::wq_flags_WQ_FREEZABLE);
    /// Items make progress when memory is short: a rescuer thread runs them.
    pub const MEM_RECLAIM: Self = Self(crate::bindings::wq_flags_WQ_MEM_RECLAIM);
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A workqueue.
///
/// The drop waits until all pending items have run, and sleeps. In atomic context it leaks the
/// queue instead, with a warning.
///
/// # Invariants
///
/// `queue` is valid, and belongs to the value.
pub struct Queue {
    queue: NonNull<workqueue_struct>,
    /// Dropped after the queue is destroyed.
    _module: ManuallyDrop<ModuleRef>,
}

// SAFETY: The functions for workqueues may be called on any thread.
unsafe impl Send for Queue {}
// SAFETY: They do their own locking.
unsafe impl Sync for Queue {}

impl Queue {
    /// Allocates a queue. Drop it in process context.
    ///
    /// # Errors
    ///
    /// [`EBUSY`], with a warning, in atomic context. This takes no [`Process`], as constructors of
    /// devices and modules have none to pass on.
    pub fn new(name: &CStr, flags: Flags) -> Result<Self> {
        if kernel::warn_on!(!may_sleep()) {
            return Err(EBUSY);
        }
        let module = ModuleRef::get()?;
        // SAFETY: The format takes one string, which is copied.
        let queue =
            unsafe { alloc_workqueue_noprof(c"%s".as_char_ptr(), flags.0, 0, name.as_char_ptr()) };
        Ok(Self {
            // INVARIANT: Just allocated.
            queue: NonNull::new(queue).ok_or(ENOMEM)?,
            _module: ManuallyDrop::new(module),
        })
    }

    /// Enqueues `work`, which lies in `owner`, and returns whether it was not pending.
    ///
    /// Does nothing, with a warning, if it does not lie in `owner`.
    #[inline]
    pub fn enqueue<T: WorkItem<ID>, const ID: usize>(
        &self,
        work: &Work<T, ID>,
        owner: &RcuArc<T>,
    ) -> bool {
        self.enqueue_raw(ANY_CPU, work, owner)
    }

    /// As [`Queue::enqueue`], to run on `cpu`, or on any CPU if that is not online.
    ///
    /// If `cpu` goes offline before, the item runs on another one.
    #[inline]
    pub fn enqueue_on<T: WorkItem<ID>, const ID: usize>(
        &self,
        cpu: u32,
        work: &Work<T, ID>,
        owner: &RcuArc<T>,
    ) -> bool {
        // A CPU keeps its workers when it goes offline. One that was never online has none, so the
        // item would wait until that CPU comes online.
        let cpu = match c_int::try_from(cpu) {
            Ok(known) if cpu::is_online(cpu) => known,
            _ => ANY_CPU,
        };
        self.enqueue_raw(cpu, work, owner)
    }

    /// Enqueues `work`; `cpu` is one that has been online, or [`ANY_CPU`].
    fn enqueue_raw<T: WorkItem<ID>, const ID: usize>(
        &self,
        cpu: c_int,
        work: &Work<T, ID>,
        owner: &RcuArc<T>,
    ) -> bool {
        if !work.owner.acquire(owner, work) {
            return false;
        }
        // INVARIANT: A count was acquired for the pending instance.
        // SAFETY: The queue is valid, and cannot be destroyed meanwhile, as that takes `&mut`. The
        // item is initialised and pinned, and its count keeps it until the callback.
        let queued = unsafe { queue_work_on(cpu, self.queue.as_ptr(), work.work.get()) };
        if !queued {
            // SAFETY: The count from above was not used for a new instance; take it back.
            drop(unsafe { work.owner.release() });
        }
        queued
    }

    /// Waits until all items that are pending now have run.
    ///
    /// Must not be called by an item of this queue, which would wait for itself.
    pub fn flush(&self, _process: &mut Process) {
        // SAFETY: The queue is valid, and the thread may sleep.
        unsafe { __flush_workqueue(self.queue.as_ptr()) };
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if kernel::warn_on!(!reclaim::may_wait()) {
            // Leak the queue with its module reference, which keeps the module loaded.
            return;
        }
        // SAFETY: The queue is valid and ours. Only items that are pending on it can still enqueue.
        unsafe { destroy_workqueue(self.queue.as_ptr()) };
        // SAFETY: `_module` is not used again.
        unsafe { ManuallyDrop::drop(&mut self._module) };
    }
}

/// The callback of a [`Work`], number `ID` of `Self`.
pub trait WorkItem<const ID: usize>: Send + Sync + Sized + 'static {
    /// Called in process context, once for each time that the item was enqueued.
    ///
    /// The item is idle by then and may be enqueued again.
    fn run(this: RcuArc<Self>, process: &mut Process);
}

/// A work item that is a field of a `T`.
///
/// # Invariants
///
/// * `work` is initialised with [`Work::callback`].
/// * While `work` is pending, a count was acquired with `owner`.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Work<T, const ID: usize> {
    #[pin]
    work: Opaque<work_struct>,
    owner: PendingOwner<T>,
    #[pin]
    _pinned: PhantomPinned,
}

// SAFETY: The functions for work items may be called on any thread. What they drop or hand to other
// threads is an `RcuArc<T>` with `T: WorkItem`, which is `Send` and `Sync`.
unsafe impl<T, const ID: usize> Send for Work<T, ID> {}
// SAFETY: As above; they do their own locking.
unsafe impl<T, const ID: usize> Sync for Work<T, ID> {}

impl<T: WorkItem<ID>, const ID: usize> Work<T, ID> {
    /// Makes the initialiser; see [`new_work!`].
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        // INVARIANT: Idle, and without an owner.
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes and stays where it is; the name and the key live
            // forever.
            work <- Opaque::ffi_init(|slot| unsafe {
                init_work_with_key(
                    slot,
                    Some(Self::callback),
                    false,
                    name.as_char_ptr(),
                    key.as_ptr().cast(),
                )
            }),
            owner: PendingOwner::new(),
            _pinned: PhantomPinned,
        })
    }

    /// Calls [`WorkItem::run`].
    ///
    /// # Safety
    ///
    /// Only for a worker, which calls it with the item in a `Work<T, ID>` that was pending.
    unsafe extern "C" fn callback(work: *mut work_struct) {
        let this: *const Self = work.cast();
        // SAFETY: The item is alive: its pending instance had a count of the owner, or the
        // destructor waits for this callback.
        let owner = unsafe { &(*this).owner };
        // SAFETY: By the type invariant the pending instance had a count. The change to idle gave
        // it to this call.
        let owner = unsafe { owner.release() };
        // SAFETY: Workers of our queues, none of which is a `WQ_BH` one, run in process context.
        let mut process = unsafe { Process::new() };
        // `work` is not touched from here on.
        T::run(owner, &mut process);
    }

    /// Makes the item idle, waits for its callback, and returns whether it was pending.
    ///
    /// Another thread may enqueue the item again once this has returned. The callback itself may
    /// call this; then there is nothing to wait for.
    pub fn cancel_sync(&self, _process: &mut Process) -> bool {
        // SAFETY: The item is initialised and pinned; the thread may sleep.
        unsafe { self.stop(true) }
    }
}

impl<T, const ID: usize> Work<T, ID> {
    /// Makes the item idle, waits for its callback if `wait` is set and this is not the callback,
    /// and returns whether the item was pending.
    ///
    /// # Safety
    ///
    /// With `wait` the thread must be allowed to sleep.
    unsafe fn stop(&self, wait: bool) -> bool {
        let work = self.work.get();
        // SAFETY: No requirements.
        let own = ptr::eq(unsafe { bindings::current_work() }, work);
        let pending = if wait && !own {
            // SAFETY: The item is initialised and pinned; by the requirements of this function.
            unsafe { cancel_work_sync(work) }
        } else {
            // SAFETY: The item is initialised and pinned.
            unsafe { bindings::cancel_work(work) }
        };
        if pending {
            // SAFETY: This call made the item idle, so by the type invariant there is a count, and
            // no other call takes it now.
            drop(unsafe { self.owner.release() });
        }
        pending
    }
}

#[pinned_drop]
impl<T, const ID: usize> PinnedDrop for Work<T, ID> {
    fn drop(self: Pin<&mut Self>) {
        let owner = self.owner.as_ptr();
        if owner.is_null() {
            // Never enqueued.
            return;
        }
        // If the owner is being dropped, the item is idle, and no worker is about to call the
        // callback, as that would have a count. A worker that has called it may be waiting for this
        // drop. Otherwise the owner has dropped the item alone, as by `Revocable::revoke`: then
        // this waits for a worker that has yet to read the address of the owner. In atomic context
        // it does not wait: the memory stays for as long as the owner, and nothing else is put
        // there.
        // SAFETY: By the type invariant the item lies in the owner, so that has not been freed.
        let wait = !unsafe { RcuArc::is_dying(owner) };
        // SAFETY: By the check.
        unsafe { self.stop(wait && may_sleep()) };
    }
}

#[kernel::macros::kunit_tests(kext_workqueue)]
mod tests {
    use super::*;
    use kernel::{
        sync::atomic::{
            Atomic,
            Relaxed, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
    };

    #[pin_data]
    struct Owner {
        #[pin]
        work: Work<Self, 0>,
        times: Atomic<usize>,
    }

    impl WorkItem<0> for Owner {
        fn run(this: RcuArc<Self>, process: &mut Process) {
            // Does not wait for itself, and finds itself idle.
            let pending = this.work.cancel_sync(process);
            this.times.fetch_add(if pending { 100 } else { 1 }, Relaxed);
        }
    }

    #[test]
    fn items_run_once_for_each_time_they_are_enqueued() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let queue = Queue::new(c"kext-test", Flags::UNBOUND)?;
        let init = pin_init!(Owner {
            work <- new_work!(),
            times: Atomic::new(0),
        });
        let owner = RcuArc::pin_init(init, &mut process)?;
        assert!(queue.enqueue(&owner.work, &owner));
        queue.flush(&mut process);
        assert!(queue.enqueue_on(u32::MAX, &owner.work, &owner));
        drop(queue);
        assert_eq!(owner.times.load(Relaxed), 2);
        Ok(())
    }

    /// Covers CPUs that are not online only if there are some: boot with `maxcpus=1`.
    #[test]
    fn items_run_whatever_cpu_is_asked_for() -> Result {
        // SAFETY: Tests run in process context.
        let mut process = unsafe { Process::new() };
        let queue = Queue::new(c"kext-test", Flags::PERCPU)?;
        let init = pin_init!(Owner {
            work <- new_work!(),
            times: Atomic::new(0),
        });
        let owner = RcuArc::pin_init(init, &mut process)?;
        let mut asked = 0;
        for cpu in 0..=cpu::possible_count() {
            asked += 1;
            assert!(queue.enqueue_on(cpu, &owner.work, &owner));
            // Not by `flush`, which would wait forever.
            for _ in 0..200 {
                if owner.times.load(Relaxed) == asked {
                    break;
                }
                fsleep(Delta::from_millis(10));
            }
            assert_eq!(owner.times.load(Relaxed), asked);
        }
        queue.flush(&mut process);
        Ok(())
    }
}
