//! Frames out of a stream of bytes.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::length::refused;
use super::{HEADER, Turn, check_length};
use crate::Activity;
use crate::{FrameStream, TransportMessage};
use mycelium_link::malloc_hint;

/// Frames of more than that are large.
const LARGE: usize = 0x4000;
/// What is read at once where frames are small.
const BLOCK: usize = 64 * 1024;
/// What is read at once where a block would hold a few frames only, and at most.
pub const LARGEST_READ: usize = 256 * 1024;
/// What is read at once where frames have memory of their own: their beginning is copied.
const SMALL_BLOCK: usize = 16 * 1024;
/// The same where to read less costs nothing.
const TINY_BLOCK: usize = 512;

/// The bit of a length that marks a frame which is [opened](OpenFrame).
pub(crate) const MARKED: u64 = 1 << 63;

/// Opens frames that are marked.
pub(crate) trait OpenFrame: Send + 'static {
    /// Whether there is all that it takes to open a frame.
    fn is_ready(&self, frame: &[u8]) -> bool;

    /// Waits until there is all that it takes to open a frame, which is opened next.
    ///
    /// # Errors
    /// The peer breaks the protocol.
    fn poll_ready(&mut self, context: &mut Context<'_>, frame: &Bytes) -> Poll<io::Result<()>>;

    /// The frame that was meant, of up to `max_frame` bytes.
    ///
    /// # Errors
    /// The peer breaks the protocol.
    fn open(&mut self, frame: Bytes, max_frame: u64) -> io::Result<TransportMessage>;
}

/// Reads frames from a stream of bytes, as many at once as are there.
///
/// Small frames share the memory that they were read into, and keep all of it (up to 256 KiB) as
/// long as one of them lives. A large frame has memory of its own, of its own size, into which it
/// is read; it is taken as the bytes arrive: never more than twice as much as has arrived, or
/// 64 KiB, or what a frame of this peer has recently needed.
///
/// After an error it is of no use; an oversized frame is told again.
///
/// ```
/// use mycelium_transport::frames::FrameReader;
/// use mycelium_transport::{FrameStream, TransportMessage};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// // The length, and the frame.
/// let bytes: &[u8] = b"\0\0\0\0\0\0\0\x04tick";
/// let mut stream: Box<dyn FrameStream> = Box::new(FrameReader::new(bytes, 1024));
/// let Some(TransportMessage::Bytes(frame)) = stream.frame().await? else { unreachable!() };
/// assert_eq!(frame, "tick");
/// assert!(stream.frame().await?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct FrameReader<R> {
    reader: R,
    max_frame: u64,
    /// Whole small frames that have been read and not been returned, with their headers. Each one
    /// is cut off here for half of what it costs to cut it off the block.
    whole: Bytes,
    /// What has been read behind them; it begins with a header.
    block: BytesMut,
    /// The size of the memory that the block is a part of.
    block_memory: usize,
    /// A large frame that has begun to arrive. Its header is no longer in the block, which is
    /// empty.
    large: Option<Large>,
    /// The size of recent frames: that of the largest, less as smaller ones follow.
    recent: usize,
    /// Whether it reads from memory.
    from_memory: bool,
    turn: Turn,
    /// Is told of what arrives.
    activity: Option<Activity>,
    /// What opens marked frames, where there may be such.
    opener: Option<Box<dyn OpenFrame>>,
    /// Whether the frame that was taken last is marked.
    is_marked: bool,
    /// A marked frame that the opener is not ready for.
    unopened: Option<Bytes>,
    /// Why a marked frame could not be opened, until it is told.
    failed: Option<io::Error>,
}

/// A frame that is read into memory of its own.
struct Large {
    bytes: Vec<u8>,
    length: usize,
    is_marked: bool,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `reader` frames of up to `max_frame` bytes.
    pub fn new(reader: R, max_frame: u64) -> Self {
        Self {
            reader,
            max_frame,
            whole: Bytes::new(),
            block: BytesMut::new(),
            block_memory: 0,
            large: None,
            recent: 0,
            from_memory: false,
            turn: Turn::default(),
            activity: None,
            opener: None,
            is_marked: false,
            unopened: None,
            failed: None,
        }
    }

