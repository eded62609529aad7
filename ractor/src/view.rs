//! What an actor looks like from outside, for those who watch a process.
//!
//! A view is made of what the actor keeps anyway, when it is asked for. Nothing is counted for it
//! while nobody asks, but one sum when an actor takes messages out of its mailbox.
//!
//! ```
//! use ractor::{Actor, ActorProcessingErr, ActorRef};
//!
//! struct Tick;
//! ractor::local_message!(Tick);
//!
//! struct Feed;
//!
//! # #[cfg_attr(feature = "async-trait", ractor::async_trait)]
//! impl Actor for Feed {
//!     type Msg = Tick;
//!     type State = ();
//!     type Arguments = ();
//!
//!     async fn pre_start(&self, _: ActorRef<Tick>, _: ()) -> Result<(), ActorProcessingErr> {
//!         Ok(())
//!     }
//!
//!     async fn handle(
//!         &self,
//!         _: ActorRef<Tick>,
//!         _: Tick,
//!         _: &mut (),
//!     ) -> Result<(), ActorProcessingErr> {
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (feed, _) = Actor::spawn(Some("feed".to_owned()), Feed, ()).await?;
//! let seen = feed.get_cell().view();
//! assert!(seen.actor_type.ends_with("Feed"));
//! assert_eq!((seen.waiting, seen.lost), (0, 0));
//! // With the feature `cluster` there is a list of all actors.
//! # #[cfg(feature = "cluster")]
//! assert!(ractor::view::actors().iter().any(|actor| actor.id == seen.id));
//! feed.stop_and_wait(None, None).await?;
//! # Ok(())
//! # }
//! ```

use crate::{ActorId, ActorName, ActorStatus};

/// An actor at one moment. See [`ActorCell::view`](crate::ActorCell::view).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActorView {
    /// Its id.
    pub id: ActorId,
    /// Its name, if it has one.
    pub name: Option<ActorName>,
    /// The name of its type, such as `app::Feed`. Not the same for all releases of the compiler.
    pub actor_type: &'static str,
    /// Its status.
    pub status: ActorStatus,
    /// The actor that supervises it.
    pub supervisor: Option<ActorId>,
    /// The messages that wait. Exact with a bound, and otherwise but for one or two.
    pub waiting: usize,
    /// The bound of its mailbox, if it has one.
    pub capacity: Option<usize>,
    /// The most messages that ever waited; see
    /// [`ActorCell::mailbox_high_water`](crate::ActorCell::mailbox_high_water).
    pub high_water: usize,
    /// The messages whose handler has returned, or was ended.
    pub handled: u64,
    /// The supervision events whose handler has begun.
    pub events: u64,
    /// Whether a handler runs that has not returned: of a message or of a supervision event. Its
    /// thread may be blocked, or it may await something. An actor whose turn has not come has none.
    pub is_handling: bool,
    /// Messages that were admitted and that no handler will get.
    pub lost: u64,
}

/// All actors of this process that have been made and have not stopped, in no order. Proxies of
/// actors of other nodes are not among them.
#[cfg(feature = "cluster")]
#[must_use]
pub fn actors() -> Vec<ActorView> {
    crate::registry::pid_registry::get_all_pids().iter().map(crate::ActorCell::view).collect()
}
