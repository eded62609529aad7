//! A reader: notes what it handles.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor::actor::actor_config::{ActorConfig, Conflate, Mailbox, Overflow};
use ractor::message::Shared;
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr, pg};

use super::crew::{CONFLATING, GROUP, READERS, Start, key, reader_name};
use super::message::{SoakMessage, payload};
use super::record::Record;

/// Reads without a copy where it is given an `Arc`.
struct Reader {
    index: u64,
    handled: AtomicU64,
    /// How often it was asked to flush.
    flushes: Arc<AtomicU64>,
}

impl Reader {
    fn read(&self, feed: u64, number: u64, content: &[u8]) {
        self.handled.fetch_add(1, Ordering::Relaxed);
        let whole = content == payload(feed, number, content.len());
        // What is noted is handled, and nothing else: a process is killed before or after.
        Record::Handled { reader: self.index, feed, number, whole }.note();
    }
}

impl Actor for Reader {
    type Msg = SoakMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<SoakMessage>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_arc(
        &self,
        _: ActorRef<SoakMessage>,
        message: Shared<SoakMessage>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SoakMessage::Tick(feed, number, content) = &*message {
            self.read(*feed, *number, content);
        }
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<SoakMessage>,
        message: SoakMessage,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SoakMessage::Tick(feed, number, content) => self.read(feed, number, &content),
            SoakMessage::Flush(reply) => {
                self.flushes.fetch_add(1, Ordering::Relaxed);
                // The caller may have given up.
                let _ = reply.send(self.handled.load(Ordering::Relaxed));
            }
        }
        Ok(())
    }
}

/// How many messages may wait for a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Enough,
    /// Fewer than a feed sends at once now and then; more are refused.
    Little,
    /// The latest of each key of a feed.
    Latest,
}

/// Ticks by feed and key.
struct ByKey;

impl Conflate for ByKey {
    type Message = SoakMessage;
    type Key = (u64, u64);

    fn key(message: &SoakMessage) -> Option<(u64, u64)> {
        match message {
            SoakMessage::Tick(feed, number, _) => Some((*feed, key(*number))),
            SoakMessage::Flush(_) => None,
        }
    }
}

impl Room {
    fn config(self) -> ActorConfig {
        let config = ActorConfig::default();
        match self {
            Self::Enough => config,
            Self::Little => config.with_mailbox(Mailbox::bounded(24, Overflow::Reject)),
            Self::Latest => config.with_mailbox(Mailbox::conflating::<ByKey>(24, Overflow::Reject)),
        }
    }
}

/// The readers of a process.
pub(crate) struct Readers(Vec<(ActorCell, Arc<AtomicU64>)>);

impl Readers {
    /// Starts them, with room by their index, and lets them join the group.
    ///
    /// # Errors
    /// A reader does not start.
    pub(crate) async fn start(start: &Start, room: impl Fn(u64) -> Room) -> Result<Self, SpawnErr> {
        let mut readers = Vec::new();
        for index in 0..READERS {
            let name = reader_name(&start.name, index, start.incarnation);
            let flushes = Arc::new(AtomicU64::new(0));
            let reader = Reader { index, handled: AtomicU64::new(0), flushes: flushes.clone() };
            let room = if index == CONFLATING { Room::Latest } else { room(index) };
            let (reader, _) =
                Actor::spawn_with_config(Some(name), reader, (), room.config()).await?;
            pg::join(GROUP.to_owned(), vec![reader.get_cell()]);
            readers.push((reader.get_cell(), flushes));
        }
        Ok(Self(readers))
    }

    /// The index of each, its number as an actor, and how often it was asked to flush.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        (0..).zip(&self.0).map(|(index, (reader, flushes))| {
            (index, reader.get_id().pid(), flushes.load(Ordering::Relaxed))
        })
    }

    /// Notes how many messages were replaced by later ones, in all.
    pub(crate) fn note_replaced(&self) {
        for (index, (reader, _)) in (0..).zip(&self.0) {
            let count = reader.replaced_messages();
            if count > 0 {
                Record::Replaced { reader: index, count }.note();
            }
        }
    }
}
