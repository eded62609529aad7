//! A reader: notes what it handles.

use std::sync::atomic::{AtomicU64, Ordering};

use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::message::Shared;
use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr, pg};

use super::crew::{GROUP, READERS, Start, reader_name};
use super::message::{SoakMessage, payload};
use super::record::Record;

/// Reads without a copy where it is given an `Arc`.
struct Reader {
    index: u64,
    handled: AtomicU64,
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
}

impl Room {
    fn config(self) -> ActorConfig {
        let config = ActorConfig::default();
        match self {
            Self::Enough => config,
            Self::Little => config.with_mailbox(Mailbox::bounded(24, Overflow::Reject)),
        }
    }
}

/// Starts the readers of a process, with room by their index, and lets them join the group.
///
/// # Errors
/// A reader does not start.
pub(crate) async fn start(start: &Start, room: impl Fn(u64) -> Room) -> Result<(), SpawnErr> {
    for index in 0..READERS {
        let name = reader_name(&start.name, index, start.incarnation);
        let reader = Reader { index, handled: AtomicU64::new(0) };
        let config = room(index).config();
        let (reader, _) = Actor::spawn_with_config(Some(name), reader, (), config).await?;
        pg::join(GROUP.to_owned(), vec![reader.get_cell()]);
    }
    Ok(())
}
