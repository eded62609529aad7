//! Actors that run once in a cluster.
//!
//! Several nodes offer a singleton, and one of them runs it. When its node goes or stops, or its
//! actor ends, another node that offers it starts it anew. A [`SingletonRef`] sends to wherever it
//! runs now.
//!
//! ```no_run
//! use mycelium_ext::node::Node;
//! use mycelium_ext::singleton;
//! use ractor::{Actor, ActorProcessingErr, ActorRef};
//!
//! struct Clock;
//!
//! # #[cfg(not(feature = "async-trait"))]
//! impl Actor for Clock {
//!     type Msg = String;
//!     type State = singleton::FencingNumber;
//!     type Arguments = singleton::FencingNumber;
//!
//!     async fn pre_start(
//!         &self,
//!         _: ActorRef<String>,
//!         number: singleton::FencingNumber,
//!     ) -> Result<Self::State, ActorProcessingErr> {
//!         Ok(number)
//!     }
//! }
//!
//! # #[cfg(not(feature = "async-trait"))]
//! # async fn run(node: Node) -> Result<(), Box<dyn std::error::Error>> {
//! // On each node that may run it:
//! let names = node.names().ok_or("it has a cluster")?;
//! let offer = singleton::offer(names, "clock", async |number| {
//!     Actor::spawn(None, Clock, number).await.map(|(clock, _)| clock)
//! })?;
//! // On any node:
//! let clock = singleton::find::<String>(names, "clock");
//! clock.running().await?;
//! clock.cast("what time is it?".to_owned())?;
//! offer.withdraw().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Where it runs
//!
//! The place is chosen by rendezvous hashing: of the members that are alive and offer it, the one
//! with the greatest hash of its name and the singleton's. All nodes compute the same. A singleton
//! that runs is left where it is when other members come. A singleton is a
//! [name](crate::names): its place asks all members for it before it starts the actor.
//!
//! # When it moves
//!
//! | event | what happens |
//! |---|---|
//! | its node stops ([`Node::stop`](crate::node::Node::stop)), or the offer is withdrawn or dropped | its actor stops, and has ended when the next node starts its own |
//! | its node is gone | the next node starts its own when the member is [down](crate::membership) |
//! | its actor ends, or does not start | another node starts its own. This one does not offer it for two intervals of the gossip (1 s), and up to 64 times as long when that goes on |
//! | a partition | each side runs one, see below |
//!
//! # Once, and partitions
//!
//! Of members that see each other one runs it. In a partition each side takes the other one for
//! down, and **runs it too**: availability goes before uniqueness. When the sides see each other
//! again the actor with the higher [`FencingNumber`] stays, and the other one is stopped with the
//! reason `singleton_moved`.
//!
//! What must be done once in spite of that needs a resource that checks the number: a [`Fence`].
//! Each start of the actor gets a number that is higher than those before. The actor sends it with
//! each request, and the resource refuses a request whose number is lower than one that it has
//! seen. So the actor on the side that is left behind changes nothing from then on, whether it has
//! heard of the other one or not. The same protects from a process that was suspended and goes on.
//!
//! An actor whose request is refused should end, so that it is started anew with a higher number.
//! The node of the other one may have crashed before the sides saw each other, and then this actor
//! is the only one that is left.
//!
//! # Tracing
//!
//! | event | level | fields |
//! |---|---|---|
//! | `runs here` | info | `singleton`, `number`, `actor` |
//! | `its actor has ended` | warn | `singleton`, `number`, `rest`: how long this node does not offer it |
//! | `did not start` | error | `singleton`, `number`, `rest`, `error` |

mod error;
mod fence;
mod runner;

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use ractor::{ActorRef, Message, SpawnErr};
use tokio::sync::{mpsc, oneshot};
use tracing::Instrument;

use self::runner::{Rest, Runner};
pub use crate::names::FencingNumber;
use crate::names::{Core, Names, NotOffered, WrongType, is_name, kind_of};
pub use error::{OfferError, SendError};
pub use fence::{Fence, Outdated};

/// A node's offer to run a singleton. It is withdrawn when this is dropped.
#[must_use = "the offer is withdrawn when this is dropped"]
pub struct Offer<M> {
    core: Arc<Core>,
    reference: SingletonRef<M>,
    is_withdrawn: bool,
}

/// Leads to a singleton, wherever it runs.
pub struct SingletonRef<M> {
    names: Names,
    name: Arc<str>,
    message: PhantomData<fn(M)>,
}

impl<M> Clone for SingletonRef<M> {
    fn clone(&self) -> Self {
        let (names, name) = (self.names.clone(), self.name.clone());
        Self { names, name, message: PhantomData }
    }
}

impl<M> std::fmt::Debug for Offer<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer").field("name", &self.reference.name).finish_non_exhaustive()
    }
}

