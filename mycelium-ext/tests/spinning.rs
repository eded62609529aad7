//! What a spinning actor promises, through its public interface.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig, SpinningThread};
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// The message that makes a [`Probe`] panic.
const PANIC: u64 = u64::MAX;

/// What a [`Probe`] tells of a message.
#[derive(Debug)]
struct Seen {
    number: u64,
    thread: ThreadId,
    /// How often its thread has gone to sleep by itself.
    sleeps: u64,
    #[cfg(target_os = "linux")]
    cores: u32,
}

/// Tells that the thread ends.
struct End(mpsc::UnboundedSender<()>);

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

thread_local! {
    static END: RefCell<Option<End>> = const { RefCell::new(None) };
}

/// Tells what it gets, and where.
struct Probe {
    seen: mpsc::UnboundedSender<Seen>,
    ended: mpsc::UnboundedSender<()>,
    gate: Arc<Semaphore>,
}

struct Tools {
    probe: Probe,
    seen: mpsc::UnboundedReceiver<Seen>,
    ended: mpsc::UnboundedReceiver<()>,
    gate: Arc<Semaphore>,
}

impl Tools {
    fn new() -> Self {
        let (tell_seen, seen) = mpsc::unbounded_channel();
        let (tell_ended, ended) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(1));
        let probe = Probe { seen: tell_seen, ended: tell_ended, gate: gate.clone() };
        Self { probe, seen, ended, gate }
    }
}

async fn next<T>(of: &mut mpsc::UnboundedReceiver<T>) -> T {
    timeout(LONG, of.recv()).await.expect("it comes in time").expect("it comes")
}

/// From `/proc`; 0 where there is none.
fn sleeps() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.map_or(0, |number| number.trim().parse().expect("a number"))
}

impl FastActor for Probe {
    type Msg = u64;
    type Control = ();
    type State = ();
    type Arguments = Result<(), String>;

    async fn pre_start(
        &self,
        _: FastActorRef<u64>,
        start: Result<(), String>,
    ) -> Result<(), ActorProcessingErr> {
        END.set(Some(End(self.ended.clone())));
        self.gate.acquire().await?.forget();
        Ok(start?)
    }

