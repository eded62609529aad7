//! Per-session data plane. Senders append to a lane on their own thread. Readers deliver straight
//! to mailboxes. No actor is on the way.
//!
//! The session's actor handles control frames, and every frame that arrives behind a control frame
//! that it has not handled yet. To a stock node the data plane only bounds what waits.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ractor::actor::actor_config::TransportPreference;
use ractor::errors::UndeliveredReason;
use ractor::remoting::MAX_COPIES;
use ractor::{ActorCell, ActorId, ActorRef};
use tokio::sync::Notify;

use super::arrivals::Arrivals;
use super::backlog::{Backlog, Place};
use super::calls::Calls;
use super::dead_letters::{self, Cause};
use super::link_table::{known, Link, LinkTable, Lost, PendingFlush, ADAPTIVE};
use super::pieces;
use super::writer::LinkWriter;
use crate::net::SessionMessage;
use crate::node::DEFAULT_MAX_INBOUND_FRAME_SIZE;
use crate::peers::{LinkInfo, PeerEvent};
use crate::protocol::control::ControlMessage;
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::frame::Body as FrameBody;
use crate::protocol::mycelium::{Acknowledgement, Preference};
use crate::transport::Locality;
use crate::transport::{TransportKind, LANES};
use crate::NodeId;
use mycelium_link::codec::{What, MAX_TARGETS, TARGET};
use mycelium_link::lane::{Accepted, Chunk, Due, Inbound, LaneError, ACKNOWLEDGE_BYTES};

/// Takes a lock. Nothing that may panic is done with one held that would leave anything half
/// changed.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
}

impl Bounds {
    /// What has to be left of the bytes before messages are taken again.
    fn low(&self) -> usize {
        self.high / 2
    }

    /// From here on room is made as soon as it can be.
    fn filling(&self) -> usize {
        self.high / 4
    }

