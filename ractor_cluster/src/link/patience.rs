//! How long dialling may take.

use std::future::Future;
use std::io;
use std::time::Duration;

use ractor::ActorRef;

use super::directory;
use super::options::LinkOptions;
use crate::NodeServerMessage;

/// Gives one step of connecting the time that the node server allows.
///
/// # Errors
/// [`TimedOut`](io::ErrorKind::TimedOut) after it, and otherwise those of the step.
pub(crate) async fn within<T>(
    server: &ActorRef<NodeServerMessage>,
    step: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let server = directory::server(server.get_id());
    let timeout = server
        .map_or_else(|| LinkOptions::default().connect_timeout, |it| it.options.connect_timeout);
    match tokio::time::timeout(timeout, step).await {
        Ok(outcome) => outcome,
        Err(_) => Err(late(timeout)),
    }
}

fn late(timeout: Duration) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("the peer was not connected to within {timeout:?} (LinkOptions::connect_timeout)"),
    )
}
