//! Actors of stock ractor, in a process group.

use bytes::Bytes;
use stock_ractor::{Actor, ActorProcessingErr, ActorRef, pg};
use tokio::sync::oneshot;

use crate::demo::reader::{ReaderReport, ReaderState};
use crate::demo::tick::Tick;

/// Their group, in stock's own registry of groups.
const GROUP: &str = "mycelium-demo stock readers";

// As the fork's message is.
#[allow(clippy::large_enum_variant)]
enum Message {
    Tick(Tick, Bytes),
    Report(oneshot::Sender<ReaderReport>),
}

struct Reader;

impl Actor for Reader {
    type Msg = Message;
    type State = ReaderState;
    type Arguments = ReaderState;

    async fn pre_start(
        &self,
        _: ActorRef<Message>,
        state: ReaderState,
    ) -> Result<ReaderState, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut ReaderState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Tick(tick, payload) => state.read(&tick, &payload),
            // The caller may have given up.
            Message::Report(reply) => _ = reply.send(state.report()),
        }
        Ok(())
    }
}

/// The actors, which stop when these are dropped.
pub(crate) struct Readers(Vec<ActorRef<Message>>);

impl Readers {
    pub(super) async fn start(states: Vec<ReaderState>) -> Result<Self, String> {
        let mut readers = Self(Vec::new());
        for state in states {
            let (reader, _) = Actor::spawn(None, Reader, state)
                .await
                .map_err(|error| format!("a reader of stock ractor does not start: {error}"))?;
            pg::join(GROUP.to_owned(), vec![reader.get_cell()]);
            readers.0.push(reader);
        }
        Ok(readers)
    }

    /// As an application does it with stock: a clone for each member of the group.
    pub(super) fn send(&self, tick: &Tick, payload: &Bytes) -> usize {
        let members = pg::get_members(&GROUP.to_owned());
        let send = |member: &stock_ractor::ActorCell| {
            member.send_message(Message::Tick(tick.clone(), payload.clone())).is_ok()
        };
        members.iter().filter(|member| send(member)).count()
    }

    pub(super) fn ask(&self) -> Vec<oneshot::Receiver<ReaderReport>> {
        let ask = |reader: &ActorRef<Message>| {
            let (reply, answer) = oneshot::channel();
            // Without an actor the reply is dropped, and the answer says so.
            _ = reader.cast(Message::Report(reply));
            answer
        };
        self.0.iter().map(ask).collect()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.0.iter().for_each(|reader| reader.stop(None));
    }
}
