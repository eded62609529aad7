//! Frames out of a stream of bytes that arrives in pieces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ractor_cluster::transport::frames::FrameReader;
use tokio::io::{AsyncRead, ReadBuf};

/// The largest frame that is taken.
const MAX_FRAME: u64 = 256 * 1024;

/// What a reader may hold beside twice what has arrived.
const BLOCK: usize = 256 * 1024;

/// Serves what is left in pieces whose sizes cycle; a size of 0 is a read that has to wait.
struct Pieces<'a> {
    sizes: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    left: &'a [u8],
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size = match self.sizes.next() {
            Some(0) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Larger ones too than a byte can say.
            Some(size @ 200..) => usize::from(*size) << 8,
            Some(size) => usize::from(*size),
            None => usize::MAX,
        };
        let (piece, left) = self.left.split_at(size.min(self.left.len()).min(buffer.remaining()));
        buffer.put_slice(piece);
        self.left = left;
        Poll::Ready(Ok(()))
    }
}

/// How a stream ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    BetweenFrames,
    WithinOne,
    TooLarge,
}

/// The first 4 bytes decide in which pieces the others arrive. The frames have to be those that a
/// reader finds which has all of it at once.
pub(crate) fn run(bytes: &[u8]) {
    let Some((sizes, stream)) = bytes.split_at_checked(4) else { return };
    let (frames, end) = expected(stream);
    // A stream that never goes on tells nothing.
    let sizes = if sizes.iter().all(|size| *size == 0) { &[1; 4] } else { sizes };
    let pieces = Pieces { sizes: sizes.iter().cycle(), left: stream };
    let mut reader = FrameReader::new(pieces, MAX_FRAME);
    let mut context = Context::from_waker(Waker::noop());
    let mut next = || loop {
        let polled = reader.poll_bytes(&mut context);
        let held = reader.allocated();
        assert!(held <= 2 * stream.len() + BLOCK, "{held} bytes are held for {}", stream.len());
        if let Poll::Ready(frame) = polled {
            return frame;
        }
    };
    for (number, frame) in frames.iter().enumerate() {
        match next() {
            Ok(Some(found)) => assert!(found == *frame, "frame {number} is another"),
            other => panic!("no frame {number}: {other:?}"),
        }
    }
    let found = match next() {
        Ok(None) => End::BetweenFrames,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => End::WithinOne,
        Err(error) if error.kind() == io::ErrorKind::InvalidData => End::TooLarge,
        other => panic!("behind the last frame: {other:?}"),
    };
    assert_eq!(found, end);
}

/// The frames of a stream, and how it ends.
fn expected(mut stream: &[u8]) -> (Vec<&[u8]>, End) {
    let mut frames = Vec::new();
    loop {
        let Some((length, rest)) = stream.split_first_chunk() else {
            return (frames, if stream.is_empty() { End::BetweenFrames } else { End::WithinOne });
        };
        let length = u64::from_be_bytes(*length);
        if length > MAX_FRAME {
            return (frames, End::TooLarge);
        }
        let within = usize::try_from(length).ok().and_then(|it| rest.split_at_checked(it));
        let Some((frame, rest)) = within else { return (frames, End::WithinOne) };
        frames.push(frame);
        stream = rest;
    }
}