    /// Has marked frames opened.
    #[cfg(all(feature = "shm", target_os = "linux"))]
    pub(crate) fn opening(self, opener: Option<Box<dyn OpenFrame>>) -> Self {
        Self { opener, ..self }
    }

    /// Tells it that reading is no system call, so that it may read little by little: large frames
    /// are read into their own memory from the first byte on.
    #[must_use]
    pub fn from_memory(self) -> Self {
        Self { from_memory: true, ..self }
    }

    /// The memory that it holds, in bytes. Returned frames may be in it too.
    #[must_use]
    pub fn allocated(&self) -> usize {
        self.block_memory + self.large.as_ref().map_or(0, |large| large.bytes.capacity())
    }

    /// The next frame, or `None` at an end between two frames. Cancel safe.
    ///
    /// # Errors
    /// As [`FrameStream::poll_frame`].
    pub fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        loop {
            if let Some(frame) = self.take()? {
                return Poll::Ready(Ok(Some(frame)));
            }
            let read = match self.poll_read(context) {
                Poll::Ready(read) => read,
                Poll::Pending => {
                    self.turn.waited();
                    return Poll::Pending;
                }
            };
            match read {
                Ok(0) => return Poll::Ready(self.end()),
                Ok(_) => self.activity.iter().for_each(Activity::note),
                // TLS says so of a peer that went without a goodbye.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Poll::Ready(self.end());
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Takes out the first frame, if it is a small one, all of it is there, and nothing has to be
    /// done for it.
    #[inline(always)]
    fn take_small(&mut self) -> Option<Bytes> {
        if self.whole.is_empty() && (self.block.len() <= HEADER || !self.find_whole()) {
            return None;
        }
        let length = u64::from_be_bytes(*self.whole.first_chunk::<HEADER>()?);
        let length = usize::try_from(length).ok()?;
        let mut frame = self.whole.split_to(HEADER + length);
        frame.advance(HEADER);
        self.is_marked = false;
        self.recent = length.max(self.recent - self.recent.div_ceil(8));
        Some(frame)
    }

    /// Moves whole small frames from the front of the block to `whole`, which is empty. It stops at
    /// the first frame that is large, marked, refused or not complete. Returns whether it moved any.
    #[inline(never)]
    fn find_whole(&mut self) -> bool {
        if self.large.is_some() || self.unopened.is_some() || self.failed.is_some() {
            return false;
        }
        // A marked one is longer than that.
        let most = self.max_frame.min(LARGE as u64);
        let mut end = 0;
        while let Some(header) = self.block[end..].first_chunk::<HEADER>() {
            let length = u64::from_be_bytes(*header);
            let next = end + HEADER + length.min(most) as usize;
            if length == 0 || length > most || next > self.block.len() {
                break;
            }
            end = next;
        }
        if end > 0 {
            self.whole = self.block.split_to(end).freeze();
        }
        end > 0
    }

    /// Takes out the first frame, if it is a marked one, all of it is there, and it can be opened at
    /// once.
    #[inline(never)]
    fn take_marked(&mut self, lent: &mut Bytes) -> Option<Bytes> {
        let opener = self.opener.as_mut().filter(|_| self.unopened.is_none())?;
        let length = u64::from_be_bytes(*self.block.first_chunk::<HEADER>()?);
        let length = usize::try_from(length & !MARKED).ok().filter(|_| length & MARKED != 0)?;
        if self.large.is_some() || length as u64 > self.max_frame.min(LARGE as u64) {
            return None;
        }
        let frame = self.block.get(HEADER..HEADER + length)?;
        if !opener.is_ready(frame) {
            return None;
        }
        let mut frame = self.block.split_to(HEADER + length).freeze();
        frame.advance(HEADER);
        self.recent = length.max(self.recent - self.recent.div_ceil(8));
        match opener.open(frame, self.max_frame) {
            Ok(TransportMessage::Lent { frame, payload }) => {
                *lent = payload;
                Some(frame)
            }
            Ok(TransportMessage::Bytes(frame)) => Some(frame),
            // An opener knows of no others.
            Ok(TransportMessage::Arc(_)) => None,
            Err(error) => {
                self.failed = Some(error);
                None
            }
        }
    }

    /// Takes out the first frame, if all of it is there.
    fn take(&mut self) -> io::Result<Option<Bytes>> {
        if !self.whole.is_empty() {
            return Ok(self.take_small());
        }
        if let Some(large) = self.large.take_if(|large| large.bytes.len() == large.length) {
            self.is_marked = large.is_marked;
            return Ok(Some(self.returned(Bytes::from(large.bytes))));
        }
        if self.large.is_some() {
            return Ok(None);
        }
        let Some((length, is_marked)) = self.length()? else { return Ok(None) };
        let arrived = self.block.len() - HEADER;
        if arrived >= length {
            self.is_marked = is_marked;
            self.block.advance(HEADER);
            let frame = match length {
                // Not a part of the block, which it would keep.
                0 => Bytes::new(),
                _ => self.block.split_to(length).freeze(),
            };
            return Ok(Some(self.returned(frame)));
        }
        // Half a block: the part of a frame that has come can then be moved to the front of it.
        if HEADER + length > self.block_size() / 2 {
            let mut large = Large { bytes: Vec::new(), length, is_marked };
            large.grow(arrived, self.recent)?;
            large.bytes.extend_from_slice(&self.block[HEADER..]);
            // The next block is made when it is needed: this one may be of another size.
            self.block = BytesMut::new();
            self.block_memory = 0;
            self.large = Some(large);
        }
        Ok(None)
    }

    /// The length of the frame whose header is there, and whether it is marked.
    fn length(&self) -> io::Result<Option<(usize, bool)>> {
        let Some(header) = self.block.first_chunk::<HEADER>() else { return Ok(None) };
        let length = u64::from_be_bytes(*header);
        let is_marked = length & MARKED != 0 && self.opener.is_some();
        let length = if is_marked { length & !MARKED } else { length };
        check_length(length, self.max_frame).map(|length| Some((length, is_marked)))
    }

    /// Remembers how large it is.
    fn returned(&mut self, frame: Bytes) -> Bytes {
        if frame.len() > LARGE {
            malloc_hint::expect_much();
        }
        self.recent = frame.len().max(self.recent - self.recent.div_ceil(8));
        frame
    }

    /// How much to read at once. It depends on the size of the last reads.
    fn block_size(&self) -> usize {
        match self.recent {
            small if small <= LARGE => BLOCK,
            _ if self.from_memory => TINY_BLOCK,
            large if large < LARGEST_READ / 2 => LARGEST_READ,
            _ => SMALL_BLOCK,
        }
    }

    /// Reads what is there, up to the memory there is.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(large) = &mut self.large {
            large.grow(large.bytes.len(), self.recent)?;
            let room = large.bytes.capacity().min(large.length) - large.bytes.len();
            let room = room.min(LARGEST_READ);
            let mut room = (&mut large.bytes).limit(room);
            return pin!(self.reader.read_buf(&mut room)).poll(context);
        }
        self.make_room();
        pin!(self.reader.read_buf(&mut self.block)).poll(context)
    }