impl<M> std::fmt::Debug for SingletonRef<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SingletonRef").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a singleton runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Place<M> {
    /// The full name of the node.
    pub node: Arc<str>,
    /// The number of this start of the actor.
    pub number: FencingNumber,
    /// The actor.
    pub actor: ActorRef<M>,
}

/// Offers to run a singleton on this node. `spawn` is called with a new number each time this node
/// has to start the actor, which must be one of this process.
///
/// # Errors
/// [`OfferError`]: the name cannot be one, or this node cannot offer it.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn offer<M, F, S>(names: &Names, name: &str, spawn: F) -> Result<Offer<M>, OfferError>
where
    M: Message,
    F: Fn(FencingNumber) -> S + Send + 'static,
    S: Future<Output = Result<ActorRef<M>, SpawnErr>> + Send + 'static,
{
    if !is_name(name) {
        return Err(OfferError::Name { name: name.to_owned() });
    }
    let reference = find(names, name);
    let name = reference.name.clone();
    if !M::serializable() {
        return Err(OfferError::NoBytes { name });
    }
    let (command, commands) = mpsc::unbounded_channel();
    let core = names.core().clone();
    core.offer(name.clone(), kind_of::<M>(), command).map_err(|why| match why {
        NotOffered::NodeStopped => OfferError::NodeStopped { name: name.clone() },
        NotOffered::Twice => OfferError::Twice { name: name.clone() },
        NotOffered::TooMany => OfferError::TooMany { name: name.clone() },
    })?;
    let spawn: runner::Spawn = Box::new(move |number| {
        let starting = spawn(number);
        Box::pin(async move { starting.await.map(|actor| actor.get_cell()) })
    });
    let rest = Rest::new(2 * core.interval());
    let runner = Runner { core: core.clone(), name, spawn, commands, rest };
    tokio::spawn(runner.run().in_current_span());
    Ok(Offer { core, reference, is_withdrawn: false })
}

/// Leads to the singleton of this name, also on nodes that do not offer it.
#[must_use]
pub fn find<M: Message>(names: &Names, name: &str) -> SingletonRef<M> {
    SingletonRef { names: names.clone(), name: name.into(), message: PhantomData }
}

impl<M: Message> Offer<M> {
    /// Leads to the singleton, wherever it runs.
    #[must_use]
    pub const fn reference(&self) -> &SingletonRef<M> {
        &self.reference
    }

    /// Withdraws the offer. When the singleton runs on this node, its actor has stopped when this
    /// returns.
    ///
    /// # Cancel safety
    /// When this future is dropped, the offer is withdrawn all the same.
    pub async fn withdraw(mut self) {
        self.is_withdrawn = true;
        let (answer, end) = oneshot::channel();
        self.core.withdraw(&self.reference.name, Some(answer));
        // Its node may have stopped it before.
        let _ = end.await;
    }
}

impl<M> Drop for Offer<M> {
    fn drop(&mut self) {
        if !self.is_withdrawn {
            self.core.withdraw(&self.reference.name, None);
        }
    }
}

impl<M: Message> SingletonRef<M> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it runs now, as far as this node knows; `None`, when it runs nowhere.
    ///
    /// # Errors
    /// [`WrongType`], when its actor takes messages of another type.
    pub fn place(&self) -> Result<Option<Place<M>>, WrongType> {
        let Some(holder) = self.names.holder(&self.name) else { return Ok(None) };
        let expected = kind_of::<M>();
        if *holder.message != *expected {
            let (name, node) = (self.name.clone(), holder.node);
            return Err(WrongType { name, node, expected, found: holder.message });
        }
        let (node, number) = (holder.node, holder.number);
        Ok(Some(Place { node, number, actor: holder.actor.into() }))
    }

    /// Waits until it runs. Cancel safe.
    ///
    /// # Errors
    /// [`WrongType`], when its actor takes messages of another type.
    pub async fn running(&self) -> Result<Place<M>, WrongType> {
        self.names.wait_for::<M>(&self.name).await?;
        loop {
            if let Some(place) = self.place()? {
                return Ok(place);
            }
            // It has just ended.
            self.names.wait_for::<M>(&self.name).await?;
        }
    }

    /// Sends it a message where it runs now. As with each cast, a message that was taken may be
    /// lost with its node; a call, [`place`](Self::place) and `ActorRef::call`, has an answer.
    ///
    /// # Errors
    /// [`SendError`], which has the message: it runs nowhere just now, or did not take it.
    pub fn cast(&self, message: M) -> Result<(), SendError<M>> {
        let name = self.name.clone();
        match self.place() {
            Ok(Some(place)) => {
                place.actor.cast(message).map_err(|error| SendError::Messaging { name, error })
            }
            Ok(None) => Err(SendError::NotRunning { name, message }),
            Err(error) => Err(SendError::WrongType { error, message }),
        }
    }
}
