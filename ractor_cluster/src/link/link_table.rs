//! The links of one session, and what goes out by them.
//!
//! The lanes of preference 0 take whatever link is the cheapest at the time: all control traffic,
//! and messages to actors that leave the choice. A pinned kind of transport has lanes of its own,
//! so that its messages keep their order among themselves, and wait for nothing that goes by other
//! links.

mod flush;
mod routes;
mod sending;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ractor::actor::actor_config::TransportPreference;
use ractor::{ActorCell, ActorId, ActorRef};

pub(crate) use self::flush::{PendingFlush, WayBack};
use super::room::Queued;
use super::round_trip::Pings;
use super::writer::{FrameSource, LinkWriter};
use mycelium_link::lane::{Chunk, Frames, LaneError};
use mycelium_link::lanes::{self, IsPlaced, Lanes, PREFERENCES};

use crate::net::SessionMessage;
use crate::peers::{LinkInfo, PeerEvent};
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::{Envelope, Fence, Preference};
use crate::transport::{self, Locality, TransportKind};
use crate::NodeId;

/// The preference of what may take any link, and the number of its first lane.
pub(crate) const ADAPTIVE: u32 = Preference::Adaptive as u32;

/// A link of the session, whose writer takes from a source `S`.
#[derive(Debug)]
pub(crate) struct Link<S: FrameSource> {
    pub(crate) kind: TransportKind,
    pub(crate) peer: String,
    pub(crate) local: String,
    pub(crate) actor: ActorRef<SessionMessage>,
    /// Set where large payloads go by descriptor.
    pub(crate) lends: Option<IsPlaced>,
    /// Where frames are handed over, once its actor has told.
    pub(crate) writer: Option<Arc<LinkWriter<S>>>,
    /// The bytes of its lanes that it took, those included that went again.
    pub(crate) sent: u64,
    pub(crate) pings: Pings,
}

impl<S: FrameSource> Link<S> {
    fn out(&self) -> Option<Out<S>> {
        let is_cheap = self.kind == TransportKind::SharedMemory;
        Some(Out { writer: self.writer.clone()?, is_cheap })
    }
}

/// What goes by one link at a time.
#[derive(Debug)]
struct Family<S: FrameSource> {
    lanes: Lanes,
    /// The link that it takes.
    link: Option<ActorId>,
    /// The writer of that link, once its actor has told.
    out: Option<Out<S>>,
    /// The link that it takes once the peer has all that went by the present one.
    next: Option<ActorId>,
}

/// What writes a link.
#[derive(Debug)]
struct Out<S: FrameSource> {
    writer: Arc<LinkWriter<S>>,
    /// Whether a frame is written without a call of the system.
    is_cheap: bool,
}

/// A link that is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) kind: TransportKind,
    /// Why nothing more is to be sent by any other, if so.
    pub(crate) stuck: Option<LaneError>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct LinkTable<S: FrameSource> {
    node_id: NodeId,
    /// The cheapest first; of one kind, the oldest.
    links: Vec<Link<S>>,
    /// By the preference of what they carry.
    families: [Option<Family<S>>; PREFERENCES],
    /// Those from here on are not there.
    families_end: usize,
    /// Whether the peer takes all lanes of a preference, or one.
    has_slots: bool,
    /// The preference of messages to actors without a pin of their own.
    node_lane: u32,
    /// What actors want that is not what all have: their preference, and whether they are urgent.
    pins: HashMap<u64, (Option<u32>, bool)>,
    /// The proxies of actors whose lane is pinned.
    gated: HashMap<u64, ActorCell>,
    /// Events that are not published yet.
    news: Vec<PeerEvent>,
    /// The messages that were put into lanes, once for each receiver.
    messages: u64,
}

