//! What a node writes into the log, of one test.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::common::COOKIE;
use crate::watchdog::Polls;

/// In what peers send; none of it may get into the log.
pub const PAYLOAD: &str = "payload-91c5";

/// No line takes as long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

/// The log of this thread, on which the whole of a test runs.
pub struct Log {
    lines: Lines,
    /// Every scene has a log, and so each is watched.
    _polls: Polls,
    _guard: tracing::subscriber::DefaultGuard,
}

/// Sets [`Asked`] once for the process.
static ASKING: Once = Once::new();

/// The subscriber of threads without a log. It takes nothing, but wants to be asked about each
/// line and span, so that those of a log are asked too.
///
/// It keeps no spans: a span of a log may end on a thread without one, and would there look for
/// its parent among the spans of another registry.
struct Asked;

impl Subscriber for Asked {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        unreachable!("no span is taken")
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Log {
    pub fn begin() -> Self {
        // Before any line is logged: a subscriber of a thread that comes in the same moment as the
        // first line of a place may never be asked about that place.
        ASKING.call_once(|| {
            tracing::subscriber::set_global_default(Asked).expect("there is no other one");
        });
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(lines.clone())
            .finish();
        let (polls, layer) = Polls::new();
        let guard = tracing::subscriber::set_default(subscriber.with(layer));
        Self { lines, _polls: polls, _guard: guard }
    }

    fn text(&self) -> String {
        let lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&lines).into_owned()
    }

    /// Waits for the one warning that says `what` and names the `peer`.
    pub async fn told(&self, what: &str, peer: &str) {
        self.told_since(0, what, peer).await;
    }

    async fn told_since(&self, begin: usize, what: &str, peer: &str) {
        let told = async {
            loop {
                let text = self.text().split_off(begin);
                let is_it = |line: &&str| {
                    (line.contains(" WARN ") || line.contains("ERROR "))
                        && line.contains(what)
                        && line.contains(peer)
                };
                match text.lines().filter(is_it).count() {
                    0 => tokio::task::yield_now().await,
                    1 => return,
                    more => panic!("{more} lines say {what:?} of {peer}:\n{text}"),
                }
            }
        };
        if tokio::time::timeout(PATIENCE, told).await.is_err() {
            panic!("no line says {what:?} of {peer}:\n{}", self.text());
        }
    }

    /// How many lines there are of each kind, which is a message and the cause in it, from INFO on.
    pub fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for line in self.text().lines() {
            let is_counted = [" INFO ", " WARN ", "ERROR "].iter().any(|it| line.contains(it));
            let said = line.split_once("ractor_cluster::").and_then(|(_, it)| it.split_once(": "));
            let Some((_, said)) = said.filter(|_| is_counted) else { continue };
            // Up to the first number or field.
            let end = said.find(|it: char| it.is_ascii_digit() || it == '=').unwrap_or(said.len());
            let cause = line.split_once("cause=").and_then(|(_, it)| it.split(' ').next());
            let kind = match cause.filter(|_| said.contains("is refused")) {
                Some(cause) => format!("refused for {cause}"),
                None => format!("{} {}", &said[..end], cause.unwrap_or_default()),
            };
            *kinds.entry(kind).or_default() += 1;
        }
        kinds
    }

    /// No warning and no error says `what` of the `peer`.
    pub fn never_warns_of(&self, what: &str, peer: &str) {
        let text = self.text();
        let is_it = |line: &&str| {
            (line.contains(" WARN ") || line.contains("ERROR "))
                && line.contains(what)
                && line.contains(peer)
        };
        let line = text.lines().find(is_it);
        assert!(line.is_none(), "{what:?} in {line:?} of\n{text}");
    }

    /// How many lines of the levels that applications show say `what`.
    pub fn count(&self, what: &str) -> usize {
        let is_shown =
            |line: &&str| [" INFO ", " WARN ", "ERROR "].iter().any(|it| line.contains(it));
        self.text().lines().filter(is_shown).filter(|line| line.contains(what)).count()
    }

    pub fn says(&self, what: &str) -> bool {
        self.text().contains(what)
    }

    /// No peer has written a line of its own.
    pub fn has_no_line_that_begins_with(&self, forged: &str) {
        assert!(!self.text().lines().any(|line| line.starts_with(forged)));
    }

    /// Nothing secret is in it, and nothing that only peers should see.
    pub fn tells_no_secrets(&self) {
        self.tells_nothing_of([COOKIE.as_bytes(), PAYLOAD.as_bytes()]);
    }

    /// None of these is in it: as text, as the debug form of bytes, or in hexadecimal.
    pub fn tells_nothing_of<'a>(&self, secrets: impl IntoIterator<Item = &'a [u8]>) {
        let text = self.text();
        assert!(text.contains("INFO"), "the log was not captured");
        for secret in secrets {
            let hex = |upper: bool| -> String {
                let digits = |byte: &u8| {
                    if upper {
                        format!("{byte:02X}")
                    } else {
                        format!("{byte:02x}")
                    }
                };
                secret.iter().map(digits).collect()
            };
            let bytes = format!("{secret:?}");
            let mut forms = vec![bytes.trim_matches(['[', ']']).to_owned(), hex(false), hex(true)];
            forms.extend(std::str::from_utf8(secret).ok().map(str::to_owned));
            for line in text.lines() {
                let told = forms.iter().find(|form| line.contains(form.as_str()));
                assert!(told.is_none(), "{told:?} is in {line}");
            }
        }
    }
}

/// What is written from here on: a peer may come back under the same name.
pub struct Mark<'a> {
    log: &'a Log,
    begin: usize,
}

impl<'a> Mark<'a> {
    pub fn of(log: &'a Log) -> Self {
        Self { log, begin: log.text().len() }
    }

    /// As [`Log::told`].
    pub async fn told(&self, what: &str, peer: &str) {
        self.log.told_since(self.begin, what, peer).await;
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
