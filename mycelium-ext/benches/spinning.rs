//! How long a round trip between two actors of a process takes, and what it burns:
//! `cargo bench -p mycelium-ext --features spinning --bench spinning -- ROUNDS`.
//!
//! Two actors send a number back and forth. In turns: ordinary actors and fast actors on a runtime
//! with two threads, which mostly puts both on one; fast actors on a thread each that sleeps, as
//! where the sender is another thread; fast actors with a [`SpinningThread`] each; and two bare
//! threads that spin on an atomic.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig, SpinningThread};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// Round trips of a measurement.
const TRIPS: u64 = 50_000;

/// One of two that play.
#[derive(Clone, Default)]
struct Player {
    over: Arc<Notify>,
}

enum Ball<A> {
    Meet(A),
    Left(u64),
}

/// The other one, once it is known.
type Other = Option<FastActorRef<u64, Meet>>;

/// Whom a fast player is to play with.
struct Meet(FastActorRef<u64, Meet>);

struct OrdinaryBall(Ball<ActorRef<OrdinaryBall>>);

ractor::local_message!(OrdinaryBall);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Player {
    type Msg = OrdinaryBall;
    type State = Option<ActorRef<OrdinaryBall>>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<OrdinaryBall>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(None)
    }

    async fn handle(
        &self,
        _: ActorRef<OrdinaryBall>,
        message: OrdinaryBall,
        other: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match (message.0, other) {
            (Ball::Meet(it), other) => *other = Some(it),
            (Ball::Left(0), _) => self.over.notify_one(),
            (Ball::Left(left), Some(other)) => {
                other.cast(OrdinaryBall(Ball::Left(left - 1))).map_err(|it| it.to_string())?;
            }
            (Ball::Left(_), None) => return Err("it plays alone".into()),
        }
        Ok(())
    }
}

impl FastActor for Player {
    type Msg = u64;
    type Control = Meet;
    type State = Other;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: FastActorRef<u64, Meet>,
        (): (),
    ) -> Result<Other, ActorProcessingErr> {
        Ok(None)
    }

    async fn handle(
        &self,
        _: FastActorRef<u64, Meet>,
        batch: Batch<'_, u64>,
        other: &mut Other,
    ) -> Result<(), ActorProcessingErr> {
        for left in batch {
            match (*left, &other) {
                (0, _) => self.over.notify_one(),
                (left, Some(other)) => other.cast(left - 1)?,
                (_, None) => return Err("it plays alone".into()),
            }
        }
        Ok(())
    }

    async fn handle_control(
        &self,
        _: FastActorRef<u64, Meet>,
        Meet(it): Meet,
        other: &mut Other,
    ) -> Result<(), ActorProcessingErr> {
        *other = Some(it);
        Ok(())
    }
}

/// What was measured of a contender.
#[derive(Default)]
struct Times {
    trip: Vec<Duration>,
    burnt: Vec<Duration>,
    idle: Vec<Duration>,
}

/// The processor time of this process.
fn burnt() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

impl Times {
    /// Measures a game that `serve` begins, and the time without one after it.
    async fn measure(&mut self, over: &Notify, serve: impl FnOnce()) {
        let (start, before) = (Instant::now(), burnt());
        serve();
        over.notified().await;
        self.trip.push(start.elapsed() / TRIPS as u32);
        self.burnt.push((burnt() - before) / TRIPS as u32);
        let before = burnt();
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.idle.push((burnt() - before) * 10);
    }

    fn print(mut self, what: &str) {
        let mut of = |times: fn(&mut Self) -> &mut Vec<Duration>| {
            let times = times(&mut self);
            times.sort_unstable();
            let (least, most) = (times[0], times[times.len() - 1]);
            format!("{:.2?} ({least:.2?}..{most:.2?})", times[times.len() / 2])
        };
        let (trip, burnt, idle) =
            (of(|it| &mut it.trip), of(|it| &mut it.burnt), of(|it| &mut it.idle));
        println!("| {what:15} | {trip:30} | {burnt:30} | {idle:30} |");
    }
}

