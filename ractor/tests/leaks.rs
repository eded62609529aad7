//! Actors that come and go leave no byte behind, however they go.
//!
//! One test, since the count is the whole process's.
#![cfg(feature = "tokio_runtime")]

mod common;

use std::alloc::System;

use common::{bounded, let_others_run, Gate, Gated};
use ractor::actor::actor_config::{ActorConfig, Overflow};
use ractor::{Actor, ActorRef};
use stats_alloc::{Region, Stats, StatsAlloc, INSTRUMENTED_SYSTEM};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How an actor goes.
#[derive(Debug, Clone, Copy)]
enum End {
    Stop,
    Drain,
    /// In its handler, with its mailbox full.
    Kill,
    /// With a sender that waits for room.
    KillUnderPressure,
}

/// The life of an actor.
async fn live(end: End, config: ActorConfig) {
    let (mut gate, gated) = Gate::new();
    let (actor, handle) = Actor::spawn_with_config(None, Gated, gated, config).await.unwrap();
    actor.cast(0).unwrap();
    assert_eq!(gate.entered.recv().await, Some(0));
    for number in 0..100 {
        // A full mailbox returns it.
        let _ = actor.cast(number);
    }
    match end {
        End::Stop => actor.stop(None),
        End::Drain => actor.drain().unwrap(),
        End::Kill => actor.kill(),
        End::KillUnderPressure => {
            let waits = ractor::concurrency::spawn(waits(actor.clone()));
            let_others_run().await;
            actor.kill();
            let _ = waits.await.unwrap();
        }
    }
    gate.open();
    handle.await.unwrap();
}

async fn waits(actor: ActorRef<u64>) -> bool {
    actor.send(1).await.is_ok()
}

#[test]
fn actors_that_come_and_go_leave_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let lives = |times: usize| {
        runtime.block_on(async {
            for _ in 0..times {
                for end in [End::Stop, End::Drain, End::Kill, End::KillUnderPressure] {
                    live(end, ActorConfig::default()).await;
                    live(end, bounded(8, Overflow::Reject)).await;
                    live(end, bounded(8, Overflow::DropOldest)).await;
                }
            }
        });
    };
    // What grows once and stays: the runtime's queues, the registries.
    lives(20);
    // What is lost is lost each time; what the thread of the test harness does meanwhile, which
    // counts too, it does once.
    let changes = [(); 3].map(|()| {
        let region = Region::new(ALLOCATOR);
        lives(100);
        region.change()
    });
    assert!(changes.iter().all(|change| change.allocations > 1000), "it counts");
    let is_even = |change: &Stats| {
        (change.bytes_allocated, change.allocations)
            == (change.bytes_deallocated, change.deallocations)
    };
    assert!(changes.iter().any(is_even), "{changes:?}");
}
