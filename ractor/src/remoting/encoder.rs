//! Where arguments are written to.

use std::cell::Cell;
use std::fmt;

use bytes::Bytes;

use super::{Payload, LARGE};
use crate::message::BoxedDowncastErr;
use crate::BytesConvertable;

/// The bytes of a field's length.
pub(super) const LENGTH: usize = size_of::<u64>();

thread_local! {
    /// What the last message of this thread was encoded into, if it was given back.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Takes back memory for the next message; not too much, since each thread keeps it.
#[inline]
pub(super) fn recycle(mut head: Vec<u8>) {
    if (1..=LARGE).contains(&head.capacity()) {
        head.clear();
        // Fails where the thread ends, and the memory with it.
        _ = SCRATCH.try_with(|scratch| scratch.set(head));
    }
}

/// Where a message's arguments are written to, one after the other.
///
/// ```
/// use bytes::Bytes;
/// use ractor::remoting::Encoder;
///
/// let mut encoder = Encoder::new();
/// encoder.put_slice(b"all ");
/// encoder.put_bytes(Bytes::from_static(b"of it"));
/// assert_eq!(encoder.finish().into_vec(), b"all of it");
/// ```
pub struct Encoder {
    head: Vec<u8>,
    /// What is large and was put last.
    tail: Bytes,
}

/// A field that [began](Encoder::begin_field), and has to end.
#[derive(Debug)]
#[must_use = "a field's length is written when it ends"]
pub struct Field {
    start: usize,
}

impl Encoder {
    /// An empty one, in the memory of this thread's last message if that was
    /// [recycled](Payload::recycle).
    #[inline]
    pub fn new() -> Self {
        let head = SCRATCH.try_with(Cell::take).unwrap_or_default();
        Self { head, tail: Bytes::new() }
    }

    /// How much was written, in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for so many more bytes.
    ///
    /// # Errors
    /// There is not so much memory.
    #[inline]
    pub fn reserve(&mut self, additional: usize) -> Result<(), BoxedDowncastErr> {
        if self.head.capacity() - self.head.len() >= additional {
            return Ok(());
        }
        self.grow(additional)
    }

    #[cold]
    fn grow(&mut self, additional: usize) -> Result<(), BoxedDowncastErr> {
        if additional > LARGE && self.head.is_empty() {
            // Leaves the thread its memory for small messages.
            recycle(std::mem::take(&mut self.head));
        }
        self.head.try_reserve(additional).map_err(|_| BoxedDowncastErr)
    }

    /// Writes a copy of `bytes`.
    #[inline]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.settle();
        self.head.extend_from_slice(bytes);
    }

    /// Writes `bytes`, which are moved when they are large ([`LARGE`](super::LARGE)) and nothing
    /// follows them, and copied otherwise.
    #[inline]
    pub fn put_bytes(&mut self, bytes: Bytes) {
        self.settle();
        if bytes.len() < LARGE {
            self.head.extend_from_slice(&bytes);
        } else {
            self.tail = bytes;
        }
    }

    /// Writes a copy of `bytes`, which gets memory of its own when it is large
    /// ([`LARGE`](super::LARGE)) and nothing follows it: all nodes then share that.
    pub fn put_copy(&mut self, bytes: &[u8]) {
        if bytes.len() < LARGE {
            self.put_slice(bytes);
        } else {
            self.put_bytes(Bytes::copy_from_slice(bytes));
        }
    }

    /// As [`put_bytes`](Self::put_bytes).
    #[inline]
    pub fn put_vec(&mut self, bytes: Vec<u8>) {
        if bytes.len() < LARGE {
            self.put_slice(&bytes);
        } else {
            self.put_bytes(bytes.into());
        }
    }

    /// So many more bytes, all 0, to be written to.
    pub fn put_zeros(&mut self, count: usize) -> &mut [u8] {
        self.settle();
        let start = self.head.len();
        self.head.resize(start + count, 0);
        &mut self.head[start..]
    }

    /// Begins a field, whose length goes before it.
    #[inline]
    pub fn begin_field(&mut self) -> Field {
        self.put_slice(&[0; LENGTH]);
        Field { start: self.head.len() }
    }

    /// Ends a field: what was written since it began.
    ///
    /// # Panics
    /// When it began in another encoder, which was longer.
    #[inline]
    pub fn end_field(&mut self, field: Field) {
        let length = (self.len() - field.start) as u64;
        self.head[field.start - LENGTH..field.start].copy_from_slice(&length.to_be_bytes());
    }

    /// Writes a whole field.
    ///
    /// # Errors
    /// There is not so much memory.
    ///
    /// # Panics
    /// When the type's conversion does.
    #[inline]
    pub fn field<T: BytesConvertable>(&mut self, value: T) -> Result<(), BoxedDowncastErr> {
        let length = T::bytes_len(&value).unwrap_or(0);
        self.reserve(length.saturating_add(LENGTH))?;
        // Right as a rule: the length of most is known.
        self.put_slice(&(length as u64).to_be_bytes());
        let start = self.head.len();
        T::into_encoder(value, self);
        if self.len() - start != length {
            self.end_field(Field { start });
        }
        Ok(())
    }

    /// Writes a whole field from a reference. Returns whether its type could
    /// ([`BytesConvertable::to_encoder`]); a field that could not has left nothing behind.
    ///
    /// # Errors
    /// There is not so much memory.
    ///
    /// # Panics
    /// When the type's conversion does.
    #[inline]
    pub fn field_ref<T: BytesConvertable>(&mut self, value: &T) -> Result<bool, BoxedDowncastErr> {
        let length = T::bytes_len(value).unwrap_or(0);
        self.reserve(length.saturating_add(LENGTH))?;
        let before = self.len();
        self.put_slice(&(length as u64).to_be_bytes());
        let start = self.head.len();
        if !T::to_encoder(value, self) {
            self.settle();
            self.head.truncate(before);
            return Ok(false);
        }
        if self.len() - start != length {
            self.end_field(Field { start });
        }
        Ok(true)
    }

    /// All that was written.
    #[inline]
    pub fn finish(self) -> Payload {
        Payload { head: self.head, tail: self.tail }
    }

    /// More follows behind the tail, which then is no tail.
    #[inline]
    fn settle(&mut self) {
        if !self.tail.is_empty() {
            self.append_tail();
        }
    }

    #[cold]
    fn append_tail(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        self.head.extend_from_slice(&tail);
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder({} bytes)", self.len())
    }
}

/// Writes never fail.
impl std::io::Write for Encoder {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.put_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
