//! Stops the build when cargo chose a stock `ractor`.
//!
//! A crate of its own, which the crates that need the fork depend on: in one of theirs the compiler
//! would report each item that stock does not have, and not why.

/// What the glob import below finds in a `ractor` that does not say that it is the fork.
#[allow(dead_code, reason = "the fork's item takes precedence, and then nobody asks this one")]
const MYCELIUM_FORK: bool = false;

const _: () = {
    // The fork's item, where there is one, hides the one outside of this block.
    #[allow(unused_imports, reason = "with a stock ractor nothing of it is used")]
    use ractor::*;
    assert!(
        MYCELIUM_FORK,
        "this build took the stock `ractor` and not Mycelium's fork. Depend on `ractor = \
         \"=0.16.5\"`, name the fork under [patch.crates-io] in the workspace's own Cargo.toml, \
         and run `cargo update -p ractor`; `mycelium doctor` says what is missing."
    );
};
