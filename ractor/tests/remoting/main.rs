//! Messages between nodes, without the nodes: out of a proxy, and into an actor.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]
#![cfg(feature = "cluster")]

mod by_reference;
mod bytes;
mod delivering;
mod fan_out;
mod messages;
mod outlet;
mod port_options;
mod ports;
mod rows;
mod sending;
mod spans;
mod waiting;
