//! Messages on their way between nodes, without a mailbox in between (feature `cluster`).
//!
//! A proxy stands for an actor of another node. Where the cluster gave it an [`Outlet`]
//! ([`ActorCell::set_outlet`](crate::ActorCell::set_outlet)), a message to it is encoded where it
//! is sent, and handed over; where there is no room for it, it goes back to its sender as it was.
//! On the other side [`ActorCell::deliver`](crate::ActorCell::deliver) decodes the message, and
//! puts it into the actor's mailbox as a message of its own type.
//!
//! Bytes are those of stock `ractor`, so that stock nodes read and write them too: a variant's
//! name, and its fields in order, each behind its length in eight bytes, big endian.
//!
//! # Actors as fields
//!
//! An [`ActorRef`](crate::ActorRef) or [`ActorCell`](crate::ActorCell) in a message, or as the
//! answer to a call, arrives as a reference to the same actor: as a proxy, or as the actor itself
//! where it is one of the receiving node's. Where no session of the receiving node leads to the
//! actor's node, or the actor has ended, or it takes no messages of other nodes, it arrives as a
//! reference to an actor that has stopped: what is sent to it comes back. Both nodes have to be of
//! the fork.
//!
//! # Types of an application
//!
//! Applications meet [`Encoder`] and [`Part`] when a type of theirs converts to bytes in a way that
//! spares a copy ([`BytesConvertable`](crate::BytesConvertable)); the rest is for the cluster and
//! for the derives.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::message::{BoxedDowncastErr, BoxedMessage, SerializedMessage};
use crate::{Message, RpcReplyPort};

#[doc(hidden)]
pub mod busy_poll;
pub(crate) mod deliver;
#[doc(hidden)]
pub mod derived;
mod encoder;
pub(crate) mod ending;
mod outlet;
mod part;
mod payload;
mod reference;
mod room;

pub use crate::actor::actor_properties::EventTap;
pub(crate) use deliver::Codec;
pub use deliver::{
    deliver_to_all, deliver_to_each, Delivered, Entry, Row, Undeliverable, MAX_COPIES,
};
pub(crate) use derived::guarded;
pub use encoder::{Encoder, Field};
pub use ending::{Ending, RemoteFailure};
pub use outlet::{Outlet, Refused};
pub use part::{Fields, Part};
pub use payload::{share_payloads_by, EncodedReply, Payload};
pub use reference::{refer_by, References};
pub use room::RoomWatch;

/// From so many bytes on, encoded bytes are moved and not copied, and a part of a frame is
/// shared with the rest and not copied. Below, a copy costs less than the count of references.
pub const LARGE: usize = 1024;

/// A message on its way to another node: encoded, but for the frame around it.
pub struct Outgoing {
    /// Which variant of an enum it is, by name.
    pub variant: Cow<'static, str>,
    /// The variant's fields, but for the port.
    pub args: Payload,
    /// What the application adds.
    pub metadata: Option<Vec<u8>>,
    /// Where the encoded answer goes; `Some` makes it a call.
    pub reply: Option<RpcReplyPort<Vec<u8>>>,
}

/// A message that came from another node.
pub struct Incoming<'a> {
    /// Which variant of an enum it is, by name.
    pub variant: &'a str,
    /// The variant's fields, but for the port.
    pub args: Bytes,
    /// The end of the fields, where it lies in memory of its sender, who could change it; empty as
    /// a rule. A [`bytes::Bytes`] field may be a part of it, and everything else is decoded out of
    /// a copy.
    pub lent: Bytes,
    /// What the application added.
    pub metadata: Option<&'a [u8]>,
    /// Where the encoded answer goes; `Some` makes it a call.
    pub reply: Option<RpcReplyPort<Vec<u8>>>,
}

impl Outgoing {
    /// A message without an answer.
    pub fn cast(variant: impl Into<Cow<'static, str>>, args: Payload) -> Self {
        Self { variant: variant.into(), args, metadata: None, reply: None }
    }

    /// A message whose sender waits for an answer.
    pub fn call(
        variant: impl Into<Cow<'static, str>>,
        args: Payload,
        reply: RpcReplyPort<Vec<u8>>,
    ) -> Self {
        Self { variant: variant.into(), args, metadata: None, reply: Some(reply) }
    }

