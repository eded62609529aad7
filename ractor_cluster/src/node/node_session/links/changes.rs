//! Links that come and go, and who is told of it.

use std::sync::PoisonError;

use ractor::{ActorCell, ActorId, ActorProcessingErr, ActorRef, ActorStatus, SupervisionEvent};

use super::super::{NodeSession, NodeSessionState};
use super::{name_of, Phase, MAX_LINKS};
use crate::link::activity::watch;
use crate::link::admission::Origin;
use crate::link::arrived::Arrived;
use crate::link::data_plane::Link;
use crate::link::dead_letters::{self, Cause, Target};
use crate::link::quiet_log::{limited_warn, peer_line};
use crate::link::round_trip::Pings;
use crate::link::settle::Finding;
use crate::link::{Event, LinkEvent};
use crate::net::{NetworkStream, Session, SessionMessage};
use crate::node::NodeSessionMessage;
use crate::peers::{self, PeerInfo};
use crate::transport::Transport;

impl NodeSession {
    /// What a message to this actor is about: that something waits in the backlog becomes that.
    /// `None` when nothing does any more.
    pub(in crate::node::node_session) async fn next_arrived(
        message: NodeSessionMessage,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> Option<NodeSessionMessage> {
        let NodeSessionMessage::Link(LinkEvent(Event::Waiting(backlog))) = message else {
            return Some(message);
        };
        if backlog.gives_turn(myself).await {
            return None;
        }
        let (arrived, ticket) = backlog.take(myself)?;
        Some(match arrived {
            // What has to wait for it waits for an item that follows it.
            Arrived::Frame(message) => NodeSessionMessage::MessageReceived(message),
            arrived => LinkEvent(Event::Arrived(arrived, ticket)).into(),
        })
    }

    /// Something happened to a link.
    pub(in crate::node::node_session) async fn handle_link(
        &self,
        state: &mut NodeSessionState,
        LinkEvent(event): LinkEvent,
        myself: ActorRef<NodeSessionMessage>,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            Event::Up { link, again } => {
                let transport = link.into_inner().unwrap_or_else(PoisonError::into_inner);
                self.link_up(state, transport, again, &myself).await;
            }
            Event::Probe => self.ask(state),
            Event::Probed { silent, alive } => self.probed(state, &silent, alive, &myself),
            Event::Tick => self.tick(state, &myself),
            Event::GraceOver => self.give_up(state, "no link came back", &myself),
            Event::Forgotten => self.give_up(state, "it has ended the session", &myself),
            Event::Settled { unproven } => self.settle(state, unproven, &myself)?,
            Event::Overdue => _ = self.goes_on(state, &Finding::Overdue(None), &myself),
            Event::Displaced => _ = self.goes_on(state, &Finding::Displaced, &myself),
            Event::Unreadable(error) => self.unreadable(state, &error, &myself),
            Event::Ended(reason) => self.ended(state, reason, &myself),
            Event::Close(kind) => {
                if let Some(active) = state.links.speaking() {
                    active.traffic.close(kind);
                }
            }
            Event::Shared(cast) => {
                let to = cast.to;
                let actor = ractor::registry::where_is_pid(ActorId::Local(cast.to));
                let undelivered = match actor {
                    None => Some(Cause::NoActor),
                    Some(actor) => {
                        actor.send_shared(cast.message).err().map(|error| error.reason().into())
                    }
                };
                if let Some(cause) = undelivered {
                    dead_letters::count(self.known_as(state), cause, Target::Pid(to));
                }
            }
            Event::Arrived(arrived, ticket) => {
                self.arrived(state, arrived, &myself).await?;
                if let (Some((place, bytes)), Some(active)) =
                    (ticket.place(), state.links.speaking())
                {
                    active.traffic.handled(place, bytes);
                }
                // Later frames may overtake nothing.
                drop(ticket);
            }
            // Is something else by now.
            Event::Waiting(_) => {}
            Event::Broken(error) => self.break_off(state, &error, &myself),
            Event::Undecodable { error, with_hello } => {
                self.goes_on(state, &Finding::Undecodable { error: &error, with_hello }, &myself);
            }
            Event::Outbound(message) => state.send_outbound(message),
        }
        Ok(())
    }

    async fn link_up(
        &self,
        state: &mut NodeSessionState,
        transport: Box<dyn Transport>,
        again: bool,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let Some(active) = state.links.speaking() else { return };
        if active.state.is_leaving() {
            return;
        }
        if active.traffic.infos().len() >= MAX_LINKS {
            let peer = name_of(&state.name);
            limited_warn!(node_id = self.node_id, peer, "a link is refused: there are enough");
            return;
        }
        let log = Some(active.server.strangers.log.clone());
        let origin = Origin { log, ..Origin::default() };
        let stream = NetworkStream::Transport(transport).with_origin(origin);
        let (kind, peer, local) = stream.describe();
        let lends = stream.channel().lends;
        let stream = watch(stream, &active.liveness.activity, active.traffic.backlog());
        let (max, traffic) = (self.max_inbound_frame_size, active.traffic.clone());
        let spawned = Session::spawn_joined(myself.clone(), stream, max, traffic.clone()).await;
        // Why it did not is logged.
        let Ok(actor) = spawned else { return };
        if let Some(fork) = active.state.fork_mut() {
            fork.redials.remove(&kind);
        }
        active.liveness.activity.note();
        traffic.add(Link {
            kind,
            peer,
            local,
            actor: actor.clone(),
            lends,
            writer: None,
            sent: 0,
            pings: Pings::default(),
        });
        // It has ended, if it cannot be told.
        _ = actor.cast(SessionMessage::Join(traffic));
        if again {
            // The peer has lost those of its kind, which may still look alive from here.
            let lost = active.traffic.links().into_iter().filter(|(of, _)| *of == kind);
            for (_, link) in lost.filter(|(_, link)| link.get_id() != actor.get_id()) {
                link.stop(Some("replaced".to_owned()));
            }
        }
        self.resume(state, actor);
        self.publish_news(state);
    }

