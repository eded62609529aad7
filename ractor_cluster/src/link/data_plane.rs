//! Per-session data plane. Senders append to a lane on their own thread. Readers deliver straight
//! to mailboxes. No actor is on the way.
//!
//! The session's actor handles control frames, and every frame that arrives behind a control frame
//! that it has not handled yet. To a stock node the data plane only bounds what waits.

mod sending;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use ractor::actor::actor_config::TransportPreference;
use ractor::{ActorCell, ActorId, ActorRef};
use tokio::sync::futures::Notified;

use super::backlog::{Backlog, Place};
use super::calls::Calls;
use super::credits::Credits;
use super::frame_bound::FrameBound;
use super::link_table::{self, LinkTable, Lost};
use super::locked::locked;
use super::receipts::Receipts;
use super::room::{Room, Share};
use super::traces::Traces;
use super::view::{self, LinkView, SessionView};
use super::writer::{self, FrameSource};
use crate::net::SessionMessage;
use crate::peers::{LinkInfo, PeerEvent};
use crate::protocol::mycelium::frame::Body as FrameBody;
use crate::protocol::mycelium::{Acknowledgement, Preference};
use crate::transport::{Locality, TransportKind};
use crate::NodeId;
use mycelium_link::lane::{Chunk, LaneError};

/// The writer of a link of a session.
pub(crate) type LinkWriter = writer::LinkWriter<LanesOfLink>;
/// A link of a session.
pub(crate) type Link = link_table::Link<LanesOfLink>;
/// Who is to write what a session has to send.
pub(super) type PendingFlush = link_table::PendingFlush<LanesOfLink>;
pub(super) use sending::Named;

/// How much a session takes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The bytes that wait for the peer, or for its acknowledgement, from which on messages are
    /// refused.
    pub(crate) high: usize,
    /// The calls of either side that wait for an answer.
    pub(crate) calls: usize,
    /// How long a link may take nothing of what waits for it; zero: for ever.
    pub(crate) write_deadline: Duration,
    /// Whether a sender polls its link for an answer.
    pub(crate) busy_poll: bool,
    /// The bytes of the largest frame that this node takes.
    pub(crate) max_inbound: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct DataPlane {
    /// Of all the sessions that this process ever had.
    session: u64,
    node_id: AtomicU64,
    bounds: Bounds,
    table: Mutex<LinkTable<LanesOfLink>>,
    room: Room,
    pub(super) frame_bound: FrameBound,
    /// The peer understands how actors ended.
    pub(super) knows_ends: AtomicBool,
    pub(super) receipts: Receipts,
    pub(super) calls: Calls,
    /// How many messages go to bounded mailboxes.
    pub(crate) credits: Credits,
    /// The contexts of spans that messages have with them.
    pub(crate) traces: Traces,
    /// Calls of the peer that wait for an answer of ours.
    pub(super) answering: AtomicUsize,
    /// Messages of the peer that reached no actor.
    pub(super) dead_letters: AtomicU64,
    ended: AtomicBool,
    /// Whether actors of this node have been announced to the peer.
    open: AtomicBool,
    /// What came and waits for the session's actor. Whatever comes then waits for it too, which
    /// keeps the order.
    backlog: Arc<Backlog>,
}

impl DataPlane {
    pub(crate) fn new(
        node_id: NodeId,
        bounds: Bounds,
        traces: Traces,
        backlog: Arc<Backlog>,
    ) -> Arc<Self> {
        static SESSIONS: AtomicU64 = AtomicU64::new(0);
        let data_plane = Arc::new(Self {
            session: SESSIONS.fetch_add(1, Ordering::Relaxed),
            node_id: AtomicU64::new(node_id),
            bounds,
            table: Mutex::new(LinkTable::new(node_id)),
            room: Room::new(bounds.high),
            frame_bound: FrameBound::default(),
            knows_ends: AtomicBool::new(false),
            receipts: Receipts::default(),
            calls: Calls::new(bounds.calls),
            credits: Credits::default(),
            traces,
            answering: AtomicUsize::new(0),
            dead_letters: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            open: AtomicBool::new(false),
            backlog,
        });
        view::register(&data_plane);
        data_plane
    }

    /// The session as it is at this moment.
    pub(super) fn view(&self) -> SessionView {
        let table = locked(&self.table);
        let (frames, queued) = (table.frames(), table.queued());
        let links = table.infos().into_iter().zip(table.links());
        SessionView {
            node_id: self.node_id(),
            links: links
                .map(|(info, link)| LinkView {
                    info,
                    sent_bytes: link.sent,
                    round_trip: link.pings.round_trip(),
                })
                .collect(),
            sent: table.messages(),
            received: self.receipts.messages(),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
            frames: frames.pushed,
            acknowledged: frames.acknowledged,
            kept: frames.kept,
            kept_bytes: queued.all,
            unsent_bytes: table.unsent(),
            window_bytes: self.bounds.high,
            calls: self.calls.count(),
            answering: self.answering.load(Ordering::Relaxed),
        }
    }

    /// The peer.
    pub(crate) fn node_id(&self) -> NodeId {
        self.node_id.load(Ordering::Relaxed)
    }

