//! Watchdogs for stalls: nothing that a peer sends keeps the runtime's thread for long. [`Polls`]
//! is in every scene, and looks at each poll of an actor. [`watch`] looks at all tasks of a
//! runtime.

use std::cell::Cell;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ractor_cluster::transport::TransportKind;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::Subscriber;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::scene::Scene;

mod queue;
mod turns;

pub use queue::watch_queue;
pub use turns::{cpu, watch, CPU};

/// The time of one poll, where many scenes run at a time.
const BLOCKED: Duration = Duration::from_secs(5);

/// The longest poll so far: by the processor's time, and by the clock.
type Longest = Arc<Mutex<(Poll, Poll)>>;

/// How long a poll took, and the fields of the span that it ran in.
#[derive(Debug, Default)]
struct Poll {
    time: Duration,
    actor: String,
}

/// The fields of a span, as text.
struct Fields(String);

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
        let longest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Poll { time, actor } = &longest.0;
        assert!(*time <= CPU, "a poll took {time:?} of the processor; {CPU:?} are allowed:{actor}");
        let Poll { time, actor } = &longest.1;
        assert!(*time <= BLOCKED, "a poll took {time:?}; {BLOCKED:?} are allowed:{actor}");
    }
}

impl Poll {
    /// Keeps the longer of two.
    fn note(&mut self, time: Duration, fields: Option<&str>) {
        if time > self.time {
            *self = Self { time, actor: fields.unwrap_or_default().to_owned() };
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for PollLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields(format!(" {}", attributes.metadata().name()));
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        let (depth, began) = INSIDE.get();
        INSIDE.set((depth + 1, began.or_else(|| Some((cpu(), Instant::now())))));
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let (depth, began) = INSIDE.get();
        if depth > 1 {
            return INSIDE.set((depth - 1, began));
        }
        INSIDE.set((0, None));
        if let Some((before, began)) = began {
            let (worked, took) = (cpu().saturating_sub(before), began.elapsed());
            let span = context.span(id);
            let extensions = span.as_ref().map(|span| span.extensions());
            let fields = extensions.as_ref().and_then(|it| it.get::<Fields>());
            let fields = fields.map(|fields| fields.0.as_str());
            let mut longest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            longest.0.note(worked, fields);
            longest.1.note(took, fields);
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
