//! Nodes of Mycelium's ractor under virtual time: a test of a whole cluster, with its faults, in one
//! process and in milliseconds.
//!
//! Each host has a node, and ractor's names, pids and groups of its own, as if it were a process.
//! The network is simulated by [turmoil](https://docs.rs/turmoil/0.7): messages are delayed and
//! reordered, connections lose what is sent, links are cut, hosts crash and start anew. All that is
//! random is drawn from the seed, so that a seed that fails fails again.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//! use std::time::Duration;
//!
//! use mycelium_simulation::{Failure, Simulation};
//! use ractor::{Actor, ActorProcessingErr, ActorRef, pg};
//! use ractor_cluster::RactorClusterMessage;
//!
//! #[derive(RactorClusterMessage)]
//! enum Tick {
//!     Price(u64),
//! }
//!
//! struct Reader(Arc<AtomicU64>);
//!
//! impl Actor for Reader {
//!     type Msg = Tick;
//!     type State = ();
//!     type Arguments = ();
//!
//!     async fn pre_start(&self, me: ActorRef<Tick>, (): ()) -> Result<(), ActorProcessingErr> {
//!         pg::join("readers".to_owned(), vec![me.get_cell()]);
//!         Ok(())
//!     }
//!
//!     async fn handle(
//!         &self,
//!         _: ActorRef<Tick>,
//!         Tick::Price(price): Tick,
//!         (): &mut (),
//!     ) -> Result<(), ActorProcessingErr> {
//!         self.0.store(price, Ordering::Relaxed);
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Failure> {
//! let latest = Arc::new(AtomicU64::new(0));
//! let mut simulation = Simulation::new(7);
//! let of_reader = latest.clone();
//! simulation.host("reader", move |_| {
//!     let latest = of_reader.clone();
//!     async move {
//!         Actor::spawn(None, Reader(latest), ()).await?;
//!         Ok(())
//!     }
//! });
//! simulation.host("feed", |host| async move {
//!     host.keep_connected("reader");
//!     for price in 1.. {
//!         for reader in pg::get_members(&"readers".to_owned()) {
//!             // It comes back while there is no session.
//!             _ = ActorRef::<Tick>::from(reader).cast(Tick::Price(price));
//!         }
//!         tokio::time::sleep(Duration::from_millis(100)).await;
//!     }
//!     Ok(())
//! });
//!
//! simulation.run_for(Duration::from_secs(2))?;
//! simulation.partition("feed", "reader");
//! simulation.run_for(Duration::from_secs(60))?;
//! simulation.repair("feed", "reader");
//! let is_fresh = || latest.load(Ordering::Relaxed) > 600;
//! assert!(simulation.run_until(Duration::from_secs(10), is_fresh)?, "{}", simulation.trace());
//! # Ok(())
//! # }
//! ```
//!
//! # What is the same in each run
//!
//! Two runs of one seed and one program have the same [`Trace::digest`], in one process and in two,
//! as long as the software of the hosts draws nothing that is random by itself:
//!
//! * Randomness comes from [`Host::draw`]. The order of `std`'s `HashMap`, of `tokio::select!`
//!   without `biased`, and of tasks that wait for one channel of `tokio::sync::watch`, is random.
//! * Time is tokio's: `tokio::time::{sleep, Instant}`. `std::time::Instant` and `SystemTime` are the
//!   machine's.
//! * All runs on one thread. Of `spawn_blocking` and threads of one's own nobody knows when they
//!   are ready.
//!
//! # What is simulated, and what is not
//!
//! | runs as in a process | does not |
//! |---|---|
//! | `NodeServer`, sessions, handshakes, election, incarnations | sockets, TLS, shared memory |
//! | `Node` of `mycelium-ext`, membership, names, singletons | the choice of members to gossip with |
//! | lanes, acknowledgement, replay, credits | view, metrics, busy polling |
//! | names, pids, groups, supervision, timers of ractor | events and counters by host (below) |
//!
//! `ractor_cluster::peers::events` and the counters of dead letters and refusals are those of all
//! hosts together.

mod host;
mod machine;
mod network;
mod sessions;
mod simulation;
mod trace;
mod transport;

pub use host::Host;
pub use network::gossip_address;
pub use simulation::{Builder, Simulation};
pub use trace::{Digest, Event, Trace};

/// Why the software of a host has failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
