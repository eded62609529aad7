//! What a shared message costs: nothing but its place in the mailbox.
//!
//! One test, since the count is the whole process's. The feature `async-trait` boxes every
//! handler and is another matter.
#![cfg(all(feature = "tokio_runtime", not(feature = "async-trait")))]

mod common;

use std::alloc::System;
use std::sync::Arc;

use common::Tick;
use ractor::message::Shared;
use ractor::{pg, Actor, ActorProcessingErr, ActorRef};
use stats_alloc::{Region, StatsAlloc, INSTRUMENTED_SYSTEM};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Reads so many ticks, and stops.
struct Sum;

impl Actor for Sum {
    type Msg = Tick;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: ActorRef<Tick>, ticks: u64) -> Result<u64, ActorProcessingErr> {
        Ok(ticks)
    }

    async fn handle_arc(
        &self,
        myself: ActorRef<Tick>,
        tick: Shared<Tick>,
        left: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        *left -= tick.price;
        if *left == 0 {
            myself.stop(None);
        }
        Ok(())
    }
}

const READERS: usize = 8;

/// Allocations from start to end of an actor that gets so many messages in one go.
async fn casts(messages: usize, tick: &Arc<Tick>) -> usize {
    let region = Region::new(ALLOCATOR);
    let (actor, handle) = Actor::spawn(None, Sum, messages as u64).await.unwrap();
    for _ in 0..messages {
        actor.cast_arc(tick.clone()).unwrap();
    }
    handle.await.unwrap();
    region.change().allocations
}

/// The same for a group that gets so many broadcasts, and reads each before the next.
async fn broadcasts(messages: usize, tick: &Arc<Tick>) -> usize {
    let group = "sums".to_owned();
    let region = Region::new(ALLOCATOR);
    let mut handles = Vec::new();
    for _ in 0..READERS {
        let (actor, handle) = Actor::spawn(None, Sum, messages as u64).await.unwrap();
        pg::join(group.clone(), vec![actor.get_cell()]);
        handles.push(handle);
    }
    for _ in 0..messages {
        assert_eq!(pg::broadcast_arc(&group, tick.clone()).delivered(), READERS);
        tokio::task::yield_now().await;
    }
    for handle in handles {
        handle.await.unwrap();
    }
    region.change().allocations
}

#[tokio::test]
async fn a_shared_message_is_delivered_without_an_allocation_or_a_copy() {
    const MORE: usize = 3200;
    let tick = Tick::new(1);
    // What is made once and for all is made here.
    casts(32, &tick).await;
    broadcasts(32, &tick).await;

    // Starting and stopping cost the same however many messages there are between them.
    let cast = casts(2 * MORE, &tick).await - casts(MORE, &tick).await;
    let broadcast = broadcasts(2 * MORE, &tick).await - broadcasts(MORE, &tick).await;

    println!("{MORE} casts: {cast} allocations; {MORE} broadcasts to {READERS}: {broadcast}");
    // The mailbox takes a block of memory for 32 messages at a time.
    assert!(cast <= MORE / 32 + 1, "{cast} for {MORE} casts");
    // A broadcast looks up its members once, whatever their number: three strings that make the
    // key, and a list.
    assert!(broadcast <= 4 * MORE + READERS, "{broadcast} for {MORE} broadcasts to {READERS}");
    assert_eq!((tick.copies(), Arc::strong_count(&tick)), (0, 1));
}
