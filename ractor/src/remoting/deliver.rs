//! Delivers messages that came from another node.

use std::any::TypeId;
use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};

use tracing::Span;

use super::Incoming;
use crate::actor::actor_properties::ActorProperties;
use crate::message::{ArcMessage, BoxedDowncastErr};
use crate::{ActorCell, ActorId, Message};

/// Why a message from another node was not delivered. The message is gone; its port, if it had one,
/// is dropped, so that its sender need not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Undeliverable {
    /// The actor's messages do not come from other nodes, or it is on another node itself.
    WrongType,
    /// The bytes are not of the type that the actor handles.
    NotDecodable,
    /// The actor's bounded mailbox is full.
    Full,
    /// The actor is draining or stopped.
    Stopped,
    /// The actor's mailbox conflates, and the code that makes the message's key panicked.
    KeyPanicked,
    /// The message is for several actors that cannot share it, and the copies before this one took
    /// all that such a message may take, 16 MiB.
    TooManyCopies,
}

impl fmt::Display for Undeliverable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongType => "the actor takes no messages from other nodes",
            Self::NotDecodable => "the bytes are not of the type that the actor handles",
            Self::Full => "the actor's mailbox is full",
            Self::Stopped => "the actor is draining or stopped",
            Self::KeyPanicked => "the message's key for the actor's conflating mailbox panicked",
            Self::TooManyCopies => "copies of the message for other actors took too much memory",
        })
    }
}

impl std::error::Error for Undeliverable {}

/// Whose room a message from another node takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// None was lent to its sender. A mailbox that is full does as its
    /// [`Overflow`](crate::actor::actor_config::Overflow) says.
    ByPolicy,
    /// Room that was lent to its sender: it gets in whatever waits.
    Granted,
}

/// What became of a message that was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivered {
    /// It waits in the mailbox.
    Waits,
    /// The mailbox was full, and its policy dropped this message or an older one.
    Displaced,
}

/// The span in which a handler runs that gets a message of another node.
type InSpan<'a> = Option<&'a Span>;

/// What is known of the messages of an actor where their type is not.
pub(crate) struct Codec {
    type_name: fn() -> &'static str,
    /// Takes the message where it is: moves of it cost as much as the rest.
    deliver: fn(
        &ActorProperties,
        &mut Incoming<'_>,
        Entry,
        InSpan<'_>,
    ) -> Result<Delivered, Undeliverable>,
    deliver_row: for<'a> fn(&ActorProperties, &mut Incoming<'a>, &mut (dyn Row<'a> + '_)),
    together: fn(Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>>,
}

/// The most messages that go into a mailbox together. The first one waits until the last one is
/// decoded.
pub(crate) const ROW: usize = 16;

/// The messages behind one for the same actor, in their order, where nothing has to be known of
/// each but whether it got there: no metadata, no port, no span and no lent room. For
/// [`ActorCell::deliver_row`].
pub trait Row<'a> {
    /// Puts the next message in the place of the last one, which is empty. False when there is
    /// none.
    fn next(&mut self, incoming: &mut Incoming<'a>) -> bool;

    /// One of them was not delivered.
    fn failed(&mut self, why: Undeliverable);
}

struct Of<M>(M);

impl<M: Message> Of<M> {
    const CODEC: &'static Codec = &Codec {
        type_name: std::any::type_name::<M>,
        deliver: deliver::<M>,
        deliver_row: ActorProperties::put_row::<M>,
        together: together::<M>,
    };
}

impl Codec {
    /// Of messages that can come from other nodes.
    pub(crate) fn of<M: Message>() -> Option<&'static Self> {
        M::serializable().then_some(Of::<M>::CODEC)
    }
}

/// The bytes of one message that are decoded again for further actors, where these cannot share it.
/// The first copy does not count. A sender keeps to it, so that only a peer that does not is
/// refused.
pub const MAX_COPIES: usize = 16 * 1024 * 1024;

/// The message out of its bytes. Nothing that a peer sends is allowed to harm this process.
#[inline(always)]
pub(crate) fn decode<M: Message>(incoming: &mut Incoming<'_>) -> Result<M, Undeliverable> {
    let decoded = catch_unwind(AssertUnwindSafe(|| incoming.take().open()));
    decoded.ok().and_then(Result::ok).ok_or(Undeliverable::NotDecodable)
}

fn deliver<M: Message>(
    actor: &ActorProperties,
    incoming: &mut Incoming<'_>,
    entry: Entry,
    span: InSpan<'_>,
) -> Result<Delivered, Undeliverable> {
    actor.put_decoded(decode::<M>(incoming)?, entry, span)
}

fn together<M: Message>(incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
    catch_unwind(AssertUnwindSafe(|| M::arc_from_incoming(incoming.readable::<M>())))
        .unwrap_or(Some(Err(BoxedDowncastErr)))
}

impl ActorCell {
    /// Decodes a message that came from another node, and puts it into the mailbox of this actor as
    /// one of its own type. For the cluster.
    ///
    /// Decoding runs here, and not in the actor; what panics in there is an error. A mailbox that
    /// is full does as its [`Overflow`](crate::actor::actor_config::Overflow) says.
    ///
    /// # Errors
    /// [`Undeliverable`] says why it was not delivered. The message is dropped, and with it its
    /// port.
    pub fn deliver(&self, incoming: Incoming<'_>) -> Result<(), Undeliverable> {
        self.deliver_as(incoming, Entry::ByPolicy).map(|_| ())
    }

