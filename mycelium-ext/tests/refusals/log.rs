//! The log of this process.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]

use std::fmt::Write;
use std::sync::{Arc, Mutex};

/// Keeps each line as its message and its fields.
#[derive(Clone)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    level: tracing::Level,
}

impl Log {
    /// Listens to the whole process from here on, up to this level.
    pub fn begin(level: tracing::Level) -> Self {
        let log = Self { lines: Arc::default(), level };
        tracing::subscriber::set_global_default(log.clone()).expect("nobody else listens");
        log
    }

    /// Takes out all lines so far.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock().expect("the log"))
    }
}

struct Fields<'a>(&'a mut String);

impl tracing::field::Visit for Fields<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut Fields(&mut line));
        self.lines.lock().expect("the log").push(line);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
