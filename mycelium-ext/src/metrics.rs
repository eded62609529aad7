//! The figures of a node for Prometheus.
//!
//! A [`MetricsServer`] answers `GET /metrics` by HTTP with the figures of the process, as
//! OpenMetrics text, or in Prometheus's older format where the client does not ask for that. They are made when they are asked for, of the same snapshot as the
//! [view](crate::view), on a thread of the server's own: it answers while each thread of the
//! runtime is blocked. A node with `[metrics] listen` in its configuration, or
//! [`NodeBuilder::metrics`](crate::node::NodeBuilder::metrics), has one.
//!
//! ```
//! use mycelium_ext::metrics::MetricsServer;
//! use std::io::{Read as _, Write as _};
//! use std::net::TcpStream;
//!
//! let server = MetricsServer::start("127.0.0.1:0".parse()?, "feed@h")?;
//! let mut scraper = TcpStream::connect(server.address())?;
//! scraper.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
//! let mut answer = String::new();
//! scraper.read_to_string(&mut answer)?;
//! assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("mycelium_actors"), "{answer}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! # What is in it
//!
//! Figures of actors are summed up by the type of the actor, for the first 32 types that were seen;
//! those of further types are in `type="other"`. No actor has a figure of its own. Peers have
//! theirs, 64 of them at a time; those of others are in `peer="other"`. So the number of series has
//! a bound. There is no cookie, no key, no payload and no name of an actor or a group in it, but
//! the full names of the node and of its peers.
//!
//! Counters of actors are sums of what samples see, one each second: what an actor did between the
//! last sample and its end is not in them.
//!
//! # Strangers
//!
//! The figures are read without a proof: listen on loopback, or at an address that only the scraper
//! reaches. A request has at most 8 KiB and five seconds, an answer has to be taken within ten.
//! There are at most 64 connections; one more takes the place of the oldest that has not asked. A
//! request that comes at once is answered at once, whatever others do. The figures are made anew
//! when they are 200 ms old, and ten times as old as it took to make them: clients can
//! have the process compute for a tenth of a core at most.

mod classic;
mod connection;
mod page;
mod server;
mod tally;

pub use server::MetricsServer;