async fn ordinary(times: &mut Times) -> Result<(), Box<dyn Error>> {
    let player = Player::default();
    let (one, first) = Actor::spawn(None, player.clone(), ()).await?;
    let (two, second) = Actor::spawn(None, player.clone(), ()).await?;
    for (it, other) in [(&one, &two), (&two, &one)] {
        it.cast(OrdinaryBall(Ball::Meet(other.clone()))).map_err(|it| it.to_string())?;
    }
    times.measure(&player.over, || drop(one.cast(OrdinaryBall(Ball::Left(2 * TRIPS))))).await;
    one.stop(None);
    two.stop(None);
    first.await?;
    Ok(second.await?)
}

/// Where a fast actor runs.
#[derive(Clone, Copy)]
enum On<'a> {
    Workers,
    Sleeping(&'a Runtime),
    Spinning,
}

async fn fast(times: &mut Times, places: [On<'_>; 2]) -> Result<(), Box<dyn Error>> {
    let (player, lane) = (Player::default(), LaneConfig::default());
    let start = async |on: On<'_>| {
        let it = player.clone();
        match on {
            On::Workers => FastActor::spawn(it, None, (), lane).await,
            On::Sleeping(runtime) => {
                let started = runtime.spawn(FastActor::spawn(it, None, (), lane));
                started.await.expect("it has not panicked")
            }
            On::Spinning => SpinningThread::new().spawn(it, None, (), lane).await,
        }
    };
    let ((one, first), (two, second)) = (start(places[0]).await?, start(places[1]).await?);
    for (it, other) in [(&one, &two), (&two, &one)] {
        it.control(Meet(other.clone())).map_err(|it| it.reason().to_string())?;
    }
    times.measure(&player.over, || drop(one.cast(2 * TRIPS))).await;
    one.stop(None);
    two.stop(None);
    first.await?;
    Ok(second.await?)
}

async fn bare(times: &mut Times) {
    let (over, ball) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(u64::MAX)));
    let players = [0, 1].map(|side| {
        let (over, ball) = (over.clone(), ball.clone());
        std::thread::spawn(move || {
            // One takes even numbers, and the other one odd ones. The last is left to see.
            loop {
                match ball.load(Ordering::Acquire) {
                    0 if side == 0 => over.notify_one(),
                    0 => {}
                    left if left != u64::MAX && left % 2 == side => {
                        ball.store(left - 1, Ordering::Release);
                        continue;
                    }
                    _ => {
                        std::hint::spin_loop();
                        continue;
                    }
                }
                return;
            }
        })
    });
    // They end with the game: without one they would burn what spinning actors do.
    times.measure(&over, || ball.store(2 * TRIPS, Ordering::Release)).await;
    for player in players {
        player.join().expect("it has not panicked");
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let words = std::env::args().skip(1).find(|word| word != "--bench");
    let rounds: usize = words.map_or(Ok(5), |rounds| rounds.parse())?;
    // Each with one thread, which sleeps in a lock as that of a spinning actor would.
    let one_thread = || Builder::new_multi_thread().worker_threads(1).enable_time().build();
    let sleeping = [one_thread()?, one_thread()?];
    let mut times: [Times; 5] = Default::default();
    for _ in 0..rounds.max(1) {
        ordinary(&mut times[0]).await?;
        fast(&mut times[1], [On::Workers; 2]).await?;
        fast(&mut times[2], sleeping.each_ref().map(On::Sleeping)).await?;
        fast(&mut times[3], [On::Spinning; 2]).await?;
        bare(&mut times[4]).await;
    }
    sleeping.into_iter().for_each(Runtime::shutdown_background);
    println!("medians (least..most) of {} rounds of {TRIPS} round trips", rounds.max(1));
    println!(
        "| {:15} | {:30} | {:30} | {:30} |",
        "", "round trip", "processor time of one", "the same of an idle second"
    );
    println!("|---|---|---|---|");
    let names = ["ordinary", "fast", "fast, 2 threads", "spinning", "bare threads"];
    names.into_iter().zip(times).for_each(|(what, times)| times.print(what));
    Ok(())
}