    /// Sees to it that the block has room for the frame that has begun, and for a good read.
    fn make_room(&mut self) {
        let size = self.block_size();
        let waiting = self.block.len();
        let frame = match self.length() {
            Ok(Some((length, _))) => HEADER + length,
            _ => HEADER,
        };
        let little = size / 8;
        let room = self.block.capacity() - waiting;
        if self.block.capacity() >= frame && room > 0 && (room >= little || waiting >= little) {
            return;
        }
        if self.block_memory == size {
            malloc_hint::expect_much();
            // In the same memory, if no frame in it is held any more.
            self.block.reserve(size - waiting);
        } else {
            let mut block = BytesMut::with_capacity(size);
            block.extend_from_slice(&self.block);
            self.block = block;
            self.block_memory = size;
        }
    }

    /// The end of the stream.
    fn end(&self) -> io::Result<Option<Bytes>> {
        let (arrived, of) = match &self.large {
            Some(large) => (large.bytes.len(), Some(large.length)),
            None if self.block.is_empty() => return Ok(None),
            None => {
                let length = self.length()?.map(|(length, _)| length);
                (self.block.len().saturating_sub(HEADER), length)
            }
        };
        let what = match of {
            Some(length) => format!("after {arrived} of the {length} bytes of a frame"),
            None => format!("within the length of a frame, after {} bytes", self.block.len()),
        };
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("the connection ended {what}")))
    }
}

