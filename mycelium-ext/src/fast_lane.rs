//! The fast lane: actors of a data plane.
//!
//! A [`FastActor`] takes its messages from a queue of its own, typed and bounded, a batch at a
//! time. What a message costs there is a push and a pop; the rest is paid once per batch. It is no
//! second actor system: it runs as a `ractor` actor, and is spawned, linked, supervised, named,
//! grouped, monitored, stopped, drained and killed as one.
//!
//! * **Order.** Messages of one sender arrive in the order in which they were sent. Signals, stops
//!   and supervision events come before messages, between two batches; a kill interrupts a handler.
//! * **Bounds.** At most [`LaneConfig::capacity`] messages wait. One that finds no room goes back
//!   to its sender, or is dropped and counted, as [`LaneConfig::overflow`] says;
//!   [`send`](FastActorRef::send) waits for room. A policy that lanes do not have is an error when
//!   the actor is spawned ([`UnknownOverflow`]).
//! * **`Arc`.** [`cast_arc`](FastActorRef::cast_arc) sends a message that others hold too. The
//!   receiver reads either the same way ([`Delivery`]).
//! * **Fairness.** After each batch of at most [`BATCH`] messages the others on the thread get a
//!   turn.
//!
//! Beside its lane a fast actor may be told what is to overtake it ([`FastActorRef::control`]):
//! limits, subscriptions, questions.
//!
//! Bridges lead both ways. The actor's [`ActorCell`](ractor::ActorCell) takes messages of the
//! lane's type (`send_message`, `cast_arc`, `send_arc`), and so do process groups
//! (`pg::broadcast_arc`, `pg::send_arc`) and an `ActorRef<Msg>` that is made of the cell: all of it
//! goes into the lane, in one order with what is sent by a [`FastActorRef`].
//! `FastActorRef::try_from` makes one of a cell. [`FastActorRef::as_actor_ref`] is for what goes
//! beside the lane, and [`Forward`] puts a lane before any actor.
//!
//! An actor that must be early may have a thread that never sleeps (`SpinningThread`, feature
//! `spinning`).
//!
//! The fast lane is local to a process and does not need the `cluster` feature. Messages on it
//! carry no tracing span; those that go through the actor's mailbox do.
//!
//! ```
//! use std::sync::Arc;
//! use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig};
//! use ractor::ActorProcessingErr;
//!
//! /// Adds up.
//! struct Sum;
//!
//! impl FastActor for Sum {
//!     type Msg = u64;
//!     type Control = ();
//!     type State = u64;
//!     type Arguments = u64;
//!
//!     async fn pre_start(
//!         &self,
//!         _: FastActorRef<u64>,
//!         start: u64,
//!     ) -> Result<u64, ActorProcessingErr> {
//!         Ok(start)
//!     }
//!
//!     async fn handle(
//!         &self,
//!         _: FastActorRef<u64>,
//!         batch: Batch<'_, u64>,
//!         sum: &mut u64,
//!     ) -> Result<(), ActorProcessingErr> {
//!         *sum += batch.map(|number| *number).sum::<u64>();
//!         Ok(())
//!     }
//!
//!     async fn post_stop(
//!         &self,
//!         _: FastActorRef<u64>,
//!         sum: &mut u64,
//!     ) -> Result<(), ActorProcessingErr> {
//!         assert_eq!(*sum, 10 + 1 + 2);
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let (sum, stopped) = Sum.spawn(None, 10, LaneConfig::default()).await.unwrap();
//! sum.cast(1).unwrap();
//! sum.cast_arc(Arc::new(2)).unwrap();
//! sum.drain().unwrap();
//! stopped.await.unwrap();
//! # });
//! ```

mod actor;
mod actor_ref;
mod batch;
mod config;
mod directory;
mod forward;
mod inlet;
mod queue;
mod runtime;
#[cfg(feature = "spinning")]
mod spinning;

pub use actor::FastActor;
pub use actor_ref::FastActorRef;
pub use batch::{BATCH, Batch};
pub use config::{LaneConfig, UnknownOverflow};
pub use directory::NoLane;
pub use forward::Forward;
pub use queue::Delivery;
pub use runtime::FastMessage;
#[cfg(feature = "spinning")]
pub use spinning::SpinningThread;
