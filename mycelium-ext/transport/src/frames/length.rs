//! What a frame's length has to keep to before anything is done for the frame.

use std::io;

/// The length as a size in memory.
///
/// # Errors
/// [`InvalidData`](io::ErrorKind::InvalidData) when it is over `max_frame`, or more than memory
/// can be addressed for.
pub(crate) fn check(length: u64, max_frame: u64) -> io::Result<usize> {
    if length > max_frame {
        return Err(refused(format!(
            "a frame of {length} bytes exceeds configured limit of {max_frame} bytes"
        )));
    }
    match usize::try_from(length) {
        Ok(size) if isize::try_from(size).is_ok() => Ok(size),
        _ => Err(refused(format!("a frame of {length} bytes could not be allocated"))),
    }
}

pub(super) fn refused(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
