//! What may go wrong with a node.

use std::fmt;
use std::io;
use std::time::Duration;

use ractor_cluster::link::{Refusal, RefusedBy};

use crate::address::{Address, Endpoint, InvalidAddress};
use crate::config::InvalidName;
use crate::tls::TlsError;

/// Says why a node did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Its name cannot be one.
    Name(InvalidName),
    /// No cookie is configured.
    NoCookie,
    /// A listener's address cannot be one.
    Address(InvalidAddress),
    /// A listener could not be opened.
    Listen {
        /// Where.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// The configuration asks for what this build or this system cannot do.
    Unsupported {
        /// What it asks for.
        what: String,
    },
    /// Its mode is to connect to the peers of its peers, and it is not allowed to dial addresses
    /// that peers told.
    SuppliedAddresses,
    /// A certificate or a key cannot be used.
    Tls(TlsError),
    /// The Unix socket could not be opened.
    #[cfg(unix)]
    Unix(ractor_cluster::transport::unix::UnixListenError),
    /// The host of a gossip address cannot be resolved.
    Resolve {
        /// The address.
        endpoint: Endpoint,
        /// Why.
        source: io::Error,
    },
    /// Its metrics cannot be served.
    #[cfg(all(feature = "metrics", unix))]
    Metrics {
        /// Where they were to be read.
        listen: Endpoint,
        /// Why not.
        source: io::Error,
    },
    /// There is no thread for it, or no such core.
    #[cfg(all(feature = "spinning", target_os = "linux"))]
    Thread(io::Error),
    /// It cannot take part in the gossip of its cluster.
    #[cfg(feature = "membership")]
    Membership(mycelium_membership::MembershipError),
    /// The node's server did not start, often for a listener beside the first.
    Server(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::NoCookie => {
                f.write_str("the node has no cookie: give it the one that all its peers have")
            }
            Self::Address(error) => error.fmt(f),
            Self::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Unsupported { what } => write!(f, "this build does not support {what}"),
            Self::SuppliedAddresses => f.write_str(
                "the node's mode is transitive, which dials what peers tell: allow it \
                 (dial_supplied_addresses = true under [security]), or let it be isolated",
            ),
            Self::Tls(error) => error.fmt(f),
            #[cfg(unix)]
            Self::Unix(error) => error.fmt(f),
            Self::Resolve { endpoint, source } => {
                write!(f, "{endpoint} cannot be resolved for the gossip: {source}")
            }
            #[cfg(all(feature = "metrics", unix))]
            Self::Metrics { listen, source } => {
                write!(f, "the metrics cannot be served at {listen}: {source}")
            }
            #[cfg(all(feature = "spinning", target_os = "linux"))]
            Self::Thread(error) => write!(f, "the node gets no thread of its own: {error}"),
            #[cfg(feature = "membership")]
            Self::Membership(error) => error.fmt(f),
            Self::Server(error) => write!(f, "the node's server did not start: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Name(error) => Some(error),
            Self::Address(error) => Some(error),
            Self::Listen { source, .. } | Self::Resolve { source, .. } => Some(source),
            #[cfg(all(feature = "metrics", unix))]
            Self::Metrics { source, .. } => Some(source),
            #[cfg(all(feature = "spinning", target_os = "linux"))]
            Self::Thread(error) => Some(error),
            #[cfg(feature = "membership")]
            Self::Membership(error) => Some(error),
            #[cfg(unix)]
            Self::Unix(error) => Some(error),
            Self::Server(error) => Some(&**error),
            Self::Tls(error) => Some(error),
            Self::NoCookie | Self::Unsupported { .. } | Self::SuppliedAddresses => None,
        }
    }
}

/// Says why a peer was not reached.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connection did not open in time.
    Timeout {
        /// Whom one dialled.
        address: Address,
        /// How long it was tried.
        after: Duration,
    },
    /// The connection did not open.
    Unreachable {
        /// Whom one dialled.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// TLS was not agreed upon; often the certificate is for another name, or of another authority.
    Tls {
        /// Whom one dialled.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// TLS is configured, and no trusted CA.
    NoAuthorities {
        /// Whom one dialled.
        address: Address,
    },
    /// The peer did not finish the handshake in time.
    HandshakeTimeout {
        /// Whom one dialled.
        address: Address,
        /// How long it had.
        after: Duration,
    },
    /// The handshake ended without a session. [`ConnectError::refusal`] says which end refused the
    /// other and why, where that is known: a peer of the fork says why.
    Refused {
        /// Whom one dialled.
        address: Address,
        /// What the session said at its end; [`ConnectError::refusal`] reads it.
        reason: Option<String>,
    },
    /// This node stopped meanwhile.
    Stopped,
}

impl ConnectError {
    /// Why the handshake was refused, and which end refused it; `None` when that is not known, or
    /// it was not refused.
    #[must_use]
    pub fn refusal(&self) -> Option<(Refusal, RefusedBy)> {
        match self {
            Self::Refused { reason, .. } => Refusal::of_reason(reason.as_deref()?),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |span: &Duration| humantime::format_duration(*span);
        match self {
            Self::Timeout { address, after } => {
                write!(f, "{address} did not open within {}", time(after))
            }
            Self::Unreachable { address, source } => write!(f, "cannot reach {address}: {source}"),
            Self::Tls { address, source } => write!(f, "no TLS with {address}: {source}"),
            Self::NoAuthorities { address } => {
                write!(
                    f,
                    "no trusted CA is configured for {address}: name the authorities of its certificate"
                )
            }
            Self::HandshakeTimeout { address, after } => {
                write!(f, "{address} did not finish the handshake within {}", time(after))
            }
            Self::Refused { address, reason } => {
                match self.refusal() {
                    Some((cause, RefusedBy::Peer)) => {
                        return write!(
                            f,
                            "{address} refused this node ({}): {cause}",
                            cause.name()
                        );
                    }
                    Some((cause, _)) => {
                        let reason = reason.as_deref().unwrap_or_default();
                        return write!(f, "this node refused {address} ({reason}): {cause}");
                    }
                    None => {}
                }
                write!(
                    f,
                    "{address} ended the handshake, and did not say why: look at its log, and check \
                     that the address belongs to a node, its cookie, its release and its certificate"
                )?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
            }
            Self::Stopped => f.write_str("this node stopped meanwhile"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } | Self::Tls { source, .. } => Some(source),
            _ => None,
        }
    }
}
