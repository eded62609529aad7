//! The control traffic of a session, and what waits for it; or all of it, where the peer is a stock
//! node.

use prost::Message as _;
use ractor::{ActorCell, ActorId, ActorProcessingErr, ActorRef};

use super::super::{NodeSession, NodeSessionState, ReadyState};
use super::{name_of, Active, Farewell, Phase};
use crate::link::announcer::preference_of;
use crate::link::arrivals::Broken;
use crate::link::arrived::Arrived;
use crate::link::ends::ending_of;
use crate::link::quiet_log::{limited_warn, peer_line};
use crate::link::settle::Finding;
use crate::link::stock::{Outbound, ENTRY};
use crate::link::turn::LastActor;
use crate::link::Refusal;
use crate::net::SessionMessage;
use crate::node::NodeSessionMessage;
use crate::protocol::control::control_message::Msg as Control;
use crate::protocol::control::{ControlMessage, Ready};
use crate::protocol::meta::network_message::Message;
use crate::protocol::mycelium::envelope::Body as Enveloped;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{
    ActorPreference, Credits, Ends, Frame, Mailboxes, Preferences, Refused, Settled,
};
use crate::protocol::node::node_message::Msg;
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
        if let Body::Refused(Refused { code }) = body {
            self.goes_on(state, &Finding::Told(Refusal::of_code(code)), &myself);
            return Ok(());
        }
        let is_proven = state.links.0.as_deref().is_some_and(|active| active.proving.verified);
        if let (Body::Goodbye(goodbye), true) = (&body, is_proven) {
            self.left(state, goodbye, &myself);
            return Ok(());
        }
        let Some(active) = state.links.speaking() else {
            self.goes_on(state, &Finding::NotDue, &myself);
            return Ok(());
        };
        match body {
            Body::Goodbye(goodbye) => self.left(state, &goodbye, &myself),
            Body::Announcement(announcement) if active.peer_announcement().is_none() => {
                self.announced(state, announcement, &myself);
            }
            Body::Settled(Settled {}) if self.is_server && active.awaits_settled() => {
                self.settle(state, None, &myself)?;
            }
            _ => _ = self.goes_on(state, &Finding::NotDue, &myself),
        }
        Ok(())
    }

    /// Something came that has waited for this actor.
    pub(super) async fn arrived(
        &self,
        state: &mut NodeSessionState,
        arrived: Arrived,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        let Some(active) = state.links.speaking() else { return Ok(()) };
        match arrived {
            Arrived::Nothing | Arrived::Frame(_) => {}
            Arrived::Message(message) => {
                active.traffic.deliver(message, &mut LastActor::default());
            }
            Arrived::Control(Enveloped::Control(message)) => {
                self.handle_control(state, message, myself.clone()).await?;
            }
            Arrived::Control(Enveloped::Preferences(Preferences { actors })) => {
                for actor in actors {
                    if active.admits_pin(actor.pid) {
                        active.traffic.pin_actor(actor.pid, actor.preference(), actor.urgent);
                    }
                }
                self.tell_limits(state);
            }
            Arrived::Control(Enveloped::Mailboxes(Mailboxes { actors })) => {
                for mailbox in actors {
                    if !active.admits_mailbox(mailbox.pid) {
                        continue;
                    }
                    if let Err(error) = active.traffic.credits.announced(mailbox) {
                        self.break_off(state, &error.into(), myself);
                        return Ok(());
                    }
                }
                self.tell_limits(state);
            }
            Arrived::Control(Enveloped::Credits(Credits { actors })) => {
                if let Err(error) = active.traffic.credits.granted(&actors) {
                    self.break_off(state, &error.into(), myself);
                    return Ok(());
                }
            }
            Arrived::Control(Enveloped::Ends(Ends { actors })) => {
                let ended = actors.iter().map(|end| (end.pid, ending_of(end)));
                active.actors_ended(&mut state.remote_actors, ended).await;
            }
            Arrived::Control(Enveloped::Fence(_)) => {}
        }
        self.publish_news(state);
        Ok(())
    }

    /// The session cannot go on without loss or doubling.
    pub(super) fn break_off(
        &self,
        state: &mut NodeSessionState,
        error: &Broken,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let (peer, address) = (name_of(&state.name), state.links.address());
        peer_line!(
            state.links.log(),
            SessionBroken,
            error,
            node_id = self.node_id,
            peer,
            address,
            %error,
            "a session ends"
        );
        if let Some(active) = &mut state.links.0 {
            active.leave(Farewell::Nothing, &error.to_string());
        }
        myself.stop(Some("session_broken".to_owned()));
    }
}

impl NodeSessionState {
    /// Sends a message of the session to a stock node: between nodes of the fork proxies send it
    /// themselves.
    pub(in crate::node::node_session) fn tcp_send_node(&mut self, message: NodeMessage) {
        self.send_message(Message::Node(message));
    }

