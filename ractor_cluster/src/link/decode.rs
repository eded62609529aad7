//! Decodes the protobuf frames of peers, behind a scan of what they would cost.
//!
//! An element of a list may be two bytes of a frame and a hundred in memory. So the lists of a
//! frame are counted before any of it is decoded ([`scan`]), and a frame that lists more than the
//! node takes is refused as a whole: no other place decodes what a peer sent.

use std::fmt;
use std::io;

use bytes::Bytes;
use prost::Message as _;
use tokio::task::{spawn_blocking, JoinHandle};

use super::limits::Limits;
use super::refusal::Refusal;
use crate::protocol::NetworkMessage;

mod scan;

/// The elements that a node takes in the lists of one frame whatever its limits are. What is beyond
/// a limit is left out, one by one; only from here on a frame is refused for it.
const LEAST: usize = 16 * 1024;

/// The elements in each list that a node sends: no node of the fork refuses it.
pub(super) const MOST_SENT: usize = 4096;

const _: () = assert!(MOST_SENT <= LEAST);

/// The fields of a frame from which on it takes long to decode. The longest list of actors that a
/// node sends has fewer.
const MOST_FIELDS: usize = 16 * 1024;

/// How much of lists a frame may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// The elements of all its lists together.
    elements: usize,
    /// The bytes of a group's name, and of its scope, from which on its members are left out.
    pub(super) name_bytes: usize,
}

impl Caps {
    /// Of a connection that is not authenticated: nothing that is due by then has a list.
    pub(crate) const STRANGER: Self = Self { elements: 0, name_bytes: 0 };

    /// Of a peer that is held to these limits.
    pub(crate) fn of(limits: &Limits) -> Self {
        Self { elements: limits.actors.max(LEAST), name_bytes: limits.name_bytes }
    }
}

impl Default for Caps {
    fn default() -> Self {
        Self::of(&Limits::default())
    }
}

/// A frame that was decoded.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) message: NetworkMessage,
    /// The elements of its lists.
    pub(crate) elements: usize,
    /// The bytes that its lists take in memory, beside those of the frame.
    pub(crate) cost: usize,
}

/// Why a frame was not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// Its lists have more elements than the node takes in a frame.
    TooLong { most: usize },
    /// Its messages contain each other deeper than the protocol's do.
    TooDeep,
    /// It is no message.
    Malformed(String),
}

impl Undecodable {
    /// What a peer that sent it is refused for.
    pub(crate) fn cause(&self) -> Refusal {
        match self {
            Self::TooLong { .. } => Refusal::ListTooLong,
            Self::TooDeep | Self::Malformed(_) => Refusal::Malformed,
        }
    }

    /// The cause, when this is why reading failed.
    pub(crate) fn cause_of(error: &io::Error) -> Option<Refusal> {
        error.get_ref()?.downcast_ref().map(Self::cause)
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { most: 0 } => {
                f.write_str("a frame holds a list, which is not due before authentication")
            }
            Self::TooLong { most } => {
                write!(f, "a frame holds lists of more than {most} elements, the most for a frame")
            }
            Self::TooDeep => f.write_str("a frame is no message: recursion limit reached"),
            Self::Malformed(error) => write!(f, "a frame is no message: {error}"),
        }
    }
}

impl std::error::Error for Undecodable {}

impl From<Undecodable> for io::Error {
    fn from(error: Undecodable) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Decodes a frame whose lists are within `caps`.
///
/// # Errors
/// The frame is no message, or has longer lists; nothing of it was decoded then.
pub(crate) fn decode(frame: Bytes, caps: Caps) -> Result<Decoded, Undecodable> {
    let found = scan::scan(&frame, caps.elements)?;
    #[allow(clippy::disallowed_methods, reason = "the one place, behind the scan")]
    let message = NetworkMessage::decode(frame);
    let message = message.map_err(|error| Undecodable::Malformed(error.to_string()))?;
    Ok(Decoded { message, elements: found.elements, cost: found.cost })
}

/// What becomes of a frame that came for a session.
#[derive(Debug)]
pub(crate) enum Outcome {
    Decoded(Decoded),
    /// It takes long to decode: the reader does so [elsewhere](decode_elsewhere), and reads nothing
    /// more before it is done.
    Long(Bytes),
    /// The session refuses the peer for it.
    Refused,
}

/// Whether it takes long to decode a frame. What is wrong with it is found when it is decoded.
pub(super) fn is_long(frame: &[u8], caps: Caps) -> bool {
    let most = caps.elements.min(MOST_SENT);
    match scan::walk(frame, most, MOST_FIELDS) {
        Ok(None) => true,
        Err(Undecodable::TooLong { .. }) => most < caps.elements,
        Ok(Some(_)) | Err(_) => false,
    }
}

/// Decodes a long frame on a thread that may be kept for it.
pub(super) fn decode_elsewhere(
    frame: Bytes,
    caps: Caps,
) -> JoinHandle<Result<Decoded, Undecodable>> {
    spawn_blocking(move || decode(frame, caps))
}
