//! Encoded arguments. Their large part is moved.

use std::fmt;

use std::sync::OnceLock;

use bytes::Bytes;

use super::encoder::recycle;
use super::{Encoder, LARGE};
use crate::BytesConvertable;

/// What has a payload lie where several nodes share it, or leaves it where it is.
type Share = fn(&Bytes) -> Option<Bytes>;

static SHARE: OnceLock<Share> = OnceLock::new();

/// Has `share` look at each large payload that goes to several nodes, once for all of them. For the
/// cluster; the first call counts.
#[doc(hidden)]
pub fn share_payloads_by(share: Share) {
    _ = SHARE.set(share);
}

/// Encoded arguments: `head`, and then `tail`.
///
/// What is large and stands last, say a vector of bytes, is the tail: it is moved from the message
/// to the socket, and counted where several nodes get it. Small arguments are all head.
#[derive(Default)]
pub struct Payload {
    /// The first bytes.
    pub head: Vec<u8>,
    /// The last bytes; empty when all are in the head.
    pub tail: Bytes,
}

impl Payload {
    /// In bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    /// All of it in one piece; moved where it is one already.
    pub fn into_vec(self) -> Vec<u8> {
        let Self { mut head, tail } = self;
        if head.is_empty() {
            return tail.into();
        }
        head.extend_from_slice(&tail);
        head
    }

    /// All of it in one piece that is shared; moved where it is one already.
    pub fn into_bytes(self) -> Bytes {
        if self.head.is_empty() {
            return self.tail;
        }
        self.into_vec().into()
    }

    /// Lets this thread encode its next message into the memory of this one. A sender that has
    /// copied the head into a frame calls this in place of dropping the payload, and so spares an
    /// allocation a message.
    #[inline]
    pub fn recycle(self) {
        recycle(self.head);
    }

    /// Makes copies of it cheap: a head that is large becomes the tail, if there is none.
    pub(crate) fn share(&mut self) {
        if self.tail.is_empty() && self.head.len() >= LARGE {
            self.tail = std::mem::take(&mut self.head).into();
        }
        if self.tail.len() >= LARGE {
            if let Some(shared) = SHARE.get().and_then(|share| share(&self.tail)) {
                self.tail = shared;
            }
        }
    }
}

/// Moves what is large, so that copies of the payload share it.
impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() < LARGE {
            return Self { head: bytes, tail: Bytes::new() };
        }
        Self { head: Vec::new(), tail: bytes.into() }
    }
}

/// Copies the head, and shares the tail.
impl Clone for Payload {
    fn clone(&self) -> Self {
        Self { head: self.head.clone(), tail: self.tail.clone() }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

/// The encoded answer to a call, in the pieces that it was made of, or that it came in.
#[derive(Debug, Default)]
pub struct EncodedReply {
    /// The bytes.
    pub bytes: Payload,
    /// Whether the tail lies in memory of the node that answered, which could change it.
    pub is_lent: bool,
}

impl EncodedReply {
    /// An answer that came as `bytes`, and then `lent`: what lies in memory of the node that
    /// answered, or nothing.
    pub fn arrived(bytes: Bytes, lent: Bytes) -> Self {
        if lent.is_empty() {
            return Payload { head: Vec::new(), tail: bytes }.into();
        }
        Self { bytes: Payload { head: bytes.into(), tail: lent }, is_lent: true }
    }

    /// The value.
    ///
    /// # Panics
    /// When the type's conversion does.
    pub(crate) fn read<T: BytesConvertable>(self) -> T {
        let Self { bytes, is_lent } = self;
        match is_lent {
            true => T::from_split(bytes.head.into(), bytes.tail),
            false => T::from_owned(bytes.into_bytes()),
        }
    }

    /// That of a value.
    ///
    /// # Panics
    /// When the type's conversion does, and when there is not so much memory.
    pub(crate) fn of<T: BytesConvertable>(value: T) -> Self {
        let mut encoder = Encoder::new();
        if let Some(length) = T::bytes_len(&value) {
            encoder.reserve(length).expect("memory for an answer");
        }
        T::into_encoder(value, &mut encoder);
        encoder.finish().into()
    }
}

impl From<Payload> for EncodedReply {
    fn from(bytes: Payload) -> Self {
        Self { bytes, is_lent: false }
    }
}

impl From<Vec<u8>> for EncodedReply {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::from(bytes).into()
    }
}

/// In memory of this process.
impl From<EncodedReply> for Vec<u8> {
    fn from(reply: EncodedReply) -> Self {
        reply.bytes.into_vec()
    }
}
