//! Rate limits for what a peer can have a node log: per cause of a refusal, per kind of line about
//! sessions and links, and per place in the code.

use std::time::Instant;

use mycelium_transport::log_limit::LineLimit;
pub(crate) use mycelium_transport::log_limit::{limited_error, limited_info, limited_warn};

use super::refusal::{self, Refusal};

/// Declares the kinds of lines.
macro_rules! lines {
    ($($(#[$doc:meta])* $line:ident)+) => {
        /// Lines about sessions and links that a peer which is let in can cause without end, such
        /// as by leaving and coming back.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Line {
            $($(#[$doc])* $line,)+
        }

        const LINES: usize = [$(Line::$line),+].len();
    };
}

lines! {
    /// A node of the fork is let in.
    ForkAdmitted
    /// A stock node is let in.
    StockAdmitted
    /// A peer sees another kind of channel.
    AnotherChannel
    /// A peer looks local, and is not.
    NotLocal
    /// A peer announces more than it may.
    LimitReached
    /// An address that a peer told is not dialled.
    NotDialled
    /// An address that a peer told is dialled in vain.
    NotConnected
    /// A link broke.
    LinkBroke
    /// A connection cannot be read any more.
    ConnectionClosed
    /// A connection cannot be written to.
    ConnectionBroke
    /// Nothing came from a peer.
    Silent
    /// A session waits for a link.
    Suspended
    /// A session goes on.
    Resumed
    /// A peer leaves.
    Left
    /// Another process has taken a peer's place.
    Replaced
    /// Another process has taken this node's place.
    Superseded
    /// A session cannot go on.
    SessionBroken
    /// A session ended.
    SessionEnded
    /// A session ended with messages unacknowledged.
    Unacknowledged
}

/// The limits of what the peers of one node server can have logged.
#[derive(Debug)]
pub(crate) struct PeerLog {
    burst: u32,
    causes: [LineLimit; refusal::CAUSES],
    lines: [LineLimit; LINES],
}

impl PeerLog {
    /// With so many lines at once of one kind, or about refusals for one cause.
    pub(crate) const fn new(burst: u32) -> Self {
        Self {
            burst,
            causes: [const { LineLimit::new() }; refusal::CAUSES],
            lines: [const { LineLimit::new() }; LINES],
        }
    }

    /// Whether a line of this kind may be logged: how many were left out before it. Without a
    /// server there is no limit.
    pub(crate) fn permit(log: Option<&Self>, line: Line) -> Option<u64> {
        let Some(Self { burst, lines, .. }) = log else { return Some(0) };
        lines[line as usize].permit_at(Instant::now(), *burst)
    }

    /// Whether a line may be logged of a refusal for this: how many were left out before it.
    pub(crate) fn permits(&self, cause: Refusal) -> Option<u64> {
        let burst = if cause == Refusal::Displaced { 1 } else { self.burst };
        self.causes[refusal::index(cause)].permit_at(Instant::now(), burst)
    }
}

/// As `tracing::warn!` and others, with the limit of a kind of line: `peer_line!(log, LinkBroke,
/// warn, ...)`, where `log` is an `Option<&PeerLog>`.
macro_rules! peer_line {
    ($log:expr, $line:ident, $level:ident, $($said:tt)*) => {
        if let Some(suppressed) = $crate::link::quiet_log::PeerLog::permit(
            $log,
            $crate::link::quiet_log::Line::$line,
        ) {
            ::tracing::$level!(suppressed, $($said)*);
        }
    };
}
pub(crate) use peer_line;

/// Stands in for `tracing` where a peer can cause each line.
pub(crate) mod limited {
    pub(crate) use super::{limited_error as error, limited_info as info, limited_warn as warn};
    pub(crate) use ::tracing::debug;
}
