//! The links and lanes of one session.
//!
//! Lane 0 takes whatever link is the cheapest at the time: all control traffic, and messages to actors that
//! leave the choice. A pinned kind of transport has a lane of its own, so that its messages keep
//! their order among themselves, and wait for nothing that goes by other links.

use std::collections::{BTreeMap, HashMap};

use ractor::{ActorCell, ActorId, ActorRef};

use super::lane::{Accepted, Inbound, LaneError, Outbound};
use crate::locality::Locality;
use crate::net::SessionMessage;
use crate::peers::{LinkInfo, PeerEvent};
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::frame::Body as FrameBody;
use crate::protocol::mycelium::{Acknowledgement, Envelope, Fence, Preference};
use crate::transport::TransportKind;
use crate::NodeId;

/// The lane of what may take any link.
pub(crate) const ADAPTIVE: u32 = Preference::Adaptive as u32;

/// A link of the session.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) kind: TransportKind,
    pub(crate) peer: String,
    pub(crate) local: String,
    pub(crate) actor: ActorRef<SessionMessage>,
}

#[derive(Debug)]
struct Lane {
    out: Outbound,
    inbound: Inbound,
    /// The link that it takes.
    link: Option<ActorId>,
    /// The link that it takes once the peer has all that went by the present one.
    next: Option<ActorId>,
}

/// A link that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) kind: TransportKind,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Table {
    node_id: NodeId,
    window: usize,
    /// The cheapest first; of one kind, the oldest.
    links: Vec<Link>,
    lanes: BTreeMap<u32, Lane>,
    /// The lane of messages to actors without a pin of their own.
    node_lane: u32,
    /// The lanes of actors that have one.
    pins: HashMap<u64, u32>,
    /// The proxies of actors whose lane is pinned.
    gated: HashMap<u64, ActorCell>,
    /// What has happened and nobody was told of.
    news: Vec<PeerEvent>,
}

impl Table {
    pub(crate) fn new(node_id: NodeId, window: usize) -> Self {
        Self {
            node_id,
            window,
            links: Vec::new(),
            lanes: BTreeMap::new(),
            node_lane: ADAPTIVE,
            pins: HashMap::new(),
            gated: HashMap::new(),
            news: Vec::new(),
        }
    }

    /// The peer.
    pub(crate) fn node_id(&self) -> NodeId {
        self.node_id
    }

    /// The link that the session begins with, of which nobody is told before the session is
    /// authenticated.
    pub(crate) fn begin(&mut self, link: Link) -> LinkInfo {
        self.links.push(link);
        self.infos().remove(0)
    }

    /// Where the links prove the peer to be.
    pub(crate) fn locality(&self) -> Locality {
        match self.links.first().map(|link| link.kind) {
            Some(TransportKind::Arc) => Locality::SameProcess,
            Some(TransportKind::SharedMemory | TransportKind::UnixSocket) => Locality::SameMachine,
            _ => Locality::Remote,
        }
    }

    /// Whether there is something to be told.
    pub(crate) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// What has happened since it was asked last.
    pub(crate) fn take_news(&mut self) -> Vec<PeerEvent> {
        std::mem::take(&mut self.news)
    }

    /// For those who ask.
    pub(crate) fn infos(&self) -> Vec<LinkInfo> {
        let adaptive = self.lanes.get(&ADAPTIVE).and_then(|lane| lane.link);
        // Before the first message, the one that it would take.
        let active = adaptive.or_else(|| self.best(ADAPTIVE));
        let info = |link: &Link| LinkInfo {
            kind: link.kind,
            peer: link.peer.clone(),
            local: link.local.clone(),
            active: Some(link.actor.get_id()) == active,
        };
        self.links.iter().map(info).collect()
    }

    /// The link whose actor this is.
    pub(crate) fn link(&self, actor: ActorId) -> Option<&Link> {
        self.links.iter().find(|link| link.actor.get_id() == actor)
    }

