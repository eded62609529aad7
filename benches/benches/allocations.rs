//! What a delivered message allocates. Not timed, since counting would disturb that.

use std::alloc::System;
use std::env;

use mycelium_benches::report::{self, Allocations};
use mycelium_benches::{Case, Scheduler};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    // `cargo test` only wants to know that it works.
    let counted = env::args().any(|argument| argument == "--bench");
    let rounds = if counted { 64 } else { 1 };
    let mut counts = Allocations::default();
    for case in Case::allocating() {
        for mut contender in case.contenders(Some(Scheduler::Current)) {
            // Channels and pools grow at first.
            contender.run(rounds);
            let region = Region::new(COUNTING);
            contender.run(rounds);
            let stats = region.change();
            let delivered = (rounds * case.deliveries()) as f64;
            let (calls, bytes) = (stats.allocations + stats.reallocations, stats.bytes_allocated);
            counts.add(case, contender.name(), calls as f64 / delivered, bytes as f64 / delivered);
        }
    }
    if counted {
        report::keep_allocations(&counts);
        println!("{}", report::table(&counts.rows()));
    }
}
