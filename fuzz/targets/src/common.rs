//! What the client needs of the tests that it is from.

use std::time::Duration;

/// What nodes have to know to be let in.
pub(crate) const COOKIE: &str = "chocolate-7f3a";

/// Turns what hangs into a failure.
pub(crate) async fn watched<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it hangs")
}
