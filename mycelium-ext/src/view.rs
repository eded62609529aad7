//! What a node shows to those who watch it.
//!
//! A [`Snapshot`] has a process's actors, groups, peers, links and losses at one moment. It is
//! made of what these keep anyway, and nobody is stopped for it: locks that code of an application
//! never holds are taken for a moment each. A thread of its own makes it, so that it answers while
//! each thread of the runtime is blocked, and names the actor whose handler has not returned
//! ([`ActorView::handling_ms`]).
//!
//! ```
//! use mycelium_ext::view::{Request, Target, ViewServer};
//! use ractor::{Actor, ActorProcessingErr, ActorRef};
//!
//! struct Order;
//! impl ractor::Message for Order {}
//!
//! struct Book;
//!
//! # #[cfg_attr(feature = "async-trait", ractor::async_trait)]
//! impl Actor for Book {
//!     type Msg = Order;
//!     type State = ();
//!     type Arguments = ();
//!
//!     async fn pre_start(&self, _: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
//!         Ok(())
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let view = ViewServer::start("feed@localhost", Vec::new())?;
//!     Actor::spawn(Some("book".to_owned()), Book, ()).await?;
//!     // From this process or from another one of this user.
//!     let snapshot = Target::at(view.path()).ask(&Request::all(100))?;
//!     let book = snapshot.actors.iter().find(|it| it.name.as_deref() == Some("book"));
//!     assert_eq!(book.map(|it| it.waiting), Some(0));
//!     Ok(())
//! }
//! ```
//!
//! # The socket
//!
//! A node with `[view] socket = "on"` in its configuration, or
//! [`NodeBuilder::view`](crate::node::NodeBuilder::view), serves its snapshots on a Unix socket in
//! the [private folder](folder()) of its user. Other users are refused, by the mode of
//! the folder and, on Linux, by the credentials of the connection. [`list`] finds the nodes of this
//! user, and [`Target::ask`] asks one. `mycelium top` does both.
//!
//! A connection carries one [`Request`] and one answer: each a length of four bytes, big endian,
//! and then so many bytes of JSON. A request has at most 4 KiB, and has to come within a second; an
//! answer has to be taken within five. Connections are served one after the other, and the others
//! wait in the kernel's queue, which has a bound.
//!
//! # From other machines
//!
//! A node with `[view] remote = true`, or
//! [`NodeBuilder::remote_view`](crate::node::NodeBuilder::remote_view), shows itself to all its
//! peers, which are those that know the cookie. [`RemoteTarget`] connects to it and asks. It is off
//! by default. The node gives at most ten answers a second, to all peers together, each with at
//! most 10,000 actors and 8 MiB. A thread of its own makes an answer, but question and answer go by
//! the session: a node whose runtime is stuck answers on its socket only.
//!
//! No snapshot has a cookie, a key or a payload in it.

mod client;
mod collect;
mod folder;
mod frame;
mod remote;
mod request;
mod server;
mod snapshot;
mod watch;

#[cfg(feature = "metrics")]
pub(crate) use collect::Subject;

pub use client::{Target, ViewError, list};
pub use folder::folder;
pub(crate) use remote::RemoteView;
pub use remote::{RemoteError, RemoteTarget};
pub use request::{Request, Sort};
pub use server::ViewServer;
pub use snapshot::{
    ActorView, ArenaView, Count, GroupView, LinkView, NodeView, PeerView, RoundTripView,
    SessionView, Snapshot, Totals,
};
pub use watch::Watcher;
