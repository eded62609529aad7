//! Where the answer to a call goes.

use std::fmt;
#[cfg(feature = "cluster")]
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::concurrency::{Duration, OneshotSender};
#[cfg(feature = "cluster")]
use crate::remoting::EncodedReply;
use crate::MessagingErr;

#[cfg(feature = "cluster")]
#[path = "reply/bridge.rs"]
mod bridge;
#[cfg(feature = "cluster")]
#[path = "reply/deadline.rs"]
mod deadline;

/// Where the answer to a call goes, once.
///
/// A port that is dropped tells its caller that there will be no answer.
pub struct RpcReplyPort<TMsg> {
    port: Port<TMsg>,
}

enum Port<T> {
    /// To a caller that waits in this process.
    Oneshot(OneshotSender<T>, Option<Duration>),
    /// To whatever is behind it. Knows its own time, so that messages with a port are no larger for
    /// it.
    #[cfg(feature = "cluster")]
    Sink(Box<dyn ReplySink<T>>),
}

/// Where a reply port passes its answer on, other than to a caller that waits in this process; it
/// is dropped when there will be none. For the cluster.
#[cfg(feature = "cluster")]
pub trait ReplySink<T>: Send + Sync + UnwindSafe + RefUnwindSafe {
    /// Takes the answer.
    ///
    /// # Errors
    /// The caller does not wait any more: [`MessagingErr::SendErr`] gives it back, and
    /// [`MessagingErr::ChannelClosed`] is where it cannot.
    fn send(self: Box<Self>, answer: T) -> Result<(), MessagingErr<T>>;

    /// Takes an answer that is encoded, where answers are bytes. A sink that implements it does not
    /// copy the answer's large end.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    fn send_encoded(self: Box<Self>, answer: EncodedReply) -> Result<(), MessagingErr<EncodedReply>>
    where
        T: From<EncodedReply> + Into<EncodedReply>,
    {
        self.send(answer.into()).map_err(|unsent| unsent.map(T::into))
    }

    /// Whether no caller waits for it any more: the caller is gone, or its time is over.
    fn is_closed(&self) -> bool;

    /// How long the caller waits in all, if it said so. The sink closes when that is over.
    fn timeout(&self) -> Option<Duration>;
}

impl<TMsg> RpcReplyPort<TMsg> {
    /// How long the caller waits in all, from when it called; `None` when it did not say.
    pub fn get_timeout(&self) -> Option<Duration> {
        match &self.port {
            Port::Oneshot(_, timeout) => *timeout,
            #[cfg(feature = "cluster")]
            Port::Sink(sink) => sink.timeout(),
        }
    }

    /// Sends the answer. A port takes one.
    ///
    /// # Errors
    /// The caller does not wait any more: [`MessagingErr::SendErr`] gives it back. An answer for
    /// another node that cannot be encoded is [`MessagingErr::ChannelClosed`].
    pub fn send(self, msg: TMsg) -> Result<(), MessagingErr<TMsg>> {
        match self.port {
            Port::Oneshot(sender, _) => sender.send(msg).map_err(MessagingErr::SendErr),
            #[cfg(feature = "cluster")]
            Port::Sink(sink) => sink.send(msg),
        }
    }

    /// Whether the caller does not wait any more.
    pub fn is_closed(&self) -> bool {
        match &self.port {
            Port::Oneshot(sender, _) => sender.is_closed(),
            #[cfg(feature = "cluster")]
            Port::Sink(sink) => sink.is_closed(),
        }
    }

    /// A port whose answer goes into `sink`. For the cluster.
    #[cfg(feature = "cluster")]
    pub fn from_sink(sink: Box<dyn ReplySink<TMsg>>) -> Self {
        Self { port: Port::Sink(sink) }
    }

    /// Whether a caller of this process waits at its other end, and not a [`ReplySink`].
    #[cfg(feature = "cluster")]
    pub(crate) fn is_channel(&self) -> bool {
        matches!(self.port, Port::Oneshot(..))
    }
}

#[cfg(feature = "cluster")]
impl RpcReplyPort<Vec<u8>> {
    /// Sends an answer that is encoded, without a copy of its large end where the port leads to
    /// another node. For the cluster.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_encoded(self, answer: EncodedReply) -> Result<(), MessagingErr<EncodedReply>> {
        match self.port {
            Port::Oneshot(sender, _) => sender
                .send(answer.into())
                .map_err(|answer| MessagingErr::SendErr(EncodedReply::from(answer))),
            Port::Sink(sink) => sink.send_encoded(answer),
        }
    }
}

impl<TMsg> From<OneshotSender<TMsg>> for RpcReplyPort<TMsg> {
    fn from(sender: OneshotSender<TMsg>) -> Self {
        Self { port: Port::Oneshot(sender, None) }
    }
}

impl<TMsg> From<(OneshotSender<TMsg>, Duration)> for RpcReplyPort<TMsg> {
    fn from((sender, timeout): (OneshotSender<TMsg>, Duration)) -> Self {
        Self { port: Port::Oneshot(sender, Some(timeout)) }
    }
}

impl<TMsg: fmt::Debug> fmt::Debug for RpcReplyPort<TMsg> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcReplyPort")
            .field("timeout", &self.get_timeout())
            .field("is_closed", &self.is_closed())
            .finish()
    }
}
