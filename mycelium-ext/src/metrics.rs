//! The figures of a node for Prometheus.
//!
//! A [`MetricsServer`] answers `GET /metrics` by HTTP with the figures of the process, as
//! OpenMetrics text, or in Prometheus's older format where the client does not ask for that. They are made when they are asked for, of the same snapshot as the
//! [view](crate::view), on a thread of the server's own: it answers while each thread of the
//! runtime is blocked. A node with `[metrics] listen` in its configuration, or
//! [`NodeBuilder::metrics`](crate::node::NodeBuilder::metrics), has one.
//!
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
