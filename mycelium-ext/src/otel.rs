//! Spans that go on at other nodes, for OpenTelemetry.
//!
//! A message to an actor of another node takes the context of its sender's span with it: 25 bytes,
//! which are those of W3C's `traceparent`. The other node handles it in a span of its own, whose
//! parent is the sender's span. So a call through several nodes is one trace.
//!
//! ```
//! use mycelium_ext::node::Node;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder("feed").cookie("16 random bytes or more").traces(true).start().await?;
//! # node.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! In `mycelium.toml` it is `[traces] propagate = true`. Both nodes need it. It has an effect where
//! the application has the layer of `tracing-opentelemetry` in its subscriber. The example `traced`
//! of this repository is a whole program.
//!
//! # Which span
//!
//! * **Of the sender**: the span of `tracing` that is current where the message is sent, or else
//!   the current context of OpenTelemetry. Without either the message has no context.
//! * **Of the receiver**: one per frame, made when the message arrives. It has the name of the
//!   message's variant, the kind `server` for a call and `consumer` for all others, and the field
//!   `peer.node_id`. Its target is [`TARGET`] and its level INFO: a filter that leaves it out
//!   leaves out the parent. It ends when the last handler has ended, so the time in the mailbox is
//!   part of it. A message to several actors of a node is one frame: their handlers share the span.
//! * **Whether it is recorded** is the sampler's decision. Samplers that follow the parent do what
//!   the peer's flags say: the peer decides then how many spans this node exports.
//!
//! Baggage and `tracestate` stay where they are. Answers carry no context: the caller has its span.
//! Stock peers, and peers without this, get the frames that they always got.
//!
//! `ractor` lives each actor in a span named `Actor` of the target `ractor::actor`, for the whole
//! life of the actor. Leave it out of the layer of OpenTelemetry, or what an actor sends outside of
//! a span of its own belongs to one trace that never ends.
//!
//! The handlers of actors run in the span of their message by ractor's feature
//! `message_span_propogation`, which is on by default and which `mycelium-ext` turns on.

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use ractor_cluster::link::traces::{Propagator, TraceContext, TracedMessage};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The target of the spans in which messages of other nodes are handled.
pub const TARGET: &str = "mycelium::message";

/// The longest name of a span, in bytes: peers name the variants of their messages.
const LONGEST_NAME: usize = 64;

/// Connects messages between nodes with OpenTelemetry, by way of `tracing-opentelemetry`.
///
/// [`NodeBuilder::traces`](crate::node::NodeBuilder::traces) gives it to a node. An application
/// that starts a [`NodeServer`](ractor_cluster::NodeServer) itself passes it to
/// [`LinkOptions::with_propagator`](ractor_cluster::link::LinkOptions::with_propagator).
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct OpenTelemetry;

impl Propagator for OpenTelemetry {
    fn current(&self) -> Option<TraceContext> {
        let of = |context: &Context| {
            let span = context.span();
            let it = span.span_context();
            let flags = it.trace_flags().to_u8();
            TraceContext::new(it.trace_id().to_bytes(), it.span_id().to_bytes(), flags)
        };
        of(&Span::current().context()).or_else(|| Context::map_current(of))
    }

    fn span(&self, message: TracedMessage<'_>) -> Span {
        let TracedMessage { context, method, peer, is_call, .. } = message;
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            "message",
            otel.name = name(method),
            otel.kind = if is_call { "server" } else { "consumer" },
            peer.node_id = peer,
        );
        let of_sender = SpanContext::new(
            TraceId::from_bytes(context.trace()),
            SpanId::from_bytes(context.span()),
            TraceFlags::new(context.flags()),
            true,
            TraceState::default(),
        );
        // Without the layer of OpenTelemetry there is nothing that has a parent.
        _ = span.set_parent(Context::new().with_remote_span_context(of_sender));
        span
    }
}

/// The name of the span of a message.
fn name(method: &str) -> &str {
    let cut = |most: usize| (0..=most).rev().find(|at| method.is_char_boundary(*at)).unwrap_or(0);
    match method {
        "" => "message",
        short if short.len() <= LONGEST_NAME => short,
        long => &long[..cut(LONGEST_NAME)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_a_name_of_bounded_length() {
        assert_eq!((name(""), name("Tick")), ("message", "Tick"));
        let long = format!("{}ü", "x".repeat(LONGEST_NAME - 1));
        assert_eq!(name(&long).len(), LONGEST_NAME - 1);
        assert_eq!(name(&"ü".repeat(1000)).len(), LONGEST_NAME);
    }
}