    /// Sends control traffic: in an envelope to a node of the fork. Which transport actors prefer
    /// goes before they are announced.
    pub(in crate::node::node_session) fn tcp_send_control(&mut self, message: ControlMessage) {
        if self.is_too_much(&message) {
            return;
        }
        let Some(active) = self.links.speaking() else {
            return match self.links.0.as_deref() {
                None => self.send_message(Message::Control(message)),
                Some(active) => active
                    .traffic
                    .in_pieces(message, |piece| self.send_message(Message::Control(piece))),
            };
        };
        let actors = match &message.msg {
            Some(Control::Spawn(spawn)) => spawn.actors.as_slice(),
            Some(Control::PgJoin(join)) => join.actors.as_slice(),
            _ => &[],
        };
        let actors: Vec<ActorCell> = actors.iter().filter_map(|it| where_is(it.pid)).collect();
        active.traffic.announce_mailboxes(&actors);
        let actors: Vec<ActorPreference> = actors.iter().filter_map(preference_of).collect();
        if !actors.is_empty() {
            active.traffic.control(Enveloped::Preferences(Preferences { actors }));
        }
        let is_pong = matches!(message.msg, Some(Control::Pong(_)));
        active.traffic.control(Enveloped::Control(message));
        if is_pong {
            // Now and then whatever came is acknowledged.
            active.traffic.acknowledge(true);
            active.traffic.tell_grants();
        }
    }

    /// Sends a message to a stock node, which counts until it has been written.
    pub(super) fn send_outbound(&self, message: Outbound) {
        let (message, load) = message.into_parts();
        if let Some(tcp) = &self.tcp {
            let message = NetworkMessage { message: Some(Message::Node(message)) };
            // The connection's end is an event.
            _ = tcp.cast(SessionMessage::Loaded(message, load));
        }
    }

    /// Calls and answers in stock's frames, also of a node of the fork, which has no need of them.
    /// What upstream has to do comes back.
    pub(in crate::node::node_session) fn take_over(
        &mut self,
        message: NodeMessage,
    ) -> Option<NodeMessage> {
        if !self.auth.is_ok() {
            limited_warn!("a message of a peer that is not authenticated is dropped");
            return None;
        }
        let active = self.links.0.as_deref().filter(|it| it.state.phase() != Phase::Greeting);
        let Some(peer) = active.map(Active::stock_peer) else { return Some(message) };
        match message.msg {
            Some(Msg::Call(call)) => {
                if let Some(actor) = self.authorized_local_actor(call.to) {
                    peer.called(call, &actor);
                }
                None
            }
            Some(Msg::Reply(reply)) => {
                peer.answered(reply);
                None
            }
            msg => Some(NodeMessage { msg }),
        }
    }

    /// Whether a peer that asks and reads nothing would have memory filled by the answers. Upstream
    /// waits for none of them but the first list of sessions.
    fn is_too_much(&mut self, message: &ControlMessage) -> bool {
        let Some(active) = self.links.0.as_deref_mut() else { return false };
        match message.msg {
            Some(Control::Pong(_)) if !active.traffic.takes_answers() => {
                active.traffic.acknowledge(true);
                true
            }
            Some(Control::NodeSessions(_)) => {
                let is_first = !std::mem::replace(&mut active.has_told_peers, true);
                !is_first && !active.traffic.takes_answers()
            }
            _ => false,
        }
    }

    fn send_message(&self, message: Message) {
        let Some(tcp) = &self.tcp else { return };
        let message = NetworkMessage { message: Some(message) };
        // The connection's end is an event.
        _ = match self.links.0.as_deref().filter(|it| it.state.phase() == Phase::Stock) {
            None => tcp.cast(SessionMessage::Send(message)),
            Some(active) => {
                let load = active.traffic.load(message.encoded_len() + ENTRY);
                tcp.cast(SessionMessage::Loaded(message, load))
            }
        };
    }

    /// Sends a frame that is in no envelope, by the best link.
    pub(super) fn send_frame(&mut self, body: Body) {
        if let Some(link) = self.links.0.as_deref().and_then(|active| active.traffic.any()) {
            _ = link.cast(SessionMessage::Frame(body.encoded()));
        }
    }

    /// Between nodes of one process: they have the same actors and groups.
    pub(super) fn be_ready_without_actors(&mut self) {
        self.start_pings();
        self.tcp_send_control(ControlMessage { msg: Some(Control::Ready(Ready {})) });
        self.ready = match self.ready {
            ReadyState::Open | ReadyState::SyncSent => ReadyState::SyncSent,
            ReadyState::SyncReceived | ReadyState::Ready => ReadyState::Ready,
        };
    }
}

fn where_is(pid: u64) -> Option<ActorCell> {
    ractor::registry::where_is_pid(ActorId::Local(pid))
}
