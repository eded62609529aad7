//! Keeps the session with a peer of the configuration.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mycelium_link::chance;
use ractor_cluster::link::{Refusal, RefusedBy};
use ractor_cluster::peers::PeerInfo;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::dial::{Dialer, Dialled, Target};
use super::error::ConnectError;
use super::event::NodeEvent;
use super::roster::Roster;
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

/// A peer whose session is kept.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Before the `@`.
    pub(super) name: NodeName,
    /// All of it, and which start of the node it is, where that is known.
    pub(super) member: Option<(String, [u8; 16])>,
    /// Where it is dialled: the first that leads to a session.
    pub(super) targets: Vec<Target>,
    /// How long the peer has to open the session itself.
    pub(super) turn: Duration,
    /// How many are dialled at a time, of those that share it.
    pub(super) places: Option<Arc<Semaphore>>,
}

impl Wanted {
    /// A peer of the configuration.
    pub(super) fn configured(name: NodeName, target: Target) -> Self {
        Self { name, member: None, targets: vec![target], turn: Duration::ZERO, places: None }
    }

    fn is(&self, peer: &PeerInfo) -> bool {
        match &self.member {
            Some((full_name, incarnation)) => {
                peer.name == *full_name
                    && peer.incarnation.is_some_and(|it| it.to_bytes() == *incarnation)
            }
            None => peer.name.split('@').next() == Some(self.name.as_str()),
        }
    }

    fn is_connected(&self, roster: &Roster) -> bool {
        roster.peers().iter().any(|peer| self.is(peer))
    }

    /// Dials one target after the other; the last error counts.
    async fn connect(&self, dialer: &Dialer) -> Result<(Dialled, &Target), Missed<'_>> {
        let _place = match &self.places {
            // It is never closed.
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        if self.is_connected(&dialer.roster) {
            return Err(Missed::Connected);
        }
        let mut last = None;
        for target in &self.targets {
            match dialer.connect(target).await {
                Ok(session) => return Ok((session, target)),
                Err(ConnectError::Stopped) => return Err(Missed::Stopped),
                Err(_) if self.is_connected(&dialer.roster) => return Err(Missed::Connected),
                // The peer has begun a session itself, which is not ready here.
                Err(error) if self.member.is_some() && is_name_taken(&error) => {
                    return Err(Missed::Begun);
                }
                Err(error) => last = Some(Missed::Failed(target, error)),
            }
        }
        Err(last.unwrap_or(Missed::Stopped))
    }
}

/// Whether the peer has a session with this node already.
fn is_name_taken(error: &ConnectError) -> bool {
    error.refusal() == Some((Refusal::NameTaken, RefusedBy::Peer))
}

/// Why a peer was not dialled with success.
enum Missed<'a> {
    /// This node stops.
    Stopped,
    /// Both have dialled, and the peer's session is the one that stays.
    Connected,
    /// The peer has a session with this node, or has begun one.
    Begun,
    Failed(&'a Target, ConnectError),
}

/// Dials a peer whenever there is no session with it, until this node stops. A session that the
/// peer has opened counts as well.
pub(super) async fn keep(dialer: Dialer, wanted: Wanted, patience: Patience) {
    let mut backoff = Backoff::new(patience.min, patience.max);
    loop {
        let is = |connected| {
            let wanted = &wanted;
            move |roster: &Roster| (wanted.is_connected(roster) == connected).then_some(())
        };
        dialer.roster.wait_for(is(false)).await;
        if !wanted.turn.is_zero() {
            let connected = dialer.roster.wait_for(is(true));
            if tokio::time::timeout(wanted.turn, connected).await.is_ok() {
                continue;
            }
        }
        let name = &wanted.name;
        let pause = match wanted.connect(&dialer).await {
            Ok((mut session, target)) => {
                if !wanted.is(&session.peer) {
                    let expected = wanted.member.as_ref().map_or(name.as_str(), |it| &it.0);
                    tracing::warn!(
                        expected,
                        peer = session.peer.name,
                        peer.address = %target.address,
                        "the node at this address has another name than the configuration gives \
                         it, or is another start of a member"
                    );
                }
                let since = Instant::now();
                session.ended().await;
                if since.elapsed() >= patience.reset {
                    backoff.reset();
                }
                backoff.pause(chance::random())
            }
            Err(Missed::Stopped) => return,
            Err(Missed::Connected) => continue,
            Err(Missed::Begun) => {
                let pause = backoff.pause(chance::random());
                let connected = dialer.roster.wait_for(is(true));
                let _ = tokio::time::timeout(pause, connected).await;
                continue;
            }
            Err(Missed::Failed(target, error)) => {
                let retry_in = backoff.pause(chance::random());
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
