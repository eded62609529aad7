//! Keeps the session with a peer of the configuration.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::backoff::Backoff;
use super::dial::{Dialer, Target};
use super::error::ConnectError;
use super::event::NodeEvent;
use crate::config::NodeName;

/// How persistent a node is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) min: Duration,
    pub(super) max: Duration,
    /// A session that lasts so long was a good one.
    pub(super) reset: Duration,
}

/// All sessions that are kept; no more when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Keeping(JoinSet<()>);

impl Keeping {
    pub(super) fn add(&mut self, keeping: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(keeping);
    }

    /// No peer is dialled any more when this returns.
    pub(super) async fn stop(mut self) {
        self.0.shutdown().await;
    }
}

/// Dials `name` whenever there is no session with it, until this node stops. A session that the
/// peer has opened counts as well.
pub(super) async fn keep(dialer: Dialer, name: NodeName, target: Target, patience: Patience) {
    let mut backoff = Backoff::new(patience.min, patience.max);
    loop {
        let absent =
            |roster: &super::roster::Roster| roster.find(name.as_str()).is_none().then_some(());
        dialer.roster.wait_for(absent).await;
        let pause = match dialer.connect(&target).await {
            Ok(mut session) => {
                let called = session.peer.name.split('@').next();
                if called != Some(name.as_str()) {
                    tracing::warn!(
                        expected = %name,
                        peer = session.peer.name,
                        peer.address = %target.address,
                        "the node at this address has another name than the configuration gives it"
                    );
                }
                let since = Instant::now();
                session.ended().await;
                if since.elapsed() >= patience.reset {
                    backoff.reset();
                }
                backoff.pause(rand::random())
            }
            Err(ConnectError::Stopped) => return,
            // Both have dialled, and the peer's session is the one that stays.
            Err(_) if dialer.roster.find(name.as_str()).is_some() => continue,
            Err(error) => {
                let retry_in = backoff.pause(rand::random());
                tracing::warn!(
                    peer = %name,
                    peer.address = %target.address,
                    %error,
                    retry_in_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
                    "not connected"
                );
                dialer.roster.tell(NodeEvent::DialFailed {
                    peer: name.clone(),
                    address: target.address.clone(),
                    error: Arc::new(error),
                    retry_in,
                });
                retry_in
            }
        };
        tokio::time::sleep(pause).await;
    }
}