    /// Takes the events of links, and what is announced, from upstream's handling, unless the last
    /// link ended.
    pub(in crate::node::node_session) fn handle_link_end(
        &self,
        myself: &ActorRef<NodeSessionMessage>,
        event: SupervisionEvent,
        state: &mut NodeSessionState,
    ) -> Option<SupervisionEvent> {
        let active = state.links.0.as_deref();
        let settled = active.filter(|active| active.state.phase() == Phase::Settled);
        let event = match settled {
            Some(active) => active.announcer.late(event)?,
            None => event,
        };
        let (SupervisionEvent::ActorFailed(actor, _)
        | SupervisionEvent::ActorTerminated(actor, ..)) = &event
        else {
            return Some(event);
        };
        let ended = actor.get_id();
        let Some(active) = state.links.0.as_deref_mut() else { return Some(event) };
        let is_link = active.traffic.kind_of(ended).is_some();
        if !is_link && matches!(event, SupervisionEvent::ActorTerminated(..)) {
            self.proxy_ended(state, actor);
            return None;
        }
        if !is_link {
            return Some(event);
        }
        let is_last = active.traffic.infos().len() == 1;
        if is_last && matches!(active.state.phase(), Phase::Greeting | Phase::Holding) {
            let reason = match event {
                SupervisionEvent::ActorFailed(..) => "tcp_session_err",
                _ => "tcp_session_closed",
            };
            // Behind its frames: a peer says why it refuses this node before it closes.
            _ = myself.cast(LinkEvent(Event::Ended(reason)).into());
            return None;
        }
        if is_last && !active.may_wait(self.is_server) {
            active.lost.get_or_insert_with(|| "its last link broke".to_owned());
            // Upstream ends the session.
            return Some(event);
        }
        let lost = active.traffic.remove(ended)?;
        let peer = name_of(&state.name);
        peer_line!(
            active.log(),
            LinkBroke,
            warn,
            node_id = self.node_id,
            peer,
            kind = %lost.kind,
            "a link broke"
        );
        if let Some(error) = lost.stuck {
            self.break_off(state, &error.into(), myself);
            return None;
        }
        if is_last {
            active.lost.get_or_insert_with(|| "its last link broke".to_owned());
            self.suspend(state, myself);
            return None;
        }
        active.redial(lost.kind);
        let other = active.traffic.any();
        if state.is_tcp_actor(ended) {
            state.tcp = other;
        }
        self.publish_news(state);
        None
    }

    /// A proxy has ended by itself, or because the peer said that its actor did. Unlike upstream,
    /// nothing is awaited: behind this event wait the messages of all others.
    fn proxy_ended(&self, state: &mut NodeSessionState, actor: &ActorCell) {
        let pid = actor.get_id().pid();
        // Another one may have its number by now.
        let is_over = |it: &ActorRef<_>| it.get_status() >= ActorStatus::Stopping;
        if state.remote_actors.get(&pid).is_some_and(is_over) {
            state.remote_actors.remove(&pid);
            if let Some(active) = state.links.0.as_deref_mut() {
                active.forget_proxy(actor);
            }
        }
    }

    /// Tells the process what is known of the peer, and what has happened.
    pub(super) fn publish(&self, state: &mut NodeSessionState) {
        let Some(active) = state.links.0.as_deref_mut() else { return };
        let node_id = active.traffic.node_id();
        // Where a peer was is where it is, while there is no link that says otherwise.
        let before = peers::get(node_id).filter(|_| active.traffic.any().is_none());
        // Before the links are looked at: what happens after it is news again.
        let news = active.traffic.take_news();
        peers::publish(PeerInfo {
            node_id,
            name: name_of(&state.name).to_owned(),
            number: active.peer_announcement().and_then(|it| it.number),
            release: active.peer_announcement().map(|it| it.release.clone()),
            incarnation: active.proving.incarnation(),
            locality: before.map_or_else(|| active.traffic.locality(), |peer| peer.locality),
            links: active.traffic.infos(),
        });
        for event in news {
            peers::tell(event);
        }
    }

    /// Publishes if something has happened to a peer that was published.
    pub(super) fn publish_news(&self, state: &mut NodeSessionState) {
        let Some(active) = state.links.0.as_deref() else { return };
        if active.state.phase() == Phase::Settled && active.traffic.has_news() {
            self.publish(state);
        }
    }
}
