//! What strangers may hand to a node, each as a function of bytes that panics when something is
//! wrong.
//!
//! A new target is a module here, a line in [`TARGETS`], a file of three lines in `fuzz_targets/`
//! with a `[[bin]]` in `fuzz/Cargo.toml`, and a few seeds; a test notices when one of them is
//! missing.

mod address;
mod budget;
// The client of the tests of hostile peers, which behaves as far as it is asked to, and the
// protocol as it knows it.
#[allow(dead_code, unreachable_pub, reason = "those tests use all of it")]
#[rustfmt::skip] // It has the layout of its own crate's edition.
#[path = "../../../ractor_cluster/tests/hostile/client.rs"]
mod client;
mod codec;
mod common;
mod config;
mod frames;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[path = "../../../ractor_cluster/tests/hostile/message.rs"]
mod message;
pub mod pieces;
#[cfg(target_os = "linux")]
pub mod ring;
#[allow(unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../ractor_cluster/tests/common/server.rs"]
mod server;
pub mod session;
#[allow(dead_code, missing_docs, missing_debug_implementations, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../ractor_cluster/tests/hostile/wire.rs"]
pub mod wire;

/// Something that is fuzzed.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which its binary and the folder of its seeds have too.
    pub name: &'static str,
    /// Takes any bytes, and panics when something is wrong.
    pub body: fn(&[u8]),
}

/// All that are fuzzed.
pub const TARGETS: &[Target] = &[
    Target { name: "address", body: address::run },
    Target { name: "codec", body: codec::run },
    Target { name: "config", body: config::run },
    Target { name: "frames", body: frames::run },
    // Elsewhere there is no shared memory, and nothing to try.
    #[cfg(target_os = "linux")]
    Target { name: "ring", body: ring::run },
    #[cfg(not(target_os = "linux"))]
    Target { name: "ring", body: |_| {} },
    Target { name: "session", body: session::run },
];

/// Runs the target of this name.
///
/// # Panics
/// When something is wrong, or there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).body)(bytes);
}
