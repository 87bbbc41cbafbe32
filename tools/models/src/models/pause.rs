// SPDX-License-Identifier: GPL-2.0

//! The receive queue, its NAPI context, and the worker that a poll leaves packets to.

use super::{bounds, process, World};
use crate::{batch::RxBatch, parallel::worker::Batch, receive, receive::next::AfterPush};
use engine::explore_with;
use kernel::model::{machine::Machine, timer};

/// What `Run::enqueue` of `rust/driver/receive/sort.rs` does with packets that must not wait.
fn arrive(world: &World, numbers: &'static [u32]) -> impl FnOnce() + Send + 'static {
    let (dev, index) = (world.dev.clone(), world.index);
    move || {
        let mut ctx = process();
        let bh = ctx.bh();
        let napi = dev.data().napi(0, &bh).expect("always there");
        match napi
            .queue()
            .push(World::packets(index, numbers), false, &bh)
        {
            Ok(AfterPush::Poll) => napi.schedule(&bh),
            Ok(AfterPush::Coalesce) => unreachable!("these do not wait"),
            Ok(AfterPush::Nothing) => {}
            Err(_) => unreachable!("there is room"),
        }
    }
}

fn sorted(world: &World) -> Vec<u32> {
    let mut delivered = world.dev.data().delivered.borrow().clone();
    delivered.sort_unstable();
    delivered
}

/// Packets come on two CPUs, more than a poll takes. All are delivered, in order.
#[test]
fn all_are_delivered_by_polls_and_the_worker() {
    explore_with(bounds(1), || {
        let world = World::new();
        Machine::new()
            .with_worker()
            .cpu(arrive(&world, &[1, 2, 3]))
            .cpu(arrive(&world, &[4]))
            .finish();
        assert_eq!(sorted(&world), [1, 2, 3, 4]);
    });
}

/// A poll pauses, the worker comes, and a packet after that.
#[test]
fn packets_after_the_worker_are_polled() {
    explore_with(bounds(2), || {
        let world = World::new();
        let (first, second) = (arrive(&world, &[1, 2, 3]), arrive(&world, &[4]));
        Machine::new().with_worker().cpu(first).finish();
        second();
        assert_eq!(sorted(&world), [1, 2, 3, 4]);
    });
}

/// The worker does not come, as other tasks keep its CPU, and no packet follows.
#[test]
fn none_waits_for_a_worker_that_does_not_come() {
    explore_with(bounds(1), || {
        let world = World::new();
        Machine::new()
            .with_timers()
            .cpu(arrive(&world, &[1, 2, 3]))
            .cpu(arrive(&world, &[4]))
            .finish();
        assert_eq!(sorted(&world), [1, 2, 3, 4]);
    });
}

/// A pause begins shortly before the watchdog of an earlier one expires, and its worker does not
/// come.
#[test]
fn a_young_pause_is_looked_at_again() {
    explore_with(bounds(1), || {
        let world = World::new();
        let (first, second) = (arrive(&world, &[1, 2, 3]), arrive(&world, &[4, 5, 6]));
        Machine::new().with_worker().cpu(first).finish();
        timer::pass(1);
        Machine::new().with_timers().cpu(second).finish();
        assert_eq!(sorted(&world), [1, 2, 3, 4, 5, 6]);
    });
}

/// Two CPUs decrypt a batch each, a third delivers what it decrypted itself. All come in the order
/// of their numbers, by the poll that the last one asks for.
#[test]
fn decrypted_batches_are_delivered_in_order() {
    explore_with(bounds(2), || {
        let world = World::new();
        let mut machine = Machine::new();
        for number in [1, 2] {
            let (dev, index) = (world.dev.clone(), world.index);
            let job = receive::batch(&world.peer, World::packets(index, &[number]));
            machine = machine.cpu(move || {
                let mut ctx = process();
                let bh = ctx.bh();
                let napi = dev.data().napi(0, &bh).expect("always there");
                napi.queue().expect_decrypted(&bh).expect("memory");
                RxBatch::process(job, &bh);
            });
        }
        machine.finish();
        assert_eq!(*world.dev.data().delivered.borrow(), [1, 2]);
    });
}
