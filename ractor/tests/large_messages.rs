//! Messages that are large by value, and how much of the stack their senders and actors need.

use std::thread;

use ractor::{Actor, ActorProcessingErr, ActorRef};

const BYTES: usize = 64 * 1024;

struct Large<const N: usize>([u8; N]);

#[cfg(feature = "cluster")]
impl<const N: usize> ractor::Message for Large<N> {}

struct Sum<const N: usize>;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<const N: usize> Actor for Sum<N> {
    type Msg = Large<N>;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Large<N>>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Large<N>>,
        message: Large<N>,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        *sum += u64::from(message.0[N - 1]);
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Large<N>>,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
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
    let (actor, ended) = runtime.block_on(Actor::spawn(None, Sum::<BYTES>, ())).unwrap();
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

/// Starts an actor, sends to it, and lets it handle all, on a thread with a stack of so many bytes.
#[cfg(not(feature = "async-std"))]
fn live<const N: usize>(stack: usize) {
    let life = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (actor, ended) = Actor::spawn(None, Sum::<N>, ()).await.unwrap();
            (0..3).for_each(|_| actor.cast(Large([1; N])).unwrap());
            actor.drain().unwrap();
            ended.await.unwrap();
        });
    };
    thread::Builder::new().stack_size(stack).spawn(life).unwrap().join().unwrap();
}

#[test]
#[cfg(not(feature = "async-std"))]
fn an_actor_needs_no_more_than_with_stock() {
    const KIB: usize = 1024;
    // What stock needs without optimisation: 176, 2336 and 9248 KiB were measured for these sizes.
    // The benches measure both in one run (`stack`).
    let of_stock = |bytes: usize| 36 * bytes + 32 * KIB;
    live::<{ 4 * KIB }>(of_stock(4 * KIB));
    live::<{ 64 * KIB }>(of_stock(64 * KIB));
    live::<{ 256 * KIB }>(of_stock(256 * KIB));
}
