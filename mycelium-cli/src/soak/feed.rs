//! A feed: sends to all readers, and notes what it is about to do, and the outcome of
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::errors::UndeliveredCause;
use ractor::rpc::CallResult;
use ractor::{ActorCell, ActorId, ActorRef, ActorStatus, MessagingErr, pg};
use ractor_cluster::peers::{self, PeerEvent};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::caller;
use super::cluster;
use super::crew::{GROUP, Order};
use super::message::{SoakMessage, payload};
use super::record::{Record, Refusal};

/// Between two messages to everybody.
const PACE: Duration = Duration::from_millis(5);

/// Now and then so many go at once.
const BURST: u64 = 64;

/// How long a reader may take to say that it has handled all.
const FLUSHING: Duration = Duration::from_secs(60);

/// Those of the readers that this feed sends to, for [`pg::broadcast_arc`].
const TARGETS: &str = "mycelium-soak targets";

/// One incarnation of a feed.
pub(crate) struct Feed {
    incarnation: u64,
    random: StdRng,
    number: u64,
    next_slot: u64,
    targets: BTreeMap<u64, ActorRef<SoakMessage>>,
    events: broadcast::Receiver<PeerEvent>,
}

impl Feed {
    pub(crate) fn new(incarnation: u64, seed: u64) -> Self {
        Self {
            incarnation,
            random: StdRng::seed_from_u64(seed ^ incarnation),
            number: 0,
            next_slot: 0,
            targets: BTreeMap::new(),
            events: peers::events(),
        }
    }

    /// Sends until it is told to finish, and then waits for the end of its orders.
    pub(crate) async fn run(mut self, calls: &[String], orders: &mut UnboundedReceiver<Order>) {
        let mut calls = caller::begin(calls);
        let mut pace = interval(PACE);
        // One that was stopped does not make up for it.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sending = true;
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    None => break,
                    // It is for outsiders.
                    Some(Order::Target { .. }) => {}
                    Some(Order::CloseLink { peer }) => cluster::close_link(&peer),
                    Some(Order::Finish) => {
                        sending = false;
                        calls.shutdown().await;
                        self.flush().await;
                        Record::Finished.note();
                    }
                },
                _ = pace.tick() => {
                    self.note_ends();
                    if sending {
                        self.look_for_readers();
                        let count = if self.random.random_ratio(1, 50) { BURST } else { 1 };
                        (0..count).for_each(|_| self.send());
                    }
                }
            }
        }
        self.note_ends();
    }

    /// Finds out who is there. Two sessions may lead to a reader while one of them ends: then the
    /// newer counts.
    fn look_for_readers(&mut self) {
        let mut found: BTreeMap<String, ActorCell> = BTreeMap::new();
        for cell in pg::get_members(&GROUP.to_owned()) {
            let Some(name) = cell.get_name() else { continue };
            let newer = |before: &ActorCell| session(before.get_id()) > session(cell.get_id());
            if !found.get(&name).is_some_and(newer) {
                found.insert(name, cell);
            }
        }
        self.targets.retain(|slot, target| {
            let there = target.get_name().and_then(|name| found.get(&name));
            let stays = there.is_some_and(|cell| cell.get_id() == target.get_id());
            if !stays {
                pg::leave(TARGETS.to_owned(), vec![target.get_cell()]);
                Record::Left { slot: *slot }.note();
            }
            stays
        });
        for (reader, cell) in found {
            if self.targets.values().any(|target| target.get_id() == cell.get_id()) {
                continue;
            }
            let (slot, session) = (self.next_slot, session(cell.get_id()));
            self.next_slot += 1;
            Record::Found { slot, session, reader }.note();
            pg::join(TARGETS.to_owned(), vec![cell.clone()]);
            self.targets.insert(slot, cell.into());
        }
    }

    /// Sends one message to all, by one of the ways that there are.
    fn send(&mut self) {
        let number = self.number;
        self.number += 1;
        let bytes = match self.random.random_range(0..512) {
            0 => self.random.random_range(0..200_000),
            1..32 => self.random.random_range(0..8_192),
            _ => self.random.random_range(0..256),
        };
        let content = payload(self.incarnation, number, bytes);
        let tick = || SoakMessage::Tick(self.incarnation, number, content.clone());
        Record::Sending { number }.note();
        let refused = match number % 3 {
            0 => self.each(|target| target.cast(tick()).map_err(|error| (&error).into())),
            1 => {
                let tick = Arc::new(tick());
                self.each(|to| to.cast_arc(tick.clone()).map_err(|it| it.reason().into()))
            }
            _ => self.broadcast(tick()),
        };
        Record::Sent { number, refused }.note();
    }

    fn each(
        &self,
        send: impl Fn(&ActorRef<SoakMessage>) -> Result<(), UndeliveredCause>,
    ) -> Vec<(u64, Refusal)> {
        let refusal = |(slot, target): (&u64, &ActorRef<SoakMessage>)| {
            Some((*slot, Refusal::Rejected(send(target).err()?.name().to_owned())))
        };
        self.targets.iter().filter_map(refusal).collect()
    }

    fn broadcast(&self, tick: SoakMessage) -> Vec<(u64, Refusal)> {
        let report = pg::broadcast_arc(&TARGETS.to_owned(), Arc::new(tick));
        let failed = report.failed();
        // A reader that stops leaves the group: one that is not in it now may have been left out.
        let whole = report.delivered() + failed.len() == self.targets.len();
        let members = if whole { Vec::new() } else { pg::get_members(&TARGETS.to_owned()) };
        let refusal = |(slot, target): (&u64, &ActorRef<SoakMessage>)| {
            let id = target.get_id();
            if let Some((_, reason)) = failed.iter().find(|(cell, _)| cell.get_id() == id) {
                return Some((*slot, Refusal::Rejected(reason.name().to_owned())));
            }
            let left = !whole && members.iter().all(|cell| cell.get_id() != id);
            left.then_some((*slot, Refusal::Left))
        };
        self.targets.iter().filter_map(refusal).collect()
    }

    /// Notes what sessions reported at their ends.
    fn note_ends(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(PeerEvent::Gone { node_id, unacknowledged }) => {
                    let unacknowledged = unacknowledged.unwrap_or_default() as u64;
                    Record::Gone { session: node_id, unacknowledged }.note();
                }
                // Ends that were missed leave messages unexplained, and the soak fails.
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Waits until all readers have handled what they were sent, or are gone, or take too long.
    async fn flush(&self) {
        let mut flushing = JoinSet::new();
        for (slot, target) in &self.targets {
            let (slot, target) = (*slot, target.clone());
            flushing.spawn(async move {
                let flushed = async {
                    loop {
                        match target.call(SoakMessage::Flush, None).await {
                            Ok(CallResult::Success(_)) => return true,
                            // Its mailbox is full, here or there, or its session ends, and it with
                            // that.
                            Err(MessagingErr::SendErr(_)) | Ok(CallResult::SenderError)
                                if target.get_status() == ActorStatus::Running =>
                            {
                                sleep(PACE).await;
                            }
                            Ok(_) | Err(_) => return false,
                        }
                    }
                };
                if timeout(FLUSHING, flushed).await == Ok(true) {
                    Record::Flushed { slot }.note();
                }
            });
        }
        while flushing.join_next().await.is_some() {}
    }
}

/// The session that leads to an actor.
pub(super) fn session(actor: ActorId) -> u64 {
    match actor {
        ActorId::Local(_) => 0,
        ActorId::Remote { node_id, .. } | ActorId::LocalMachine { node_id, .. } => node_id,
    }
}
