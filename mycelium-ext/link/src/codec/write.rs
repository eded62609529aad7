//! Frames into bytes.

use bytes::{BufMut, BytesMut};

use super::method::{Method, Numbers};
use super::{
    CALL, CAST, DEFINED, HAS_METADATA, HAS_TIMEOUT, HAS_TRACE, MANY, MARK, NAMED, NO_REPLY,
    NUMBERED, PART, REPLY, TRACE,
};

/// The numbers in front of every message.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// The lane.
    pub lane: u8,
    /// The number of the frame in its lane.
    pub sequence: u64,
    /// The last frame of the lane that the other end has sent and this one has handled.
    pub acknowledged: u64,
}

/// The most bytes that a number takes, that of an actor among them.
pub const TARGET: usize = 10;

/// What a frame says, but for the arguments or the answer, which are written behind it.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// A message without an answer.
    Cast {
        /// The actor, by its number in its process.
        to: u64,
        /// The name of the message's variant.
        method: &'a str,
        /// What the application adds.
        metadata: Option<&'a [u8]>,
        /// The context of the sender's span.
        trace: Option<&'a [u8; TRACE]>,
    },
    /// A message that is answered.
    Call {
        /// The actor, by its number in its process.
        to: u64,
        /// The number of the call.
        tag: u64,
        /// How long the caller waits, in milliseconds.
        timeout: Option<u64>,
        /// The name of the message's variant.
        method: &'a str,
        /// What the application adds.
        metadata: Option<&'a [u8]>,
        /// The context of the sender's span.
        trace: Option<&'a [u8; TRACE]>,
    },
    /// A message without an answer, to several actors.
    Many {
        /// The actors, by their numbers; none of them twice.
        to: &'a [u64],
        /// The name of the message's variant.
        method: &'a str,
        /// What the application adds.
        metadata: Option<&'a [u8]>,
        /// The context of the sender's span.
        trace: Option<&'a [u8; TRACE]>,
    },
    /// The answer to a call.
    Reply {
        /// The actor, by its number in its process.
        to: u64,
        /// The number of the call.
        tag: u64,
    },
    /// A call is not answered.
    NoReply {
        /// The actor, by its number in its process.
        to: u64,
        /// The number of the call.
        tag: u64,
    },
}

impl What<'_> {
    /// How many bytes it takes at most, whatever its numbers are.
    pub fn room(&self) -> usize {
        const NUMBERS: usize = 80;
        let extra = match self {
            Self::Cast { method, metadata, .. } | Self::Call { method, metadata, .. } => {
                method.len() + metadata.map_or(0, <[u8]>::len)
            }
            Self::Many { to, method, metadata, .. } => {
                method.len() + metadata.map_or(0, <[u8]>::len) + to.len() * TARGET
            }
            Self::Reply { .. } | Self::NoReply { .. } => 0,
        };
        NUMBERS + extra + self.trace().map_or(0, |trace| trace.len())
    }

    /// The context of the sender's span.
    fn trace(&self) -> Option<&[u8; TRACE]> {
        match self {
            Self::Cast { trace, .. } | Self::Call { trace, .. } | Self::Many { trace, .. } => {
                *trace
            }
            Self::Reply { .. } | Self::NoReply { .. } => None,
        }
    }
}

/// Writes all but the arguments.
pub fn write(frame: Frame, what: What<'_>, numbers: &mut Numbers, out: &mut BytesMut) {
    let flag = |metadata: Option<&[u8]>| if metadata.is_some() { HAS_METADATA } else { 0 };
    let kind = match what {
        What::Cast { metadata, .. } => CAST | flag(metadata),
        What::Call { timeout, metadata, .. } => {
            CALL | flag(metadata) | if timeout.is_some() { HAS_TIMEOUT } else { 0 }
        }
        What::Many { metadata, .. } => MANY | flag(metadata),
        What::Reply { .. } => REPLY,
        What::NoReply { .. } => NO_REPLY,
    };
    let trace = what.trace().copied();
    let kind = kind | if trace.is_some() { HAS_TRACE } else { 0 };
    out.put_slice(&[MARK, kind, frame.lane]);
    number(frame.sequence, out);
    number(frame.acknowledged, out);
    match what {
        What::Cast { to, method, metadata, .. } => {
            number(to, out);
            put_method(method, metadata, numbers, out);
        }
        What::Call { to, tag, timeout, method, metadata, .. } => {
            number(to, out);
            number(tag, out);
            if let Some(timeout) = timeout {
                number(timeout, out);
            }
            put_method(method, metadata, numbers, out);
        }
        What::Many { to, method, metadata, .. } => {
            number(to.len() as u64, out);
            to.iter().for_each(|to| number(*to, out));
            put_method(method, metadata, numbers, out);
        }
        What::Reply { to, tag } | What::NoReply { to, tag } => {
            number(to, out);
            number(tag, out);
        }
    }
    if let Some(trace) = trace {
        out.put_slice(&trace);
    }
}

/// The most bytes that [`write_part`] writes.
pub const PART_HEAD: usize = 3 + 4 * TARGET;

/// Writes what stands in front of a part of a frame: the bytes of that frame from `offset` on, of
/// `total` in all.
pub fn write_part(frame: Frame, total: u64, offset: u64, out: &mut BytesMut) {
    out.put_slice(&[MARK, PART, frame.lane]);
    let numbers = [frame.sequence, frame.acknowledged, total, offset];
    numbers.into_iter().for_each(|it| number(it, out));
}

fn put_method(method: &str, metadata: Option<&[u8]>, numbers: &mut Numbers, out: &mut BytesMut) {
    match numbers.of(method) {
        Method::Numbered(known) => number(NUMBERED + known, out),
        Method::Named(name) => {
            number(NAMED, out);
            put_bytes(name.as_bytes(), out);
        }
        Method::Defined(name) => {
            number(DEFINED, out);
            put_bytes(name.as_bytes(), out);
        }
    }
    if let Some(metadata) = metadata {
        put_bytes(metadata, out);
    }
}

fn put_bytes(bytes: &[u8], out: &mut BytesMut) {
    number(bytes.len() as u64, out);
    out.put_slice(bytes);
}

fn number(mut number: u64, out: &mut BytesMut) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}