    /// Bound of the answers, which are taken beyond the mark: their sender cannot try again.
    fn answers(&self) -> usize {
        self.high.saturating_mul(2)
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct DataPlane {
    /// Of all the sessions that this process ever had.
    session: u64,
    node_id: AtomicU64,
    bounds: Bounds,
    table: Mutex<LinkTable>,
    pub(super) arrivals: Mutex<Arrivals>,
    /// What the peer is to be told that came, by lane.
    delivered: [AtomicU64; LANES],
    /// What it was told.
    told: [AtomicU64; LANES],
    pub(super) calls: Calls,
    /// Calls of the peer that wait for an answer of ours.
    pub(super) answering: AtomicUsize,
    /// Whether messages are refused until less waits.
    full: AtomicBool,
    /// Whether so much waits that the peer's acknowledgements shall not.
    filling: AtomicBool,
    room: Notify,
    ended: AtomicBool,
    /// The largest frame that the peer takes.
    max_frame: AtomicU64,
    /// Whether the log has told that the peer takes no larger ones.
    told_of_size: AtomicBool,
    /// The bytes that wait in queues of the session's actor and its connection, for a stock node.
    loaded: AtomicUsize,
    /// Whether actors of this node have been announced to the peer.
    open: AtomicBool,
    /// What came and waits for the session's actor. Whatever comes then waits for it too, which
    /// keeps the order.
    backlog: Arc<Backlog>,
}

impl DataPlane {
    pub(crate) fn new(node_id: NodeId, bounds: Bounds, backlog: Arc<Backlog>) -> Arc<Self> {
        // Less is never acknowledged before there is more.
        let bounds = Bounds { high: bounds.high.max(2 * ACKNOWLEDGE_BYTES), ..bounds };
        static SESSIONS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            session: SESSIONS.fetch_add(1, Ordering::Relaxed),
            node_id: AtomicU64::new(node_id),
            bounds,
            table: Mutex::new(LinkTable::new(node_id)),
            arrivals: Mutex::default(),
            delivered: Default::default(),
            told: Default::default(),
            calls: Calls::new(bounds.calls),
            answering: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            filling: AtomicBool::new(false),
            room: Notify::new(),
            ended: AtomicBool::new(false),
            max_frame: AtomicU64::new(DEFAULT_MAX_INBOUND_FRAME_SIZE),
            told_of_size: AtomicBool::new(false),
            loaded: AtomicUsize::new(0),
            open: AtomicBool::new(false),
            backlog,
        })
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

    /// For those who ask.
    pub(crate) fn infos(&self) -> Vec<LinkInfo> {
        locked(&self.table).infos()
    }

    /// How long a link may take nothing of what waits for it.
    pub(crate) fn write_deadline(&self) -> Option<Duration> {
        Some(self.bounds.write_deadline).filter(|deadline| !deadline.is_zero())
    }

    /// Whether a sender polls its link for an answer.
    pub(crate) fn busy_poll(&self) -> bool {
        self.bounds.busy_poll
    }

    /// All links, the cheapest first.
    pub(crate) fn links(&self) -> Vec<(TransportKind, ActorRef<SessionMessage>)> {
        locked(&self.table).links().map(|link| (link.kind, link.actor.clone())).collect()
    }

    /// The kind of the link whose actor this is.
    pub(crate) fn kind_of(&self, actor: ActorId) -> Option<TransportKind> {
        locked(&self.table).link(actor).map(|link| link.kind)
    }

    /// The actor of any link that lives.
    pub(crate) fn any(&self) -> Option<ActorRef<SessionMessage>> {
        locked(&self.table).any().map(|link| link.actor.clone())
    }

    /// As [`LinkTable::serve`].
    pub(crate) fn serve(self: &Arc<Self>, actor: ActorId, pump: &Arc<LinkWriter>) {
        locked(&self.table).serve(actor, pump.clone());
        // Messages that were sent meanwhile have found no writer.
        pump.join(self, actor);
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
        locked(&self.arrivals).ask_all();
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
    pub(crate) fn pin_actor(&self, pid: u64, preference: Preference) {
        locked(&self.table).pin_actor(pid, preference);
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
        self.max_frame.store(bytes, Ordering::Relaxed);
    }

    /// The bytes of the largest frame that the peer takes.
    pub(super) fn max_frame(&self) -> u64 {
        self.max_frame.load(Ordering::Relaxed)
    }

    /// Why a message is to go back to its sender that needs a frame of so many bytes, if it is.
    #[inline]
    pub(super) fn too_large(&self, size: usize) -> Option<UndeliveredReason> {
        let (size, bound) = (size as u64, self.max_frame());
        (size > bound).then(|| self.refuse_size(size, bound))
    }

    #[cold]
    fn refuse_size(&self, size: u64, bound: u64) -> UndeliveredReason {
        if !self.told_of_size.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                node_id = self.node_id(),
                size,
                bound,
                "a message is larger than the peer takes, and goes back to its sender, as all further ones do; \
                 `NodeServer::with_max_inbound_frame_size` raises the bound there"
            );
        }
        UndeliveredReason::TooLarge { size, bound }
    }

    /// Sends what is no message, by the lane for all links: in as many frames as the peer's bound
    /// makes it.
    pub(crate) fn control(&self, body: Body) {
        let left_out = pieces::of(body, self.max_frame(), |body| {
            self.put(|table| table.control(body, self.acknowledgement(ADAPTIVE))).on();
        });
        self.left_out(left_out);
    }

    /// Hands a message for a stock node to `send`, in as many pieces as the peer's bound makes it.
    pub(crate) fn in_pieces(&self, message: ControlMessage, mut send: impl FnMut(ControlMessage)) {
        let left_out = pieces::of(Body::Control(message), self.max_frame(), |body| {
            if let Body::Control(message) = body {
                send(message);
            }
        });
        self.left_out(left_out);
    }

    fn left_out(&self, announcements: usize) {
        for _ in 0..announcements {
            dead_letters::count(self.node_id(), Cause::AnnouncementTooLarge);
        }
    }

    /// Sends a message to an actor of the peer, by its lane.
    pub(super) fn message(&self, to: u64, what: What<'_>, args: (&[u8], Bytes)) -> PendingFlush {
        self.put(|table| {
            let lane = table.lane_of(to);
            table.message(lane, self.acknowledgement(lane), what, args)
        })
    }

    /// Why a message to so many actors of the peer is to go back to its sender, if it is. `size` is
    /// that of its frame without them.
    pub(super) fn too_large_for_all(
        &self,
        size: usize,
        actors: usize,
    ) -> Option<UndeliveredReason> {
        // The list goes in several frames, unless they would carry the same message again and
        // again.
        let is_list = size as u64 <= self.max_frame() / 2;
        self.too_large(size + TARGET * if is_list { 1 } else { actors })
    }

