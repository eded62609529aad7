//! Peers that are broken, lost or lying, against a node that runs: it refuses each with one clear
//! line that names the peer, tells no secret, and serves the others.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]
#![allow(clippy::disallowed_methods, reason = "these scenes run without `blanket_serde`")]

#[path = "../common/mod.rs"]
mod common;

mod bounds;
mod bytes;
mod calls;
mod client;
mod connecting;
mod credits;
mod ends;
mod excess;
mod floods;
mod forgets;
#[cfg(target_os = "linux")]
mod full;
mod greetings;
mod incarnations;
mod leaving;
mod letters;
mod liars;
mod lists;
mod logs;
mod message;
mod multiplied;
mod parts;
mod pings;
mod proofs;
mod quiet;
mod relay;
mod scene;
mod silence;
mod stalls;
mod stock;
mod strangers;
mod strict;
mod supplied;
mod traces;
mod watchdog;
mod ways;
mod wire;
