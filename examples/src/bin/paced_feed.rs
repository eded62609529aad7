//! A feed that goes no faster than its readers, with shared ticks.
//!
//! `send_arc` waits for one reader: every tick arrives, and no more wait than its mailbox holds.
//! `pg::send_arc` waits for each member of a group until a deadline, and reports the slow ones:
//! here a reader that hangs, which the feed kills. The others are not held up by more than that.
//!
//!     cargo run -p mycelium-examples --bin paced_feed

use std::sync::Arc;
use std::time::Duration;

use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::message::Shared;
use ractor::pg::{self, MemberOutcome};
use ractor::{Actor, ActorProcessingErr, ActorRef};

const TICKS: u64 = 200;
const CAPACITY: usize = 8;
/// How long the feed waits for a reader, for one tick.
const PATIENCE: Duration = Duration::from_millis(200);

struct Tick {
    number: u64,
}

// It stays in this process.
ractor::local_message!(Tick);

impl ractor::SharedMessage for Tick {
    // Readers read it where it lies.
    fn clone_shared(&self) -> Option<Self> {
        None
    }
}

/// Reads a tick, and then does something else for a while.
struct Reader {
    pause: Duration,
}

impl Actor for Reader {
    type Msg = Tick;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tick>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<Tick>,
        tick: Shared<Tick>,
        next: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        assert_eq!(tick.number, *next, "none is missing");
        *next += 1;
        ractor::concurrency::sleep(self.pause).await;
        Ok(())
    }
}

async fn reader(pause: Duration) -> (ActorRef<Tick>, ractor::concurrency::JoinHandle<()>) {
    let mailbox = Mailbox::bounded(CAPACITY, Overflow::Reject);
    let config = ActorConfig::default().with_mailbox(mailbox);
    Actor::spawn_with_config(None, Reader { pause }, (), config).await.expect("it starts")
}

#[tokio::main]
async fn main() {
    let (alone, task) = reader(Duration::from_micros(100)).await;
    for number in 0..TICKS {
        alone.send_arc(Arc::new(Tick { number })).await.expect("it runs");
    }
    let high_water = alone.mailbox_high_water();
    alone.drain().expect("it runs");
    task.await.expect("it read all of them");
    println!("one reader: {TICKS} ticks, at most {high_water} waiting");
    assert!(high_water <= CAPACITY);

    let group = "readers".to_owned();
    let mut tasks = Vec::new();
    for pause in [Duration::ZERO, Duration::from_micros(100), Duration::from_secs(3600)] {
        let (actor, task) = reader(pause).await;
        pg::join(group.clone(), vec![actor.get_cell()]);
        tasks.push((actor, task));
    }
    let (mut delivered, mut missed) = (0, 0);
    for number in 0..TICKS {
        let report = pg::send_arc(&group, Arc::new(Tick { number }), PATIENCE).await;
        delivered += report.delivered();
        for (member, outcome) in report.undelivered() {
            missed += 1;
            println!("tick {number}: {} did not get it: {outcome}", member.get_id());
            if outcome == MemberOutcome::DeadlinePassed {
                pg::leave(group.clone(), vec![member.clone()]);
                member.kill();
            }
        }
    }
    for (actor, task) in tasks {
        // Fails for the one that was killed.
        _ = actor.drain();
        task.await.expect("it read all of them");
    }
    println!("a group: {delivered} deliveries, {missed} missed");
}
