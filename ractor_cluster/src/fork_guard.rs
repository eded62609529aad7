//! Stops the build when the forked cluster was given a stock crate, or a `ractor` with another
//! `async-trait`.

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

// The compiler reports the macro's error first, before each function that differs from ractor's.
#[cfg(not(feature = "async-trait"))]
ractor::mycelium_without_async_trait!(
    "`ractor` has the feature `async-trait` in this build and `ractor_cluster` has not: write \
     `ractor_cluster = { version = \"=0.16.5\", features = [\"async-trait\"] }` in Cargo.toml, or switch on the \
     feature `async-trait` of `mycelium-ext` where you have no `ractor_cluster` of your own."
);

/// What the derive of the fork says of itself.
#[derive(ractor_cluster_derive::RactorClusterMessage)]
#[allow(dead_code)]
enum Probe {
    Nothing,
}

const _: () = assert!(
    <Probe as ractor::Message>::MYCELIUM_DERIVE,
    "Mycelium's `ractor_cluster` was given the stock `ractor_cluster_derive`: name it under \
     [patch.crates-io] beside `ractor_cluster`, from the same source, and run \
     `cargo update -p ractor_cluster_derive`."
);
