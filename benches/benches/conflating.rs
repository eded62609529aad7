//! What a cast costs into a mailbox that keeps the latest message of each key, beside one into a
//! plain mailbox with a bound: a flood over 1,000 keys, that the actor handles afterwards.
//!
//! With `--deliver MAILBOX ROUNDS` it does so many rounds, for an instrument that counts them.

use std::env;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use ractor::actor::actor_config::{ActorConfig, Conflate, Mailbox, Overflow};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// Messages of a round.
const FLOOD: u64 = 16_384;
const KEYS: u64 = 1_000;

/// The mailboxes: plain, one whose messages replace each other, and one where none does.
const MAILBOXES: [&str; 3] = ["bounded", "conflating 1,000 keys", "conflating, each its own key"];

struct ByRest;

impl Conflate for ByRest {
    type Message = u64;
    type Key = u64;

    fn key(number: &u64) -> Option<u64> {
        Some(number % KEYS)
    }
}

struct ByNumber;

impl Conflate for ByNumber {
    type Message = u64;
    type Key = u64;

    fn key(number: &u64) -> Option<u64> {
        Some(*number)
    }
}

/// Notifies when it has handled the last message of a round.
struct Reader;

impl Actor for Reader {
    type Msg = u64;
    type State = (u64, Arc<Notify>);
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        _: ActorRef<u64>,
        state: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<u64>,
        number: u64,
        (last, done): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if number == *last {
            done.notify_one();
        }
        Ok(())
    }
}

struct Contender {
    runtime: Runtime,
    actor: ActorRef<u64>,
    done: Arc<Notify>,
}

impl Contender {
    fn new(mailbox: &str) -> Self {
        let bound = usize::try_from(FLOOD).expect("it is small");
        let mailbox = match MAILBOXES.iter().position(|it| *it == mailbox) {
            Some(0) => Mailbox::bounded(bound, Overflow::Reject),
            Some(1) => Mailbox::conflating::<ByRest>(bound, Overflow::Reject),
            Some(2) => Mailbox::conflating::<ByNumber>(bound, Overflow::Reject),
            _ => panic!("the mailboxes are {MAILBOXES:?}"),
        };
        let runtime = Builder::new_current_thread().build().expect("there are threads");
        let done = Arc::new(Notify::new());
        // The oldest key is taken last of all where nothing is replaced, and so is the newest.
        let last = FLOOD - 1;
        let config = ActorConfig::default().with_mailbox(mailbox);
        let starting = Actor::spawn_with_config(None, Reader, (last, done.clone()), config);
        let (actor, _) = runtime.block_on(starting).expect("an actor starts");
        Self { runtime, actor, done }
    }

    fn run(&self, rounds: u64) -> Duration {
        let started = Instant::now();
        self.runtime.block_on(async {
            for _ in 0..rounds {
                for number in 0..FLOOD {
                    self.actor.cast(number).expect("there is room");
                }
                self.done.notified().await;
                // The last one may have taken a place before others.
                while self.actor.mailbox_len() > 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        started.elapsed()
    }
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|it| it == "--deliver") {
        let [mailbox, rounds] = &arguments[at + 1..] else { panic!("--deliver MAILBOX ROUNDS") };
        Contender::new(mailbox).run(rounds.parse().expect("a number of rounds"));
        return;
    }
    let timed = arguments.iter().any(|it| it == "--bench");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("flood of 8 B, one thread");
    group
        .throughput(Throughput::Elements(FLOOD))
        .sampling_mode(SamplingMode::Flat)
        .sample_size(10)
        .nresamples(2_000)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600));
    // In turns, so that a change of the machine's speed meets all.
    for turn in 1..=if timed { 3 } else { 1 } {
        for mailbox in MAILBOXES {
            let contender = Contender::new(mailbox);
            group.bench_function(BenchmarkId::new(mailbox, turn), |bencher| {
                bencher.iter_custom(|rounds| contender.run(rounds));
            });
            let replaced = contender.actor.replaced_messages();
            assert_eq!(mailbox == MAILBOXES[1], replaced > 0, "{mailbox}: {replaced}");
        }
    }
    group.finish();
    criterion.final_summary();
}
