//! Asks a node on another machine.

use std::time::Duration;

use ractor::rpc::CallResult;
use ractor::{ActorRef, pg};
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::{RemoteError, SCOPE, ViewMessage};
use crate::address::Address;
use crate::config::Config;
use crate::node::{Node, NodeBuilder, PeerInfo};
use crate::view::{Request, Snapshot};

/// The time for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time in which the actor of a node that shows itself is announced.
const ANNOUNCING: Duration = Duration::from_secs(3);
/// The pause between two looks for it.
const LOOK: Duration = Duration::from_millis(10);

/// A session with a node that shows itself to its peers (`[view] remote = true`).
///
/// The program that asks is a node of its own for that time, with a name of its own. It has to know
/// the cookie, and the watched node lists it among its peers.
#[derive(Debug)]
pub struct RemoteTarget {
    node: Node,
    peer: PeerInfo,
    view: ActorRef<ViewMessage>,
}

impl RemoteTarget {
    /// Connects to the node at this address, as a node of this name (before the `@`), with the
    /// cookie, the certificates and the demands on peers of `config`. Nothing else of the
    /// configuration counts. The name should be one that no other node has: a node that is
    /// connected already would lose its session to this one.
    ///
    /// # Cancel safety
    /// When this future is dropped the session ends.
    ///
    /// # Errors
    /// [`RemoteError::Connect`] when there is no session, [`RemoteError::Off`] when the node does
    /// not show itself.
    pub async fn connect(
        config: &Config,
        name: &str,
        address: Address,
    ) -> Result<Self, RemoteError> {
        let node = NodeBuilder::that_watches(config, name).start().await;
        let node = node.map_err(RemoteError::Start)?;
        match attach(&node, address).await {
            Ok((peer, view)) => Ok(Self { node, peer, view }),
            Err(error) => {
                node.stop().await;
                Err(error)
            }
        }
    }

    /// The full name of the node that is watched.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.peer.name
    }

    /// Asks the node. It gives at most 10,000 actors, and 8 MiB.
    ///
    /// # Cancel safety
    /// The answer is dropped when this future is.
    ///
    /// # Errors
    /// [`RemoteError`]; after [`RemoteError::Lost`] this session has no further answers.
    pub async fn ask(&self, request: &Request) -> Result<Snapshot, RemoteError> {
        let request = serde_json::to_vec(request).map_err(|_| RemoteError::Unreadable)?;
        let asked = self.view.call(|reply| ViewMessage::Ask(request, reply), Some(PATIENCE));
        let answer = match asked.await {
            Ok(CallResult::Success(answer)) => answer,
            Ok(CallResult::Timeout) => return Err(RemoteError::Late),
            Ok(CallResult::SenderError) | Err(_) => return Err(RemoteError::Lost),
        };
        match Answer::from_bytes(&answer) {
            Some(Answer::Snapshot(snapshot)) => Ok(*snapshot),
            Some(Answer::Busy) => Err(RemoteError::Busy),
            Some(Answer::TooLarge) => Err(RemoteError::TooLarge),
            Some(Answer::Unreadable) | None => Err(RemoteError::Unreadable),
        }
    }

    /// Ends the session.
    pub async fn close(self) {
        self.node.stop().await;
    }
}

/// Connects, and waits for the actor that answers.
async fn attach(
    node: &Node,
    address: Address,
) -> Result<(PeerInfo, ActorRef<ViewMessage>), RemoteError> {
    let peer = node.connect(address).await.map_err(RemoteError::Connect)?;
    let (scope, group) = (SCOPE.to_owned(), peer.name.clone());
    let announced = async {
        loop {
            let members = pg::get_scoped_members(&scope, &group);
            // Another peer may have joined the group of this name.
            let view = members.into_iter().find(|it| it.get_id().node() == peer.node_id);
            match view {
                Some(view) => return view.into(),
                None => sleep(LOOK).await,
            }
        }
    };
    match timeout(ANNOUNCING, announced).await {
        Ok(view) => Ok((peer, view)),
        Err(_) => Err(RemoteError::Off { node: peer.name }),
    }
}
