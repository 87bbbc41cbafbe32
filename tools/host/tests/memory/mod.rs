// SPDX-License-Identifier: GPL-2.0

//! [`Reclaim`] on the host, by counts that can be watched.
//!
//! It behaves like RCU: a value whose last count is gone can no longer be upgraded, but stays
//! readable for the sections that loaded it. Hooks run foreign code at every step, so that a
//! single thread can act out every interleaving of a reader and a writer.

// Each test uses a part.
#![allow(dead_code, unreachable_pub)]

use std::{
    any::Any,
    cell::{
        Cell,
        RefCell, //
    },
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    sync::{
        atomic::{
            AtomicU64,
            AtomicUsize,
            Ordering, //
        },
        Arc,
        Mutex, //
    },
};

use wg_proto::memory::Reclaim;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static NESTED: Cell<usize> = const { Cell::new(0) };
    static DEEPEST: Cell<usize> = const { Cell::new(0) };
    static FAIL_AFTER: Cell<Option<usize>> = const { Cell::new(None) };
    static ON_LOAD: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
    static ON_SWAP: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// Returns how many values made by this thread, and dropped by it, still exist.
pub fn live() -> usize {
    LIVE.get()
}

/// Returns how deep drops of values were nested on this thread: two if the drop of one value dropped
/// another.
///
/// The kernel's implementation waits for a grace period at each level of this.
pub fn deepest_drop() -> usize {
    DEEPEST.get()
}

/// Lets all allocations of this thread fail but the first `count`.
pub fn fail_after(count: Option<usize>) {
    FAIL_AFTER.set(count);
}

type Hook = std::thread::LocalKey<RefCell<Option<Box<dyn FnMut()>>>>;

fn run(hook: &'static Hook) {
    // Take the hook out while it runs, so that it does not run itself.
    if let Some(mut action) = hook.with_borrow_mut(Option::take) {
        action();
        hook.with_borrow_mut(|place| {
            place.get_or_insert(action);
        });
    }
}

fn with_hook<R>(hook: &'static Hook, action: impl FnMut() + 'static, run: impl FnOnce() -> R) -> R {
    /// Takes the hook away, also when a test fails.
    struct Unhook(&'static Hook);

    impl Drop for Unhook {
        fn drop(&mut self) {
            self.0.set(None);
        }
    }

    hook.set(Some(Box::new(action)));
    let _unhook = Unhook(hook);
    run()
}

/// Runs `body`, and `action` after each of its loads.
pub fn with_load_hook<R>(action: impl FnMut() + 'static, body: impl FnOnce() -> R) -> R {
    with_hook(&ON_LOAD, action, body)
}

/// Runs `body`, and `action` after each of its swaps.
pub fn with_swap_hook<R>(action: impl FnMut() + 'static, body: impl FnOnce() -> R) -> R {
    with_hook(&ON_SWAP, action, body)
}

/// The host's memory.
pub enum Host {}

/// There is no memory, as demanded by [`fail_after`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoMemory;

struct Counted<T> {
    count: AtomicUsize,
    value: ManuallyDrop<T>,
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        // The thread's locals may be gone already.
        let _ = LIVE.try_with(|live| live.set(live.get().wrapping_sub(1)));
        let _ = NESTED.try_with(|nested| {
            nested.set(nested.get() + 1);
            let _ = DEEPEST.try_with(|deepest| deepest.set(deepest.get().max(nested.get())));
        });
        // SAFETY: Nothing uses the value after this.
        unsafe { ManuallyDrop::drop(&mut self.value) };
        let _ = NESTED.try_with(|nested| nested.set(nested.get() - 1));
    }
}

/// A counted pointer.
pub struct Shared<T>(Arc<Counted<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        assert_ne!(self.0.count.fetch_add(1, Ordering::Relaxed), 0);
        Self(self.0.clone())
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Release);
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

