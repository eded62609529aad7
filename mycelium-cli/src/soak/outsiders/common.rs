//! What the client needs of the tests that it is from.

use std::time::Duration;

/// Clients get the cookie of the run instead.
pub(crate) const COOKIE: &str = "";

/// How long a client waits for the next frame of a node, which asks for signs of life more often.
const PATIENCE: Duration = Duration::from_secs(60);

/// Turns what hangs into a failure.
pub(crate) async fn watched<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("the node neither speaks nor closes")
}
