//! Carries out a refusal: the one place that counts it, logs it, and tells the peer.

use bytes::Bytes;

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
    /// The peer knows the frame that says so.
    pub(crate) is_told: bool,
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
        let Self { cause, reason, is_told } = self;
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
        if *is_told {
            tell(Body::Refused(wire::Refused { code: cause.code() }).encoded());
        }
    }
}
