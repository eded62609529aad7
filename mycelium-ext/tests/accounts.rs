//! Accounts of messages, over random mixes of ways to send and of ends: what was sent is received,
//! or dropped and counted, or was left when the actor ended; a message that came back, or was given
//! up while it waited, is never received; and each sender's messages keep their order.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig};
use proptest::prelude::*;
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::concurrency::JoinHandle;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, MessagingErr};
use tokio::sync::{Semaphore, mpsc};

const SENDERS: usize = 3;
/// The numbers of a sender begin at its place times this.
const STRIDE: u64 = 10_000;

/// Tells the numbers that it gets, one for each permit.
struct Reader {
    gate: Arc<Semaphore>,
    seen: mpsc::UnboundedSender<u64>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Reader {
    type Msg = u64;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<u64>,
        number: u64,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        self.seen.send(number)?;
        self.gate.acquire().await?.forget();
        Ok(())
    }
}

impl FastActor for Reader {
    type Msg = u64;
    type Control = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: FastActorRef<u64>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: FastActorRef<u64>,
        mut batch: Batch<'_, u64>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        for _ in 0..batch.len() {
            self.gate.acquire().await?.forget();
            let number = batch.next().ok_or("there is another one")?;
            self.seen.send(*number)?;
        }
        Ok(())
    }
}

/// The receiver: an ordinary actor, or a fast one, whose lane has two ways in.
#[derive(Clone)]
enum Target {
    Plain(ActorRef<u64>),
    Fast(FastActorRef<u64>),
}

type Sending = Pin<Box<dyn Future<Output = Result<(), u64>>>>;

/// The number that came back.
fn back(sent: Result<(), MessagingErr<u64>>) -> Result<(), u64> {
    sent.map_err(|error| match error {
        MessagingErr::SendErr(number) => number,
        error => panic!("{error}"),
    })
}

impl Target {
    fn cell(&self) -> ActorCell {
        match self {
            Self::Plain(actor) => actor.get_cell(),
            Self::Fast(actor) => actor.get_cell(),
        }
    }

    /// The number comes back where it was not sent.
    fn cast(&self, it: u64, by_cell: bool) -> Result<(), u64> {
        match self {
            Self::Fast(fast) if !by_cell => fast.cast(it).map_err(|back| back.into_message()),
            _ => back(self.cell().send_message(it)),
        }
    }

    fn cast_arc(&self, it: u64, by_cell: bool) -> Result<(), u64> {
        let sent = match self {
            Self::Fast(fast) if !by_cell => fast.cast_arc(Arc::new(it)),
            _ => self.cell().cast_arc(Arc::new(it)),
        };
        sent.map_err(|back| *back.into_message())
    }

    fn send(&self, it: u64, by_cell: bool) -> Sending {
        let target = self.clone();
        Box::pin(async move {
            match target {
                Self::Fast(fast) if !by_cell => {
                    fast.send(it).await.map_err(|back| back.into_message())
                }
                _ => back(ActorRef::<u64>::from(target.cell()).send(it).await),
            }
        })
    }

    fn send_arc(&self, it: u64, by_cell: bool) -> Sending {
        let target = self.clone();
        Box::pin(async move {
            let sent = match &target {
                Self::Fast(fast) if !by_cell => fast.send_arc(Arc::new(it)).await,
                Self::Plain(actor) if !by_cell => actor.send_arc(Arc::new(it)).await,
                _ => target.cell().send_arc(Arc::new(it)).await,
            };
            sent.map_err(|back| *back.into_message())
        })
    }

