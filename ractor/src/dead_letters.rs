//! Undelivered messages as a stream: one letter for each, while somebody subscribes.
//!
//! A subscriber gets the name of the message's type, the actor that it was for, the
//! [cause](crate::errors::UndeliveredCause), and the message itself where it is still there. Without a subscriber
//! nothing is made of an undelivered message but what is counted and logged anyway, and a message
//! that is delivered never costs more.
//!
//! ```
//! use ractor::dead_letters::{self, Event};
//! use ractor::errors::UndeliveredCause;
//! # use ractor::{Actor, ActorProcessingErr, ActorRef};
//! # struct Reader;
//! # #[cfg_attr(feature = "async-trait", ractor::async_trait)]
//! # impl Actor for Reader {
//! #     type Msg = u64;
//! #     type State = ();
//! #     type Arguments = ();
//! #     async fn pre_start(&self, _: ActorRef<u64>, _: ()) -> Result<(), ActorProcessingErr> {
//! #         Ok(())
//! #     }
//! # }
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let mut letters = dead_letters::subscribe();
//! let (reader, handle) = Actor::spawn(None, Reader, ()).await.unwrap();
//! reader.stop(None);
//! handle.await.unwrap();
//! assert!(reader.cast(42).is_err());
//!
//! match letters.recv().await {
//!     Event::Letter(letter) => {
//!         assert_eq!(letter.cause(), UndeliveredCause::Stopped);
//!         assert_eq!(letter.actor(), Some(reader.get_id()));
//!         assert!(letter.is_returned());
//!     }
//!     Event::Missed(_) => unreachable!("it is the first"),
//! }
//! # });
//! ```
//!
//! # What gives a letter
//!
//! * A send that fails: its sender has the message again. By `Arc`, the letter has it too.
//! * A message that was admitted and that no handler will get: the letter has the message where the
//!   actor had it in one piece.
//! * A message of another node that reached no actor here: the letter has no message.
//! * The messages that a node had not acknowledged when its session ended: one letter for all of
//!   them, which has their number ([`DeadLetter::count`]).
//!
//! Messages that wait in a mailbox when their actor stops give no letter: they are dropped as in
//! stock `ractor`, and not counted either.
//!
//! # What a subscription costs
//!
//! Each undelivered message is then an allocation and a lock. A letter keeps its message alive: a
//! shared one is not moved out of its `Arc` but copied meanwhile, and a call that was dropped is
//! answered (by an error) when the letter is dropped. [`Options::with_messages`] turns that off.
//!
//! A subscriber that is slower than letters come, or more than [`Options::with_rate`] letters in a
//! second, lose letters and never hold up a sender: [`Event::Missed`] has their number.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::concurrency::{Duration, Instant, Notify};

#[path = "dead_letters/letter.rs"]
mod letter;
#[path = "dead_letters/origin.rs"]
mod origin;

pub(crate) use letter::Contents;
pub use letter::DeadLetter;
pub use origin::quietly;
pub(crate) use origin::{displaced, keep_displaced, Keeps};

/// How many letters wait for a subscriber by default.
const CAPACITY: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(capacity) => capacity,
    None => unreachable!(),
};

/// How many letters a subscriber gets in a second by default.
const RATE: u32 = 1000;

/// The time for which the rate is counted.
const WINDOW: Duration = Duration::from_secs(1);

static SUBSCRIBERS: RwLock<Vec<Arc<Queue>>> = RwLock::new(Vec::new());

/// How many subscribers there are. Read without the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// What a subscriber receives.
#[derive(Debug, Clone)]
pub enum Event {
    /// A message was not delivered. Subscribers share the letter.
    Letter(Arc<DeadLetter>),
    /// So many letters were left out at this place: the subscriber was slow, or they exceeded its
    /// rate.
    Missed(u64),
}

/// What a subscription is made with.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    capacity: NonZeroUsize,
    rate: Option<u32>,
    keeps_messages: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { capacity: CAPACITY, rate: Some(RATE), keeps_messages: true }
    }
}

impl Options {
    /// With so many letters that wait at most, 1024 by default. Further ones are missed.
    #[must_use]
    pub fn with_capacity(mut self, letters: NonZeroUsize) -> Self {
        self.capacity = letters;
        self
    }

    /// With so many letters in a second at most, 1000 by default; `None`: as many as come. Further
    /// ones are missed. The second begins with a letter.
    #[must_use]
    pub fn with_rate(mut self, letters: Option<u32>) -> Self {
        self.rate = letters;
        self
    }

    /// Whether letters have the messages in them; true by default. A letter has its message as soon
    /// as one subscriber wants that.
    #[must_use]
    pub fn with_messages(mut self, keeps: bool) -> Self {
        self.keeps_messages = keeps;
        self
    }

