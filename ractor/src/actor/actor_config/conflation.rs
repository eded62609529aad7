//! Mailboxes that keep the latest message of each key.

use std::any::{type_name, Any, TypeId};
use std::fmt;
use std::hash::Hash;

use crate::actor::mailbox;
use crate::actor::mailbox::Bound;
use crate::Message;

/// Tells which messages of a conflating mailbox replace each other.
///
/// It is implemented for the message itself, or for a type that only names the rule, so that two
/// actors may conflate the same message by different keys.
///
/// A newer message replaces the one that waits under the same key, and takes its place in the
/// queue. So it comes before messages that were sent between the two, also those of its own sender.
/// The message that was replaced is dropped, and counted
/// ([`ActorCell::replaced_messages`](crate::ActorCell::replaced_messages)).
///
/// Messages without a key are all kept, in the order in which they were sent. **A message that
/// holds a reply port should have no key:** one that is replaced drops its port, and its caller
/// gets [`SenderError`](crate::rpc::CallResult::SenderError) at once.
///
/// ```
/// use ractor::actor::actor_config::{ActorConfig, Conflate, Mailbox, Overflow};
/// use ractor::RpcReplyPort;
///
/// enum Book {
///     Tick { symbol: u32, price: u64 },
///     Snapshot(RpcReplyPort<u64>),
/// }
/// # #[cfg(feature = "cluster")]
/// impl ractor::Message for Book {}
///
/// impl Conflate for Book {
///     type Message = Self;
///     type Key = u32;
///
///     fn key(message: &Self) -> Option<u32> {
///         match message {
///             Self::Tick { symbol, .. } => Some(*symbol),
///             Self::Snapshot(_) => None,
///         }
///     }
/// }
///
/// let latest = Mailbox::conflating::<Book>(10_000, Overflow::Reject);
/// let config = ActorConfig::default().with_mailbox(latest);
/// # _ = config;
/// ```
pub trait Conflate: 'static {
    /// What the actor handles.
    type Message: Message;

    /// What messages have in common that replace each other. Its `Eq` runs under the mailbox's
    /// lock, and must send nothing to the same actor; it is a deadlock otherwise. Hashes are keyed
    /// at random, so that no sender can choose keys that collide.
    type Key: Eq + Hash + Send + 'static;

    /// The key of a message; `None` for one that is kept whatever comes after it.
    ///
    /// It runs on the thread of the sender, and for a message from another node on one that
    /// serves the node's link: it should be short, and must not wait.
    ///
    /// # Panics
    /// A panic in here, or in the key's `Hash` or `Eq`, does not reach the sender's code. The
    /// message comes back as one that was not sent
    /// ([`UndeliveredReason::KeyPanicked`](crate::errors::UndeliveredReason::KeyPanicked)), and one
    /// from another node is dropped and counted there.
    fn key(message: &Self::Message) -> Option<Self::Key>;
}

/// A [`Conflate`] without its type, as a mailbox's configuration holds it.
#[derive(Clone, Copy)]
pub struct Conflation(&'static Rule);

struct Rule {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    message: fn() -> &'static str,
    queue: fn(Bound) -> Box<dyn Any>,
}

struct Of<C>(C);

impl<C: Conflate> Of<C> {
    const RULE: &'static Rule = &Rule {
        id: TypeId::of::<C>,
        name: type_name::<C>,
        message: type_name::<C::Message>,
        queue: mailbox::conflating::<C>,
    };
}

impl Conflation {
    /// By this key.
    #[must_use]
    pub const fn by<C: Conflate>() -> Self {
        Self(Of::<C>::RULE)
    }

    /// The name of the message that it is for.
    #[must_use]
    pub fn message(&self) -> &'static str {
        (self.0.message)()
    }

    /// The queue, of the parcels of its message.
    pub(crate) fn queue(&self, bound: Bound) -> Box<dyn Any> {
        (self.0.queue)(bound)
    }
}

impl PartialEq for Conflation {
    fn eq(&self, other: &Self) -> bool {
        (self.0.id)() == (other.0.id)()
    }
}

impl Eq for Conflation {}

impl fmt::Debug for Conflation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Conflation").field(&(self.0.name)()).finish()
    }
}
