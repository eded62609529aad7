//! Who writes what a table of links is to send.

use std::sync::Arc;

use bytes::Bytes;

use crate::link::together;
use crate::link::writer::{FrameSource, LinkWriter};
use crate::transport::TransportKind;

/// What an acknowledgement goes by.
#[derive(Debug)]
pub(crate) struct WayBack<S: FrameSource> {
    pub(super) kind: TransportKind,
    pub(super) writer: Arc<LinkWriter<S>>,
}

impl<S: FrameSource> WayBack<S> {
    /// Sends a frame that need not be there at once.
    pub(crate) fn send(&self, frame: Bytes) {
        match self.kind {
            // To wake the peer is all that it costs there. What this node's actors answer may go
            // with it, if the task has it.
            TransportKind::SharedMemory => self.writer.send_together(frame),
            // The task's turn would come before those of the actors that something came for, who
            // would move to another thread.
            _ => self.writer.send_at_once(frame),
        }
    }
}

/// Who is to write what is to be sent, once the table is not locked any more.
#[must_use]
#[derive(Debug)]
pub(crate) struct PendingFlush<S: FrameSource> {
    pub(super) writer: Option<Arc<LinkWriter<S>>>,
    /// Much is waiting, and the task has had no turn.
    pub(super) is_behind: bool,
    /// The task is idle, and another one may write in its place.
    pub(super) joins: bool,
}

impl<S: FrameSource> PendingFlush<S> {
    #[inline]
    pub(crate) fn on(self) {
        if let Some(writer) = self.writer {
            Self::notify(writer, self.is_behind, self.joins);
        }
    }

    fn notify(writer: Arc<LinkWriter<S>>, is_behind: bool, joins: bool) {
        if joins {
            together::flush(&writer);
        } else if is_behind {
            writer.help(false);
        } else {
            writer.wake_task();
        }
    }

    /// Writes it without a turn of the task: something that the peer answers, or may follow by
    /// another call, and that nothing is expected to follow from here before.
    pub(crate) fn at_once(self) {
        if let Some(writer) = self.writer {
            writer.help(!self.is_behind);
        }
    }
}

/// No writer: there is nothing to write, or no link for it.
impl<S: FrameSource> Default for PendingFlush<S> {
    fn default() -> Self {
        Self { writer: None, is_behind: false, joins: false }
    }
}