    /// The peer is known by another number from here on.
    pub(crate) fn rename(&self, node_id: NodeId) {
        self.node_id.store(node_id, Ordering::Relaxed);
        locked(&self.table).rename(node_id);
    }

    /// A number that no other session has.
    pub(crate) fn session(&self) -> u64 {
        self.session
    }

    /// As [`LinkTable::begin`].
    pub(crate) fn begin(&self, link: Link) -> LinkInfo {
        locked(&self.table).begin(link)
    }

    /// Where the links prove the peer to be.
    pub(crate) fn locality(&self) -> Locality {
        locked(&self.table).locality()
    }

    /// Whether there is something to be told.
    pub(crate) fn has_news(&self) -> bool {
        locked(&self.table).has_news()
    }

    /// What has happened since it was asked last.
    pub(crate) fn take_news(&self) -> Vec<PeerEvent> {
        locked(&self.table).take_news()
    }

    /// The links, for applications.
    pub(crate) fn infos(&self) -> Vec<LinkInfo> {
        locked(&self.table).infos()
    }

    /// How long a link may take nothing of what waits for it.
    pub(crate) fn write_deadline(&self) -> Option<Duration> {
        Some(self.bounds.write_deadline).filter(|deadline| !deadline.is_zero())
    }

    /// All links, the cheapest first.
    pub(crate) fn links(&self) -> Vec<(TransportKind, ActorRef<SessionMessage>)> {
        locked(&self.table).links().map(|link| (link.kind, link.actor.clone())).collect()
    }

    /// As [`LinkTable::pinged`].
    pub(crate) fn pinged(&self, actor: ActorId, at: Duration) {
        locked(&self.table).pinged(actor, at);
    }

    /// As [`LinkTable::ponged`].
    pub(crate) fn ponged(&self, at: Duration, now: Duration) {
        locked(&self.table).ponged(at, now);
    }

    /// The kind of the link whose actor this is.
    pub(crate) fn kind_of(&self, actor: ActorId) -> Option<TransportKind> {
        locked(&self.table).link(actor).map(|link| link.kind)
    }

    /// The actor of any link that lives.
    pub(crate) fn any(&self) -> Option<ActorRef<SessionMessage>> {
        locked(&self.table).any().map(|link| link.actor.clone())
    }

    /// Has the writer of the link whose actor this is take from the lanes that go by it.
    pub(crate) fn supply(self: &Arc<Self>, actor: ActorId, writer: &LinkWriter) {
        if let Some(deadline) = self.write_deadline() {
            writer.set_deadline(deadline);
        }
        writer.join(self.lanes_of(actor), self.bounds.busy_poll);
    }

    /// The lanes that go by the link whose actor this is.
    pub(super) fn lanes_of(self: &Arc<Self>, actor: ActorId) -> LanesOfLink {
        LanesOfLink { traffic: Arc::downgrade(self), link: actor }
    }

    /// As [`LinkTable::serve`].
    pub(crate) fn serve(self: &Arc<Self>, actor: ActorId, writer: &Arc<LinkWriter>) {
        locked(&self.table).serve(actor, writer.clone());
        // Messages that were sent meanwhile have found no writer.
        self.supply(actor, writer);
        self.acknowledge(false);
    }

    /// As [`LinkTable::add`].
    pub(crate) fn add(&self, link: Link) {
        let pushes = locked(&self.table).add(link);
        pushes.into_iter().for_each(PendingFlush::on);
    }

    /// As [`LinkTable::remove`].
    pub(crate) fn remove(&self, actor: ActorId) -> Option<Lost> {
        let (link, pushes, stuck) = {
            let mut table = locked(&self.table);
            let (link, pushes) = table.remove(actor)?;
            (link, pushes, table.stuck())
        };
        if stuck.is_some() {
            return Some(Lost { kind: link.kind, stuck });
        }
        pushes.into_iter().for_each(PendingFlush::on);
        // What the peer was told by this link it may not have got. It may wait for just that.
        self.receipts.ask_all();
        self.acknowledge(false);
        Some(Lost { kind: link.kind, stuck })
    }

    /// Ends the links of a kind; their ends are events.
    pub(crate) fn close(&self, kind: TransportKind) {
        locked(&self.table).close(kind);
    }

