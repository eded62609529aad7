//! Messages, and the forms in which a mailbox holds them.
//!
//! A message is sent as its own type and travels in one of three forms: boxed, to an actor of
//! this process; shared, as an `Arc` that several mailboxes hold at once; or serialised, to
//! an actor of another node (feature `cluster`).

use std::any::Any;
#[cfg(feature = "cluster")]
use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "cluster")]
use crate::remoting::{Encoder, Incoming, Outgoing, Part};
use crate::ActorId;
#[cfg(feature = "cluster")]
use crate::RpcReplyPort;

#[path = "message/arc.rs"]
mod arc;
#[path = "message/shared.rs"]
mod shared;
#[path = "message/shared_message.rs"]
mod shared_message;

pub use arc::{ArcMessage, MessageTrait};
pub use shared::Shared;
pub(crate) use shared_message::copy_of;
pub use shared_message::SharedMessage;

/// A message was not of the type that its receiver handles, or could not be serialised or
/// deserialised.
#[derive(Debug, Eq, PartialEq)]
pub struct BoxedDowncastErr;

impl fmt::Display for BoxedDowncastErr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("An error occurred handling a boxed message")
    }
}

impl std::error::Error for BoxedDowncastErr {}

/// A message on its way to another node, or from one.
#[cfg(feature = "cluster")]
#[derive(Debug)]
pub enum SerializedMessage {
    /// A message without an answer.
    Cast {
        /// Which variant of an enum it is, by name.
        variant: String,
        /// The variant's fields.
        args: Vec<u8>,
        /// What the application adds.
        metadata: Option<Vec<u8>>,
    },
    /// A message whose sender waits for an answer.
    Call {
        /// Which variant of an enum it is, by name.
        variant: String,
        /// The variant's fields, but for the port.
        args: Vec<u8>,
        /// Where the serialised answer goes.
        reply: RpcReplyPort<Vec<u8>>,
        /// What the application adds.
        metadata: Option<Vec<u8>>,
    },
    /// The answer to a call, by the call's tag. Only a node session makes these.
    CallReply(u64, Vec<u8>),
}

/// A message that a type's own [`Message::box_message`] or [`Message::box_arc`] made, or that comes
/// from or goes to another node: local, shared or serialised. The messages of most types travel as
/// they are, and shared ones as an [`ArcMessage`].
pub struct BoxedMessage {
    pub(crate) msg: Option<Box<dyn Any + Send>>,
    /// The shared form: others may hold the message too.
    pub(crate) arc_msg: Option<ArcMessage>,
    /// Made for another node by the provided method of this type, which makes the same for all
    /// other nodes: `T` for `box_message`, and `Arc<T>` for `box_arc`. A type that boxes itself may
    /// ask another type's, so that a mark without the type would say nothing.
    #[cfg(feature = "cluster")]
    pub(crate) by_default: Option<TypeId>,
    /// The serialised form; read by the runtime of remote actors.
    #[cfg(feature = "cluster")]
    pub serialized_msg: Option<SerializedMessage>,
    #[cfg(feature = "message_span_propogation")]
    pub(crate) span: Option<tracing::Span>,
}

impl BoxedMessage {
    /// The boxed form, and the span that is current here, so that the receiver's work is traced
    /// as part of it.
    fn boxed<T: Message>(message: T) -> Self {
        Self {
            msg: Some(Box::new(message)),
            arc_msg: None,
            #[cfg(feature = "cluster")]
            by_default: None,
            #[cfg(feature = "cluster")]
            serialized_msg: None,
            #[cfg(feature = "message_span_propogation")]
            span: current_span(),
        }
    }

    /// The serialised form, as it came from another node.
    #[cfg(feature = "cluster")]
    pub(crate) fn serialized(message: SerializedMessage) -> Self {
        Self {
            msg: None,
            arc_msg: None,
            by_default: None,
            serialized_msg: Some(message),
            // A span has no meaning on another node.
            #[cfg(feature = "message_span_propogation")]
            span: None,
        }
    }

