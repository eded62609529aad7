//! Stops the build when cargo chose a stock `ractor` below the forked cluster.

/// What the glob import below finds in a `ractor` that does not say that it is the fork.
#[allow(dead_code)]
const MYCELIUM_FORK: bool = false;

const _: () = {
    // The fork's item, where there is one, hides the one outside of this block.
    #[allow(unused_imports)]
    use ractor::*;
    assert!(
        MYCELIUM_FORK,
        "Mycelium's `ractor_cluster` was given the stock `ractor`: name `ractor` and \
         `ractor_cluster_derive` under [patch.crates-io] as well, and run `cargo update -p ractor`."
    );
};
