//! Order, acknowledgement and replay of one direction of a lane, without any I/O.
//!
//! A *lane* is a sequence of frames that takes one link at a time. [`Outbound`] numbers them and
//! keeps those that the peer has not acknowledged, so that they can go again by another link;
//! [`Inbound`] drops what comes twice. Together: as links come and go, every frame is delivered
//! once and in order.
//!
//! What waits and what is kept are the same bytes: frames are written behind each other, each
//! behind its length, as they go over a link, and a link is handed them in chunks. The only copy is
//! that into the chunk, and a large payload is spared even that.
//!
//! ```
//! use bytes::{BufMut as _, Bytes};
//! use mycelium_link::HEADER;
//! use mycelium_link::lane::Outbound;
//!
//! let mut lane = Outbound::default();
//! for word in ["one", "three"] {
//!     lane.push(word.len(), |into| into.put_slice(word.as_bytes()), Bytes::new());
//! }
//! let chunk = lane.transmit().expect("two frames are to go");
//! assert_eq!(chunk.frames.len(), 2 * HEADER + "onethree".len());
//! assert!(lane.transmit().is_none());
//! // The peer has the first one. The other one goes again by the next link.
//! lane.acknowledge(1)?;
//! lane.rewind();
//! assert_eq!(lane.transmit().map(|chunk| chunk.frames.len()), Some(HEADER + "three".len()));
//! # Ok::<(), mycelium_link::lane::LaneError>(())
//! ```

mod inbound;
mod outbound;
mod partial;

pub use inbound::{Accepted, Due, Inbound};
pub use outbound::{Chunk, Frames, Outbound};
pub(crate) use outbound::{Counts, Parts};
pub use partial::{Part, Partial};

/// Acknowledge so many bytes, when no more come at present. A sender has to keep more than that.
pub const ACKNOWLEDGE_BYTES: usize = 128 * 1024;
/// After so many replays in a row without an acknowledgement the session ends.
const FRUITLESS: u32 = 2;

/// The peer broke the rules of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneError {
    /// A frame is missing in front of this one.
    Gap {
        /// The frame that was due.
        expected: u64,
        /// The frame that came.
        found: u64,
    },
    /// It acknowledged what was never sent.
    Unsent {
        /// The frame that the peer acknowledged.
        acknowledged: u64,
        /// The last frame that was sent.
        sent: u64,
    },
    /// There is no such lane.
    UnknownLane(u32),
    /// A part of a frame that does not continue the part before it.
    Part {
        /// The frame.
        frame: u64,
        /// The bytes of the frame that have come.
        have: usize,
        /// Where the part begins, in bytes of the frame.
        offset: u64,
    },
    /// The parts of a frame make no frame: it is empty, too large, or came in parts where its lane
    /// carries whole frames.
    Parts {
        /// The frame.
        frame: u64,
        /// Its bytes, as its first part says.
        total: u64,
    },
    /// Links broke one after the other over the same frames.
    Stuck {
        /// The first frame that is not acknowledged.
        frame: u64,
        /// The bytes that are kept.
        bytes: usize,
    },
}

impl std::fmt::Display for LaneError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gap { expected, found } => {
                write!(f, "frame {found} came where {expected} was due")
            }
            Self::Unsent { acknowledged, sent } => {
                write!(f, "frame {acknowledged} was acknowledged, and {sent} is the last sent")
            }
            Self::UnknownLane(lane) => write!(f, "there is no lane {lane}"),
            Self::Part { frame, have, offset } => {
                write!(f, "a part of frame {frame} begins at byte {offset}, and {have} have come")
            }
            Self::Parts { frame, total } => {
                write!(f, "frame {frame} may not come in parts of {total} bytes")
            }
            Self::Stuck { frame, bytes } => write!(
                f,
                "{} links broke in a row before frame {frame} was acknowledged, with {bytes} bytes kept",
                FRUITLESS + 1
            ),
        }
    }
}

impl std::error::Error for LaneError {}

#[cfg(test)]
#[path = "lane/tests.rs"]
mod tests;