impl<S: FrameSource> LinkTable<S> {
    pub(crate) fn new(node_id: NodeId) -> Self {
        Self {
            node_id,
            links: Vec::new(),
            families: Default::default(),
            families_end: 0,
            has_slots: false,
            node_lane: ADAPTIVE,
            pins: HashMap::new(),
            gated: HashMap::new(),
            news: Vec::new(),
            messages: 0,
        }
    }

    /// Adds the link that the session begins with. It is published when the session is
    /// authenticated.
    pub(crate) fn begin(&mut self, link: Link<S>) -> LinkInfo {
        self.links.push(link);
        self.infos().remove(0)
    }

    /// Where the links prove the peer to be.
    pub(crate) fn locality(&self) -> Locality {
        self.links.first().map_or(Locality::Remote, |link| link.kind.proves())
    }

    /// Whether there is something to be told.
    pub(crate) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// What has happened since it was asked last.
    pub(crate) fn take_news(&mut self) -> Vec<PeerEvent> {
        std::mem::take(&mut self.news)
    }

    /// The links, for applications.
    pub(crate) fn infos(&self) -> Vec<LinkInfo> {
        let family = self.families.get(self.node_lane as usize).and_then(Option::as_ref);
        // Before the first message, the one that it would take.
        let active = family.and_then(|family| family.link).or_else(|| self.best(self.node_lane));
        let info = |link: &Link<S>| LinkInfo {
            kind: link.kind,
            peer: link.peer.clone(),
            local: link.local.clone(),
            active: Some(link.actor.get_id()) == active,
        };
        self.links.iter().map(info).collect()
    }

    /// The link whose actor this is.
    pub(crate) fn link(&self, actor: ActorId) -> Option<&Link<S>> {
        self.links.iter().find(|link| link.actor.get_id() == actor)
    }

