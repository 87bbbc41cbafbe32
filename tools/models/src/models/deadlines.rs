// SPDX-License-Identifier: GPL-2.0

//! The timers of a peer, which share a kernel timer (`rust/driver/timers/deadlines.rs`).

use super::{bounds, process};
use crate::timers::deadlines::Deadlines;
use engine::explore_with;
use kernel::model::{machine::Machine, timer};
use kernel::prelude::*;
use kext::{
    context::Bh,
    sync::rcu::RcuArc,
    time::{
        self,
        timer::{Expired, Timer},
    },
};
use std::sync::Mutex;
use wg_proto::timers::PeerTimer;

/// What has the timers.
#[pin_data]
struct Owner {
    #[pin]
    deadlines: Deadlines,
    timer: Timer<Owner, 0>,
    /// How many jiffies pass while a timer is armed.
    ticks: u64,
    /// Which have expired, and when.
    expired: Mutex<Vec<(PeerTimer, u64)>>,
}

impl Owner {
    fn make(ticks: u64) -> RcuArc<Self> {
        kext::begin();
        let owner = pin_init!(Self {
            deadlines <- Deadlines::new(),
            timer: Timer::new(),
            ticks,
            expired: Mutex::default(),
        });
        RcuArc::pin_init(owner, &mut process()).expect("there is a barrier")
    }

    /// As `Timers::arm` of `rust/driver/timers.rs`.
    fn arm(this: &RcuArc<Self>, timer: PeerTimer, after: u64) {
        let mut ctx = process();
        let now = time::jiffies();
        let arm = |at| {
            timer::pass(this.ticks);
            this.timer.arm_at(this, at);
        };
        this.deadlines.set(timer, now + after, now, &ctx.bh(), arm);
    }

    /// Has a CPU arm a timer.
    fn arms(this: &RcuArc<Self>, timer: PeerTimer, after: u64) -> impl FnOnce() + Send + 'static {
        let this = this.clone();
        move || Self::arm(&this, timer, after)
    }

    /// Returns when a timer has expired.
    fn times(&self, timer: PeerTimer) -> Vec<u64> {
        let expired = self.expired.lock().expect("held for moments only");
        let of_timer = expired.iter().filter(|(other, _)| *other == timer);
        of_timer.map(|(_, at)| *at).collect()
    }
}

impl Expired<0> for Owner {
    fn expired(this: RcuArc<Self>, bh: &Bh<'_>) {
        let now = time::jiffies();
        let run = |timer| {
            let mut expired = this.expired.lock().expect("held for moments only");
            expired.push((timer, now));
        };
        let arm = |at| this.timer.arm_at(&this, at);
        this.deadlines.expire(now, bh, run, arm);
    }
}

/// Two CPUs arm a timer each. Both expire, whichever the kernel timer is armed for first.
#[test]
fn each_armed_timer_expires() {
    explore_with(bounds(1), || {
        let owner = Owner::make(0);
        let early = Owner::arms(&owner, PeerTimer::SendKeepalive, 10);
        let late = Owner::arms(&owner, PeerTimer::NewHandshake, 15);
        Machine::new().with_timers().cpu(early).cpu(late).finish();
        assert_eq!(owner.times(PeerTimer::SendKeepalive).len(), 1);
        assert_eq!(owner.times(PeerTimer::NewHandshake).len(), 1);
    });
}

/// A timer is armed anew while it expires. Then it expires once more, or for the later time only.
#[test]
fn a_timer_that_is_armed_anew_expires_again() {
    explore_with(bounds(2), || {
        let owner = Owner::make(0);
        Owner::arm(&owner, PeerTimer::PersistentKeepalive, 25);
        timer::pass(25);
        let later = time::jiffies() + 25;
        let again = Owner::arms(&owner, PeerTimer::PersistentKeepalive, 25);
        Machine::new().with_timers().cpu(again).finish();
        let times = owner.times(PeerTimer::PersistentKeepalive);
        assert!(
            times.last().is_some_and(|last| *last > later),
            "at {times:?}, not after {later}"
        );
    });
}

/// One CPU stops a timer while another arms a second one for a later time. The second expires.
#[test]
fn a_stopped_timer_takes_no_other_with_it() {
    explore_with(bounds(1), || {
        let owner = Owner::make(0);
        Owner::arm(&owner, PeerTimer::NewHandshake, 15);
        let stops = {
            let owner = owner.clone();
            move || owner.deadlines.clear(PeerTimer::NewHandshake)
        };
        let arms = Owner::arms(&owner, PeerTimer::ZeroKeys, 540);
        Machine::new().with_timers().cpu(stops).cpu(arms).finish();
        assert_eq!(owner.times(PeerTimer::ZeroKeys).len(), 1);
    });
}

/// The kernel timer is armed for a long time, which the wheel rounds up by far. Shortly before it
/// expires, two timers are armed for short times that end after. They do not wait for it.
fn short_timers_do_not_wait(ticks: u64, passed: u64) {
    explore_with(bounds(1), move || {
        let owner = Owner::make(ticks);
        Owner::arm(&owner, PeerTimer::ZeroKeys, 540);
        timer::pass(passed - ticks);
        Owner::arm(&owner, PeerTimer::NewHandshake, 15);
        let due = time::jiffies() + 5;
        Owner::arm(&owner, PeerTimer::RetransmitHandshake, 5);
        Machine::new().with_timers().finish();
        let times = owner.times(PeerTimer::RetransmitHandshake);
        assert!(
            matches!(times[..], [at] if at > due && at <= due + 2),
            "at {times:?}, not {due}"
        );
        assert_eq!(owner.times(PeerTimer::NewHandshake).len(), 1);
        assert_eq!(owner.times(PeerTimer::ZeroKeys).len(), 1);
    });
}

#[test]
fn a_short_timer_does_not_wait_for_a_long_one() {
    short_timers_do_not_wait(0, 538);
}

/// A tick comes while the kernel timer is armed anew.
#[test]
fn nor_if_a_tick_comes_in_between() {
    short_timers_do_not_wait(1, 538);
}

/// The long time is just over.
#[test]
fn nor_when_the_long_time_is_over() {
    short_timers_do_not_wait(0, 540);
}
