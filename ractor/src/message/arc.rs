//! The shared form of a message.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "cluster")]
use super::BoxedDowncastErr;
use super::{Message, SharedMessage};
#[cfg(feature = "cluster")]
use crate::remoting::Incoming;

/// What an [`ArcMessage`] needs of the message inside, whatever its type: a way back to the
/// type, and a copy for a receiver that wants its own.
///
/// Every [`SharedMessage`] has it; there is nothing to implement.
pub trait MessageTrait: Any + Send + Sync {
    /// The message as [`Any`], to look at its type. An `Arc<dyn MessageTrait>` answers for the
    /// message inside, with and without the `cluster` feature.
    fn as_any(&self) -> &(dyn Any + Send + Sync);

    /// The value itself as [`Any`], also where it is an `Arc<dyn MessageTrait>`: for the runtime,
    /// whose actors may handle such messages.
    #[doc(hidden)]
    fn as_value(&self) -> &(dyn Any + Send + Sync);

    /// The `Arc` as one of [`Any`], to downcast it.
    fn into_any_arc(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;

    /// Puts the message into `slot`, an empty `Option` of its type: moved when this is the last
    /// reference, cloned otherwise. A slot instead of a `Box` spares the allocation.
    ///
    /// # Errors
    /// The message itself, when others hold it and it cannot be copied, or when `slot` is of
    /// another type.
    ///
    /// # Panics
    /// When the type's `clone` does.
    fn into_slot(self: Arc<Self>, slot: &mut dyn Any) -> Result<(), Arc<dyn MessageTrait>>;

    /// The name of the message's type, for logs.
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

impl<T: SharedMessage> MessageTrait for T {
    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        // Without the `cluster` feature these are messages as well, and the compiler finds them
        // first.
        let value: &(dyn Any + Send + Sync) = self;
        if let Some(erased) = value.downcast_ref::<Arc<dyn MessageTrait>>() {
            return (**erased).as_any();
        }
        if let Some(erased) = value.downcast_ref::<Arc<dyn MessageTrait + Send + Sync>>() {
            return (**erased).as_any();
        }
        value
    }

    fn as_value(&self) -> &(dyn Any + Send + Sync) {
        self
    }

    fn into_any_arc(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn into_slot(self: Arc<Self>, slot: &mut dyn Any) -> Result<(), Arc<dyn MessageTrait>> {
        let Some(slot) = slot.downcast_mut::<Option<T>>() else {
            return Err(self);
        };
        *slot = match Arc::try_unwrap(self) {
            Ok(message) => Some(message),
            // Not `shared.clone_shared()`: an `Arc` of a message can be one itself.
            Err(shared) => match T::clone_shared(&shared) {
                Some(copy) => Some(copy),
                None => return Err(shared),
            },
        };
        Ok(())
    }
}

/// A message that several mailboxes can hold at once, without its type.
///
/// Cloning it counts a reference; the message is not copied.
///
/// ```
/// use std::sync::Arc;
/// use ractor::message::ArcMessage;
///
/// let tick = Arc::new(42_u64);
/// let message = ArcMessage::new(tick.clone());
/// assert!(message.is::<u64>());
///
/// // A failed downcast gives the message back.
/// let message = message.downcast::<String>().unwrap_err();
/// assert!(Arc::ptr_eq(&message.downcast::<u64>().unwrap(), &tick));
/// ```
#[derive(Clone)]
pub struct ArcMessage(Arc<dyn MessageTrait>);

impl ArcMessage {
    /// Wraps a shared message.
    pub fn new<T: SharedMessage>(message: Arc<T>) -> Self {
        Self(message)
    }

    /// Decodes a message that came from another node for several actors, which share it: what a
    /// type's [`Message::arc_from_incoming`] calls. `None` when each of them has to decode its own,
    /// since the type or this value is not shared, or since it is a call.
    ///
    /// # Errors
    /// The bytes are not of the type, as its [`from_incoming`](Message::from_incoming) says, or its
    /// [`from_boxed`](Message::from_boxed) unless it [keeps to the
    /// default](Message::keeps_default_boxing).
    ///
    /// # Panics
    /// When these do.
    #[cfg(feature = "cluster")]
    pub fn decode<T: SharedMessage>(
        incoming: Incoming<'_>,
    ) -> Option<Result<Self, BoxedDowncastErr>> {
        if incoming.reply.is_some() || !T::arc_shareable() {
            return None;
        }
        match incoming.open::<T>() {
            Ok(message) if !T::is_shareable(&message) => None,
            decoded => Some(decoded.map(|message| Self::new(Arc::new(message)))),
        }
    }

    /// The message behind the `Arc`. An `Arc` of a shareable message is shareable itself, so that
    /// a method called on the `Arc` would be the wrong one.
    fn inner(&self) -> &dyn MessageTrait {
        &*self.0
    }

    /// Whether the message is a `T`.
    pub fn is<T: Message>(&self) -> bool {
        self.as_any().is::<T>()
    }

    /// The message, if it is a `T`.
    pub fn downcast_ref<T: Message>(&self) -> Option<&T> {
        self.as_any().downcast_ref()
    }

    /// The message's own `Arc`, if it is a `T`.
    ///
    /// # Errors
    /// The message itself, when it is of another type.
    pub fn downcast<T: Message + Sync>(self) -> Result<Arc<T>, Self> {
        if self.is::<T>() {
            Ok(self.0.into_any_arc().downcast().expect("its type was asked for"))
        } else {
            Err(self)
        }
    }

    /// The message itself, if it is a `T`: moved when this is the last reference, cloned
    /// otherwise.
    ///
    /// # Errors
    /// The message, when it is of another type, or when others hold it and it cannot be copied.
    ///
    /// # Panics
    /// When the type's `clone` does.
    pub fn into_owned<T: Message>(self) -> Result<T, Self> {
        self.owned_of()
    }

    /// As [`into_owned`](Self::into_owned), for a `T` that need not be a message.
    pub(crate) fn owned_of<T: Any>(self) -> Result<T, Self> {
        let mut slot: Option<T> = None;
        self.0.into_slot(&mut slot).map_err(Self)?;
        Ok(slot.expect("what succeeds has filled it"))
    }

    /// The message's own `Arc`, if it is a `T`, which need not be a message.
    pub(crate) fn into_arc_of<T: Any + Send + Sync>(self) -> Option<Arc<T>> {
        self.as_any().is::<T>().then(|| self.0.into_any_arc().downcast().ok()).flatten()
    }

    /// The message as [`Any`].
    pub(crate) fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self.inner().as_value()
    }

    /// The name of the message's type, for logs.
    pub fn type_name(&self) -> &'static str {
        self.inner().type_name()
    }
}

impl fmt::Debug for ArcMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArcMessage({})", self.type_name())
    }
}
