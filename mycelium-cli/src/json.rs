//! What programs read on standard output. The guide's page `json.md` has each field.

use std::io::{self, Write as _};

use serde::Serialize;

/// What every result begins with.
#[derive(Debug, Serialize)]
struct Document<'a, B> {
    command: &'a str,
    /// The exit status.
    status: u8,
    /// Why the command could not run.
    error: Option<&'a str>,
    #[serde(flatten)]
    body: Option<B>,
}

/// Prints the result of a command that ran.
pub(crate) fn result(command: &str, status: u8, body: impl Serialize) {
    print(&Document { command, status, error: None, body: Some(body) });
}

/// Prints that a command could not run, and why.
pub(crate) fn failure(command: &str, status: u8, error: &str) {
    print(&Document { command, status, error: Some(error), body: None::<()> });
}

fn print(document: &impl Serialize) {
    write(&format!("{}\n", text(serde_json::to_string_pretty(document))));
}

/// Prints an event in a line of its own.
#[cfg(all(unix, feature = "cluster"))]
pub(crate) fn line(event: &impl Serialize) {
    use std::time::{SystemTime, UNIX_EPOCH};

    #[derive(Debug, Serialize)]
    struct Line<'a, E> {
        unix_ms: u64,
        #[serde(flatten)]
        event: &'a E,
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_ms = now.as_millis().try_into().unwrap_or(u64::MAX);
    write(&format!("{}\n", text(serde_json::to_string(&Line { unix_ms, event }))));
}

/// The types of this crate have string keys and finite numbers, and serialise.
fn text(json: Result<String, serde_json::Error>) -> String {
    json.unwrap_or_else(|error| format!("{{\"error\": {:?}}}", error.to_string()))
}

/// A reader that has gone, such as `head`, is no error of the command.
fn write(text: &str) {
    let mut output = io::stdout().lock();
    _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}
