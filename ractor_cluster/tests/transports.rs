//! What every transport has to keep to, and what is particular to each.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]

#[path = "transports/arc.rs"]
mod arc;
#[path = "transports/conformance.rs"]
mod conformance;
#[path = "transports/ends.rs"]
mod ends;
#[cfg(unix)]
#[path = "transports/expected.rs"]
mod expected;
#[path = "transports/kinds.rs"]
mod kinds;
#[cfg(unix)]
#[path = "transports/log.rs"]
mod log;
#[path = "transports/reader.rs"]
mod reader;
#[path = "transports/streams.rs"]
mod streams;
#[cfg(unix)]
#[path = "transports/unix.rs"]
mod unix;
#[path = "transports/writer.rs"]
mod writer;
