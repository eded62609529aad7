//! Carries out a refusal: the one place that counts it, logs it, and tells the peer.

use bytes::Bytes;

use super::incarnation::Incarnation;
use super::quiet_log::PeerLog;
use super::refusal::Refusal;
use crate::protocol::mycelium::{self as wire, frame::Body};
use crate::NodeId;

/// That a connection or a peer is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What is counted, and told to the peer.
    pub(crate) cause: Refusal,
    /// What the log says beside it.
    pub(crate) reason: String,
    pub(crate) notice: Notice,
}

/// What the peer is told of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Nothing: it does not know the frame.
    Nothing,
    /// The cause.
    Cause,
    /// More than the cause, by a goodbye: which newer process of its name is connected.
    Superseded(Incarnation),
}

impl Notice {
    /// Of a peer that knows the frame or not.
    pub(super) fn of_cause(is_known: bool) -> Self {
        if is_known {
            Self::Cause
        } else {
            Self::Nothing
        }
    }
}

/// Who is refused, for the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    /// Of a session.
    pub(crate) node_id: Option<NodeId>,
    /// What it is: a connection or a peer.
    pub(crate) what: &'a str,
    /// Its name, as far as it is known.
    pub(crate) peer: &'a str,
    pub(crate) address: &'a str,
}

impl Refused {
    /// Counts the refusal, logs it as `log` allows, and has `tell` send the frame that tells the
    /// peer.
    pub(crate) fn carry_out(
        &self,
        Who { node_id, what, peer, address }: Who<'_>,
        log: Option<&PeerLog>,
        tell: impl FnOnce(Bytes),
    ) {
        let Self { cause, reason, notice } = self;
        cause.count();
        if let Some(suppressed) = log.map_or(Some(0), |log| log.permits(*cause)) {
            tracing::warn!(
                node_id,
                peer,
                address,
                cause = cause.name(),
                advice = %cause,
                suppressed,
                "{what} is refused: {reason}"
            );
        }
        if *notice == Notice::Cause {
            tell(Body::Refused(wire::Refused { code: cause.code() }).encoded());
        }
    }
}
