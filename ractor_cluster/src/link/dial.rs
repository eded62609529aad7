//! Making further links to a peer, and making them again after they broke.

use std::sync::Arc;
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::ActorRef;
use rand::RngExt as _;

use super::attach::{self, AttachError};
use super::directory;
use super::upgrade::Upgrade;
use super::{Event, LinkEvent};
use crate::transport::{ArcTransport, Connector, Transport, TransportKind};
use crate::NodeSessionMessage;
use mycelium_link::chance;
use mycelium_link::secret::{Role, Secret};

/// The pauses between two tries to make a broken link again grow from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How a peer may be reached.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// The other end of the session is in this process.
    InProcess,
    /// A connection of its own.
    Direct(Arc<dyn Connector>),
    /// Shared memory that a Unix socket becomes.
    SharedMemory(Arc<dyn Connector>),
}

impl Route {
    pub(crate) fn kind(&self) -> TransportKind {
        match self {
            Self::InProcess => TransportKind::Arc,
            Self::SharedMemory(_) => TransportKind::SharedMemory,
            Self::Direct(connector) => connector.kind(),
        }
    }
}

/// What every link of a session is made with.
#[derive(Debug, Clone)]
pub(crate) struct Dialler {
    pub(crate) session: ActorRef<NodeSessionMessage>,
    pub(crate) secret: Secret,
    pub(crate) max_frame: u64,
    pub(crate) timeout: Duration,
    /// What makes shared memory of a Unix socket.
    pub(crate) upgrade: Option<Upgrade>,
}

impl Dialler {
    /// Makes a link, and joins it to the session at both ends.
    ///
    /// `again` says that those of its kind are lost.
    pub(crate) async fn dial(
        &self,
        route: &Route,
        again: bool,
    ) -> Result<Box<dyn Transport>, AttachError> {
        let dial = async {
            let (connector, upgrade) = match route {
                Route::InProcess => return in_process(&self.secret, again),
                Route::Direct(connector) => (connector, None),
                Route::SharedMemory(connector) => {
                    (connector, Some(self.upgrade.as_ref().ok_or(AttachError::NoSession)?))
                }
            };
            let transport = connector.connect().await?;
            attach::dial(transport, &self.secret, self.max_frame, again, upgrade).await
        };
        match tokio::time::timeout(self.timeout, dial).await {
            Ok(outcome) => outcome,
            Err(_) => Err(AttachError::Io(std::io::ErrorKind::TimedOut.into())),
        }
    }

    /// Goes on trying to make a link, with pauses of random length that grow up to `longest`, until
    /// there is one, the peer says that there is no session any more, or the task is dropped.
    pub(crate) fn keep_dialling(self, route: Route, longest: Duration) -> Redial {
        let task = ractor::concurrency::spawn(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                let jittered = chance::rng().random_range(pause / 2..=pause);
                ractor::concurrency::sleep(jittered).await;
                match self.dial(&route, true).await {
                    Ok(link) => {
                        let up = LinkEvent::up_again(link);
                        // A session that has ended meanwhile needs no link.
                        _ = self.session.cast(up);
                        return;
                    }
                    Err(AttachError::Refused) => {
                        let forgotten = LinkEvent(Event::Forgotten);
                        _ = self.session.cast(NodeSessionMessage::Link(forgotten));
                        return;
                    }
                    Err(error) => tracing::debug!(kind = %route.kind(), %error, "no link yet"),
                }
                pause = (pause * 2).min(longest);
            }
        });
        Redial(task)
    }
}

/// Tries to make a link again, as long as it is held.
#[derive(Debug)]
pub(crate) struct Redial(JoinHandle<()>);

impl Drop for Redial {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A link to the other end of the session in this process. That it is found by the session's secret
/// name is the proof.
fn in_process(secret: &Secret, again: bool) -> Result<Box<dyn Transport>, AttachError> {
    let other = directory::session(&secret.name(), Role::Listener)
        .filter(|session| session.takes(TransportKind::Arc))
        .ok_or(AttachError::NoSession)?;
    let (here, there) = ArcTransport::pair("this process", "this process");
    let there = Box::new(there);
    let up = if again { LinkEvent::up_again(there) } else { LinkEvent::up(there) };
    other.handler.cast(up).map_err(|_| AttachError::NoSession)?;
    Ok(Box::new(here))
}
