//! A letter: what is known of a message that was not delivered.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::actor::mailbox::Held;
use crate::errors::UndeliveredCause;
use crate::message::ArcMessage;
use crate::{ActorCell, ActorId, ActorName};

/// A message that was not delivered.
#[must_use = "it is no letter until it is posted"]
pub struct DeadLetter {
    cause: UndeliveredCause,
    message_type: &'static str,
    actor: Option<ActorId>,
    actor_name: Option<ActorName>,
    node: Option<u64>,
    count: u64,
    is_returned: bool,
    contents: Mutex<Option<Contents>>,
}

/// The message of a letter.
pub(crate) enum Contents {
    /// Others may hold it too.
    Shared(ArcMessage),
    /// Others may hold it too, and it cannot be copied.
    Arc(Arc<dyn Any + Send + Sync>),
    /// Of its own type, or a box of it.
    Owned(Box<dyn Any + Send>),
}

impl DeadLetter {
    /// A letter without anything but its cause, to be [posted](super::post): for libraries that have
    /// queues of their own.
    pub fn new(cause: UndeliveredCause) -> Self {
        Self {
            cause,
            message_type: "",
            actor: None,
            actor_name: None,
            node: None,
            count: 1,
            is_returned: false,
            contents: Mutex::new(None),
        }
    }

    /// With the name of the message's type.
    pub fn with_message_type(mut self, name: &'static str) -> Self {
        self.message_type = name;
        self
    }

    /// With the actor that the message was for.
    pub fn with_actor(self, actor: &ActorCell) -> Self {
        self.with_target(actor.get_id(), actor.get_name())
    }

    /// With the actor that the message was for, by id and name.
    pub fn with_target(mut self, actor: ActorId, name: Option<ActorName>) -> Self {
        self.actor = Some(actor);
        self.actor_name = name;
        self
    }

    /// With the node of the other side.
    pub fn with_node(mut self, node: u64) -> Self {
        self.node = Some(node);
        self
    }

    /// For so many messages.
    pub fn with_count(mut self, count: u64) -> Self {
        self.count = count;
        self
    }

    /// The message went back to its sender.
    pub fn returned(mut self) -> Self {
        self.is_returned = true;
        self
    }

    /// With the message.
    pub fn with_message<M: Any + Send>(self, message: M) -> Self {
        self.holding(Contents::owned(message))
    }

    /// With the message, which others may hold too.
    pub fn with_arc<T: Any + Send + Sync>(self, message: Arc<T>) -> Self {
        self.holding(Contents::Arc(message))
    }

    /// Takes the message out before it is posted.
    pub(super) fn empty(&mut self) -> Option<Contents> {
        self.contents.get_mut().take()
    }

    pub(crate) fn holding(mut self, contents: impl Into<Option<Contents>>) -> Self {
        *self.contents.get_mut() = contents.into();
        self
    }

    /// Why it was not delivered. Never [`UndeliveredCause::NoReason`].
    #[must_use]
    pub fn cause(&self) -> UndeliveredCause {
        self.cause
    }

    /// The name of the message's type, such as `app::Tick`; empty where it is not known: the type
    /// of a message of another node is its actor's, and some have none. Not the same for all
    /// releases of the compiler.
    #[must_use]
    pub fn message_type(&self) -> &'static str {
        self.message_type
    }

    /// The actor that it was for, as far as one is known.
    #[must_use]
    pub fn actor(&self) -> Option<ActorId> {
        self.actor
    }

    /// The name of that actor, if it has one.
    #[must_use]
    pub fn actor_name(&self) -> Option<&str> {
        self.actor_name.as_deref()
    }

    /// The node that sent the message, or that was to get it, where the cluster noticed.
    #[must_use]
    pub fn node(&self) -> Option<u64> {
        self.node
    }

    /// How many messages the letter stands for: one, but for those that were lost together.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether the send failed and gave the message back. A timer or an output port that sent it
    /// drops it then, and counts it as lost by the actor.
    #[must_use]
    pub fn is_returned(&self) -> bool {
        self.is_returned
    }

    /// Whether the message is in the letter.
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.contents.lock().is_some()
    }

    /// The very `Arc` that was sent, if the message was sent by `Arc` and is a `T`. It stays in the
    /// letter.
    #[must_use]
    pub fn shared<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        match self.contents.lock().as_ref()? {
            Contents::Shared(message) => message.clone().into_arc_of(),
            Contents::Arc(message) => message.clone().downcast().ok(),
            Contents::Owned(_) => None,
        }
    }

    /// Takes the message out, if it is a `T`. Subscribers share a letter: one of them gets it. A
    /// message that was sent by `Arc` and that others hold is copied. It stays in the letter where
    /// that cannot be, and where it came by a fast lane.
    ///
    /// # Panics
    /// When the type's `clone` does.
    #[must_use]
    pub fn take<T: Any + Send>(&self) -> Option<T> {
        // The type's own code runs without the lock.
        let taken = self.contents.lock().take()?;
        match taken.into_owned() {
            Ok(message) => Some(message),
            Err(back) => {
                *self.contents.lock() = Some(back);
                None
            }
        }
    }
}

impl Contents {
    pub(crate) fn owned<M: Any + Send>(message: M) -> Self {
        Self::Owned(Box::new(message))
    }

    fn into_owned<T: Any + Send>(self) -> Result<T, Self> {
        match self {
            Self::Shared(message) => message.owned_of().map_err(Self::Shared),
            // Without `T: Sync` it is not known to be one.
            Self::Arc(_) => Err(self),
            Self::Owned(message) => match message.downcast::<T>() {
                Ok(message) => Ok(*message),
                // Large messages wait in a box of their own.
                Err(message) => {
                    message.downcast::<Held<T>>().map(|it| it.into_inner()).map_err(Self::Owned)
                }
            },
        }
    }
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("cause", &self.cause)
            .field("message_type", &self.message_type)
            .field("actor", &self.actor)
            .field("actor_name", &self.actor_name)
            .field("node", &self.node)
            .field("count", &self.count)
            .field("is_returned", &self.is_returned)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => f.write_str("a message")?,
            count => write!(f, "{count} messages")?,
        }
        if !self.message_type.is_empty() {
            write!(f, " ({})", self.message_type)?;
        }
        if let Some(actor) = self.actor {
            write!(f, " for actor {actor}")?;
        }
        if let Some(name) = &self.actor_name {
            write!(f, " ({name})")?;
        }
        if let Some(node) = self.node {
            write!(f, ", node {node}")?;
        }
        write!(f, ": {} ({})", self.cause, self.cause.name())
    }
}
