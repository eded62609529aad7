//! Names that are unique in a cluster.
//!
//! A node with a [`membership`](crate::membership) gives actors names that all members know.
//! [`Names::register`] asks the members, and gives the actor the name if it is free.
//! [`Names::where_is`] finds the actor of a name, on any node. Names of ractor's own
//! registry, which each process has for itself, are others.
//!
//! ```no_run
//! use mycelium_ext::node::Node;
//! use ractor::ActorRef;
//!
//! # async fn run(node: Node, actor: ActorRef<String>) -> Result<(), Box<dyn std::error::Error>> {
//! let names = node.names().ok_or("it has a cluster")?;
//! let mut registration = names.register("archive", &actor).await?;
//! // On any node:
//! if let Some(archive) = names.where_is::<String>("archive")? {
//!     archive.cast("a line".to_owned())?;
//! }
//! // The actor has its name until it stops, or `unregister` is called, or:
//! println!("the name is gone: {}", registration.released().await);
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! * Of members that see each other, one at most has a name. A node asks all members that it sees
//!   alive, and has the name when all have granted it. Two that ask at once hear of each other: the
//!   first one gets the name, as far as their clocks agree.
//! * The name is free when the actor or its node ends. The other nodes notice the former at once,
//!   and the latter when the member is [down](crate::membership).
//! * In a partition each side gives out names by itself. So there may be two holders until the
//!   sides see each other again. Then the one with the higher [`FencingNumber`] stays, and the
//!   other one is told by [`Registration::released`]. A [`Fence`](crate::singleton::Fence) in front
//!   of a resource refuses it before that.
//! * A node that has just started has no name before it has listened for eight intervals of the
//!   gossip (4 s by default): it could be a name of members that it has not found yet.
//! * `where_is` looks at what this node knows. It sends nothing, and may be a moment behind.
//!
//! # Bounds
//!
//! | what | bound | beyond |
//! |---|---|---|
//! | a name | 1 to 255 bytes, no control characters | [`RegisterError::Name`] |
//! | names of a node, those included that it asks for | 1024 | [`RegisterError::TooMany`]; of a peer: [`Ignored::TooLarge`] |
//! | singletons that a node offers | 256 | [`OfferError::TooMany`](crate::singleton::OfferError::TooMany) |
//! | messages of a peer | 8192 at once, 1024 a second | [`Ignored::TooFast`]; what they say is told again |
//! | messages that wait for a node's attention | 8192 | come back to their sender, which tells it again |
//! | all names of a node, told to one member | once a second | it asks again |
//!
//! `docs/names.md` says what it costs and what comes of each bad input.
//!
//! # Tracing
//!
//! | event | level | fields |
//! |---|---|---|
//! | `a name is another node's` | warn | `name`, `number`, `holder`, `holder.number` |
//! | `a message about names is ignored: …` | warn, with a limit | `node`, `claimed` |
//! | `a message about names was not sent` | debug | `node`, `error` |

mod agent;
mod core;
mod directory;
mod error;
mod registration;
mod told;
mod wire;

pub(crate) use self::agent::{Running, STOPPING};
pub(crate) use self::core::{Command, Core, NotOffered};
pub(crate) use self::directory::is_name;
pub use self::directory::{FencingNumber, Ignored};
pub use self::error::{RegisterError, Released, WrongType};
pub use self::registration::{Holder, Names, Registration};

use std::sync::Arc;

use self::directory::KIND;

/// The type of an actor's messages as a text, which nodes of one release share.
pub(crate) fn kind_of<M>() -> Arc<str> {
    let name = std::any::type_name::<M>();
    let end = (0..=KIND.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    name[..end.unwrap_or_default()].into()
}
