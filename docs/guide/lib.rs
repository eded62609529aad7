//! Nothing to use: `cargo test` compiles the snippets of `README.md` and of the guide here, and
//! checks the links of all documents. In edition 2024 all snippets are one program.
//!
//! A page with a snippet needs a line below; `tests/documents.rs` says which one is missing.

#![cfg(doctest)]

/// The pages whose snippets are compiled.
macro_rules! pages {
    ($($name:ident: $file:literal,)*) => {
        $(
            #[doc = include_str!($file)]
            mod $name {}
        )*
    };
}

pages! {
    readme: "../../README.md",
    conflation: "src/conflation.md",
    ends: "src/ends.md",
    market_data: "src/market-data.md",
    messages: "src/messages.md",
    moving: "src/moving.md",
    quick_start: "src/quick-start.md",
    security: "src/security.md",
    sharing: "src/sharing.md",
    simulation: "src/simulation.md",
    slow_readers: "src/slow-readers.md",
    testing: "src/testing.md",
    transports: "src/transports.md",
}