    /// The shared form, and the span that it is to be handled in.
    #[cfg(feature = "cluster")]
    pub(crate) fn shared_in(message: ArcMessage, span: Option<&tracing::Span>) -> Self {
        let _ = span;
        Self {
            msg: None,
            arc_msg: Some(message),
            by_default: None,
            serialized_msg: None,
            #[cfg(feature = "message_span_propogation")]
            span: span.cloned(),
        }
    }

    /// What the provided `box_arc` of `T` makes of what the `box_message` of `T` made.
    #[cfg(feature = "cluster")]
    fn by_default_shared<T: Message>(self) -> Self {
        let by_default = self.by_default == Some(TypeId::of::<T>());
        Self { by_default: by_default.then_some(TypeId::of::<Arc<T>>()), ..self }
    }

    /// The serialised form, for a proxy, of a message that was boxed as a `T`.
    #[cfg(feature = "cluster")]
    pub(crate) fn into_serialized<T: Message>(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        match (self.serialized_msg, self.arc_msg) {
            (Some(serialized), _) => Ok(serialized),
            (None, Some(shared)) if T::serializable() => {
                shared.into_owned::<T>().map_err(|_| BoxedDowncastErr)?.serialize()
            }
            _ => Err(BoxedDowncastErr),
        }
    }

    /// The message, if it is a `T`: moved out of its box, taken out of its `Arc` or copied, or
    /// deserialised.
    fn open<T: Message>(self) -> Result<T, BoxedDowncastErr> {
        if let Some(boxed) = self.msg {
            return boxed.downcast().map(|message| *message).map_err(|_| BoxedDowncastErr);
        }
        if let Some(shared) = self.arc_msg {
            return shared.into_owned().map_err(|_| BoxedDowncastErr);
        }
        #[cfg(feature = "cluster")]
        if let Some(serialized) = self.serialized_msg {
            return T::deserialize(serialized);
        }
        Err(BoxedDowncastErr)
    }
}

impl fmt::Debug for BoxedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match (&self.msg, &self.arc_msg) {
            (Some(_), _) => "Local",
            (None, Some(_)) => "Shared",
            (None, None) => "Serialized",
        };
        write!(f, "BoxedMessage({form})")
    }
}

/// The shared form, and the span that is current here. An actor gets it in
/// [`handle_arc`](crate::Actor::handle_arc), as a message that was sent by `Arc`.
///
/// ```
/// use std::sync::Arc;
/// use ractor::message::{ArcMessage, BoxedMessage};
///
/// let tick = Arc::new("tick".to_owned());
/// let boxed = BoxedMessage::from(ArcMessage::new(tick.clone()));
/// let message = ArcMessage::try_from(boxed).unwrap();
/// assert!(Arc::ptr_eq(&message.downcast::<String>().unwrap(), &tick));
/// ```
impl From<ArcMessage> for BoxedMessage {
    fn from(message: ArcMessage) -> Self {
        Self {
            msg: None,
            arc_msg: Some(message),
            #[cfg(feature = "cluster")]
            by_default: None,
            #[cfg(feature = "cluster")]
            serialized_msg: None,
            #[cfg(feature = "message_span_propogation")]
            span: current_span(),
        }
    }
}

/// The message in its shared form.
///
/// # Errors
/// The boxed message itself, when it is in another form.
impl TryFrom<BoxedMessage> for ArcMessage {
    type Error = BoxedMessage;

    fn try_from(mut message: BoxedMessage) -> Result<Self, BoxedMessage> {
        message.arc_msg.take().ok_or(message)
    }
}

