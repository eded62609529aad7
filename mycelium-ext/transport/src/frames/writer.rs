//! Frames into a stream of bytes.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::HEADER;
use crate::answer_hint::AnswerHint;
use crate::{FrameSink, TransportMessage};

/// Frames below it are copied behind each other: the copy costs less than a slice more in a write.
const COPIED: usize = 8 * 1024;
/// The same where every slice is a write of its own.
const COPIED_UNVECTORED: usize = 64 * 1024;
/// The memory that copied frames are put into, a block after the other.
const BLOCK: usize = 32 * 1024;
/// The slices of a write.
const SLICES: usize = 64;

/// Writes frames to a stream of bytes, as many at once as are queued.
///
/// Small frames are copied behind each other, large ones are written from where they are.
pub struct FrameWriter<W> {
    writer: W,
    /// Frames below it are copied.
    copied: usize,
    /// What is to be written first.
    chunks: VecDeque<Bytes>,
    /// What is to be written then.
    block: BytesMut,
    queued: usize,
    /// Whether the stream may hold bytes back.
    unflushed: bool,
    /// Of the reader of the same connection.
    expectation: Option<Arc<AnswerHint>>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Writes to `writer`.
    pub fn new(writer: W) -> Self {
        let copied = if writer.is_write_vectored() { COPIED } else { COPIED_UNVECTORED };
        Self {
            writer,
            copied,
            chunks: VecDeque::new(),
            block: BytesMut::new(),
            queued: 0,
            unflushed: false,
            expectation: None,
        }
    }

    /// Tells the reader of the same connection when an answer is expected.
    #[cfg(unix)]
    pub(crate) fn telling(self, expectation: Arc<AnswerHint>) -> Self {
        Self { expectation: Some(expectation), ..self }
    }

    /// Queues a frame behind those queued before.
    pub fn queue_bytes(&mut self, frame: Bytes) {
        self.put(&[], frame);
    }

    /// Queues a frame in two parts. The first is copied, and should be small.
    fn put(&mut self, head: &[u8], rest: Bytes) {
        let copied = rest.len() < self.copied;
        let size = head.len() + rest.len();
        self.make_room(HEADER + if copied { size } else { head.len() });
        self.queued += HEADER + size;
        self.block.put_u64(size as u64);
        self.block.put_slice(head);
        if copied {
            self.block.put_slice(&rest);
        } else {
            self.seal();
            self.chunks.push_back(rest);
        }
    }

    /// Queues bytes that are a part of a frame, or frames, with their lengths.
    fn put_chunk(&mut self, chunk: Bytes) {
        // What goes alone need not be copied, however small.
        let alone = self.queued == 0;
        self.queued += chunk.len();
        if alone || chunk.len() >= self.copied {
            self.seal();
            if !chunk.is_empty() {
                self.chunks.push_back(chunk);
            }
        } else {
            self.make_room(chunk.len());
            self.block.put_slice(&chunk);
        }
    }

    /// Sees to it that the block takes `size` bytes without being moved.
    fn make_room(&mut self, size: usize) {
        if self.block.capacity() - self.block.len() < size {
            self.seal();
            // In the same memory, where all of it has been written.
            self.block.reserve(size.max(BLOCK));
        }
    }

    /// Puts what was copied in line with the rest.
    fn seal(&mut self) {
        if !self.block.is_empty() {
            self.chunks.push_back(self.block.split().freeze());
        }
    }

    /// Writes once.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let writer = Pin::new(&mut self.writer);
        if self.chunks.len() == 1 || !writer.is_write_vectored() {
            return writer.poll_write(context, &self.chunks[0]);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
            count += 1;
        }
        writer.poll_write_vectored(context, &slices[..count])
    }

    /// Forgets what was written.
    fn written(&mut self, mut count: usize) {
        self.queued -= count;
        while let Some(chunk) = self.chunks.front_mut() {
            if count < chunk.len() {
                chunk.advance(count);
                return;
            }
            count -= chunk.len();
            self.chunks.pop_front();
        }
        // A burst is over: its memory is not kept.
        if self.chunks.capacity() > 4 * SLICES {
            self.chunks = VecDeque::new();
        }
    }
}

impl<W: AsyncWrite + Unpin + Send + 'static> FrameSink for FrameWriter<W> {
    fn queue(&mut self, frame: TransportMessage) -> Result<(), TransportMessage> {
        match frame {
            TransportMessage::Bytes(frame) => {
                self.queue_bytes(frame);
                Ok(())
            }
            other @ (TransportMessage::Arc(_) | TransportMessage::Lent { .. }) => Err(other),
        }
    }

    fn queue_parts(&mut self, head: Bytes, payload: Bytes) -> Result<(), TransportMessage> {
        self.put(&head, payload);
        Ok(())
    }

    fn queue_framed(&mut self, frames: Bytes, tail: Bytes) {
        self.put_chunk(frames);
        self.put_chunk(tail);
    }

    fn expect_answer(&mut self) -> bool {
        let due = self.expectation.as_ref().filter(|it| it.is_due());
        due.inspect(|it| it.raise()).is_some()
    }

    fn queued_bytes(&self) -> usize {
        self.queued
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.seal();
        while !self.chunks.is_empty() {
            let count = ready!(self.poll_write(context))?;
            if count == 0 {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::WriteZero,
                    "the connection takes no more bytes",
                )));
            }
            self.unflushed = true;
            self.written(count);
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.writer).poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn into_writer(self: Box<Self>) -> Option<Box<dyn Any + Send>> {
        (self.queued == 0 && !self.unflushed).then(|| Box::new(self.writer) as _)
    }
}

impl<W> fmt::Debug for FrameWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameWriter").field("queued", &self.queued).finish_non_exhaustive()
    }
}
