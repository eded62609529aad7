//! What the derives generate calls of. Not for anybody else.

use std::marker::PhantomData;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};

use super::{from_serialized, Incoming};
use crate::message::{ArcMessage, BoxedDowncastErr, SerializedMessage, SharedMessage};
use crate::{BytesConvertable, Message, RpcReplyPort};

/// [`Message::serialize`] by way of [`Message::into_outgoing`]. A port ends with the time of its
/// call, as in stock.
pub fn serialize<M: Message>(message: M) -> Result<SerializedMessage, BoxedDowncastErr> {
    let mut message = message.into_outgoing()?;
    message.reply = message.reply.map(RpcReplyPort::with_deadline);
    Ok(message.into_serialized())
}

/// [`Message::deserialize`] by way of [`Message::from_incoming`]. A port ends with the time of its
/// call, as in stock.
pub fn deserialize<M: Message>(message: SerializedMessage) -> Result<M, BoxedDowncastErr> {
    let mut message = from_serialized(message)?;
    // A sink of the cluster keeps its own time, and no call of a peer takes a task.
    message.reply = message.reply.map(|port| match port.is_channel() {
        true => port.with_deadline(),
        false => port,
    });
    message.read_back(M::from_incoming)
}

/// What `decode` makes; a panic of the application's code in there is an error too.
pub fn guarded<T>(
    decode: impl FnOnce() -> Result<T, BoxedDowncastErr>,
) -> Result<T, BoxedDowncastErr> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(BoxedDowncastErr))
}

/// The last field, which begins at `at`.
#[inline]
pub fn last<T: BytesConvertable>(mut args: Bytes, at: usize) -> T {
    args.advance(at);
    T::from_owned(args)
}

/// Tells whether `M` is shared, by the trait whose method the compiler finds first: the one of the
/// probe's reference, or that of the probe.
#[derive(Debug)]
pub struct Probe<M>(PhantomData<fn() -> M>);

impl<M> Probe<M> {
    /// The one there is.
    pub fn get() -> &'static Self {
        &Self(PhantomData)
    }
}

/// Of messages that are [`SharedMessage`].
pub trait Together<M> {
    /// The message, to be delivered to several actors; `None` when each has to decode its own.
    fn together(&self, incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>>;
}

/// Of all others.
pub trait OneByOne<M> {
    /// None: each actor has to decode its own.
    fn together(&self, incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>>;
}

impl<M: SharedMessage> Together<M> for Probe<M> {
    fn together(&self, incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
        if incoming.reply.is_some() || !M::arc_shareable() {
            return None;
        }
        match M::from_incoming(incoming) {
            Ok(message) if !M::is_shareable(&message) => None,
            decoded => Some(decoded.map(|message| ArcMessage::new(Arc::new(message)))),
        }
    }
}

impl<M: Message> OneByOne<M> for &Probe<M> {
    fn together(&self, _: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
        None
    }
}
