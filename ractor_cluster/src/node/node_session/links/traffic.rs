//! What comes and goes in envelopes, or as it is where the peer is a stock node.

use ractor::{ActorId, ActorProcessingErr, ActorRef};

use super::super::{NodeSession, NodeSessionState, ReadyState};
use super::name_of;
use crate::link::lane::LaneError;
use crate::net::SessionMessage;
use crate::node::NodeSessionMessage;
use crate::protocol::control::control_message::Msg as Control;
use crate::protocol::control::{ControlMessage, Ready};
use crate::protocol::meta::network_message::Message;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{ActorPreference, Frame, Preference, Preferences, Settled};
use crate::protocol::node::node_message::Msg as Node;
use crate::protocol::node::NodeMessage;
use crate::protocol::NetworkMessage;

impl NodeSession {
    /// A frame of the fork's came.
    pub(in crate::node::node_session) async fn handle_frame(
        &self,
        state: &mut NodeSessionState,
        frame: Frame,
        myself: ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(body) = frame.body else { return Ok(()) };
        if let Body::Hello(hello) = body {
            self.greeted(state, hello, &myself);
            return Ok(());
        }
        if let Body::Proof(proof) = body {
            self.proven(state, &proof, &myself);
            return Ok(());
        }
        let Some(active) = state.links.speaking() else {
            self.refuse(state, "it sent a frame before its Hello or its authentication", &myself);
            return Ok(());
        };
        let outcome = match body {
            Body::Envelope(envelope) => match active.table.receive(envelope) {
                Ok(Some(body)) => {
                    self.deliver(state, body, &myself).await?;
                    Ok(())
                }
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            },
            Body::Acknowledgement(it) => active.table.acknowledged(it.lane, it.acknowledged),
            Body::Announcement(announcement) if active.announcement.is_none() => {
                self.announced(state, announcement, &myself);
                Ok(())
            }
            Body::Settled(Settled { .. }) if self.is_server && active.awaits_settled() => {
                self.settle(state, None, &myself)?;
                Ok(())
            }
            _ => {
                self.refuse(state, "it sent a frame that was not due", &myself);
                return Ok(());
            }
        };
        match outcome {
            Ok(()) => {
                if let Some(active) = state.links.speaking() {
                    active.table.acknowledge(false);
                }
                self.publish_news(state);
            }
            Err(error) => self.break_off(state, &error, &myself),
        }
        Ok(())
    }

    /// What is in an envelope goes where it would have gone without.
    async fn deliver(
        &self,
        state: &mut NodeSessionState,
        body: Enveloped,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        match body {
            Enveloped::Node(message) => self.handle_node(state, message, myself.clone()),
            Enveloped::Control(message) => {
                if let (Some(Control::Terminate(ended)), Some(active)) =
                    (&message.msg, state.links.speaking())
                {
                    for pid in &ended.ids {
                        active.table.forget(*pid);
                    }
                }
                self.handle_control(state, message, myself.clone()).await?;
            }
            Enveloped::Preferences(Preferences { actors }) => {
                if let Some(active) = state.links.speaking() {
                    for actor in actors {
                        active.table.pin_actor(actor.pid, actor.preference());
                    }
                }
            }
            Enveloped::Fence(_) => {}
        }
        Ok(())
    }

    /// The session cannot go on without loss or doubling.
    pub(super) fn break_off(
        &self,
        state: &NodeSessionState,
        error: &LaneError,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let (peer, address) = (name_of(&state.name), state.links.address());
        tracing::error!(node_id = self.node_id, peer, address, %error, "a session ends");
        myself.stop(Some("session_broken".to_owned()));
    }
}

impl NodeSessionState {
    /// Sends a message of the session: in an envelope, by the link for its target, to a node of the
    /// fork, and as it is to a stock node.
    pub(in crate::node::node_session) fn tcp_send_node(&mut self, message: NodeMessage) {
        let to = match &message.msg {
            Some(Node::Cast(cast)) => Some(cast.to),
            Some(Node::Call(call)) => Some(call.to),
            // It names the actor that was called, which is one of ours.
            Some(Node::Reply(_)) | None => None,
        };
        match self.links.speaking() {
            Some(active) => active.table.send(to, Enveloped::Node(message)),
            None => self.send_message(Message::Node(message)),
        }
    }

    /// As [`tcp_send_node`](Self::tcp_send_node). Which transport actors prefer goes before they are
    /// announced.
    pub(in crate::node::node_session) fn tcp_send_control(&mut self, message: ControlMessage) {
        let Some(active) = self.links.speaking() else {
            return self.send_message(Message::Control(message));
        };
        let actors = match &message.msg {
            Some(Control::Spawn(spawn)) => spawn.actors.as_slice(),
            Some(Control::PgJoin(join)) => join.actors.as_slice(),
            _ => &[],
        };
        let actors: Vec<ActorPreference> =
            actors.iter().filter_map(|actor| preference_of(actor.pid)).collect();
        if !actors.is_empty() {
            active.table.send(None, Enveloped::Preferences(Preferences { actors }));
        }
        let is_pong = matches!(message.msg, Some(Control::Pong(_)));
        active.table.send(None, Enveloped::Control(message));
        if is_pong {
            // Now and then whatever came is acknowledged.
            active.table.acknowledge(true);
        }
    }

    fn send_message(&self, message: Message) {
        if let Some(tcp) = &self.tcp {
            // The connection's end is an event.
            _ = tcp.cast(SessionMessage::Send(NetworkMessage { message: Some(message) }));
        }
    }

    /// Sends a frame that is in no envelope, by the best link.
    pub(super) fn send_frame(&mut self, body: Body) {
        if let Some(link) = self.links.0.as_deref().and_then(|active| active.table.any()) {
            _ = link.actor.cast(SessionMessage::Frame(body.encoded().into()));
        }
    }

    /// Between nodes of one process: they have the same actors and groups.
    pub(super) fn be_ready_without_actors(&mut self) {
        self.start_ping_loop();
        self.tcp_send_control(ControlMessage { msg: Some(Control::Ready(Ready {})) });
        self.ready = match self.ready {
            ReadyState::Open | ReadyState::SyncSent => ReadyState::SyncSent,
            ReadyState::SyncReceived | ReadyState::Ready => ReadyState::Ready,
        };
    }
}

/// What an actor of ours pins, if it does.
fn preference_of(pid: u64) -> Option<ActorPreference> {
    let actor = ractor::registry::where_is_pid(ActorId::Local(pid))?;
    match Preference::from(actor.transport_preference()) {
        Preference::Adaptive => None,
        pinned => Some(ActorPreference { pid, preference: pinned.into() }),
    }
}