    /// What was dropped and counted.
    fn lost(&self) -> u64 {
        match self {
            Self::Plain(actor) => actor.lost_messages(),
            Self::Fast(fast) => fast.lost_in_lane(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Cast,
    CastArc,
    Send,
    SendArc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Drain,
    Stop,
    Kill,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The sender of this place sends; one that waits is polled.
    Send(usize, Way, bool),
    /// The sender gives up what waits.
    Cancel(usize),
    /// The handler goes on for so many messages, and all have turns.
    Release(usize),
    End(End),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let way = prop_oneof![Just(Way::Cast), Just(Way::CastArc), Just(Way::Send), Just(Way::SendArc)];
    let end = prop_oneof![3 => Just(End::Drain), 1 => Just(End::Stop), 1 => Just(End::Kill)];
    let step = prop_oneof![
        30 => (0..SENDERS, way, any::<bool>()).prop_map(|(at, way, by)| Step::Send(at, way, by)),
        4 => (0..SENDERS).prop_map(Step::Cancel),
        10 => (0..4_usize).prop_map(Step::Release),
        1 => end.prop_map(Step::End),
    ];
    proptest::collection::vec(step, 1..120)
}

fn policies() -> impl Strategy<Value = Overflow> {
    prop_oneof![Just(Overflow::Reject), Just(Overflow::DropNewest), Just(Overflow::DropOldest)]
}

/// What a sender knows of its messages.
#[derive(Default)]
struct Sender {
    next: u64,
    waits: Option<(u64, Sending)>,
    sent: Vec<u64>,
    /// Came back, or was given up.
    unsent: Vec<u64>,
}

impl Sender {
    fn note(&mut self, it: u64, outcome: Result<(), u64>) {
        match outcome {
            Ok(()) => self.sent.push(it),
            Err(back) => {
                assert_eq!(back, it, "another message came back");
                self.unsent.push(back);
            }
        }
    }

    /// A sender that waits for room takes it from no other message.
    fn poll(&mut self, target: &Target) {
        let Some((it, mut sending)) = self.waits.take() else { return };
        let lost = target.lost();
        match sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.note(it, outcome),
            Poll::Pending => self.waits = Some((it, sending)),
        }
        assert_eq!(target.lost(), lost, "a message was dropped for one that waited");
    }
}

async fn others_run() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

struct Run {
    target: Target,
    ended: JoinHandle<()>,
    gate: Arc<Semaphore>,
    seen: mpsc::UnboundedReceiver<u64>,
}

async fn start(is_fast: bool, capacity: usize, overflow: Overflow) -> Run {
    let (seen_tx, seen) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let reader = Reader { gate: gate.clone(), seen: seen_tx };
    if is_fast {
        let lane = LaneConfig::bounded(capacity, overflow);
        let (fast, ended) = FastActor::spawn(reader, None, (), lane).await.expect("it starts");
        return Run { target: Target::Fast(fast), ended, gate, seen };
    }
    let config = ActorConfig::default().with_mailbox(Mailbox::bounded(capacity, overflow));
    let (actor, ended) =
        Actor::spawn_with_config(None, reader, (), config).await.expect("it starts");
    Run { target: Target::Plain(actor), ended, gate, seen }
}

async fn account(is_fast: bool, capacity: usize, overflow: Overflow, steps: Vec<Step>) {
    let Run { target, ended, gate, mut seen } = start(is_fast, capacity, overflow).await;
    let mut senders: [Sender; SENDERS] = Default::default();
    let mut end = None;
    for step in steps {
        match step {
            Step::Send(at, way, by_cell) => {
                let sender = &mut senders[at];
                if sender.waits.is_none() {
                    let it = STRIDE * at as u64 + sender.next;
                    sender.next += 1;
                    match way {
                        Way::Cast => sender.note(it, target.cast(it, by_cell)),
                        Way::CastArc => sender.note(it, target.cast_arc(it, by_cell)),
                        Way::Send => sender.waits = Some((it, target.send(it, by_cell))),
                        Way::SendArc => sender.waits = Some((it, target.send_arc(it, by_cell))),
                    }
                }
                sender.poll(&target);
            }
            Step::Cancel(at) => {
                let given_up = senders[at].waits.take();
                senders[at].unsent.extend(given_up.map(|(it, _)| it));
            }
            Step::Release(messages) => {
                gate.add_permits(messages);
                others_run().await;
            }
            Step::End(with) => {
                match with {
                    End::Drain => _ = target.cell().drain(),
                    End::Stop => target.cell().stop(None),
                    End::Kill => target.cell().kill(),
                }
                // One that drains may be stopped, and that killed.
                end = end.max(Some(with));
                others_run().await;
            }
        }
    }
    // Senders that wait get room, or their messages back.
    gate.add_permits(Semaphore::MAX_PERMITS / 2);
    while senders.iter().any(|it| it.waits.is_some()) {
        others_run().await;
        senders.iter_mut().for_each(|it| it.poll(&target));
    }
    let last = end.unwrap_or(End::Drain);
    _ = target.cell().drain();
    ended.await.expect("it ends");

    let mut received = Vec::new();
    while let Ok(it) = seen.try_recv() {
        received.push(it);
    }
    for (at, sender) in (0..).zip(&senders) {
        let of = received.iter().copied().filter(|it| it / STRIDE == at);
        let of: Vec<u64> = of.collect();
        assert!(of.is_sorted_by(|one, next| one < next), "in order, and once: {of:?}");
        assert!(of.iter().all(|it| sender.sent.contains(it)), "{of:?} of {:?}", sender.sent);
        let accounted = sender.sent.len() + sender.unsent.len();
        assert_eq!(accounted as u64, sender.next, "each has one outcome");
    }
    let sent: usize = senders.iter().map(|it| it.sent.len()).sum();
    let left = sent as u64 - received.len() as u64 - target.lost();
    match (&target, last) {
        // What waits in a mailbox when its actor is stopped or killed is dropped, as in stock.
        (Target::Plain(_), End::Stop | End::Kill) => assert!(left <= capacity as u64, "{left}"),
        _ => assert_eq!(left, 0, "sent, and neither received nor counted as lost"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sent_is_received_or_dropped_and_what_comes_back_is_not(
        is_fast in any::<bool>(),
        capacity in 1..5_usize,
        overflow in policies(),
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
        runtime.block_on(account(is_fast, capacity, overflow, steps));
    }
}
