//! The boxes of larger messages are used again, by all threads, and an actor that idles keeps none.
//!
//! One test, since the count is the whole process's. The feature `async-trait` boxes every handler
//! and is another matter.
#![cfg(all(feature = "tokio_runtime", not(feature = "async-trait")))]

use std::alloc::System;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use stats_alloc::{Region, StatsAlloc, INSTRUMENTED_SYSTEM};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

struct Block<const N: usize>([u8; N]);

#[cfg(feature = "cluster")]
impl<const N: usize> ractor::Message for Block<N> {
    fn keeps_default_boxing() -> bool {
        true
    }
}

/// Tells when it has handled so many.
struct Counter<const N: usize>;

struct Count {
    round: usize,
    handled: usize,
    complete: mpsc::UnboundedSender<()>,
}

impl<const N: usize> Actor for Counter<N> {
    type Msg = Block<N>;
    type State = Count;
    type Arguments = Count;

    async fn pre_start(
        &self,
        _: ActorRef<Block<N>>,
        count: Count,
    ) -> Result<Count, ActorProcessingErr> {
        Ok(count)
    }

    async fn handle(
        &self,
        _: ActorRef<Block<N>>,
        block: Block<N>,
        count: &mut Count,
    ) -> Result<(), ActorProcessingErr> {
        assert_eq!(block.0[0], block.0[N - 1]);
        count.handled += 1;
        if count.handled == count.round {
            count.handled = 0;
            count.complete.send(())?;
        }
        Ok(())
    }
}

struct Running<const N: usize> {
    actor: ActorRef<Block<N>>,
    completed: mpsc::UnboundedReceiver<()>,
    round: usize,
}

impl<const N: usize> Running<N> {
    fn start(runtime: &Runtime, round: usize) -> Self {
        let (complete, completed) = mpsc::unbounded_channel();
        let count = Count { round, handled: 0, complete };
        let spawned = runtime.block_on(Actor::spawn(None, Counter::<N>, count));
        Self { actor: spawned.unwrap().0, completed, round }
    }

    /// Sends a round of messages from this thread, and waits until all are handled.
    fn send_round(&mut self, runtime: &Runtime) {
        for number in 0..self.round {
            self.actor.cast(Block([number as u8; N])).unwrap();
        }
        runtime.block_on(self.completed.recv()).unwrap();
    }
}

/// How many allocations there are for each hundred of messages.
fn allocations<const N: usize>(runtime: &Runtime) -> usize {
    const ROUND: usize = 200;
    const ROUNDS: usize = 20;
    let mut running = Running::<N>::start(runtime, ROUND);
    // The boxes are made, and each thread gets its part.
    (0..ROUNDS).for_each(|_| running.send_round(runtime));
    let region = Region::new(ALLOCATOR);
    (0..ROUNDS).for_each(|_| running.send_round(runtime));
    let allocations = region.change().allocations;
    println!("{N} bytes: {allocations} allocations for {} casts", ROUND * ROUNDS);
    allocations * 100 / (ROUND * ROUNDS)
}

/// The bytes that are allocated still after `work`.
fn kept(work: impl FnOnce()) -> isize {
    let region = Region::new(ALLOCATOR);
    work();
    let change = region.change();
    change.bytes_allocated as isize - change.bytes_deallocated as isize
}

#[test]
fn boxes_are_used_again_and_idle_actors_keep_none() {
    let one = Builder::new_current_thread().build().unwrap();
    let worker = Builder::new_multi_thread().worker_threads(1).build().unwrap();

    // On one thread, and from this thread to a worker's. Magazines take a few allocations.
    for runtime in [&one, &worker] {
        assert!(allocations::<256>(runtime) < 20);
        assert!(allocations::<1024>(runtime) < 50);
    }

    // 64 MiB wait in one mailbox, and then as much in a hundred, one after the other. All of it is
    // given back, but for what the depot and the thread keep.
    const MIB: isize = 1024 * 1024;
    const MOST: isize = 2 * MIB + MIB / 2;
    let flood = kept(|| Running::<4096>::start(&one, 16 * 1024).send_round(&one));
    assert!(flood < MOST, "{flood} bytes after a flood");
    let mut idle: Vec<_> = (0..100).map(|_| Running::<512>::start(&one, 1280)).collect();
    let bursts = kept(|| idle.iter_mut().for_each(|running| running.send_round(&one)));
    println!("{flood} bytes are kept after a flood, {bursts} after bursts");
    assert!(bursts < MOST, "{bursts} bytes after a burst to each of a hundred actors");
}