    /// The form in which mailboxes of proxies and stock's trait methods have it. Copies the fields,
    /// unless they are in one piece already.
    pub fn into_serialized(self) -> SerializedMessage {
        let variant = self.variant.into_owned();
        let (args, metadata) = (self.args.into_vec(), self.metadata);
        match self.reply {
            None => SerializedMessage::Cast { variant, args, metadata },
            Some(reply) => SerializedMessage::Call { variant, args, reply, metadata },
        }
    }

    /// The message as the other node would get it, by `read`: to give it back to its sender.
    pub(crate) fn read_back<T>(self, read: impl FnOnce(Incoming<'_>) -> T) -> T {
        read(Incoming {
            variant: &self.variant,
            args: self.args.into_bytes(),
            lent: Bytes::new(),
            metadata: self.metadata.as_deref(),
            reply: self.reply,
        })
    }

    /// A copy for one more node, where large fields are shared; of a cast, since a port is one.
    pub(crate) fn copy_of_cast(&self) -> Self {
        Self {
            variant: self.variant.clone(),
            args: self.args.clone(),
            metadata: self.metadata.clone(),
            reply: None,
        }
    }
}

/// Not of [`SerializedMessage::CallReply`], which belongs to no actor and comes back.
impl TryFrom<SerializedMessage> for Outgoing {
    type Error = SerializedMessage;

    fn try_from(message: SerializedMessage) -> Result<Self, SerializedMessage> {
        Ok(match message {
            SerializedMessage::Cast { variant, args, metadata } => {
                Self { variant: variant.into(), args: args.into(), metadata, reply: None }
            }
            SerializedMessage::Call { variant, args, reply, metadata } => {
                Self { variant: variant.into(), args: args.into(), metadata, reply: Some(reply) }
            }
            reply @ SerializedMessage::CallReply(..) => return Err(reply),
        })
    }
}

impl Incoming<'_> {
    /// With all of the fields in memory of this process.
    #[must_use]
    pub fn in_own_memory(self) -> Self {
        let args = joined(self.args, &self.lent);
        Self { args, lent: Bytes::new(), ..self }
    }

    /// All of it; what is left is empty.
    #[inline]
    pub(crate) fn take(&mut self) -> Self {
        Self {
            variant: self.variant,
            args: std::mem::take(&mut self.args),
            lent: std::mem::take(&mut self.lent),
            metadata: self.metadata,
            reply: self.reply.take(),
        }
    }

    /// The message: as the type's own [`Message::from_boxed`] has it, if it has one.
    #[inline]
    pub(crate) fn open<M: Message>(self) -> Result<M, BoxedDowncastErr> {
        let incoming = self.readable::<M>();
        if M::keeps_default_boxing() {
            M::from_incoming(incoming)
        } else {
            M::from_boxed(BoxedMessage::serialized(incoming.into_serialized()))
        }
    }

    /// What is lent goes to code that knows of it.
    #[inline]
    fn readable<M: Message>(self) -> Self {
        if M::TAKES_LENT || self.lent.is_empty() {
            return self;
        }
        self.in_own_memory()
    }

    /// The form in which stock's trait methods have it, of copies.
    pub fn into_serialized(self) -> SerializedMessage {
        let (variant, args) = (self.variant.to_owned(), Vec::from(joined(self.args, &self.lent)));
        let metadata = self.metadata.map(<[u8]>::to_vec);
        match self.reply {
            None => SerializedMessage::Cast { variant, args, metadata },
            Some(reply) => SerializedMessage::Call { variant, args, reply, metadata },
        }
    }
}

/// Bytes in one piece, in memory of this process.
pub(crate) fn joined(args: Bytes, lent: &Bytes) -> Bytes {
    if lent.is_empty() {
        return args;
    }
    let mut all = Vec::with_capacity(args.len() + lent.len());
    all.extend_from_slice(&args);
    all.extend_from_slice(lent);
    all.into()
}

/// What `serialize` makes, as what is encoded.
pub(crate) fn from_serialized(message: SerializedMessage) -> Result<Outgoing, BoxedDowncastErr> {
    message.try_into().map_err(|_| BoxedDowncastErr)
}

// How much, and not what: payloads do not belong into logs.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("variant", &self.variant)
            .field("bytes", &self.args.len())
            .field("is_call", &self.reply.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Incoming<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("variant", &self.variant)
            .field("bytes", &(self.args.len() + self.lent.len()))
            .field("is_call", &self.reply.is_some())
            .finish_non_exhaustive()
    }
}
