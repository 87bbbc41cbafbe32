// SPDX-License-Identifier: GPL-2.0

//! Counted values, slots, and the worker that drops values (`rust/kernel/sync/rcu`).

use crate::{
    context::Process,
    sync::rcu::{self, RcuArc, Slot},
};
use engine::{explore_with, Bounds, Tracked};
use kernel::model::machine::Machine;
use std::{cell::Cell, sync::Arc};

/// Counts drops, of all values of an execution.
#[derive(Clone, Default)]
struct Drops(Arc<DropCell>);

#[derive(Default)]
struct DropCell(Cell<usize>);
// SAFETY: Threads take turns.
unsafe impl Send for DropCell {}
// SAFETY: As above.
unsafe impl Sync for DropCell {}

/// What is published.
struct Value {
    number: u32,
    tracked: Tracked,
    drops: Drops,
}

impl Value {
    fn shared(number: u32, drops: &Drops) -> RcuArc<Self> {
        let value = Self {
            number,
            tracked: Tracked::new(),
            drops: drops.clone(),
        };
        value.tracked.write();
        RcuArc::new(value, &mut process()).expect("there is a barrier")
    }

    fn look(&self) -> u32 {
        self.tracked.read();
        self.number
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.drops.0 .0.set(self.drops.0 .0.get() + 1);
    }
}

fn process() -> Process {
    // SAFETY: A model.
    unsafe { Process::new() }
}

fn bounds(preemptions: usize) -> Bounds {
    Bounds {
        preemptions: Some(preemptions),
    }
}

/// A reader looks at a value while its slot gets another one, and the last count goes.
#[test]
fn a_reader_never_sees_a_value_die() {
    explore_with(bounds(2), || {
        let barrier = rcu::Barrier::new().expect("the first one");
        let drops = Drops::default();
        let slot = Arc::new(Slot::new(Some(Value::shared(1, &drops))));
        let (read, write) = (slot.clone(), slot.clone());
        let new = drops.clone();
        Machine::new()
            .with_worker()
            .cpu(move || {
                let mut process = process();
                let bh = process.bh();
                let seen = read.load(&bh).expect("never empty");
                let number = seen.look();
                assert!(number == 1 || number == 2);
                // Once more, at the end of the section.
                assert_eq!(seen.look(), number);
            })
            .cpu(move || {
                drop(write.swap(Some(Value::shared(2, &new))));
            })
            .finish();
        assert_eq!(drops.0 .0.get(), 1);
        std::mem::forget(slot);
        std::mem::forget(barrier);
    });
}

/// A reader counts a value while its slot is emptied: it has it, or sees that it is gone.
#[test]
fn a_count_is_got_or_not() {
    explore_with(bounds(2), || {
        let barrier = rcu::Barrier::new().expect("the first one");
        let drops = Drops::default();
        let slot = Arc::new(Slot::new(Some(Value::shared(1, &drops))));
        let (read, write) = (slot.clone(), slot.clone());
        Machine::new()
            .with_worker()
            .cpu(move || {
                if let Some(counted) = read.get() {
                    assert_eq!(counted.look(), 1);
                }
            })
            .cpu(move || drop(write.swap(None)))
            .finish();
        assert_eq!(drops.0 .0.get(), 1);
        std::mem::forget(barrier);
    });
}

/// Two values die on two CPUs, and the worker comes to both.
#[test]
fn the_worker_drops_all() {
    explore_with(bounds(2), || {
        let barrier = rcu::Barrier::new().expect("the first one");
        let drops = Drops::default();
        let (one, two) = (Value::shared(1, &drops), Value::shared(2, &drops));
        Machine::new()
            .with_worker()
            .cpu(move || {
                one.look();
                drop(one);
            })
            .cpu(move || {
                two.look();
                drop(two);
            })
            .finish();
        assert_eq!(drops.0 .0.get(), 2);
        std::mem::forget(barrier);
    });
}