    /// As [`deliver`](Self::deliver), into room that may have been lent before.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver). A message whose room is lent never finds the mailbox full.
    pub fn deliver_as(
        &self,
        incoming: Incoming<'_>,
        entry: Entry,
    ) -> Result<Delivered, Undeliverable> {
        self.deliver_in(incoming, entry, None)
    }

    /// As [`deliver_as`](Self::deliver_as). The handler runs in this span, if there is one and the
    /// feature `message_span_propogation` is on. The span that is current here has no effect.
    ///
    /// # Errors
    /// As [`deliver_as`](Self::deliver_as).
    #[inline]
    pub fn deliver_in(
        &self,
        mut incoming: Incoming<'_>,
        entry: Entry,
        span: Option<&Span>,
    ) -> Result<Delivered, Undeliverable> {
        let codec = self.codec()?;
        (codec.deliver)(&self.inner, &mut incoming, entry, span)
    }

    /// As [`deliver`](Self::deliver), and with the message some of those that follow it in a `row`.
    /// They go into the mailbox together: nothing comes between them, and what is to be done for a
    /// mailbox and its actor is done once.
    #[inline]
    pub fn deliver_row<'a>(&self, mut incoming: Incoming<'a>, row: &mut (dyn Row<'a> + '_)) {
        match self.codec() {
            Ok(codec) => (codec.deliver_row)(&self.inner, &mut incoming, row),
            Err(why) => row.failed(why),
        }
    }

    /// The name of the type of the actor's messages, where these may come from other nodes. For the
    /// cluster.
    pub fn message_type(&self) -> Option<&'static str> {
        self.inner.codec.map(|codec| (codec.type_name)())
    }

    fn codec(&self) -> Result<&'static Codec, Undeliverable> {
        self.inner.codec.filter(|_| self.get_id().is_local()).ok_or(Undeliverable::WrongType)
    }
}

/// What became of the bytes for the actors of one type.
enum Decoded {
    /// One message for all.
    Together(ArcMessage),
    /// Each decodes its own.
    OneByOne,
    /// They are not of the type.
    Not,
}

/// Decodes a message that came for several actors of this process once for each type that they
/// handle, and puts it into the mailboxes of all, which share it. Types that are not shared are
/// decoded for each actor. A call has one receiver: with several all fail. For the cluster.
///
/// Returns those that did not get it, each with the reason; the others did.
pub fn deliver_to_all(
    actors: &[ActorCell],
    incoming: Incoming<'_>,
) -> Vec<(ActorId, Undeliverable)> {
    let mut failed = Vec::new();
    let each = actors.iter().map(|it| (it, Entry::ByPolicy));
    deliver_to_each(each, incoming, None, |place, outcome| {
        if let Err(why) = outcome {
            failed.push((actors[place].get_id(), why));
        }
    });
    failed
}

/// As [`deliver_to_all`], into room that may have been lent to the sender before, and with a span as
/// [`ActorCell::deliver_in`] has it. Tells `outcome` what became of it at each actor, by the actor's
/// place.
pub fn deliver_to_each<'a>(
    actors: impl ExactSizeIterator<Item = (&'a ActorCell, Entry)>,
    incoming: Incoming<'_>,
    span: Option<&Span>,
    mut outcome: impl FnMut(usize, Result<Delivered, Undeliverable>),
) {
    let mut actors = actors.enumerate();
    if actors.len() == 1 {
        let (place, (actor, entry)) = actors.next().expect("there is one");
        return outcome(place, actor.deliver_in(incoming, entry, span));
    }
    let Incoming { variant, args, lent, metadata, reply } = incoming;
    if reply.is_some() {
        return actors.for_each(|(place, _)| outcome(place, Err(Undeliverable::WrongType)));
    }
    // Once more for an actor, or for a type.
    let once_more =
        || Incoming { variant, args: args.clone(), lent: lent.clone(), metadata, reply: None };

    // As a rule there is one type.
    let mut types: Vec<(TypeId, Decoded)> = Vec::new();
    let mut copied = None;
    for (place, (actor, entry)) in actors {
        let delivered = actor.codec().and_then(|codec| {
            let of = actor.inner.type_id;
            let known = types.iter().position(|(it, _)| *it == of).unwrap_or_else(|| {
                types.push((of, Decoded::from((codec.together)(once_more()))));
                types.len() - 1
            });
            match &types[known].1 {
                Decoded::Together(message) => {
                    actor.inner.put_together(message.clone(), entry, span)
                }
                Decoded::OneByOne => {
                    let so_far = copied.map_or(0, |so_far: usize| so_far + args.len() + lent.len());
                    if so_far > MAX_COPIES {
                        return Err(Undeliverable::TooManyCopies);
                    }
                    copied = Some(so_far);
                    (codec.deliver)(&actor.inner, &mut once_more(), entry, span)
                }
                Decoded::Not => Err(Undeliverable::NotDecodable),
            }
        });
        outcome(place, delivered);
    }
}

impl From<Option<Result<ArcMessage, BoxedDowncastErr>>> for Decoded {
    fn from(decoded: Option<Result<ArcMessage, BoxedDowncastErr>>) -> Self {
        match decoded {
            None => Self::OneByOne,
            Some(Ok(message)) => Self::Together(message),
            Some(Err(_)) => Self::Not,
        }
    }
}
