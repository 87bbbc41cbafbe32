// SPDX-License-Identifier: GPL-2.0

//! `kernel::sync::atomic` by the scheduler's atomics.
//!
//! A fully ordered operation has a full barrier on both sides (`Documentation/atomic_t.txt`,
//! "ORDERING"); one that fails has no order.

use engine::atomic as inner;
use inner::{fence, Ordering as Order};

/// An order.
pub trait Ordering {
    /// That of C11 for an operation that reads and writes.
    const ORDER: Order;
    /// Whether there is a full barrier on both sides.
    const IS_FULL: bool = false;
}

macro_rules! orders {
    ($($name:ident $order:ident $full:literal;)*) => {$(
        /// The order of this name.
        pub struct $name;
        impl Ordering for $name {
            const ORDER: Order = Order::$order;
            const IS_FULL: bool = $full;
        }
    )*};
}

orders! {
    Relaxed Relaxed false;
    Acquire Acquire false;
    Release Release false;
    Full AcqRel true;
}

/// What can be atomic.
pub trait AtomicType: Copy {
    /// The scheduler's atomic.
    type Inner;
    fn make(value: Self) -> Self::Inner;
    fn load(inner: &Self::Inner, order: Order) -> Self;
    fn store(inner: &Self::Inner, value: Self, order: Order);
    fn swap(inner: &Self::Inner, value: Self, order: Order) -> Self;
    fn exchange(inner: &Self::Inner, old: Self, new: Self, order: Order) -> Result<Self, Self>;
}

/// What can be added atomically.
pub trait AtomicAdd: AtomicType {
    fn add(inner: &Self::Inner, value: Self, order: Order) -> Self;
    fn sub(inner: &Self::Inner, value: Self, order: Order) -> Self;
}

macro_rules! types {
    ($($type:ty: $inner:ident;)*) => {$(
        impl AtomicType for $type {
            type Inner = inner::$inner;
            fn make(value: Self) -> Self::Inner {
                inner::$inner::new(value)
            }
            #[track_caller]
            fn load(inner: &Self::Inner, order: Order) -> Self {
                inner.load(order)
            }
            #[track_caller]
            fn store(inner: &Self::Inner, value: Self, order: Order) {
                inner.store(value, order);
            }
            #[track_caller]
            fn swap(inner: &Self::Inner, value: Self, order: Order) -> Self {
                inner.swap(value, order)
            }
            #[track_caller]
            fn exchange(
                inner: &Self::Inner,
                old: Self,
                new: Self,
                order: Order,
            ) -> Result<Self, Self> {
                inner.compare_exchange(old, new, order, Order::Relaxed)
            }
        }
    )*};
}

macro_rules! numbers {
    ($($type:ty: $inner:ident;)*) => {
        types! { $($type: $inner;)* }
        $(
            impl AtomicAdd for $type {
                #[track_caller]
                fn add(inner: &Self::Inner, value: Self, order: Order) -> Self {
                    inner.fetch_add(value, order)
                }
                #[track_caller]
                fn sub(inner: &Self::Inner, value: Self, order: Order) -> Self {
                    inner.fetch_sub(value, order)
                }
            }
        )*
    };
}

types! { bool: AtomicBool; }
numbers! {
    u32: AtomicU32;
    u64: AtomicU64;
    i32: AtomicI32;
    isize: AtomicIsize;
    usize: AtomicUsize;
}

/// An atomic.
pub struct Atomic<T: AtomicType> {
    first: T,
    inner: engine::PerRun<T::Inner>,
}

impl<T: AtomicType> Atomic<T> {
    /// Makes it.
    pub const fn new(first: T) -> Self {
        Self {
            first,
            inner: engine::PerRun::new(),
        }
    }

    fn inner(&self) -> &T::Inner {
        self.inner.get(|| T::make(self.first))
    }
}

fn full<O: Ordering, R>(operation: impl FnOnce() -> R) -> R {
    if O::IS_FULL {
        fence(Order::SeqCst);
    }
    let result = operation();
    if O::IS_FULL {
        fence(Order::SeqCst);
    }
    result
}

impl<T: AtomicType> Atomic<T> {
    /// Reads it.
    #[track_caller]
    pub fn load<O: Ordering>(&self, _: O) -> T {
        T::load(self.inner(), O::ORDER)
    }

    /// Writes it.
    #[track_caller]
    pub fn store<O: Ordering>(&self, value: T, _: O) {
        T::store(self.inner(), value, O::ORDER);
    }

    /// Exchanges it.
    #[track_caller]
    pub fn xchg<O: Ordering>(&self, value: T, _: O) -> T {
        full::<O, _>(|| T::swap(self.inner(), value, O::ORDER))
    }

    /// Exchanges it if it is `old`.
    #[track_caller]
    pub fn cmpxchg<O: Ordering>(&self, old: T, new: T, _: O) -> Result<T, T> {
        full::<O, _>(|| T::exchange(self.inner(), old, new, O::ORDER))
    }
}

impl<T: AtomicAdd> Atomic<T> {
    /// Adds to it.
    #[track_caller]
    pub fn fetch_add<O: Ordering>(&self, value: T, _: O) -> T {
        full::<O, _>(|| T::add(self.inner(), value, O::ORDER))
    }

    /// Subtracts from it.
    #[track_caller]
    pub fn fetch_sub<O: Ordering>(&self, value: T, _: O) -> T {
        full::<O, _>(|| T::sub(self.inner(), value, O::ORDER))
    }
}
