//! Frames on a stream of bytes: the length as eight bytes, big endian, and the frame, as stock
//! `ractor_cluster` writes them.

mod length;
mod reader;
mod turn;
mod writer;

pub use reader::FrameReader;
pub use writer::FrameWriter;

pub(super) use length::check as check_length;
#[cfg(test)]
pub(crate) use reader::LARGE_BLOCK as LARGEST_READ;
pub(super) use turn::Turn;

/// The length before each frame takes as many bytes.
const HEADER: usize = size_of::<u64>();
