//! Messages between nodes of the fork, as bytes, without I/O.
//!
//! A frame of this kind begins with a zero, which no message of a protobuf does, since no field has
//! that number. Numbers are LEB128. Behind the zero:
//!
//! ```text
//! kind | flags    one byte
//! lane            one byte
//! sequence        of the lane
//! acknowledged    of the lane that comes the other way
//! cast:     to                      method [metadata] [trace] arguments
//! call:     to tag [milliseconds]   method [metadata] [trace] arguments
//! many:     count to…               method [metadata] [trace] arguments
//! reply:    to tag                  answer
//! no reply: to tag
//! part:     total offset            bytes
//! ```
//!
//! A part is bytes of a larger frame, which has the same lane and sequence. So that frame goes
//! piece by piece, and frames of other lanes go in between.
//!
//! A trace is the context of the sender's span, in 25 bytes: those of W3C's `traceparent` without
//! its version, which are 16 of the trace, 8 of the span, and the flags. It goes to peers only that
//! have announced that they take it. Here it is bytes, whatever they are.
//!
//! A method is the name of a message's variant. Names are numbered by the lane as they come, so
//! that each goes once: 0 is a name that gets no number, 1 is one that gets the next, and from 2 on
//! it is the number of a name that came before. Arguments and answers take the rest of the frame.
//!
//! Every length and count has a bound before memory is taken for it:
//!
//! | field | bound |
//! |---|---|
//! | frame | `max_inbound_frame_size` of the node |
//! | count of a list | 512 ([`MAX_TARGETS`]), and one byte of the frame for each |
//! | target of a list | once in its list; one that is no actor is counted as a dead letter |
//! | copies for a list | 16 MiB for types that actors cannot share (`ractor::remoting::deliver_to_all`) |
//! | deliveries of a turn | 512, and the rest of a frame; then other tasks get a turn (`reader`) |
//! | name of a method | the rest of the frame; 256 bytes and 1024 names of a lane where it is numbered |
//! | metadata | the rest of the frame, which contains it |
//! | number | ten bytes; one that is no method, lane or actor is refused |
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use mycelium_link::codec::{CodecError, Frame, Kind, Names, Numbers, What, head, write};
//!
//! let mut frame = BytesMut::new();
//! let cast = What::Cast { to: 7, method: "Price", metadata: None, trace: None };
//! let place = Frame { lane: 2, sequence: 1, acknowledged: 0 };
//! write(place, cast, &mut Numbers::default(), &mut frame);
//! frame.extend_from_slice(b"arguments");
//!
//! let frame = frame.freeze();
//! let head = head(&frame)?.expect("no protobuf begins so");
//! assert_eq!((head.lane, head.sequence), (2, 1));
//! let mut names = Names::default();
//! let message = head.message((frame, Bytes::new()), &mut names)?;
//! assert!(matches!(message.kind, Kind::Cast { to: 7, ref method, .. } if method == "Price"));
//! assert_eq!(message.args, "arguments");
//! # Ok::<(), CodecError>(())
//! ```

mod alike;
mod method;
pub mod probe;
mod read;
mod write;

pub use alike::Alike;
pub use method::{Names, Numbers};
pub use read::{CodecError, Head, Kind, Message, PlainCast, head, messages_in};
pub(crate) use write::write_framed;
pub use write::{Frame, PART_HEAD, TARGET, What, write, write_part};

/// What a frame of messages begins with.
const MARK: u8 = 0;

const CAST: u8 = 1;
const CALL: u8 = 2;
const MANY: u8 = 3;
const REPLY: u8 = 4;
const NO_REPLY: u8 = 5;
const PART: u8 = 6;
const KIND: u8 = 0x0f;

const HAS_METADATA: u8 = 0x10;
const HAS_TIMEOUT: u8 = 0x20;
const HAS_TRACE: u8 = 0x40;

/// The bytes of a trace's context in a frame.
pub const TRACE: usize = 25;

/// A method whose name follows, and gets no number.
const NAMED: u64 = 0;
/// A method whose name follows, and gets the next number.
const DEFINED: u64 = 1;
/// The first number.
const NUMBERED: u64 = 2;

/// The actors that one frame may go to. A sender splits a longer list into several frames.
pub const MAX_TARGETS: usize = 512;
/// The names that a lane numbers; of more, each message carries its own.
const MAX_NAMES: usize = 1024;
/// The longest name that is numbered, in bytes.
const MAX_NAME: usize = 256;

#[cfg(test)]
#[path = "codec/tests.rs"]
mod tests;