    /// How many actors a frame may go to that is of `size` bytes without them; at least one.
    /// Neither the peer's bound on frames, nor that on lists, nor that on the copies of one message
    /// is exceeded.
    fn most_targets(&self, size: usize) -> usize {
        let room = self.max_frame().saturating_sub(size as u64) / TARGET as u64;
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        room.min(MAX_COPIES / size.max(1)).clamp(1, MAX_TARGETS)
    }

    /// Sends a message to several actors of the peer: in a frame for each lane, as a rule. A long
    /// list, or one that repeats an actor, takes more frames.
    pub(super) fn message_to_all(
        &self,
        to: &[u64],
        (method, metadata): (&str, Option<&[u8]>),
        args: (&[u8], &Bytes),
    ) {
        let mut left = to.to_vec();
        // The peer refuses a list that repeats an actor.
        left.sort_unstable();
        let most = {
            let what = What::Many { to: &[], method, metadata };
            self.most_targets(what.room() + args.0.len() + args.1.len())
        };
        while let Some(first) = left.first().copied() {
            let push = self.put(|table| {
                let lane = table.lane_of(first);
                let (mut last, mut count) = (None, 0);
                // Nearly always there is one frame.
                let (now, later) = left.iter().partition::<Vec<u64>, _>(|pid| {
                    let is_now =
                        count < most && last != Some(**pid) && table.lane_of(**pid) == lane;
                    if is_now {
                        (last, count) = (Some(**pid), count + 1);
                    }
                    is_now
                });
                left = later;
                let (args, acknowledged) = ((args.0, args.1.clone()), self.acknowledgement(lane));
                let what = What::Many { to: &now, method, metadata };
                table.message(lane, acknowledged, what, args)
            });
            push.on();
        }
    }

    /// Answers a call of the peer; false when the session is over, or the peer takes no answers and
    /// so many wait that they are given up.
    pub(super) fn answer(&self, what: What<'_>, args: &[u8]) -> bool {
        if self.has_ended() {
            return false;
        }
        let mut is_given_up = false;
        let push = self.put(|table| {
            is_given_up = self.waiting(table) >= self.bounds.answers();
            if is_given_up {
                return PendingFlush::default();
            }
            table.message(ADAPTIVE, self.acknowledgement(ADAPTIVE), what, (args, Bytes::new()))
        });
        // While the peer waits for no other answer, none is sent with this one.
        if self.answering.load(Ordering::Relaxed) <= 1 {
            push.at_once();
        } else {
            push.on();
        }
        !is_given_up
    }

    /// Appends to a lane. Returns the writer to notify.
    fn put(&self, put: impl FnOnce(&mut LinkTable) -> PendingFlush) -> PendingFlush {
        let mut table = locked(&self.table);
        let push = put(&mut table);
        self.mark(&table);
        push
    }

    /// As [`LinkTable::transmit`].
    pub(super) fn transmit(&self, link: ActorId, take: impl FnMut(Chunk) -> bool) {
        locked(&self.table).transmit(link, take);
    }

    /// What the peer is told with a frame of this lane.
    fn acknowledgement(&self, lane: u32) -> u64 {
        let delivered = self.delivered[lane as usize].load(Ordering::Relaxed);
        self.told[lane as usize].fetch_max(delivered, Ordering::Relaxed);
        delivered
    }

    /// Whether messages are taken, or there is no use in waiting.
    pub(crate) fn has_room(&self) -> bool {
        !self.full.load(Ordering::Relaxed) || self.has_ended()
    }

    /// When there is room, or the session has ended, or `closed` was set and those who wait were
    /// [woken](Self::wake_waiting).
    pub(crate) async fn room(&self, closed: &AtomicBool) {
        loop {
            let mut more = std::pin::pin!(self.room.notified());
            more.as_mut().enable();
            if self.has_room() || closed.load(Ordering::Acquire) {
                return;
            }
            more.await;
        }
    }

    /// Has those who wait for room look again.
    pub(super) fn wake_waiting(&self) {
        self.room.notify_waiters();
    }

    /// The bytes that wait for the peer, or for its acknowledgement.
    fn waiting(&self, table: &LinkTable) -> usize {
        table.bytes() + self.loaded.load(Ordering::Relaxed)
    }

    /// Whether an answer is taken, although messages may not be.
    pub(crate) fn takes_answers(&self) -> bool {
        !self.has_ended() && self.waiting(&locked(&self.table)) < self.bounds.answers()
    }

