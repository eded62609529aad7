//! A shared message in the hands of its receiver.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use super::{ArcMessage, BoxedDowncastErr, Message, SharedMessage};
use crate::ActorCell;

/// A message that other actors may hold too, as [`handle_arc`](crate::Actor::handle_arc) gets
/// it. It reads like a `T`; cloning it counts a reference.
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
// An `Arc<T>` in here would not be `Send` for messages that are only `Send`, and neither would
// the future of every default `handle_arc`.
pub struct Shared<T> {
    message: ArcMessage,
    of: PhantomData<fn() -> T>,
}

impl<T: Message> Shared<T> {
    /// The message, when it is a `T`.
    ///
    /// # Errors
    /// The message itself, when it is of another type.
    pub fn new(message: ArcMessage) -> Result<Self, ArcMessage> {
        if message.is::<T>() {
            Ok(Self { message, of: PhantomData })
        } else {
            Err(message)
        }
    }

    /// The very `Arc` that was sent.
    pub fn into_arc(self) -> Arc<T>
    where
        T: Sync,
    {
        self.message.downcast().expect("checked when it was made")
    }

    /// The message without its type.
    pub fn into_message(self) -> ArcMessage {
        self.message
    }

    /// A message of one's own: moved when nobody else holds it, cloned otherwise.
    ///
    /// # Errors
    /// The shared message, when others hold it and it cannot be copied
    /// ([`SharedMessage::clone_shared`]).
    ///
    /// # Panics
    /// When the type's `clone` does.
    pub fn try_into_owned(self) -> Result<T, Self> {
        self.message.into_owned().map_err(|message| Self { message, of: PhantomData })
    }

    /// The message as `handle` wants it; counted as lost by `actor` when there is no copy to be
    /// had, since neither the actor nor the others that hold the message are to blame.
    pub(crate) fn own_for(self, actor: &ActorCell) -> Option<T> {
        let of = self.message.type_name();
        match catch_unwind(AssertUnwindSafe(|| self.try_into_owned())) {
            Ok(Ok(message)) => return Some(message),
            Ok(Err(_)) => actor.inner.lose(of, "others hold it and it cannot be copied"),
            Err(_) => actor.inner.lose(of, "its `clone` panicked"),
        }
        None
    }
}

impl<T: Any> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.message.as_any().downcast_ref().expect("checked when it was made")
    }
}

impl<T: SharedMessage> From<Arc<T>> for Shared<T> {
    fn from(message: Arc<T>) -> Self {
        Self { message: ArcMessage::new(message), of: PhantomData }
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
        Self { message: self.message.clone(), of: PhantomData }
    }
}

impl<T: fmt::Debug + Any> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&**self).finish()
    }
}
