//! Answers that go to another node, or come from one: converted where they pass, by nobody's task.

use std::panic::{catch_unwind, AssertUnwindSafe};

use super::{ReplySink, RpcReplyPort};
use crate::concurrency::Duration;
use crate::{BytesConvertable, MessagingErr};

impl<T: BytesConvertable + Send + 'static> RpcReplyPort<T> {
    /// The port for the answer's bytes, out of which the answer is decoded when they come.
    ///
    /// Bytes that are not of the type are logged, and the caller hears that there will be no answer.
    pub fn into_serialized(self) -> RpcReplyPort<Vec<u8>> {
        RpcReplyPort::from_sink(Box::new(Decoding(AssertUnwindSafe(self))))
    }

    /// The port for the answer, out of that for its bytes, to which it is encoded when it is sent.
    pub fn from_serialized(port: RpcReplyPort<Vec<u8>>) -> Self {
        RpcReplyPort::from_sink(Box::new(Encoding(AssertUnwindSafe(port))))
    }
}

/// A port is used up when it is sent to: a panic leaves none that is half changed.
struct Decoding<T>(AssertUnwindSafe<RpcReplyPort<T>>);

struct Encoding(AssertUnwindSafe<RpcReplyPort<Vec<u8>>>);

/// What came out of the application's code, if it did not panic.
fn convert<T, U>(convert: fn(T) -> U, it: T) -> Option<U> {
    catch_unwind(AssertUnwindSafe(|| convert(it))).ok()
}

impl<T: BytesConvertable + Send + 'static> ReplySink<Vec<u8>> for Decoding<T> {
    fn send(self: Box<Self>, answer: Vec<u8>) -> Result<(), MessagingErr<Vec<u8>>> {
        let AssertUnwindSafe(port) = self.0;
        if port.is_closed() {
            return Err(MessagingErr::SendErr(answer));
        }
        let Some(answer) = convert(T::from_bytes, answer) else {
            let of = std::any::type_name::<T>();
            tracing::warn!("Dropping an answer from another node that is no {of}");
            return Err(MessagingErr::ChannelClosed);
        };
        port.send(answer).map_err(|unsent| match unsent {
            MessagingErr::SendErr(answer) => convert(T::into_bytes, answer)
                .map_or(MessagingErr::ChannelClosed, MessagingErr::SendErr),
            _ => MessagingErr::ChannelClosed,
        })
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn timeout(&self) -> Option<Duration> {
        self.0.get_timeout()
    }
}

impl<T: BytesConvertable + Send + 'static> ReplySink<T> for Encoding {
    fn send(self: Box<Self>, answer: T) -> Result<(), MessagingErr<T>> {
        let AssertUnwindSafe(port) = self.0;
        if port.is_closed() {
            return Err(MessagingErr::SendErr(answer));
        }
        let Some(answer) = convert(T::into_bytes, answer) else {
            let of = std::any::type_name::<T>();
            tracing::warn!("Dropping an answer for another node: converting a {of} panicked");
            return Err(MessagingErr::ChannelClosed);
        };
        port.send(answer).map_err(|unsent| match unsent {
            MessagingErr::SendErr(answer) => convert(T::from_bytes, answer)
                .map_or(MessagingErr::ChannelClosed, MessagingErr::SendErr),
            _ => MessagingErr::ChannelClosed,
        })
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn timeout(&self) -> Option<Duration> {
        self.0.get_timeout()
    }
}
