//! Watchdogs for stalls: nothing that a peer sends keeps the runtime's thread for long. [`Polls`]
//! is in every scene, and looks at each poll of an actor. [`watch`] looks at all tasks of a
//! runtime.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ractor_cluster::transport::TransportKind;
use tracing::span::Id;
use tracing::Subscriber;
use tracing_subscriber::layer::{Context, Layer};

use crate::scene::Scene;

mod queue;
mod turns;

pub use queue::watch_queue;
pub use turns::{cpu, watch, CPU};

/// The time of one poll, in scenes of which many run at a time.
const BLOCKED: Duration = Duration::from_secs(5);

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
