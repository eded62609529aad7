//! A shared message in the hands of its receiver.

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use super::{ArcMessage, BoxedDowncastErr, Message, SharedMessage};
use crate::dead_letters::Contents;
use crate::errors::UndeliveredCause;
use crate::ActorCell;

/// A message that other actors may hold too, as [`handle_arc`](crate::Actor::handle_arc) gets
/// it. It reads like a `T`; cloning it counts a reference.
///
/// A message that was sent by value arrives in this form too, at an actor without a `handle` of its
/// own: the actor is then its only holder. `Shared<T>` is `Send` when `T` is `Send` and `Sync`.
///
/// ```
/// use std::sync::Arc;
/// use ractor::message::Shared;
///
/// let tick = Arc::new("tick".to_owned());
/// let shared = Shared::from(tick.clone());
/// assert_eq!(shared.len(), 4);
/// assert!(Arc::ptr_eq(&shared.clone().into_arc(), &tick));
///
/// // A message of one's own: a copy as long as others hold it.
/// let own: String = shared.try_into_owned().unwrap();
/// # assert_eq!(own, *tick);
/// ```
pub struct Shared<T>(Form<T>);

enum Form<T> {
    /// One that was sent by `Arc`. Without its type: an `Arc<T>` cannot be had where `T` is not
    /// known to be `Sync`, as in the runtime of actors.
    Sent(ArcMessage),
    /// One that was sent by value, and that the default of `handle` passed on.
    Sole(Arc<T>),
}

impl<T: Message> Shared<T> {
    /// The message, when it is a `T`.
    ///
    /// # Errors
    /// The message itself, when it is of another type.
    pub fn new(message: ArcMessage) -> Result<Self, ArcMessage> {
        if message.is::<T>() {
            Ok(Self(Form::Sent(message)))
        } else {
            Err(message)
        }
    }

    /// A message that was sent by value, for the default of `handle`.
    pub(crate) fn sole(message: T) -> Self {
        Self(Form::Sole(Arc::new(message)))
    }

    /// The very `Arc` that was sent.
    pub fn into_arc(self) -> Arc<T>
    where
        T: Sync,
    {
        match self.0 {
            Form::Sent(message) => message.downcast().expect("checked when it was made"),
            Form::Sole(message) => message,
        }
    }

    /// The message without its type.
    pub fn into_message(self) -> ArcMessage
    where
        T: SharedMessage,
    {
        match self.0 {
            Form::Sent(message) => message,
            Form::Sole(message) => ArcMessage::new(message),
        }
    }

    /// A message of one's own: moved when this is the only reference, cloned otherwise.
    ///
    /// # Errors
    /// The shared message, when there are other references and it cannot be copied
    /// ([`SharedMessage::clone_shared`]). A message that was sent by value is never copied here.
    ///
    /// # Panics
    /// When the type's `clone` does.
    pub fn try_into_owned(self) -> Result<T, Self> {
        match self.0 {
            Form::Sent(message) => message.into_owned().map_err(|it| Self(Form::Sent(it))),
            Form::Sole(message) => Arc::try_unwrap(message).map_err(|it| Self(Form::Sole(it))),
        }
    }

    /// The message for the default of `handle_arc`, which passes it on to `handle`. `None`, counted
    /// as lost by `actor`, when the default of `handle` had passed it on before: the actor has
    /// neither.
    pub(crate) fn for_handle(self, actor: &ActorCell) -> Option<ArcMessage> {
        match self.0 {
            Form::Sent(message) => Some(message),
            Form::Sole(message) => {
                let why = "its actor has neither `handle` nor `handle_arc`";
                let left = Arc::try_unwrap(message).ok().map(Contents::owned);
                let of = std::any::type_name::<T>();
                actor.inner.lose(of, UndeliveredCause::Unhandled, why, left);
                None
            }
        }
    }
}

impl ArcMessage {
    /// The message as `handle` wants it; counted as lost by `actor` when there is no copy to be
    /// had, since neither the actor nor the others that hold the message are to blame.
    pub(crate) fn own_for<T: Message>(self, actor: &ActorCell) -> Option<T> {
        let of = self.type_name();
        match catch_unwind(AssertUnwindSafe(|| self.into_owned())) {
            Ok(Ok(message)) => return Some(message),
            Ok(Err(message)) => actor.inner.lose(
                of,
                UndeliveredCause::NotCopyable,
                "others hold it and it cannot be copied",
                Some(Contents::Shared(message)),
            ),
            Err(_) => {
                let why = "its `clone` panicked";
                actor.inner.lose(of, UndeliveredCause::NotCopyable, why, None);
            }
        }
        None
    }
}

impl<T: Any> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Form::Sent(message) => {
                message.as_any().downcast_ref().expect("checked when it was made")
            }
            Form::Sole(message) => message,
        }
    }
}

impl<T: SharedMessage> From<Arc<T>> for Shared<T> {
    fn from(message: Arc<T>) -> Self {
        Self(Form::Sent(ArcMessage::new(message)))
    }
}

impl<T: Message + Sync> From<Shared<T>> for Arc<T> {
    fn from(shared: Shared<T>) -> Self {
        shared.into_arc()
    }
}

impl<T: Message> TryFrom<ArcMessage> for Shared<T> {
    type Error = BoxedDowncastErr;

    fn try_from(message: ArcMessage) -> Result<Self, BoxedDowncastErr> {
        Self::new(message).map_err(|_| BoxedDowncastErr)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Form::Sent(message) => Form::Sent(message.clone()),
            Form::Sole(message) => Form::Sole(message.clone()),
        })
    }
}

impl<T: fmt::Debug + Any> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&**self).finish()
    }
}