/// A slot.
pub struct Slot<T>(Mutex<Option<Shared<T>>>);

/// A read-side section.
#[derive(Default)]
pub struct Section {
    kept: RefCell<Vec<Arc<dyn Any + Send + Sync>>>,
}

/// A value loaded within a section.
pub struct Ref<'g, T> {
    value: *const Counted<T>,
    section: PhantomData<&'g Section>,
}

impl<T> Clone for Ref<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ref<'_, T> {}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: The section keeps the value for `'g`, which outlives `self`.
        unsafe { &(*self.value).value }
    }
}

impl Host {
    /// Takes a count of a loaded value, unless the last count was dropped already.
    pub fn upgrade<T: Send + Sync + 'static>(value: Ref<'_, T>) -> Option<Shared<T>> {
        // SAFETY: The section keeps the value for `'g`.
        let counted = unsafe { &*value.value };
        counted
            .count
            .fetch_update(Ordering::Acquire, Ordering::Relaxed, |count| {
                (count != 0).then(|| count + 1)
            })
            .ok()?;
        // SAFETY: The pointer came from `Arc::as_ptr` and the section keeps a count of that `Arc`.
        unsafe { Arc::increment_strong_count(value.value) };
        // SAFETY: The count just taken is handed over.
        Some(Shared(unsafe { Arc::from_raw(value.value) }))
    }
}

impl Reclaim for Host {
    type Process = ();
    type Guard<'a> = Section;
    type Shared<T: Send + Sync + 'static> = Shared<T>;
    type Slot<T: Send + Sync + 'static> = Slot<T>;
    type Ref<'g, T: Send + Sync + 'static> = Ref<'g, T>;
    type Word = AtomicU64;
    type Error = NoMemory;

    fn share<T: Send + Sync + 'static>(value: T, (): &mut ()) -> Result<Shared<T>, NoMemory> {
        match FAIL_AFTER.get() {
            Some(0) => return Err(NoMemory),
            Some(left) => FAIL_AFTER.set(Some(left - 1)),
            None => {}
        }
        LIVE.set(LIVE.get().wrapping_add(1));
        Ok(Shared(Arc::new(Counted {
            count: AtomicUsize::new(1),
            value: ManuallyDrop::new(value),
        })))
    }

    fn slot<T: Send + Sync + 'static>(value: Option<Shared<T>>) -> Slot<T> {
        Slot(Mutex::new(value))
    }

    fn load<'g, T: Send + Sync + 'static>(
        slot: &'g Slot<T>,
        guard: &'g Section,
    ) -> Option<Ref<'g, T>> {
        let value = slot.0.lock().unwrap().as_ref().map(|value| value.0.clone());
        run(&ON_LOAD);
        let value = value?;
        let pointer = Arc::as_ptr(&value);
        guard.kept.borrow_mut().push(value);
        Some(Ref {
            value: pointer,
            section: PhantomData,
        })
    }

    fn get<T: Send + Sync + 'static>(slot: &Slot<T>) -> Option<Shared<T>> {
        slot.0.lock().unwrap().clone()
    }

    fn swap<T: Send + Sync + 'static>(
        slot: &Slot<T>,
        value: Option<Shared<T>>,
    ) -> Option<Shared<T>> {
        let old = std::mem::replace(&mut *slot.0.lock().unwrap(), value);
        run(&ON_SWAP);
        old
    }

    fn target<T: Send + Sync + 'static>(value: Self::Ref<'_, T>) -> &T {
        // SAFETY: The section keeps the value for the lifetime of `value`.
        unsafe { &(*value.value).value }
    }

    fn word(value: u64) -> AtomicU64 {
        AtomicU64::new(value)
    }

    fn read(word: &AtomicU64) -> u64 {
        word.load(Ordering::Relaxed)
    }

    fn write(word: &AtomicU64, value: u64) {
        word.store(value, Ordering::Relaxed);
    }
}