impl Large {
    /// Takes memory when there is no room beyond `arrived` bytes: as much again as has arrived, and
    /// at least what recent frames needed, but not beyond the frame's length.
    fn grow(&mut self, arrived: usize, recent: usize) -> io::Result<()> {
        if self.bytes.capacity() > arrived {
            return Ok(());
        }
        let size = arrived.saturating_mul(2).max(recent).max(BLOCK).min(self.length);
        self.bytes.try_reserve_exact(size - self.bytes.len()).map_err(|error| {
            refused(format!("a frame of {} bytes could not be allocated: {error}", self.length))
        })
    }
}

impl<R: AsyncRead + Unpin + Send + 'static> FrameStream for FrameReader<R> {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        ready!(self.turn.poll(context));
        if let Some(frame) = self.take_small() {
            return Poll::Ready(Ok(Some(TransportMessage::Bytes(frame))));
        }
        self.poll_any(context)
    }

    fn take_ready(&mut self, lent: &mut Bytes) -> Option<Bytes> {
        if !self.turn.goes_on() {
            return None;
        }
        self.take_small().or_else(|| self.take_marked(lent))
    }

    fn set_max_frame(&mut self, bytes: u64) {
        self.max_frame = bytes;
        // They are looked at again.
        if !self.whole.is_empty() {
            let mut block = BytesMut::with_capacity(self.whole.len() + self.block.len());
            block.extend_from_slice(&std::mem::take(&mut self.whole));
            block.extend_from_slice(&self.block);
            self.block_memory = block.capacity();
            self.block = block;
        }
    }

    fn tell_arrivals(&mut self, activity: &Activity) {
        self.activity = Some(activity.clone());
    }

    fn into_reader(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        let is_read = self.whole.is_empty() && self.block.is_empty();
        let is_between = is_read && self.large.is_none() && self.unopened.is_none();
        is_between.then(|| Box::new(self.reader) as _)
    }
}

impl<R: AsyncRead + Unpin + Send + 'static> FrameReader<R> {
    /// The next frame, of any kind.
    #[inline(never)]
    fn poll_any(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<TransportMessage>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let frame = match self.unopened.take() {
            Some(frame) => frame,
            None => match ready!(self.poll_bytes(context))? {
                Some(frame) => frame,
                None => return Poll::Ready(Ok(None)),
            },
        };
        let frame = match &mut self.opener {
            Some(opener) if self.is_marked => {
                if opener.poll_ready(context, &frame)?.is_pending() {
                    self.unopened = Some(frame);
                    return Poll::Pending;
                }
                opener.open(frame, self.max_frame)?
            }
            _ => TransportMessage::Bytes(frame),
        };
        Poll::Ready(Ok(Some(frame)))
    }
}

impl<R> fmt::Debug for FrameReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameReader")
            .field("max_frame", &self.max_frame)
            .field("unread", &(self.whole.len() + self.block.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "shm", target_os = "linux"))]
#[path = "reader/tests.rs"]
mod tests;
