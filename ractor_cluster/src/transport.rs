//! The connections that carry frames between nodes: the crate `mycelium_transport`.

#[doc(inline)]
pub use mycelium_transport::*;
