//! Since when handlers run: the samples of a process's actors.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ractor::ActorId;
use ractor::view::{self, ActorView as Actor};

/// The shortest pause between two samples.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);
/// A pause is so many times as long as the sample took.
const SHARE: u32 = 500;

/// Looks at the actors of the process from time to time, and remembers since when their handlers
/// run.
///
/// No clock is read when a handler begins. A handler that is found running in two samples, with as
/// many messages and events behind it, is the same one, and has run at least since the first.
#[derive(Debug)]
pub struct Watcher {
    running: HashMap<ActorId, Running>,
    began: Instant,
    next: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    progress: (u64, u64),
    since: Instant,
}

impl Default for Watcher {
    fn default() -> Self {
        let now = Instant::now();
        Self { running: HashMap::new(), began: now, next: now }
    }
}

impl Watcher {
    /// When the next sample is due: a second after the last, or later where there are so many
    /// actors that samples would take more than 0.2 % of a core.
    #[must_use]
    pub fn next_sample(&self) -> Instant {
        self.next
    }

    /// When it began to watch.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Takes a sample: all actors of the process, each with the time for which its handler has run
    /// at least. Returns what `each` makes of them.
    pub fn sample<T>(&mut self, mut each: impl FnMut(Actor, Option<Duration>) -> T) -> Vec<T> {
        let now = Instant::now();
        let mut running = HashMap::new();
        let mut made = Vec::new();
        for actor in view::actors() {
            let handling = actor.is_handling.then(|| {
                let progress = (actor.handled, actor.events);
                let before = self.running.get(&actor.id).filter(|it| it.progress == progress);
                let since = before.map_or(now, |it| it.since);
                running.insert(actor.id, Running { progress, since });
                now - since
            });
            made.push(each(actor, handling));
        }
        self.running = running;
        let pause = (now.elapsed() * SHARE).clamp(SHORTEST, LONGEST);
        self.next = Instant::now() + pause;
        made
    }
}
