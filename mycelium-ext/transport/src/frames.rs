//! Frames on a stream of bytes: the length as eight bytes, big endian, and the frame, as stock
//! `ractor_cluster` writes them.
//!
//! ```
//! use bytes::Bytes;
//! use mycelium_transport::frames::{FrameReader, FrameWriter};
//! use mycelium_transport::{FrameSink, FrameStream, TransportMessage};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let (near, far) = tokio::io::duplex(64);
//! let mut sink: Box<dyn FrameSink> = Box::new(FrameWriter::new(near));
//! let mut stream: Box<dyn FrameStream> = Box::new(FrameReader::new(far, 1024));
//! sink.queue(TransportMessage::Bytes(Bytes::from_static(b"a frame"))).expect("it takes bytes");
//! sink.flush().await?;
//! drop(sink);
//! let frame = stream.frame().await?;
//! assert!(matches!(frame, Some(TransportMessage::Bytes(bytes)) if bytes == "a frame"));
//! assert!(stream.frame().await?.is_none(), "the stream has ended");
//! # Ok(())
//! # }
//! ```

mod length;
mod reader;
mod turn;
mod writer;

pub use reader::FrameReader;
#[cfg(all(feature = "shm", target_os = "linux"))]
pub(crate) use reader::{MARKED, OpenFrame};
pub use writer::FrameWriter;

pub(crate) use length::check as check_length;
#[doc(hidden)]
pub use reader::LARGEST_READ;
pub(super) use turn::Turn;

use bytes::{Buf as _, Bytes};

/// The length before each frame takes as many bytes.
pub use mycelium_link::HEADER;

/// A frame in one piece; a copy, unless one of the parts is empty.
pub(crate) fn joined(head: Bytes, tail: Bytes) -> Bytes {
    match (head.is_empty(), tail.is_empty()) {
        (_, true) => head,
        (true, false) => tail,
        (false, false) => [head, tail].concat().into(),
    }
}

/// Takes frames apart that stand behind each other; the last one ends in `tail`.
///
/// # Panics
/// When the bytes are no frames.
#[doc(hidden)]
pub fn split(mut frames: Bytes, tail: Bytes, mut each: impl FnMut(Bytes, Bytes)) {
    while !frames.is_empty() {
        let length = usize::try_from(frames.get_u64()).expect("a length of what is in memory");
        if length > frames.len() {
            assert_eq!(length, frames.len() + tail.len(), "the last frame ends in the tail");
            each(std::mem::take(&mut frames), tail.clone());
        } else {
            each(frames.split_to(length), Bytes::new());
        }
    }
}