    /// All links, the cheapest first.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter()
    }

    /// The peer is known by another number from here on.
    pub(crate) fn rename(&mut self, node_id: NodeId) {
        self.node_id = node_id;
    }

    /// Any link that lives.
    pub(crate) fn any(&self) -> Option<&Link> {
        self.links.first()
    }

    /// A link joins the session. What may take it takes it, if it is better.
    pub(crate) fn add(&mut self, link: Link) {
        let kind = link.kind;
        let index = self.links.partition_point(|other| other.kind <= kind);
        self.links.insert(index, link);
        let node_id = self.node_id;
        self.news.push(PeerEvent::LinkUp { node_id, kind });
        for lane in self.lanes.keys().copied().collect::<Vec<_>>() {
            self.improve(lane);
        }
        self.move_gates();
    }

    /// The actor of a link has ended: what the peer has not acknowledged goes again, by another link.
    /// `None` when it was no link of this session.
    pub(crate) fn remove(&mut self, actor: ActorId) -> Option<Result<Lost, LaneError>> {
        let index = self.links.iter().position(|link| link.actor.get_id() == actor)?;
        let kind = self.links.remove(index).kind;
        let node_id = self.node_id;
        self.news.push(PeerEvent::LinkDown { node_id, kind });
        self.move_gates();
        for lane in self.lanes.keys().copied().collect::<Vec<_>>() {
            if let Err(error) = self.abandon(lane, actor, kind) {
                return Some(Err(error));
            }
        }
        Some(Ok(Lost { kind }))
    }

    /// Ends the links of a kind; their ends are events.
    pub(crate) fn close(&self, kind: TransportKind) {
        for link in self.links.iter().filter(|link| link.kind == kind) {
            link.actor.stop(Some("closed".to_owned()));
        }
    }

    /// Sends by the lane of the actor `to`, or by that for all links.
    pub(crate) fn send(&mut self, to: Option<u64>, body: Body) {
        let number = to.map_or(ADAPTIVE, |pid| self.lane_of(pid));
        self.push(number, body);
        self.pump(number);
    }

    /// Takes an envelope, and returns what is in it unless it came before.
    pub(crate) fn receive(&mut self, envelope: Envelope) -> Result<Option<Body>, LaneError> {
        let number = known(envelope.lane)?;
        let bytes = envelope.body.as_ref().map_or(0, size);
        let lane = self.lane(number);
        let accepted = lane.inbound.accept(envelope.sequence, bytes)?;
        let body = match accepted {
            Accepted::Duplicate => None,
            Accepted::Deliver => envelope.body,
        };
        if let Some(Body::Fence(Fence {})) = body {
            lane.inbound.ask();
        }
        self.acknowledged(number, envelope.acknowledged)?;
        Ok(body)
    }

    /// The peer has what went by the lane up to this number.
    pub(crate) fn acknowledged(&mut self, number: u32, last: u64) -> Result<(), LaneError> {
        let lane = self.lane(known(number)?);
        lane.out.acknowledge(last)?;
        if !lane.out.is_fenced() {
            if let Some(next) = lane.next.take() {
                self.switch(number, next);
            }
        }
        self.pump(number);
        Ok(())
    }

    /// Tells the peer what came, where that is due; or wherever there is news.
    pub(crate) fn acknowledge(&mut self, all: bool) {
        let fallback = self.links.first().map(|link| link.actor.get_id());
        for (number, lane) in &mut self.lanes {
            if !(lane.inbound.is_due() || (all && lane.inbound.has_news())) {
                continue;
            }
            let Some(by) = lane.link.or(fallback) else { continue };
            let Some(link) = self.links.iter().find(|link| link.actor.get_id() == by) else {
                continue;
            };
            let acknowledged = lane.inbound.acknowledgement();
            let frame = FrameBody::Acknowledgement(Acknowledgement { lane: *number, acknowledged });
            _ = link.actor.cast(SessionMessage::Frame(frame.encoded().into()));
        }
    }

    /// Messages that the peer has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.lanes.values().map(|lane| lane.out.unacknowledged_messages()).sum()
    }

    /// The kind that messages to actors without a pin of their own shall take.
    pub(crate) fn pin_node(&mut self, preference: Preference) {
        self.node_lane = preference as u32;
    }

    /// An actor of the peer pins a kind, or leaves the choice after all.
    pub(crate) fn pin_actor(&mut self, pid: u64, preference: Preference) {
        self.pins.insert(pid, preference as u32);
    }

    /// A proxy begins. It takes messages while a link of the kind that its actor pins lives.
    pub(crate) fn gate(&mut self, pid: u64, proxy: ActorCell) {
        if self.lane_of(pid) != ADAPTIVE {
            self.gated.insert(pid, proxy);
            self.move_gates();
        }
    }

    /// An actor of the peer has ended.
    pub(crate) fn forget(&mut self, pid: u64) {
        self.pins.remove(&pid);
        self.gated.remove(&pid);
    }

    fn lane_of(&self, pid: u64) -> u32 {
        if self.pins.is_empty() {
            return self.node_lane;
        }
        self.pins.get(&pid).copied().unwrap_or(self.node_lane)
    }

    fn move_gates(&self) {
        for (pid, proxy) in &self.gated {
            proxy.set_reachable(self.best(self.lane_of(*pid)).is_some());
        }
    }

    fn lane(&mut self, number: u32) -> &mut Lane {
        if !self.lanes.contains_key(&number) {
            let link = self.best(number);
            let (out, inbound) = (Outbound::new(self.window), Inbound::default());
            self.lanes.insert(number, Lane { out, inbound, link, next: None });
        }
        self.lanes.get_mut(&number).expect("made just now")
    }

    /// The link that a lane should take.
    fn best(&self, lane: u32) -> Option<ActorId> {
        let fits = |link: &&Link| lane == ADAPTIVE || code(link.kind) == Some(lane);
        self.links.iter().find(fits).map(|link| link.actor.get_id())
    }

    fn rank(&self, actor: ActorId) -> usize {
        let position = self.links.iter().position(|link| link.actor.get_id() == actor);
        position.unwrap_or(self.links.len())
    }

    /// Takes the best link, once the peer has what went by the present one.
    fn improve(&mut self, number: u32) {
        let Some(best) = self.best(number) else { return };
        let present = self.lane(number).link;
        match present {
            None => {
                self.lane(number).link = Some(best);
                self.pump(number);
            }
            Some(present) if self.rank(best) < self.rank(present) => {
                let lane = self.lane(number);
                if lane.out.is_idle() {
                    self.switch(number, best);
                } else if lane.next.replace(best).is_none() {
                    self.fence(number);
                }
            }
            Some(_) => {}
        }
    }

    fn fence(&mut self, number: u32) {
        self.push(number, Body::Fence(Fence {}));
        self.lane(number).out.fence();
        self.pump(number);
    }

    /// Numbers, encodes and keeps what goes by a lane.
    fn push(&mut self, number: u32, body: Body) {
        let is_message = matches!(body, Body::Node(_));
        let lane = self.lane(number);
        let envelope = Envelope {
            lane: number,
            sequence: lane.out.next_sequence(),
            acknowledged: lane.inbound.acknowledgement(),
            body: Some(body),
        };
        lane.out.push(envelope.into(), is_message);
    }

    fn switch(&mut self, number: u32, to: ActorId) {
        let Some(new) = self.link(to).map(|link| link.kind) else { return };
        let from = self.lane(number).link.replace(to);
        if number != ADAPTIVE {
            return;
        }
        let old = from.and_then(|from| self.link(from)).map(|link| link.kind);
        self.tell_switch(old.unwrap_or(new), new);
    }

    fn tell_switch(&mut self, from: TransportKind, to: TransportKind) {
        let node_id = self.node_id;
        tracing::info!(node_id, %from, %to, "a session takes another link");
        self.news.push(PeerEvent::LinkSwitched { node_id, from, to });
    }

    /// The link `gone` is no more.
    fn abandon(
        &mut self,
        number: u32,
        gone: ActorId,
        kind: TransportKind,
    ) -> Result<(), LaneError> {
        let best = self.best(number);
        let lane = self.lane(number);
        if lane.next == Some(gone) {
            lane.next = None;
        }
        if lane.link != Some(gone) {
            return Ok(());
        }
        lane.next = None;
        lane.link = best;
        let Some(best) = best else {
            // Nothing goes until there is a link; then what the peer has not goes again.
            return lane.out.rewind();
        };
        lane.out.rewind()?;
        if number == ADAPTIVE {
            let to = self.link(best).map_or(kind, |link| link.kind);
            self.tell_switch(kind, to);
        }
        self.pump(number);
        Ok(())
    }

    /// Hands the lane's link what may go.
    fn pump(&mut self, number: u32) {
        let Self { lanes, links, .. } = self;
        let Some(lane) = lanes.get_mut(&number) else { return };
        let Some(by) = lane.link else { return };
        let Some(link) = links.iter().find(|link| link.actor.get_id() == by) else { return };
        while let Some(frame) = lane.out.transmit() {
            // A link that has ended tells so itself, and what it did not send goes again.
            _ = link.actor.cast(SessionMessage::Frame(frame));
        }
    }
}

/// A lane that there can be: a peer shall not make more of them.
fn known(lane: u32) -> Result<u32, LaneError> {
    let is_known = i32::try_from(lane).is_ok_and(|lane| Preference::try_from(lane).is_ok());
    is_known.then_some(lane).ok_or(LaneError::UnknownLane(lane))
}

/// The lane of what is pinned to this kind.
fn code(kind: TransportKind) -> Option<u32> {
    let preference = match kind {
        TransportKind::Arc => Preference::Arc,
        TransportKind::SharedMemory => Preference::SharedMemory,
        TransportKind::UnixSocket => Preference::UnixSocket,
        TransportKind::Tcp => Preference::Tcp,
        TransportKind::Tls => Preference::Tls,
        TransportKind::External => return None,
    };
    Some(preference as u32)
}

/// About how many bytes a body holds.
fn size(body: &Body) -> usize {
    use crate::protocol::node::node_message::Msg;

    let Body::Node(node) = body else { return 0 };
    match &node.msg {
        Some(Msg::Cast(cast)) => cast.what.len(),
        Some(Msg::Call(call)) => call.what.len(),
        Some(Msg::Reply(reply)) => reply.what.len(),
        None => 0,
    }
}
