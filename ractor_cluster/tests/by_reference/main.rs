//! Messages that their senders go on sharing: they are encoded without a copy, and decoded once for
//! all actors of a process.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod derived;
mod nodes;
#[allow(dead_code, reason = "the tests of ractor use more of it")]
#[path = "../../../ractor/tests/remoting/outlet.rs"]
mod outlet;
