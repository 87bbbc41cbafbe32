// SPDX-License-Identifier: GPL-2.0

//! RCU for the structures of `wg_proto`.

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};
use kext::{
    context::{
        Bh,
        Process, //
    },
    sync::rcu::{
        RcuArc,
        Ref,
        Slot, //
    }, //
};
use wg_proto::memory::Reclaim;

/// [`Reclaim`] by the kernel's RCU: counted values, dropped a grace period after the last put.
pub(crate) enum Rcu {}

impl Reclaim for Rcu {
    type Process = Process;
    type Guard<'a> = Bh<'a>;
    type Shared<T: Send + Sync + 'static> = RcuArc<T>;
    type Slot<T: Send + Sync + 'static> = Slot<T>;
    type Ref<'g, T: Send + Sync + 'static> = Ref<'g, T>;
    type Word = Atomic<u64>;
    type Error = Error;

    fn share<T: Send + Sync + 'static>(value: T, ctx: &mut Process) -> Result<RcuArc<T>> {
        RcuArc::new(value, ctx)
    }

    #[inline]
    fn slot<T: Send + Sync + 'static>(value: Option<RcuArc<T>>) -> Slot<T> {
        Slot::new(value)
    }

    #[inline]
    fn load<'g, T: Send + Sync + 'static>(
        slot: &'g Slot<T>,
        guard: &'g Bh<'_>,
    ) -> Option<Ref<'g, T>> {
        slot.load(guard)
    }

    #[inline]
    fn get<T: Send + Sync + 'static>(slot: &Slot<T>) -> Option<RcuArc<T>> {
        slot.get()
    }

    #[inline]
    fn swap<T: Send + Sync + 'static>(
        slot: &Slot<T>,
        value: Option<RcuArc<T>>,
    ) -> Option<RcuArc<T>> {
        slot.swap(value)
    }

    #[inline]
    fn target<'g, T: Send + Sync + 'static>(value: Self::Ref<'g, T>) -> &'g T {
        value.target()
    }

    fn word(value: u64) -> Atomic<u64> {
        Atomic::new(value)
    }

    #[inline]
    fn read(word: &Atomic<u64>) -> u64 {
        word.load(Relaxed)
    }

    #[inline]
    fn write(word: &Atomic<u64>, value: u64) {
        word.store(value, Relaxed);
    }
}
