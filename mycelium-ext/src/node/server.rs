//! The cluster's server, with an ear to what it is told.
//!
//! [`NodeServer`] does not say which session it makes of a stream, nor why one ended; yet both come
//! by its mailbox. So an actor of ours stands in its place, looks at each message, and lets it do
//! the rest.

use std::sync::Arc;

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use ractor_cluster::node::NodeServerState;
use ractor_cluster::{NetworkStream, NodeServer, NodeServerMessage};
use tracing::{Instrument, Span};

use super::roster::{Roster, StreamKey, Watcher};

pub(super) struct Server {
    pub(super) inner: NodeServer,
    pub(super) roster: Arc<Roster>,
    /// What all that it does is told in.
    pub(super) span: Span,
}

impl Drop for Server {
    /// However it ended: no task waits for its sessions any more.
    fn drop(&mut self) {
        self.roster.clear();
    }
}

ractor::library_actor! {
    impl Actor for Server {
        type State = NodeServerState;
        type Msg = NodeServerMessage;
        type Arguments = ();

        async fn pre_start(
            &self,
            myself: ActorRef<NodeServerMessage>,
            (): (),
        ) -> Result<NodeServerState, ActorProcessingErr> {
            let starting = self.inner.pre_start(myself.clone(), ());
            let mut state = starting.instrument(self.span.clone()).await?;
            // Not by a message: a connection may be in the mailbox already.
            let subscribe = NodeServerMessage::SubscribeToEvents {
                id: "mycelium".to_owned(),
                subscription: Box::new(Watcher(self.roster.clone())),
            };
            self.inner.handle(myself, subscribe, &mut state).await?;
            Ok(state)
        }

        async fn handle(
            &self,
            myself: ActorRef<NodeServerMessage>,
            message: NodeServerMessage,
            state: &mut NodeServerState,
        ) -> Result<(), ActorProcessingErr> {
            if let NodeServerMessage::ConnectionOpened { stream, is_server: false } = &message {
                if let Some(key) = key_of(stream) {
                    self.roster.opening(&key);
                }
            }
            let handling = self.inner.handle(myself, message, state);
            let handled = handling.instrument(self.span.clone()).await;
            self.roster.opened();
            handled
        }

        async fn post_stop(
            &self,
            myself: ActorRef<NodeServerMessage>,
            state: &mut NodeServerState,
        ) -> Result<(), ActorProcessingErr> {
            self.inner.post_stop(myself, state).await
        }

        async fn handle_supervisor_evt(
            &self,
            myself: ActorRef<NodeServerMessage>,
            event: SupervisionEvent,
            state: &mut NodeServerState,
        ) -> Result<(), ActorProcessingErr> {
            match &event {
                SupervisionEvent::ActorTerminated(actor, _, reason) => {
                    self.roster.ending(actor.get_id(), reason.clone());
                }
                SupervisionEvent::ActorFailed(actor, error) => {
                    self.roster.ending(actor.get_id(), Some(error.to_string()));
                }
                _ => {}
            }
            let handling = self.inner.handle_supervisor_evt(myself, event, state);
            handling.instrument(self.span.clone()).await
        }
    }
}

/// What a stream is known by; one of the application's own is not known here.
pub(super) fn key_of(stream: &NetworkStream) -> Option<StreamKey> {
    match stream {
        NetworkStream::Raw { peer_addr, local_addr, .. }
        | NetworkStream::TlsClient { peer_addr, local_addr, .. }
        | NetworkStream::TlsServer { peer_addr, local_addr, .. } => {
            Some((local_addr.to_string(), peer_addr.to_string()))
        }
        NetworkStream::Transport(transport) | NetworkStream::Accepted(transport, _) => {
            Some((transport.local(), transport.peer()))
        }
        NetworkStream::External { .. } => None,
    }
}