/// What an actor handles; usually an enum.
///
/// Without the `cluster` feature every `Send + 'static` type is one. With it, a type says so
/// itself, and may then be serialisable; `ractor_cluster` has the derives.
///
/// ```
/// #[derive(Clone)]
/// enum Order {
///     Place { price: u64, size: u32 },
///     Cancel(u64),
/// }
/// # #[cfg(feature = "cluster")]
/// impl ractor::Message for Order {}
/// # fn is_message<T: ractor::Message>() {}
/// # is_message::<Order>();
/// ```
pub trait Message: Any + Send + Sized + 'static {
    /// Opens a message that an actor took from its mailbox.
    ///
    /// # Errors
    /// The message is of another type, or cannot be deserialised.
    fn from_boxed(m: BoxedMessage) -> Result<Self, BoxedDowncastErr> {
        m.open()
    }

    /// Puts the message into the form in which it travels to the actor `pid`.
    ///
    /// # Errors
    /// The actor is on another node and the message cannot be serialised.
    #[cfg(feature = "cluster")]
    fn box_message(self, pid: &ActorId) -> Result<BoxedMessage, BoxedDowncastErr> {
        if pid.is_local() {
            return Ok(BoxedMessage::boxed(self));
        }
        if !Self::serializable() {
            return Err(BoxedDowncastErr);
        }
        let by_default = Some(TypeId::of::<Self>());
        Ok(BoxedMessage { by_default, ..BoxedMessage::serialized(self.serialize()?) })
    }

    /// Puts the message into the form in which it travels to the actor `pid`.
    ///
    /// # Errors
    /// None: without the `cluster` feature every actor is local.
    #[cfg(not(feature = "cluster"))]
    #[allow(unused_variables)]
    fn box_message(self, pid: &ActorId) -> Result<BoxedMessage, BoxedDowncastErr> {
        Ok(BoxedMessage::boxed(self))
    }

    /// Puts a message that its sender goes on sharing into the form in which it travels to the
    /// actor `pid`. Types that [box themselves](Self::keeps_default_boxing) are asked when they are
    /// sent by `Arc`: for an actor of this process each time, and for actors of other nodes once
    /// for this machine and once for others, with the id of one of the receivers.
    ///
    /// The default is the [shared form](ArcMessage) in this process, and elsewhere what
    /// [`box_message`](Self::box_message) makes of a copy. A shared form for another process is
    /// serialised.
    ///
    /// # Errors
    /// The message cannot be boxed for that actor, or a copy is needed and cannot be had.
    fn box_arc(this: Arc<Self>, pid: &ActorId) -> Result<BoxedMessage, BoxedDowncastErr>
    where
        Self: SharedMessage,
    {
        if pid.is_local() {
            return Ok(ArcMessage::new(this).into());
        }
        let boxed = copy_of(&*this).ok_or(BoxedDowncastErr)?.box_message(pid)?;
        #[cfg(feature = "cluster")]
        let boxed = boxed.by_default_shared::<Self>();
        Ok(boxed)
    }

    /// Whether messages of the type may be sent by `Arc`; they may by default. Asked at run
    /// time: what the type system allows is up to [`SharedMessage`].
    ///
    /// Without the `cluster` feature every type is a message by itself and nothing can say no
    /// here; [`SharedMessage::is_shareable`] still can.
    fn arc_shareable() -> bool {
        true
    }

    /// Whether [`box_message`](Self::box_message) and [`from_boxed`](Self::from_boxed) are known to
    /// be the provided ones, so that they need not be asked. The derives say so, and a type that is
    /// written by hand may: its messages then need no box, and go to other nodes by
    #[cfg_attr(feature = "cluster", doc = "[`into_outgoing`](Self::into_outgoing).")]
    #[cfg_attr(not(feature = "cluster"), doc = "`into_outgoing`.")]
    fn keeps_default_boxing() -> bool {
        // Without the feature there are no others.
        cfg!(not(feature = "cluster"))
    }

    /// The message in an `Arc`, to send it to many.
    fn into_arc(self) -> Arc<Self> {
        Arc::new(self)
    }

    /// Whether the type can go to another node; not by default.
    #[cfg(feature = "cluster")]
    fn serializable() -> bool {
        false
    }

    /// The serialised form.
    ///
    /// # Errors
    /// Always by default, since the type has none.
    #[cfg(feature = "cluster")]
    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Err(BoxedDowncastErr)
    }

    /// The message out of its serialised form.
    ///
    /// # Errors
    /// Always by default, since the type has none; otherwise when the bytes are not of it.
    #[cfg(feature = "cluster")]
    #[allow(unused_variables)]
    fn deserialize(bytes: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        Err(BoxedDowncastErr)
    }

    /// The serialised form, with fewer copies than [`serialize`](Self::serialize) needs. The bytes
    /// have to be the same. Asked of types that [keep to the default](Self::keeps_default_boxing)
    /// only.
    ///
    /// # Errors
    /// As `serialize`.
    #[cfg(feature = "cluster")]
    fn into_outgoing(self) -> Result<Outgoing, BoxedDowncastErr> {
        crate::remoting::from_serialized(self.serialize()?)
    }

    /// The serialised form of a message that its sender goes on sharing, for all other nodes: what
    /// is [sent by `Arc`](crate::ActorRef::cast_arc) is then not copied. `None`, as by default,
    /// when the message cannot be written from a reference: a copy of it
    /// ([`SharedMessage::clone_shared`]) goes to [`into_outgoing`](Self::into_outgoing), and
    /// without one the message is refused.
    ///
    /// The derive has it for messages without a port whose fields can be written from a reference
    /// ([`to_encoder`](crate::BytesConvertable::to_encoder)), or copied. The bytes have to be those
    /// of `into_outgoing`. Asked of types that [keep to the default](Self::keeps_default_boxing)
    /// only.
    ///
    /// ```
    /// use ractor::message::{ArcMessage, BoxedDowncastErr};
    /// use ractor::remoting::{Encoder, Incoming, Outgoing};
    /// use ractor::Message;
    ///
    /// #[derive(Clone)]
    /// struct Text(String);
    ///
    /// impl Message for Text {
    ///     fn keeps_default_boxing() -> bool {
    ///         true
    ///     }
    ///
    ///     fn serializable() -> bool {
    ///         true
    ///     }
    ///
    ///     fn into_outgoing(self) -> Result<Outgoing, BoxedDowncastErr> {
    ///         self.to_outgoing()?.ok_or(BoxedDowncastErr)
    ///     }
    ///
    ///     fn to_outgoing(&self) -> Result<Option<Outgoing>, BoxedDowncastErr> {
    ///         let mut encoder = Encoder::new();
    ///         encoder.put_copy(self.0.as_bytes());
    ///         Ok(Some(Outgoing::cast("Text", encoder.finish())))
    ///     }
    ///
    ///     fn from_incoming(incoming: Incoming<'_>) -> Result<Self, BoxedDowncastErr> {
    ///         let text = std::str::from_utf8(&incoming.args).map_err(|_| BoxedDowncastErr)?;
    ///         Ok(Self(text.to_owned()))
    ///     }
    ///
    ///     // Once for all actors of a process.
    ///     fn arc_from_incoming(
    ///         incoming: Incoming<'_>,
    ///     ) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
    ///         ArcMessage::decode::<Self>(incoming)
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// As `into_outgoing`.
    ///
    /// # Panics
    /// It may: the message is then reported as not serialisable.
    #[cfg(feature = "cluster")]
    fn to_outgoing(&self) -> Result<Option<Outgoing>, BoxedDowncastErr> {
        Ok(None)
    }

    /// The message out of its serialised form, with fewer copies than
    /// [`deserialize`](Self::deserialize) needs. Asked of types that [keep to the
    /// default](Self::keeps_default_boxing) only.
    ///
    /// # Errors
    /// As `deserialize`.
    ///
    /// # Panics
    /// It may, with bytes that are not of the type, as the derive's does where a field's
    /// [`BytesConvertable`](crate::BytesConvertable) panics. The message is then dropped and counted.
    #[cfg(feature = "cluster")]
    fn from_incoming(incoming: Incoming<'_>) -> Result<Self, BoxedDowncastErr> {
        Self::deserialize(incoming.into_serialized())
    }

    /// The message for several actors of this process, which then share what is decoded once;
    /// `None`, as by default, when each of them has to decode its own.
    ///
    /// The derive has it for each [`SharedMessage`]. A type that is one and is written by hand,
    /// also with a [`from_boxed`](Self::from_boxed) of its own, has it in one line:
    /// [`ArcMessage::decode::<Self>(incoming)`](ArcMessage::decode). An actor that has no
    /// [`handle_arc`](crate::Actor::handle_arc) then gets a copy, as with messages of its own
    /// process.
    ///
    /// # Errors
    /// As `from_incoming`; no actor then gets the message.
    ///
    /// # Panics
    /// It may, with bytes that are not of the type. The message is then dropped and counted.
    #[cfg(feature = "cluster")]
    #[allow(unused_variables)]
    fn arc_from_incoming(incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
        None
    }

    /// Whether the fork's derive made this implementation: how `ractor_cluster` notices a stock
    /// one.
    #[cfg(feature = "cluster")]
    #[doc(hidden)]
    const MYCELIUM_DERIVE: bool = false;

    /// Whether [`from_incoming`](Self::from_incoming) looks at what is [lent](Incoming::lent). What
    /// does not gets it in memory of this process.
    #[cfg(feature = "cluster")]
    #[doc(hidden)]
    const TAKES_LENT: bool = false;
}

