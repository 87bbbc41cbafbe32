// SPDX-License-Identifier: GPL-2.0

//! Sends the same netlink requests to both drivers, ours and the one in C, and compares all that they answer.
//!
//! usage: wg-diff SEED COUNT LEAST
//!
//! The interfaces of both drivers live in network namespaces of their own, so that they can be the same in all: names,
//! indices, ports. After every request errno, extended acknowledgement and a full dump are compared
//! byte for byte. The table at the end says how often each statement about the interface was put to the test; fewer
//! times than LEAST is a failure, as is a share of successes below 40 per cent.

mod answer;
mod case;
mod grammar;
mod message;
mod rng;
mod rows;
mod show;
mod side;
mod state;
mod worker;

use std::{process::ExitCode, time::Instant};
use worker::{Summary, Worker};

fn main() -> ExitCode {
    let words: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    let &[seed, count, least] = &words[..] else {
        eprintln!("usage: wg-diff SEED COUNT LEAST");
        return ExitCode::from(2);
    };
    let begin = Instant::now();
    match Worker::new(seed).and_then(|worker| worker.run(count)) {
        Ok(summary) => {
            let (passed, failed) = report(&summary, begin, least);
            // The comparison itself is the first of what passed.
            println!("{} passed, {failed} failed, 0 skipped", 1 + passed);
            ExitCode::from(u8::from(failed != 0))
        }
        Err(error) => {
            println!("FAIL seed {seed}, {error}\n0 passed, 1 failed, 0 skipped");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table; returns how many checks of it passed and failed.
fn report(total: &Summary, begin: Instant, least: u64) -> (usize, usize) {
    let mut rare = 0;
    for (row, text) in rows::ROWS {
        let count = total.table.count(row);
        let mark = if count < least { "  TOO FEW" } else { "" };
        rare += usize::from(count < least);
        println!("{row:<11} {count:>8}  {text}{mark}");
    }
    let seconds = begin.elapsed().as_secs_f64();
    let share = total.successes * 100 / total.requests.max(1);
    println!(
        "{} requests, of which {share} % succeeded, to {} interfaces in {seconds:.1} s: {:.0} a second",
        total.requests,
        total.epochs,
        total.requests as f64 / seconds
    );
    let is_poor = share < 40;
    if is_poor {
        println!("FAIL: less than 40 % of the requests succeeded");
    }
    (
        usize::from(rare == 0) + usize::from(!is_poor),
        rare + usize::from(is_poor),
    )
}