    /// All links, the cheapest first.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Link<S>> {
        self.links.iter()
    }

    /// A ping goes by this link at this time since the session began.
    pub(super) fn pinged(&mut self, actor: ActorId, at: Duration) {
        if let Some(link) = self.links.iter_mut().find(|link| link.actor.get_id() == actor) {
            link.pings.sent(at);
        }
    }

    /// The peer has repeated the time of a ping, or something else.
    pub(super) fn ponged(&mut self, at: Duration, now: Duration) {
        self.links.iter_mut().any(|link| link.pings.answered(at, now));
    }

    /// The peer is known by another number from here on.
    pub(crate) fn rename(&mut self, node_id: NodeId) {
        self.node_id = node_id;
    }

    /// Any link that lives.
    pub(crate) fn any(&self) -> Option<&Link<S>> {
        self.links.first()
    }

    /// The actor of a link tells where frames are handed over.
    pub(crate) fn serve(&mut self, actor: ActorId, writer: Arc<LinkWriter<S>>) {
        let Some(link) = self.links.iter_mut().find(|link| link.actor.get_id() == actor) else {
            return;
        };
        link.writer = Some(writer);
        let families = self.families.iter_mut().flatten();
        families.filter(|it| it.link == Some(actor)).for_each(|family| family.out = link.out());
    }

    /// A link joins the session. What may take it takes it, if it is better.
    pub(crate) fn add(&mut self, link: Link<S>) -> Vec<PendingFlush<S>> {
        let kind = link.kind;
        let index = self.links.partition_point(|other| other.kind <= kind);
        self.links.insert(index, link);
        let node_id = self.node_id;
        self.news.push(PeerEvent::LinkUp { node_id, kind });
        self.move_gates();
        self.preferences().map(|preference| self.improve(preference)).collect()
    }

    /// The actor of a link has ended: what the peer has not acknowledged goes again, by another
    /// link. The link is to be dropped without the lock on this: it may hold what counts here.
    /// `None` when it was no link of this session.
    pub(crate) fn remove(&mut self, actor: ActorId) -> Option<(Link<S>, Vec<PendingFlush<S>>)> {
        let index = self.links.iter().position(|link| link.actor.get_id() == actor)?;
        let link = self.links.remove(index);
        let (kind, node_id) = (link.kind, self.node_id);
        self.news.push(PeerEvent::LinkDown { node_id, kind });
        self.move_gates();
        let there = self.preferences();
        let pushes = there.map(|preference| self.abandon(preference, actor, kind)).collect();
        Some((link, pushes))
    }

    /// A lane over which every link breaks.
    pub(crate) fn stuck(&self) -> Option<LaneError> {
        self.families.iter().flatten().find_map(|family| family.lanes.stuck())
    }

    /// Ends the links of a kind; their ends are events.
    pub(crate) fn close(&self, kind: TransportKind) {
        for link in self.links.iter().filter(|link| link.kind == kind) {
            link.actor.stop(Some("closed".to_owned()));
        }
    }

    /// The session ends: all that waits goes by the links that there are.
    pub(crate) fn finish(&mut self) -> Vec<PendingFlush<S>> {
        self.families.iter_mut().flatten().for_each(|family| family.lanes.finish());
        self.preferences().map(|preference| self.push(preference)).collect()
    }

    /// The peer takes all lanes of a preference.
    pub(crate) fn take_slots(&mut self) {
        self.has_slots = true;
        self.families.iter_mut().flatten().for_each(|family| family.lanes.take_slots());
    }

    /// The bytes that are kept, or wait to be sent.
    #[inline]
    pub(super) fn queued(&self) -> Queued {
        let mut queued = Queued::default();
        for family in self.families[..self.families_end].iter().flatten() {
            queued.all += family.lanes.bytes();
            queued.few += family.lanes.bytes_of_few();
        }
        queued
    }

    /// What became of the frames of all lanes.
    pub(super) fn frames(&self) -> Frames {
        let mut frames = Frames::default();
        self.families.iter().flatten().for_each(|family| frames += family.lanes.frames());
        frames
    }

    /// The bytes that wait to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.families.iter().flatten().map(|family| family.lanes.unsent()).sum()
    }

    /// The messages that were put into lanes, once for each receiver.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// The peer has what went by the lane up to this number.
    pub(crate) fn acknowledged(
        &mut self,
        number: u32,
        last: u64,
    ) -> Result<PendingFlush<S>, LaneError> {
        let (preference, slot) = known(number)?;
        let family = self.family(preference);
        let has_news = family.lanes.acknowledge(slot, last)?;
        if !family.lanes.is_fenced() {
            if let Some(next) = family.next.take() {
                self.switch(preference, next);
            }
        }
        Ok(if has_news { self.push(preference) } else { PendingFlush::default() })
    }

    /// Whether an acknowledgement can go anywhere.
    pub(crate) fn has_way_back(&self) -> bool {
        self.links.iter().any(|link| link.writer.is_some())
    }

    /// Where the acknowledgement of a lane goes: by its own link, if that is ready, or else by the
    /// first that is.
    pub(crate) fn way_back(&self, lane: u32) -> Option<WayBack<S>> {
        let way = |link: &Link<S>| Some(WayBack { kind: link.kind, writer: link.writer.clone()? });
        let family = self.families[lane as usize % PREFERENCES].as_ref();
        let own = family.and_then(|family| self.link(family.link?));
        own.and_then(way).or_else(|| self.links.iter().find_map(way))
    }

    /// Hands what a link is to send to `take`, as long as that wants more.
    pub(crate) fn transmit(&mut self, link: ActorId, mut take: impl FnMut(Chunk) -> bool) {
        let (mut takes, mut sent) = (true, 0);
        for family in self.families.iter_mut().flatten().filter(|it| it.link == Some(link)) {
            family.lanes.transmit(|chunk| {
                sent += (chunk.frames.len() + chunk.tail.len()) as u64;
                takes = take(chunk);
                takes
            });
            if !takes {
                break;
            }
        }
        if let Some(link) = self.links.iter_mut().find(|it| it.actor.get_id() == link) {
            link.sent += sent;
        }
    }

    /// Messages that the peer has not acknowledged.
    pub(crate) fn unacknowledged(&mut self) -> usize {
        let families = self.families.iter_mut().flatten();
        families.map(|family| family.lanes.unacknowledged_messages()).sum()
    }

    /// The kind that messages to actors without a pin of their own shall take.
    pub(crate) fn pin_node(&mut self, preference: Preference) {
        self.node_lane = preference as u32;
    }

    /// An actor of the peer pins a kind, or leaves the choice after all; and is urgent, or is not.
    pub(crate) fn pin_actor(&mut self, pid: u64, preference: Preference, urgent: bool) {
        // One that is urgent and pins nothing takes what its node pins.
        let pin = (preference != Preference::Adaptive || !urgent).then_some(preference as u32);
        self.pins.insert(pid, (pin, urgent));
    }

    /// The transport that an actor of the peer pins itself. The one that the whole node pins does
    /// not count.
    pub(crate) fn preference_of(&self, pid: u64) -> TransportPreference {
        let pin = self.pins.get(&pid).and_then(|(pin, _)| i32::try_from((*pin)?).ok());
        pin.and_then(|pin| Preference::try_from(pin).ok()).unwrap_or_default().into()
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

    /// The session has ended: nothing refers to it, or to its links, any more.
    pub(crate) fn end(&mut self) -> (Vec<Link<S>>, HashMap<u64, ActorCell>) {
        // The links have the writers too, so that none is dropped here.
        self.families.iter_mut().flatten().for_each(|family| family.out = None);
        (std::mem::take(&mut self.links), std::mem::take(&mut self.gated))
    }

    /// The preference of messages to an actor.
    pub(crate) fn lane_of(&self, pid: u64) -> u32 {
        self.wanted_by(pid).0
    }

    /// The preference of messages to an actor, and whether they are urgent.
    #[inline]
    pub(crate) fn wanted_by(&self, pid: u64) -> (u32, bool) {
        if self.pins.is_empty() {
            return (self.node_lane, false);
        }
        let (pin, urgent) = self.pins.get(&pid).copied().unwrap_or_default();
        (pin.unwrap_or(self.node_lane), urgent)
    }

    /// The preferences that something went by.
    fn preferences(&self) -> impl Iterator<Item = u32> + use<S> {
        let there: [bool; PREFERENCES] = std::array::from_fn(|it| self.families[it].is_some());
        (0..).zip(there).filter_map(|(number, there)| there.then_some(number))
    }

    #[inline]
    fn family(&mut self, preference: u32) -> &mut Family<S> {
        let index = preference as usize;
        if self.families[index].is_none() {
            self.found(preference);
        }
        self.families[index].as_mut().expect("made just now")
    }

    /// The first frame of a preference comes.
    #[cold]
    fn found(&mut self, preference: u32) {
        let lanes = Lanes::new(preference, self.has_slots, ask);
        let index = preference as usize;
        self.families[index] = Some(Family { lanes, link: None, out: None, next: None });
        self.families_end = self.families_end.max(index + 1);
        self.take(preference, self.best(preference));
    }
}

/// The preference and the slot of a lane that there can be: a peer shall not make more of them.
pub(crate) fn known(lane: u32) -> Result<(u32, usize), LaneError> {
    let (preference, slot) = lanes::parse(lane)?;
    if preference as usize >= transport::LANES {
        return Err(LaneError::UnknownLane(lane));
    }
    Ok((preference, slot))
}

/// A frame of a lane that the peer acknowledges at once.
fn ask(lane: u32, sequence: u64) -> Bytes {
    Envelope { lane, sequence, acknowledged: 0, body: Some(Body::Fence(Fence {})) }.encoded()
}

#[cfg(test)]
#[path = "link_table/tests.rs"]
mod tests;