    async fn handle(
        &self,
        _: FastActorRef<u64>,
        batch: Batch<'_, u64>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        for number in batch {
            assert_ne!(*number, PANIC, "it was told to");
            self.seen.send(Seen {
                number: *number,
                thread: thread::current().id(),
                sleeps: sleeps(),
                #[cfg(target_os = "linux")]
                cores: rustix::thread::sched_getaffinity(None)?.count(),
            })?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn it_handles_all_in_order_on_a_thread_of_its_own_which_ends_with_it() {
    let Tools { probe, mut seen, mut ended, .. } = Tools::new();
    let lane = LaneConfig::default();
    let started = SpinningThread::new().spawn(probe, None, Ok(()), lane).await;
    let (actor, stopped) = started.expect("it starts");
    for number in 0..10_000 {
        actor.send(number).await.expect("it is alive");
    }
    actor.drain().expect("it is alive");
    timeout(LONG, stopped).await.expect("it ends in time").expect("it ends in order");
    next(&mut ended).await;
    let mut threads = Vec::new();
    for number in 0..10_000 {
        let Seen { number: came, thread, .. } = seen.recv().await.expect("all have come");
        assert_eq!(came, number);
        threads.push(thread);
    }
    threads.dedup();
    assert_eq!(threads.len(), 1);
    assert_ne!(threads[0], thread::current().id());
}

/// Else each message would have to wake it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_does_not_sleep_between_messages() {
    let Tools { probe, mut seen, .. } = Tools::new();
    let lane = LaneConfig::default();
    let started = SpinningThread::new().spawn(probe, None, Ok(()), lane).await;
    let (actor, stopped) = started.expect("it starts");
    let mut sleeps = Vec::new();
    for number in 0..=1_000 {
        actor.cast(number).expect("there is room");
        sleeps.push(next(&mut seen).await.sleeps);
    }
    // It may wait for a lock now and then.
    let slept = sleeps[1_000] - sleeps[0];
    assert!(slept < 300, "it slept {slept} times for 1000 messages");
    actor.stop(None);
    timeout(LONG, stopped).await.expect("it ends in time").expect("it ends in order");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_stays_on_its_core() {
    let Tools { probe, mut seen, .. } = Tools::new();
    let cores = rustix::thread::sched_getaffinity(None).expect("Linux tells");
    let core = (0..rustix::thread::CpuSet::MAX_CPU).find(|core| cores.is_set(*core));
    let thread = SpinningThread::new().on_core(core.expect("this runs somewhere"));
    let started = thread.spawn(probe, None, Ok(()), LaneConfig::default()).await;
    let (actor, stopped) = started.expect("it starts");
    actor.cast(1).expect("there is room");
    assert_eq!(next(&mut seen).await.cores, 1);
    actor.stop(None);
    timeout(LONG, stopped).await.expect("it ends in time").expect("it ends in order");
}

#[tokio::test]
async fn without_such_a_core_it_does_not_start() {
    // One that no kernel knows, and one that may be beyond this machine's.
    for core in [usize::MAX, 1_023] {
        let Tools { probe, .. } = Tools::new();
        let name = format!("spins on core {core}");
        let thread = SpinningThread::new().on_core(core);
        let started = thread.spawn(probe, Some(name.clone()), Ok(()), LaneConfig::default()).await;
        let Err(SpawnErr::StartupFailed(error)) = started else { panic!("it starts") };
        assert!(error.is::<std::io::Error>(), "{error:?}");
        assert!(error.to_string().contains(&format!("core {core}")), "{error}");
        assert!(ractor::registry::where_is(name).is_none());
    }
}

#[tokio::test]
async fn one_that_fails_to_start_says_so_and_its_thread_ends() {
    let Tools { probe, mut ended, .. } = Tools::new();
    let arguments = Err("not today".to_owned());
    let lane = LaneConfig::default();
    let started = SpinningThread::new().spawn(probe, None, arguments, lane).await;
    let Err(SpawnErr::StartupFailed(error)) = started else { panic!("it starts") };
    assert_eq!(error.to_string(), "not today");
    next(&mut ended).await;
}

/// Without an owner it would spin for ever.
#[tokio::test]
async fn one_whose_spawn_was_given_up_is_stopped() {
    let Tools { probe, mut ended, gate, .. } = Tools::new();
    gate.acquire().await.expect("it is open").forget();
    {
        let lane = LaneConfig::default();
        let mut started = pin!(SpinningThread::new().spawn(probe, None, Ok(()), lane));
        let is_pending =
            poll_fn(|context| Poll::Ready(started.as_mut().poll(context).is_pending()));
        assert!(is_pending.await, "it has started");
    }
    gate.add_permits(1);
    next(&mut ended).await;
}

/// Tells what becomes of its child.
struct Witness(mpsc::UnboundedSender<String>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Witness {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<()>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _supervisor: ActorRef<()>,
        told: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match told {
            SupervisionEvent::ActorFailed(_, why) => Ok(self.0.send(why.to_string())?),
            _ => Ok(()),
        }
    }
}

#[tokio::test]
async fn its_supervisor_is_told_of_a_panic_and_its_thread_ends() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let (supervisor, over) = Actor::spawn(None, Witness(tell), ()).await.expect("it starts");
    let Tools { probe, mut ended, .. } = Tools::new();
    let lane = LaneConfig::default();
    let cell = supervisor.get_cell();
    let started = SpinningThread::new().spawn_linked(probe, None, Ok(()), lane, cell).await;
    let (actor, _) = started.expect("it starts");
    actor.cast(PANIC).expect("there is room");
    assert!(next(&mut told).await.contains("it was told to"));
    next(&mut ended).await;
    supervisor.stop(None);
    over.await.expect("it ends in order");
}