#[cfg(not(feature = "cluster"))]
impl<T: Any + Send> Message for T {}

/// Types that convert to bytes are messages by themselves: casts without variants.
#[cfg(feature = "cluster")]
impl<T: Any + Send + crate::BytesConvertable> Message for T {
    const TAKES_LENT: bool = true;

    fn keeps_default_boxing() -> bool {
        true
    }

    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let (variant, metadata) = Default::default();
        Ok(SerializedMessage::Cast { variant, args: self.into_bytes(), metadata })
    }

    fn deserialize(bytes: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        if let SerializedMessage::Cast { args, .. } = bytes {
            Ok(Self::from_bytes(args))
        } else {
            Err(BoxedDowncastErr)
        }
    }

    fn into_outgoing(self) -> Result<Outgoing, BoxedDowncastErr> {
        let mut encoder = Encoder::new();
        if let Some(length) = T::bytes_len(&self) {
            encoder.reserve(length)?;
        }
        T::into_encoder(self, &mut encoder);
        Ok(Outgoing::cast("", encoder.finish()))
    }

    fn to_outgoing(&self) -> Result<Option<Outgoing>, BoxedDowncastErr> {
        let mut encoder = Encoder::new();
        if let Some(length) = T::bytes_len(self) {
            encoder.reserve(length)?;
        }
        if !T::to_encoder(self, &mut encoder) {
            encoder.finish().recycle();
            return Ok(None);
        }
        Ok(Some(Outgoing::cast("", encoder.finish())))
    }

    fn from_incoming(incoming: Incoming<'_>) -> Result<Self, BoxedDowncastErr> {
        match incoming.reply {
            None if incoming.lent.is_empty() => Ok(Self::from_part(Part::all(&incoming.args))),
            None => Ok(Self::from_split(incoming.args, incoming.lent)),
            Some(_) => Err(BoxedDowncastErr),
        }
    }
}

/// Whether messages may have spans: a subscriber may record some.
#[cfg(any(feature = "cluster", feature = "message_span_propogation"))]
#[inline]
pub(crate) fn records_spans() -> bool {
    // One load, where the span itself is asked for by a thread-local.
    cfg!(feature = "message_span_propogation")
        && tracing::level_filters::LevelFilter::current()
            != tracing::level_filters::LevelFilter::OFF
}

/// The current span; `None` when no subscriber records it, which spares the receiver its handling.
#[cfg(feature = "message_span_propogation")]
#[inline]
pub(crate) fn current_span() -> Option<tracing::Span> {
    if !records_spans() {
        return None;
    }
    Some(tracing::Span::current()).filter(|span| !span.is_disabled())
}

include!(concat!(env!("OUT_DIR"), "/upstream/graft/src/message.rs"));
