//! Watchdogs for stalls: nothing that a peer sends keeps the runtime's thread for long. [`Polls`]
//! is in every scene, and looks at each poll of an actor. [`watch`] looks at all tasks of a
//! runtime, whose turns it takes one by one.

use std::cell::Cell;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ractor_cluster::transport::TransportKind;
use rustix::time::{clock_gettime, ClockId};
use tracing::span::Id;
use tracing::Subscriber;
use tracing_subscriber::layer::{Context, Layer};

use crate::scene::Scene;

/// The processor time between two turns of the watchdog, in which every ready task is polled about
/// once. It does not count what other processes take.
const CPU: Duration = Duration::from_millis(50);
/// The time between two turns, for polls that block instead of working. A loaded machine stays
/// below.
const WALL: Duration = Duration::from_secs(2);
/// The same for one poll, in scenes of which many run at a time.
const BLOCKED: Duration = Duration::from_secs(5);

/// The processor time of this thread.
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

/// The longest poll so far: by the processor's time, and by the clock.
type Longest = Arc<Mutex<(Duration, Duration)>>;

/// Fails when it is dropped, if a poll of an actor took too long.
#[derive(Debug)]
pub struct Polls(Longest);

/// Hears of each poll: an actor is polled in its span.
pub struct PollLayer(Longest);

thread_local! {
    /// The spans that the thread is in, and when it entered the first.
    static INSIDE: Cell<(usize, Option<(Duration, Instant)>)> = const { Cell::new((0, None)) };
}

impl Polls {
    /// The layer belongs to the subscriber of the scene's thread.
    pub fn new() -> (Self, PollLayer) {
        let longest = Longest::default();
        (Self(longest.clone()), PollLayer(longest))
    }
}

impl Drop for Polls {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let (cpu, wall) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(cpu <= CPU, "a poll took {cpu:?} of the processor; {CPU:?} are allowed");
        assert!(wall <= BLOCKED, "a poll took {wall:?}; {BLOCKED:?} are allowed");
    }
}

impl<S: Subscriber> Layer<S> for PollLayer {
    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        let (depth, began) = INSIDE.get();
        INSIDE.set((depth + 1, began.or_else(|| Some((cpu(), Instant::now())))));
    }

    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        let (depth, began) = INSIDE.get();
        if depth > 1 {
            return INSIDE.set((depth - 1, began));
        }
        INSIDE.set((0, None));
        if let Some((before, began)) = began {
            let mut longest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            longest.0 = longest.0.max(cpu().saturating_sub(before));
            longest.1 = longest.1.max(began.elapsed());
        }
    }
}

/// Runs `scene` on this thread's runtime, and fails when a turn of the other tasks takes too long
/// meanwhile. What the scene does itself does not count.
pub async fn watch<T>(scene: impl Future<Output = T>) -> T {
    let mut scene = pin!(scene);
    let mut left: Option<(Duration, Instant)> = None;
    let (mut longest, mut longest_wall) = (Duration::ZERO, Duration::ZERO);
    let outcome = poll_fn(|context| {
        if let Some((before, began)) = left {
            longest = longest.max(cpu() - before);
            longest_wall = longest_wall.max(began.elapsed());
        }
        let outcome = scene.as_mut().poll(context);
        left = Some((cpu(), Instant::now()));
        // The next turn is due when all others had theirs.
        context.waker().wake_by_ref();
        outcome
    })
    .await;
    assert!(longest <= CPU, "a turn took {longest:?} of the processor; {CPU:?} are allowed");
    assert!(longest_wall <= WALL, "a turn took {longest_wall:?}; {WALL:?} are allowed");
    outcome
}

/// The watchdog of every scene sees an actor that keeps its thread: not for what a loaded machine
/// makes of a short handler, but for its own work.
#[tokio::test]
#[should_panic(expected = "of the processor")]
async fn an_actor_that_keeps_its_thread_is_noticed() {
    let mut scene = Scene::start("busy").await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    let answer = guest.call(scene.counter(), "Work").await;
    assert!(!answer.is_empty());
    scene.end().await;
}