    /// Subscribes. Letters of messages from now on are received.
    pub fn subscribe(self) -> DeadLetters {
        let queue = Arc::new(Queue {
            options: self,
            state: Mutex::new(State::default()),
            more: Notify::new(),
        });
        let mut subscribers = SUBSCRIBERS.write();
        subscribers.push(queue.clone());
        COUNT.store(subscribers.len(), Ordering::SeqCst);
        DeadLetters(queue)
    }
}

/// Subscribes with the default [`Options`].
pub fn subscribe() -> DeadLetters {
    Options::default().subscribe()
}

/// A subscription to undelivered messages of this process. Dropping it ends it, and drops the
/// letters that wait.
#[must_use = "dropping it ends the subscription"]
pub struct DeadLetters(Arc<Queue>);

impl DeadLetters {
    /// The next letter, or the number of those that are missing at this place, in the order in
    /// which they were posted. Waits for it. There is no end.
    ///
    /// Cancel safe: a future that is dropped has received nothing.
    pub async fn recv(&mut self) -> Event {
        loop {
            if let Some(event) = self.try_recv() {
                return event;
            }
            self.0.more.notified().await;
        }
    }

    /// The next letter, or the number of those that are missing, if there is one now.
    pub fn try_recv(&mut self) -> Option<Event> {
        let mut state = self.0.state.lock();
        let event = state.waiting.pop_front()?;
        if let Event::Letter(_) = event {
            state.letters -= 1;
        }
        Some(event)
    }
}

impl Drop for DeadLetters {
    fn drop(&mut self) {
        let mut subscribers = SUBSCRIBERS.write();
        subscribers.retain(|it| !Arc::ptr_eq(it, &self.0));
        COUNT.store(subscribers.len(), Ordering::SeqCst);
        drop(subscribers);
        // Without a lock: their messages are the application's.
        let waiting = std::mem::take(&mut self.0.state.lock().waiting);
        drop(waiting);
    }
}

impl fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.0.state.lock().letters;
        f.debug_struct("DeadLetters").field("waiting", &waiting).finish_non_exhaustive()
    }
}

/// What waits for one subscriber.
struct Queue {
    options: Options,
    state: Mutex<State>,
    more: Notify,
}

#[derive(Default)]
struct State {
    /// After a number of those that are missing comes a letter, or nothing.
    waiting: VecDeque<Event>,
    /// How many of these are letters.
    letters: usize,
    /// When the rate's present window began, and how many letters it has had.
    window: Option<(Instant, u32)>,
}

impl Queue {
    fn put(&self, letter: &Arc<DeadLetter>) {
        let mut state = self.state.lock();
        if state.letters < self.options.capacity.get() && state.is_within(self.options.rate) {
            state.letters += 1;
            state.waiting.push_back(Event::Letter(letter.clone()));
        } else if let Some(Event::Missed(missed)) = state.waiting.back_mut() {
            *missed += 1;
        } else {
            state.waiting.push_back(Event::Missed(1));
        }
        drop(state);
        self.more.notify_one();
    }
}

impl State {
    /// Whether one more letter keeps to the rate; counts it then.
    fn is_within(&mut self, rate: Option<u32>) -> bool {
        let Some(rate) = rate else { return true };
        let now = Instant::now();
        let (_, sent) = match &mut self.window {
            Some(window) if now.duration_since(window.0) < WINDOW => window,
            window => window.insert((now, 0)),
        };
        let is_within = *sent < rate;
        *sent += u32::from(is_within);
        is_within
    }
}

/// Whether there is a subscriber.
#[inline]
#[must_use]
pub fn is_watched() -> bool {
    COUNT.load(Ordering::Relaxed) > 0
}

/// Posts the letter that `letter` makes, if there is a subscriber; else does not make it. For
/// libraries that have queues of their own. The caller must hold no lock that the drop of the
/// message could need.
pub fn post(letter: impl FnOnce() -> DeadLetter) {
    if is_watched() {
        deliver(letter());
    }
}

#[cold]
fn deliver(mut letter: DeadLetter) {
    // Not held meanwhile: to wake a subscriber may run code that is not ours.
    let subscribers = SUBSCRIBERS.read().clone();
    let mut unwanted = None;
    if !subscribers.iter().any(|it| it.options.keeps_messages) {
        unwanted = letter.empty();
    }
    let letter = Arc::new(letter);
    subscribers.iter().for_each(|it| it.put(&letter));
    // Without a lock, and without harm to the sender: its drop is the application's.
    crate::actor::mailbox::discard((letter, unwanted));
}
