//! How an actor ended, as other nodes are told, and proxies that end in the same way.

use std::any::Any;
use std::fmt::{self, Write};
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::actor::run::End;
use crate::{ActorCell, ActorProcessingErr, SupervisionEvent};

/// How an actor ended.
///
/// Its texts have [`MOST_BYTES`](Self::MOST_BYTES) bytes at most, and are cut where they are longer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// It stopped, or was drained, with this reason.
    Stopped(Option<String>),
    /// It was killed.
    Killed,
    /// A method of its own failed or panicked.
    Failed(RemoteFailure),
}

/// An actor of another node failed or panicked: the error of a
/// [`SupervisionEvent::ActorFailed`](crate::SupervisionEvent::ActorFailed) about its proxy.
///
/// A supervisor gets it itself, and can downcast the error to it. A monitor gets its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFailure {
    text: String,
    is_panic: bool,
}

impl RemoteFailure {
    /// Of this text, which is cut where it is too long.
    #[must_use]
    pub fn new(text: &str, is_panic: bool) -> Self {
        Self { text: cut(text), is_panic }
    }

    /// The text of the error or of the panic.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the actor panicked.
    #[must_use]
    pub const fn is_panic(&self) -> bool {
        self.is_panic
    }
}

impl fmt::Display for RemoteFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for RemoteFailure {}

impl Ending {
    /// The most bytes of a reason, and of the text of a failure.
    pub const MOST_BYTES: usize = 1024;

    /// It stopped with this reason, which is cut where it is too long.
    #[must_use]
    pub fn stopped(reason: Option<&str>) -> Self {
        Self::Stopped(reason.map(cut))
    }
}

/// As much of a text as is told.
fn cut(text: &str) -> String {
    let mut bounded = Bounded(String::new());
    _ = bounded.write_str(text);
    bounded.0
}

/// The text of an error, which code of an application writes.
fn text_of(error: &ActorProcessingErr) -> String {
    let mut bounded = Bounded(String::new());
    // One that is too long ends with an error, and one that panics has what it wrote before.
    _ = catch_unwind(AssertUnwindSafe(|| write!(bounded, "{error}")));
    bounded.0
}

/// A text that grows up to [`Ending::MOST_BYTES`].
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = Ending::MOST_BYTES - self.0.len();
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        self.0.push_str(&text[..end]);
        Err(fmt::Error)
    }
}

/// Notes why an actor's loop has ended, before other nodes are told that it did.
pub(crate) fn note(
    actor: &ActorCell,
    handled: &Result<Result<End, ActorProcessingErr>, Box<dyn Any + Send>>,
) {
    actor.note_ending(|| match handled {
        Ok(Ok(End::Stopped(reason))) => Ending::stopped(reason.as_deref()),
        Ok(Ok(End::Killed)) => Ending::Killed,
        Ok(Err(error)) => Ending::Failed(RemoteFailure { text: text_of(error), is_panic: false }),
        Err(panic) => {
            let text = match panic.downcast_ref::<String>() {
                Some(text) => text,
                None => panic.downcast_ref::<&str>().copied().unwrap_or("a panic without a text"),
            };
            Ending::Failed(RemoteFailure::new(text, true))
        }
    });
}

/// Notes how an actor ended that never got to its loop.
pub(crate) fn note_event(event: &SupervisionEvent) {
    match event {
        SupervisionEvent::ActorTerminated(actor, _, reason) => {
            actor.note_ending(|| match reason.as_deref() {
                Some("killed") => Ending::Killed,
                reason => Ending::stopped(reason),
            });
        }
        SupervisionEvent::ActorFailed(actor, error) => actor.note_ending(|| {
            Ending::Failed(RemoteFailure { text: text_of(error), is_panic: false })
        }),
        _ => {}
    }
}

impl ActorCell {
    /// How the actor ended. `None` while it handles messages, and for an actor that takes no
    /// messages of other nodes.
    ///
    /// It is known before groups and other nodes hear that the actor ends. What `post_stop` does
    /// afterwards changes nothing about it.
    #[must_use]
    pub fn ending(&self) -> Option<&Ending> {
        self.inner.extras.ending()
    }

    /// Has a proxy end as its actor did, for the cluster: its supervisor and its monitors are told
    /// the same as those of the actor itself. A failure is told as a [`RemoteFailure`].
    ///
    /// Does nothing for an actor of this process, or a proxy that was stopped before.
    pub fn end_as(&self, ending: Ending) {
        if self.get_id().is_local() {
            return;
        }
        let reason = match &ending {
            Ending::Stopped(reason) => reason.clone(),
            Ending::Killed => Some(crate::Signal::Kill.to_string()),
            Ending::Failed(failure) => Some(failure.text.clone()),
        };
        self.inner.extras.end(ending);
        self.stop(reason);
    }

    /// Notes how an actor of this process ended, if other nodes may know it.
    fn note_ending(&self, ending: impl FnOnce() -> Ending) {
        if self.supports_remoting() && self.get_id().is_local() && self.ending().is_none() {
            self.inner.extras.end(ending());
        }
    }

    /// With what a proxy is to fail, where it was stopped for that.
    pub(crate) fn failure_elsewhere(&self) -> Option<RemoteFailure> {
        if self.get_id().is_local() {
            return None;
        }
        match self.ending() {
            Some(Ending::Failed(failure)) => Some(failure.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        let long = "\u{20ac}".repeat(Ending::MOST_BYTES);
        let text = cut(&long);
        assert_eq!(text.len(), Ending::MOST_BYTES / 3 * 3);
        assert!(long.starts_with(&text));
        let whole = "x".repeat(Ending::MOST_BYTES);
        assert_eq!(cut(&whole), whole);
    }

    /// Never ends by itself, and panics late.
    #[derive(Debug)]
    struct Endless;

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("again ")?;
            }
        }
    }

    impl std::error::Error for Endless {}

    #[derive(Debug)]
    struct Panicking;

    impl fmt::Display for Panicking {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("so far")?;
            panic!("it has no more to say");
        }
    }

    impl std::error::Error for Panicking {}

    #[test]
    fn an_error_may_write_without_end_or_panic() {
        let text = text_of(&(Box::new(Endless) as ActorProcessingErr));
        assert_eq!(text.len(), Ending::MOST_BYTES);
        assert_eq!(text_of(&(Box::new(Panicking) as ActorProcessingErr)), "so far");
    }
}
