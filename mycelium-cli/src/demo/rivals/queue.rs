//! Tasks with bare queues.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::demo::reader::{ReaderReport, ReaderState};
use crate::demo::tick::Tick;

enum Message {
    Tick(Arc<(Tick, Bytes)>),
    Report(oneshot::Sender<ReaderReport>),
}

/// The ways to the tasks, which end when these are dropped.
pub(crate) struct Readers(Vec<UnboundedSender<Message>>);

impl Readers {
    pub(super) fn start(states: Vec<ReaderState>) -> Self {
        let readers = states.into_iter().map(|mut state| {
            let (sender, mut messages) = unbounded_channel();
            tokio::spawn(async move {
                while let Some(message) = messages.recv().await {
                    match message {
                        Message::Tick(tick) => state.read(&tick.0, &tick.1),
                        // The caller may have given up.
                        Message::Report(reply) => _ = reply.send(state.report()),
                    }
                }
            });
            sender
        });
        Self(readers.collect())
    }

    pub(super) fn send(&self, tick: Tick, payload: Bytes) -> usize {
        let tick = Arc::new((tick, payload));
        self.0.iter().filter(|reader| reader.send(Message::Tick(tick.clone())).is_ok()).count()
    }

    pub(super) fn ask(&self) -> Vec<oneshot::Receiver<ReaderReport>> {
        let ask = |reader: &UnboundedSender<Message>| {
            let (reply, answer) = oneshot::channel();
            // Without a reader the reply is dropped, and the answer says so.
            _ = reader.send(Message::Report(reply));
            answer
        };
        self.0.iter().map(ask).collect()
    }
}
