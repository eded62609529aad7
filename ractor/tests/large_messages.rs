//! Messages that are large by value, and how much of a sender's stack they need.

use std::thread;

use ractor::{Actor, ActorProcessingErr, ActorRef};

const BYTES: usize = 64 * 1024;

struct Large([u8; BYTES]);

#[cfg(feature = "cluster")]
impl ractor::Message for Large {}

struct Sum;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Sum {
    type Msg = Large;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Large>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Large>,
        message: Large,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        *sum += u64::from(message.0[BYTES - 1]);
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Large>, sum: &mut u64) -> Result<(), ActorProcessingErr> {
        assert_eq!(*sum, 3);
        Ok(())
    }
}

#[test]
fn a_sender_needs_room_for_a_few_copies_of_a_message() {
    // Without optimisation, which leaves a place for each move. A type that boxes itself needs
    // more.
    let copies = if cfg!(feature = "cluster") { 30 } else { 19 };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_stack_size(16 * 1024 * 1024)
        .build()
        .unwrap();
    let (actor, ended) = runtime.block_on(Actor::spawn(None, Sum, ())).unwrap();
    let sender = actor.clone();
    // Too small a stack aborts the process.
    thread::Builder::new()
        .stack_size(copies * BYTES)
        .spawn(move || (0..3).for_each(|_| sender.cast(Large([1; BYTES])).unwrap()))
        .unwrap()
        .join()
        .unwrap();
    actor.drain().unwrap();
    runtime.block_on(ended).unwrap();
}