    /// So many bytes wait for a stock node, as long as it is held.
    pub(crate) fn load(self: &Arc<Self>, bytes: usize) -> ByteReservation {
        self.move_load(|loaded| loaded + bytes);
        ByteReservation { traffic: self.clone(), bytes }
    }

    fn move_load(&self, by: impl FnOnce(usize) -> usize) {
        let table = locked(&self.table);
        // Only ever changed with the table locked.
        self.loaded.store(by(self.loaded.load(Ordering::Relaxed)), Ordering::Relaxed);
        self.mark(&table);
    }

    /// Moves the mark to what waits now.
    fn mark(&self, table: &LinkTable) {
        let bytes = self.waiting(table);
        self.filling.store(bytes >= self.bounds.filling(), Ordering::Relaxed);
        let full = self.full.load(Ordering::Relaxed);
        if !full && bytes >= self.bounds.high {
            self.full.store(true, Ordering::Relaxed);
        } else if full && bytes <= self.bounds.low() {
            self.full.store(false, Ordering::Relaxed);
            self.room.notify_waiters();
        }
    }

    /// Whether acknowledgements are to be seen to before the turn of reading is over, which may
    /// take as long as the peer goes on sending: answers to messages that were sent meanwhile, for
    /// example.
    pub(super) fn is_filling(&self) -> bool {
        self.filling.load(Ordering::Relaxed)
    }

    /// The peer has what went by the lane up to this number. Returns whether there is something to
    /// be told.
    pub(super) fn acknowledged(&self, lane: u32, last: u64) -> Result<bool, LaneError> {
        let (push, has_news) = {
            let mut table = locked(&self.table);
            let push = table.acknowledged(known(lane)?, last)?;
            self.mark(&table);
            (push, table.has_news())
        };
        push.on();
        Ok(has_news)
    }

    /// As [`Inbound::accept`], or [`Inbound::accept_unhandled`] of what waits; and when the peer is
    /// to be told that everything up to this frame came.
    pub(super) fn accept(
        &self,
        lane: u32,
        inbound: &mut Inbound,
        (sequence, bytes): (u64, usize),
        waits: bool,
    ) -> Result<(Accepted, Due), LaneError> {
        // Before this one, of which no frame of ours has told.
        inbound.told(self.told[lane as usize].load(Ordering::Relaxed));
        let accepted = match waits {
            true => inbound.accept_unhandled(sequence)?,
            false => inbound.accept(sequence, bytes)?,
        };
        self.delivered[lane as usize].store(inbound.last_handled(), Ordering::Relaxed);
        Ok((accepted, inbound.due()))
    }

    /// Tells the peer what came, where that is due; or wherever there is news.
    pub(crate) fn acknowledge(&self, all: bool) {
        let ways = locked(&self.table).ways_back();
        let told = std::array::from_fn(|lane| self.told[lane].load(Ordering::Relaxed));
        // Where no link leads back, it stays due until one does.
        let due = locked(&self.arrivals).due(told, all, |lane| ways[lane].is_some());
        for ((lane, acknowledged), way) in (0..).zip(due).zip(ways) {
            let (Some(acknowledged), Some(way)) = (acknowledged, way) else { continue };
            self.told[lane as usize].fetch_max(acknowledged, Ordering::Relaxed);
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
        self.room.notify_waiters();
        self.backlog.close();
        let left = locked(&self.table).end();
        drop(left);
    }

    /// Whether what comes has to wait for the session's actor.
    pub(super) fn is_diverted(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// What waits for the session's actor.
    pub(crate) fn backlog(&self) -> &Arc<Backlog> {
        &self.backlog
    }

    /// The session's actor has handled a frame of so many bytes, of which the peer may be told from
    /// here on.
    pub(crate) fn handled(&self, Place { lane, sequence, is_fence }: Place, bytes: usize) {
        let is_due = {
            let mut arrivals = locked(&self.arrivals);
            let inbound = arrivals.inbound(lane);
            inbound.told(self.told[lane as usize].load(Ordering::Relaxed));
            inbound.handled(sequence, bytes);
            if is_fence {
                inbound.ask();
            }
            self.delivered[lane as usize].store(inbound.last_handled(), Ordering::Relaxed);
            inbound.is_due()
        };
        if is_due {
            self.acknowledge(false);
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
        self.traffic.move_load(|loaded| loaded - self.bytes);
    }
}
