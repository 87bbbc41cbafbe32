// SPDX-License-Identifier: GPL-2.0

//! Softirqs: what is raised on a CPU runs there, when its bottom halves are turned on again
//! (`Documentation/kernel-hacking/locking.rst`, "Locking Between User Context and Softirqs").

use engine::PerRun;
use std::{cell::RefCell, collections::VecDeque};

type Softirq = Box<dyn FnOnce()>;

struct Cpu {
    thread: engine::Thread,
    depth: usize,
    is_serving: bool,
    raised: VecDeque<Softirq>,
}

static CPUS: PerRun<RefCell<Vec<Cpu>>> = PerRun::new();

fn with<R>(look: impl FnOnce(usize, &mut Cpu) -> R) -> R {
    let me = engine::current();
    let mut cpus = CPUS.get(RefCell::default).borrow_mut();
    let place = match cpus.iter().position(|cpu| cpu.thread == me) {
        Some(place) => place,
        None => {
            cpus.push(Cpu {
                thread: me,
                depth: 0,
                is_serving: false,
                raised: VecDeque::new(),
            });
            cpus.len() - 1
        }
    };
    look(place, &mut cpus[place])
}

/// Returns the number of this CPU: each thread is one.
pub fn cpu() -> u32 {
    with(|place, _| place as u32)
}

/// Returns whether this is a softirq.
pub fn is_serving() -> bool {
    with(|_, cpu| cpu.is_serving)
}

/// Turns softirqs off.
pub fn disable() {
    with(|_, cpu| cpu.depth += 1);
}

/// Turns them on, and runs those that are raised.
pub fn enable() {
    with(|_, cpu| cpu.depth -= 1);
    run();
}

/// Has something run as a softirq of this CPU.
pub fn raise(softirq: impl FnOnce() + 'static) {
    with(|_, cpu| cpu.raised.push_back(Box::new(softirq)));
}

/// Runs what is raised, if this thread may.
pub fn run() {
    while let Some(softirq) = with(|_, cpu| {
        if cpu.depth != 0 || cpu.is_serving {
            return None;
        }
        let next = cpu.raised.pop_front()?;
        cpu.is_serving = true;
        Some(next)
    }) {
        super::rcu::enter();
        softirq();
        super::rcu::exit();
        with(|_, cpu| cpu.is_serving = false);
    }
}
