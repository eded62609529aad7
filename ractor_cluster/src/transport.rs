//! The connections that carry frames between nodes: the crate `mycelium_transport`, and streams
//! that an application brings along.

mod stream;

pub use mycelium_transport::*;
pub use stream::StreamTransport;
