//! Converts answers that go to another node, or come from one, where they pass. Takes no task for
//! it.
//!
//! A bridge closes when the time of its call is over. The call's time begins when the bridge is
//! made.

use std::panic::{catch_unwind, AssertUnwindSafe};

use super::{ReplySink, RpcReplyPort};
use crate::concurrency::{Duration, Instant};
use crate::dead_letters::{self, DeadLetter};
use crate::errors::UndeliveredCause;
use crate::remoting::EncodedReply;
use crate::{BytesConvertable, MessagingErr};

impl<T: BytesConvertable + Send + 'static> RpcReplyPort<T> {
    /// The port for the answer's bytes. It decodes the answer when the bytes are sent.
    ///
    /// It closes when the time of the call ([`get_timeout`](Self::get_timeout)) has passed from now
    /// on. Bytes that are not of the type are taken (`send` returns `Ok`) and logged, and this port
    /// is dropped: its caller hears that there will be no answer.
    pub fn into_serialized(self) -> RpcReplyPort<Vec<u8>> {
        RpcReplyPort::from_sink(Box::new(Decoding(Bridge::to(self))))
    }

    /// The port for the answer, made of the port for its bytes. It encodes the answer when it is
    /// sent.
    ///
    /// It closes when the time of the call ([`get_timeout`](Self::get_timeout)) has passed from now
    /// on.
    pub fn from_serialized(port: RpcReplyPort<Vec<u8>>) -> Self {
        RpcReplyPort::from_sink(Box::new(Encoding(Bridge::to(port))))
    }
}

/// A port on the other side of a conversion, and the end of the call's time.
struct Bridge<T> {
    /// A port is used up when it is sent to: a panic leaves none that is half changed.
    port: AssertUnwindSafe<RpcReplyPort<T>>,
    /// `None` also when the port keeps its own time, and when the clock ends before.
    until: Option<Instant>,
}

impl<T> Bridge<T> {
    fn to(port: RpcReplyPort<T>) -> Self {
        // A sink keeps its own time.
        let limit = port.get_timeout().filter(|_| port.is_channel());
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        Self { port: AssertUnwindSafe(port), until }
    }

    fn is_closed(&self) -> bool {
        self.port.is_closed() || self.until.is_some_and(|until| Instant::now() >= until)
    }

    fn into_port(self) -> RpcReplyPort<T> {
        self.port.0
    }
}

struct Decoding<T>(Bridge<T>);

struct Encoding(Bridge<Vec<u8>>);

/// What came out of the application's code, if it did not panic.
fn convert<T, U>(convert: fn(T) -> U, it: T) -> Option<U> {
    catch_unwind(AssertUnwindSafe(|| convert(it))).ok()
}

impl<T: BytesConvertable + Send + 'static> ReplySink<Vec<u8>> for Decoding<T> {
    fn send(self: Box<Self>, answer: Vec<u8>) -> Result<(), MessagingErr<Vec<u8>>> {
        self.send_encoded(answer.into()).map_err(|unsent| unsent.map(Vec::from))
    }

    fn send_encoded(
        self: Box<Self>,
        answer: EncodedReply,
    ) -> Result<(), MessagingErr<EncodedReply>> {
        if self.0.is_closed() {
            return Err(MessagingErr::SendErr(answer));
        }
        let Some(answer) = convert(EncodedReply::read::<T>, answer) else {
            let of = std::any::type_name::<T>();
            let cause = UndeliveredCause::NotDecodable;
            dead_letters::post(|| DeadLetter::new(cause).with_message_type(of));
            let cause = cause.name();
            tracing::warn!(cause, "Dropping an answer from another node that is no {of}");
            return Ok(());
        };
        self.0.into_port().send(answer).map_err(|unsent| back(EncodedReply::of::<T>, unsent))
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn timeout(&self) -> Option<Duration> {
        self.0.port.get_timeout()
    }
}

impl<T: BytesConvertable + Send + 'static> ReplySink<T> for Encoding {
    fn send(self: Box<Self>, answer: T) -> Result<(), MessagingErr<T>> {
        if self.0.is_closed() {
            return Err(MessagingErr::SendErr(answer));
        }
        let Some(answer) = convert(EncodedReply::of::<T>, answer) else {
            let of = std::any::type_name::<T>();
            tracing::warn!("Dropping an answer for another node: converting a {of} panicked");
            return Err(MessagingErr::ChannelClosed);
        };
        let sent = self.0.into_port().send_encoded(answer);
        sent.map_err(|unsent| back(EncodedReply::read::<T>, unsent))
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn timeout(&self) -> Option<Duration> {
        self.0.port.get_timeout()
    }
}

/// An answer that was not taken, as its sender has it.
fn back<T, U>(conversion: fn(T) -> U, unsent: MessagingErr<T>) -> MessagingErr<U> {
    match unsent {
        MessagingErr::SendErr(answer) => {
            convert(conversion, answer).map_or(MessagingErr::ChannelClosed, MessagingErr::SendErr)
        }
        _ => MessagingErr::ChannelClosed,
    }
}