    /// Messages that the peer has not acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        locked(&self.table).unacknowledged()
    }

    /// As [`LinkTable::pin_node`].
    pub(crate) fn pin_node(&self, preference: Preference) {
        locked(&self.table).pin_node(preference);
    }

    /// As [`LinkTable::pin_actor`].
    pub(crate) fn pin_actor(&self, pid: u64, preference: Preference, urgent: bool) {
        locked(&self.table).pin_actor(pid, preference, urgent);
    }

    /// As [`LinkTable::preference_of`].
    pub(super) fn preference_of(&self, pid: u64) -> TransportPreference {
        locked(&self.table).preference_of(pid)
    }

    /// As [`LinkTable::gate`].
    pub(crate) fn gate(&self, pid: u64, proxy: ActorCell) {
        locked(&self.table).gate(pid, proxy);
    }

    /// An actor of the peer has ended.
    pub(crate) fn forget(&self, pid: u64) {
        locked(&self.table).forget(pid);
    }

    /// The peer takes frames of up to so many bytes.
    pub(crate) fn set_max_frame(&self, bytes: u64) {
        self.frame_bound.set(bytes);
    }

    /// As [`LinkTable::finish`].
    pub(crate) fn finish(&self) {
        let pushes = locked(&self.table).finish();
        pushes.into_iter().for_each(PendingFlush::on);
    }

    /// As [`LinkTable::take_slots`].
    pub(crate) fn take_slots(&self) {
        locked(&self.table).take_slots();
    }

    /// The bytes of the largest frame that this node takes.
    pub(super) fn max_inbound(&self) -> usize {
        self.bounds.max_inbound
    }

    /// Whether messages to an actor are taken, or there is no use in waiting.
    #[inline]
    pub(crate) fn has_room(&self, pid: u64) -> bool {
        self.room.is_there(Share::Much) || self.has_room_for_few(pid)
    }

    #[cold]
    fn has_room_for_few(&self, pid: u64) -> bool {
        (self.room.is_there(Share::Few) && !locked(&self.table).is_sent_much(pid))
            || self.has_ended()
    }

    /// When there is room, or the session has ended, or `closed` was set and those who wait were
    /// [woken](Self::wake_waiting).
    pub(crate) async fn room(&self, pid: u64, closed: &AtomicBool) {
        self.room.until(|| self.has_room(pid) || closed.load(Ordering::Acquire)).await;
    }

    /// Resolves when there may be room, or the session has ended, or those who wait were
    /// [woken](Self::wake_waiting).
    pub(super) fn more_room(&self) -> Notified<'_> {
        self.room.more()
    }

    /// Has the senders that wait for room look again.
    pub(super) fn wake_waiting(&self) {
        self.room.wake_waiting();
    }

    /// Whether an answer is taken, although messages may not be.
    pub(crate) fn takes_answers(&self) -> bool {
        !self.has_ended() && self.room.takes_answers(locked(&self.table).queued())
    }

    /// So many bytes wait for a stock node, as long as it is held.
    pub(crate) fn load(self: &Arc<Self>, bytes: usize) -> ByteReservation {
        let table = locked(&self.table);
        self.room.load(bytes, table.queued());
        drop(table);
        ByteReservation { traffic: self.clone(), bytes }
    }

    /// Whether acknowledgements are to be seen to before the turn of reading is over.
    pub(super) fn is_filling(&self) -> bool {
        self.room.is_filling()
    }

    /// The peer has what went by the lane up to this number. Returns whether there is something to
    /// be told.
    pub(super) fn acknowledged(&self, lane: u32, last: u64) -> Result<bool, LaneError> {
        let (push, has_news) = {
            let mut table = locked(&self.table);
            let push = table.acknowledged(lane, last)?;
            self.room.mark(table.queued());
            (push, table.has_news())
        };
        push.on();
        Ok(has_news)
    }

    /// Sends the acknowledgements that are due; with `all`, wherever there is news.
    pub(crate) fn acknowledge(&self, all: bool) {
        // Where no link leads back, it stays due until one does.
        if !locked(&self.table).has_way_back() {
            return;
        }
        for (lane, acknowledged) in self.receipts.take_due(all) {
            // A link that has gone meanwhile has everything told anew.
            let Some(way) = locked(&self.table).way_back(lane) else { return };
            let frame = FrameBody::Acknowledgement(Acknowledgement { lane, acknowledged });
            way.send(frame.encoded());
        }
    }

    /// Actors of this node have been announced: the peer may send to them.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// The session has ended: calls in flight fail, and nothing more is sent.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.calls.end();
        self.credits.end();
        self.room.wake_waiting();
        self.backlog.close();
        let left = locked(&self.table).end();
        drop(left);
    }

    /// Whether frames have to wait for the session's actor.
    pub(super) fn is_diverted(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// What waits for the session's actor.
    pub(crate) fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// The session's actor has handled a frame of so many bytes. It may be acknowledged from
    /// here on.
    pub(crate) fn handled(&self, place: Place, bytes: usize) {
        if self.receipts.handled(place, bytes) {
            self.acknowledge(false);
        }
    }
}

/// The lanes of a session, as far as they go by one of its links.
#[derive(Debug)]
pub(crate) struct LanesOfLink {
    traffic: Weak<DataPlane>,
    link: ActorId,
}

impl FrameSource for LanesOfLink {
    type Reservation = ByteReservation;

    fn transmit(&self, take: impl FnMut(Chunk) -> bool) {
        // Of a session that has ended nothing more is sent.
        if let Some(traffic) = self.traffic.upgrade() {
            locked(&traffic.table).transmit(self.link, take);
        }
    }
}

/// Bytes that wait for a stock node, as long as it is held.
#[derive(Debug)]
pub(crate) struct ByteReservation {
    traffic: Arc<DataPlane>,
    bytes: usize,
}

impl Drop for ByteReservation {
    fn drop(&mut self) {
        let table = locked(&self.traffic.table);
        self.traffic.room.unload(self.bytes, table.queued());
    }
}
