//! The keys of messages, whatever they wait as.

use std::any::Any;
use std::borrow::Borrow;
use std::marker::PhantomData;

use super::keyed::KeyOf;
use super::{is_inline, Bound, Held, Parcel, Queue};
use crate::actor::actor_config::Conflate;
use crate::message::BoxedMessage;

/// Finds the key of a message in its parcel.
struct ByMessage<C>(PhantomData<C>);

/// A queue for an actor that handles `C::Message`.
pub(crate) fn conflating<C: Conflate>(bound: Bound) -> Box<dyn Any> {
    if is_inline::<C::Message>() {
        Box::new(Queue::<Parcel<C::Message>>::keyed::<ByMessage<C>>(bound))
    } else {
        Box::new(Queue::<Parcel<Held<C::Message>>>::keyed::<ByMessage<C>>(bound))
    }
}

impl<C, S> KeyOf<Parcel<S>> for ByMessage<C>
where
    C: Conflate,
    S: Borrow<C::Message> + Send + 'static,
{
    type Key = C::Key;

    fn key(parcel: &Parcel<S>) -> Option<C::Key> {
        match parcel {
            Parcel::Plain(message) => C::key(message.borrow()),
            Parcel::Shared(message) => C::key(message.downcast_ref()?),
            Parcel::Boxed(message) => C::key(inside(message)?),
            #[cfg(feature = "message_span_propogation")]
            Parcel::Traced(_, parcel) => Self::key(parcel),
        }
    }
}

/// The message in a box; `None` for one in a form that only its type can read.
fn inside<M: 'static>(message: &BoxedMessage) -> Option<&M> {
    message.msg.as_ref()?.downcast_ref()
}
