//! What every transport has to keep to, and what is particular to each.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]

mod arc;
mod conformance;
mod ends;
#[cfg(unix)]
mod expected;
mod kinds;
#[cfg(unix)]
mod log;
mod own;
mod reader;
mod streams;
#[cfg(unix)]
mod unix;
mod writer;
