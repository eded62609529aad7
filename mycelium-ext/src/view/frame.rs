//! Frames of JSON on a Unix socket: a length of four bytes, and so many bytes.
//!
//! Reading and writing block, and each frame has a deadline as a whole: a peer that trickles bytes
//! does not get more time.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The time that is left.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn read_exactly(stream: &mut UnixStream, into: &mut [u8], deadline: Instant) -> io::Result<()> {
    let mut done = 0;
    while done < into.len() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut into[done..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What the system calls a socket's timeout.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads a frame of at most `most` bytes.
///
/// # Errors
/// The frame is larger or no such JSON (`InvalidData`), it is late (`TimedOut`), or the connection
/// fails.
pub(super) fn read<T: DeserializeOwned>(
    stream: &mut UnixStream,
    most: usize,
    deadline: Instant,
) -> io::Result<T> {
    let mut length = [0; 4];
    read_exactly(stream, &mut length, deadline)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > most {
        let what = format!("a frame of {length} bytes, and {most} are the most");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    // Grows with what comes, and not with what is announced.
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let start = bytes.len();
        bytes.resize(length.min(start + 64 * 1024), 0);
        read_exactly(stream, &mut bytes[start..], deadline)?;
    }
    serde_json::from_slice(&bytes).map_err(io::Error::from)
}

/// Writes a frame.
///
/// # Errors
/// The peer takes it too slowly (`TimedOut`), or the connection fails.
pub(super) fn write(
    stream: &mut UnixStream,
    value: &impl Serialize,
    deadline: Instant,
) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let length = u32::try_from(bytes.len() - 4).map_err(|_| io::ErrorKind::InvalidData)?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn what_is_written_is_read() {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        write(&mut one, &vec![1, 2, 3], soon()).unwrap();
        assert_eq!(read::<Vec<u8>>(&mut other, 100, soon()).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_frame_beyond_the_bound_is_not_read() {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        one.write_all(&u32::MAX.to_be_bytes()).unwrap();
        let error = read::<Vec<u8>>(&mut other, 100, soon()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_peer_that_says_nothing_is_given_up() {
        let (_one, mut other) = UnixStream::pair().unwrap();
        let deadline = Instant::now() + Duration::from_millis(20);
        let error = read::<Vec<u8>>(&mut other, 100, deadline).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_peer_that_takes_nothing_is_given_up() {
        let (mut one, _other) = UnixStream::pair().unwrap();
        let deadline = Instant::now() + Duration::from_millis(20);
        let error = write(&mut one, &vec![7_u8; 4 << 20], deadline).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
