//! The context of a sender's span, which goes to another node with the message.
//!
//! This crate carries the context, and knows no tracing system. A [`Propagator`] connects the two:
//! it returns the context of the span that is current where a message is sent, and makes a span of
//! the other node that continues it, for the handler. `mycelium_ext` has one for OpenTelemetry,
//! with its feature `otel`.
//!
//! A node with a propagator ([`LinkOptions::with_propagator`]) announces it to its peers of the
//! fork. Contexts go between two nodes that have both announced it, with each cast, each call and
//! each message to several actors: 25 bytes, behind the metadata. Answers carry none. To all other
//! peers no byte differs.
//!
//! Handlers run in spans where `ractor` has its feature `message_span_propogation`, which is on by
//! default.
//!
//! # What a peer may send
//!
//! | input | effect |
//! |---|---|
//! | a context, without the agreement of both nodes | the session ends: `a message has the context of a span, which both nodes have not agreed on` |
//! | fewer than 25 bytes | the session ends: `a frame ends too early` |
//! | a trace or a span of zeros only | the context is ignored, as W3C demands, and the message is delivered |
//! | flags that W3C does not define | the flags are ignored |
//!
//! [`LinkOptions::with_propagator`]: super::options::LinkOptions::with_propagator

use std::fmt;
use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use mycelium_link::codec::{Kind, TRACE};
use tracing::Span;

use crate::NodeId;

/// The version of contexts, as nodes announce it.
const VERSION: u32 = 1;
/// The flags that W3C defines: sampled, and (level 2) random.
const FLAGS: u8 = 0b11;

/// Which span of which trace a message was sent in, as W3C's Trace Context has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// A context, or `None` where the trace or the span is all zeros, which W3C forbids. Flags that
    /// W3C does not define are left out.
    ///
    /// ```
    /// use ractor_cluster::link::traces::TraceContext;
    ///
    /// let context = TraceContext::new([0xab; 16], [0xcd; 8], 0xff).unwrap();
    /// assert_eq!(
    ///     context.to_string(),
    ///     "00-abababababababababababababababab-cdcdcdcdcdcdcdcd-03"
    /// );
    /// assert_eq!(TraceContext::new([0; 16], [0xcd; 8], 1), None);
    /// ```
    #[must_use]
    pub fn new(trace: [u8; 16], span: [u8; 8], flags: u8) -> Option<Self> {
        let is_valid = trace != [0; 16] && span != [0; 8];
        is_valid.then_some(Self { trace, span, flags: flags & FLAGS })
    }

    /// The trace.
    #[must_use]
    pub const fn trace(&self) -> [u8; 16] {
        self.trace
    }

    /// The span in which the message was sent.
    #[must_use]
    pub const fn span(&self) -> [u8; 8] {
        self.span
    }

    /// The flags. Bit 0 is set where the sender records the trace.
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    fn to_bytes(self) -> [u8; TRACE] {
        let mut bytes = [0; TRACE];
        bytes[..16].copy_from_slice(&self.trace);
        bytes[16..24].copy_from_slice(&self.span);
        bytes[24] = self.flags;
        bytes
    }

    fn from_bytes(bytes: [u8; TRACE]) -> Option<Self> {
        let (trace, rest) = bytes.split_first_chunk()?;
        let (span, flags) = rest.split_first_chunk()?;
        Self::new(*trace, *span, *flags.first()?)
    }
}

/// As the value of a `traceparent` header, of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

/// A message of another node, with the context that it came with.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct TracedMessage<'a> {
    /// The context of the sender's span.
    pub context: TraceContext,
    /// The name of the message's variant; empty for a type that is not an enum.
    pub method: &'a str,
    /// The node that sent it.
    pub peer: NodeId,
    /// Whether the sender waits for an answer.
    pub is_call: bool,
}

/// Connects the contexts of messages with a tracing system.
///
/// Both functions run where messages are sent and received, so they must not wait, and must send no
/// messages to actors of other nodes. They must not panic.
pub trait Propagator: fmt::Debug + Send + Sync + RefUnwindSafe + 'static {
    /// The context of the span that is current on this thread, if there is one. Called on the
    /// thread of the sender, once for each message to a peer that takes contexts.
    fn current(&self) -> Option<TraceContext>;

    /// A span that continues the context of a message. The handlers of the message run in it, of
    /// all actors that it goes to, unless it is disabled.
    fn span(&self, message: TracedMessage<'_>) -> Span;
}

/// The contexts of one session.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    propagator: Option<Arc<dyn Propagator>>,
    /// The peer has announced that it takes contexts.
    is_announced: AtomicBool,
}

impl Traces {
    pub(crate) fn new(propagator: Option<Arc<dyn Propagator>>) -> Self {
        Self { propagator, is_announced: AtomicBool::new(false) }
    }

    /// The version that a node with this propagator announces, if it takes contexts.
    pub(crate) fn version(propagator: Option<&Arc<dyn Propagator>>) -> Option<u32> {
        propagator.map(|_| VERSION)
    }

    /// The peer has announced the version that it knows, if any.
    pub(crate) fn announced(&self, version: Option<u32>) {
        self.is_announced.store(version.is_some_and(|it| it >= VERSION), Ordering::Release);
    }

    /// The propagator, where both nodes take contexts.
    fn agreed(&self) -> Option<&Arc<dyn Propagator>> {
        self.propagator.as_ref().filter(|_| self.is_announced.load(Ordering::Acquire))
    }

    /// Whether both nodes take contexts.
    pub(super) fn are_agreed(&self) -> bool {
        self.agreed().is_some()
    }

    /// The context that a message takes with it from this thread.
    #[inline]
    pub(super) fn outgoing(&self) -> Option<[u8; TRACE]> {
        Some(self.agreed()?.current()?.to_bytes())
    }

    /// The span in which a message of the peer is handled that came with these bytes. `None` where
    /// the bytes are no context, or nobody records the span.
    #[cold]
    pub(super) fn incoming(
        &self,
        bytes: [u8; TRACE],
        kind: &Kind<'_>,
        peer: NodeId,
    ) -> Option<Span> {
        let (method, is_call) = match kind {
            Kind::Cast { method, .. } | Kind::Many { method, .. } => (method, false),
            Kind::Call { method, .. } => (method, true),
            Kind::Reply { .. } | Kind::NoReply { .. } => return None,
        };
        let context = TraceContext::from_bytes(bytes)?;
        let span = self.agreed()?.span(TracedMessage { context, method, peer, is_call });
        Some(span).filter(|span| !span.is_disabled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_survives_the_wire_but_for_flags_that_are_not_defined() {
        let context = TraceContext::new([1; 16], [2; 8], 1).unwrap();
        assert_eq!(TraceContext::from_bytes(context.to_bytes()), Some(context));
        let mut bytes = context.to_bytes();
        bytes[24] = 0xfd;
        assert_eq!(TraceContext::from_bytes(bytes), Some(context));
        let last = |from: usize| {
            let mut bytes = [0; TRACE];
            bytes[from] = 1;
            TraceContext::from_bytes(bytes)
        };
        assert_eq!((last(15), last(23)), (None, None), "one of them is all zeros");
    }
}
