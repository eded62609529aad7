//! Frames into bytes.

use bytes::{BufMut, BytesMut};

use super::method::{Method, Numbers};
use crate::HEADER;

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

/// The most bytes that all numbers of a frame take, without those of a list.
const NUMBERS: usize = 80;

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
    #[inline]
    pub fn room(&self) -> usize {
        let extra = match self {
            Self::Cast { method, metadata, .. } | Self::Call { method, metadata, .. } => {
                method.len() + metadata.map_or(0, <[u8]>::len)
            }
            Self::Many { to, method, metadata, .. } => {
                method.len() + metadata.map_or(0, <[u8]>::len) + to.len() * TARGET
            }
            Self::Reply { .. } | Self::NoReply { .. } => 0,
        };
        NUMBERS + extra + if self.trace().is_some() { TRACE } else { 0 }
    }

    /// The context of the sender's span.
    #[inline]
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
    write_any(frame, &what, numbers, out);
}

/// The same behind the length of the frame ([`HEADER`](crate::HEADER)). `rest` counts the bytes
/// that follow.
#[inline(always)]
pub(crate) fn write_framed(
    frame: Frame,
    what: &What<'_>,
    rest: usize,
    numbers: &mut Numbers,
    out: &mut BytesMut,
) {
    let mut bytes = [0; NUMBERS];
    if let Some(end) = write_plain(frame, what, numbers, &mut bytes) {
        bytes[..HEADER].copy_from_slice(&((end - HEADER + rest) as u64).to_be_bytes());
        out.put_slice(&bytes[..end]);
    } else {
        write_framed_any(frame, what, rest, numbers, out);
    }
}

#[inline(never)]
fn write_framed_any(
    frame: Frame,
    what: &What<'_>,
    rest: usize,
    numbers: &mut Numbers,
    out: &mut BytesMut,
) {
    let start = out.len();
    out.put_u64(0);
    write_any(frame, what, numbers, out);
    let length = (out.len() - start - HEADER + rest) as u64;
    out[start..start + HEADER].copy_from_slice(&length.to_be_bytes());
}

/// Writes the head of most messages behind room for the length: their method is that of the message
/// before, and they have nothing with them. Returns where it ends, or `None` of another message.
/// All numbers of a frame have room in `bytes`.
#[inline(always)]
fn write_plain(
    frame: Frame,
    what: &What<'_>,
    numbers: &Numbers,
    bytes: &mut [u8; NUMBERS],
) -> Option<usize> {
    match *what {
        What::Cast { to, method, metadata: None, trace: None } => {
            let method = numbers.last(method)?;
            let at = begin_plain(CAST, frame, bytes);
            let at = plain_number(to, bytes, at);
            Some(plain_number(NUMBERED + method, bytes, at))
        }
        What::Call { to, tag, timeout, method, metadata: None, trace: None } => {
            let method = numbers.last(method)?;
            let kind = CALL | if timeout.is_some() { HAS_TIMEOUT } else { 0 };
            let at = begin_plain(kind, frame, bytes);
            let at = plain_number(to, bytes, at);
            let at = plain_number(tag, bytes, at);
            let at = timeout.map_or(at, |timeout| plain_number(timeout, bytes, at));
            Some(plain_number(NUMBERED + method, bytes, at))
        }
        What::Reply { to, tag } => {
            let at = begin_plain(REPLY, frame, bytes);
            let at = plain_number(to, bytes, at);
            Some(plain_number(tag, bytes, at))
        }
        _ => None,
    }
}

#[inline(always)]
fn begin_plain(kind: u8, frame: Frame, bytes: &mut [u8; NUMBERS]) -> usize {
    bytes[HEADER..HEADER + 3].copy_from_slice(&[MARK, kind, frame.lane]);
    let at = plain_number(frame.sequence, bytes, HEADER + 3);
    plain_number(frame.acknowledged, bytes, at)
}

/// Writes a number, and returns where it ends.
#[inline(always)]
fn plain_number(mut number: u64, bytes: &mut [u8; NUMBERS], mut at: usize) -> usize {
    while number >= 0x80 {
        bytes[at] = number as u8 | 0x80;
        at += 1;
        number >>= 7;
    }
    bytes[at] = number as u8;
    at + 1
}

/// Writes the head of any message.
fn write_any(frame: Frame, what: &What<'_>, numbers: &mut Numbers, out: &mut BytesMut) {
    let flag = |metadata: &Option<&[u8]>| if metadata.is_some() { HAS_METADATA } else { 0 };
    let kind = match what {
        What::Cast { metadata, .. } => CAST | flag(metadata),
        What::Call { timeout, metadata, .. } => {
            CALL | flag(metadata) | if timeout.is_some() { HAS_TIMEOUT } else { 0 }
        }
        What::Many { metadata, .. } => MANY | flag(metadata),
        What::Reply { .. } => REPLY,
        What::NoReply { .. } => NO_REPLY,
    };
    let trace = what.trace();
    let kind = kind | if trace.is_some() { HAS_TRACE } else { 0 };
    let mut head = Gathered { bytes: [0; NUMBERS], len: 0 };
    head.put([MARK, kind, frame.lane]);
    head.number(frame.sequence, out);
    head.number(frame.acknowledged, out);
    match what {
        What::Cast { to, method, metadata, .. } => {
            head.number(*to, out);
            head.method(method, *metadata, numbers, out);
        }
        What::Call { to, tag, timeout, method, metadata, .. } => {
            head.number(*to, out);
            head.number(*tag, out);
            if let Some(timeout) = timeout {
                head.number(*timeout, out);
            }
            head.method(method, *metadata, numbers, out);
        }
        What::Many { to, method, metadata, .. } => {
            head.number(to.len() as u64, out);
            to.iter().for_each(|to| head.number(*to, out));
            head.method(method, *metadata, numbers, out);
        }
        What::Reply { to, tag } | What::NoReply { to, tag } => {
            head.number(*to, out);
            head.number(*tag, out);
        }
    }
    if let Some(trace) = trace {
        head.write_out(out);
        out.put_slice(trace);
    }
    head.write_out(out);
}

/// Bytes that are gathered on the stack, to be written in one piece.
struct Gathered {
    bytes: [u8; NUMBERS],
    len: usize,
}

impl Gathered {
    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        self.bytes[self.len..self.len + N].copy_from_slice(&bytes);
        self.len += N;
    }

    fn number(&mut self, mut number: u64, out: &mut BytesMut) {
        if self.len > NUMBERS - TARGET {
            self.write_out(out);
        }
        while number >= 0x80 {
            self.put([number as u8 | 0x80]);
            number >>= 7;
        }
        self.put([number as u8]);
    }

    fn method(
        &mut self,
        method: &str,
        metadata: Option<&[u8]>,
        numbers: &mut Numbers,
        out: &mut BytesMut,
    ) {
        match numbers.of(method) {
            Method::Numbered(known) => self.number(NUMBERED + known, out),
            Method::Named(name) => self.name(NAMED, name, out),
            Method::Defined(name) => self.name(DEFINED, name, out),
        }
        if let Some(metadata) = metadata {
            self.long(metadata, out);
        }
    }

    fn name(&mut self, how: u64, name: &str, out: &mut BytesMut) {
        self.number(how, out);
        self.long(name.as_bytes(), out);
    }

    /// Bytes of any number, behind that.
    fn long(&mut self, bytes: &[u8], out: &mut BytesMut) {
        self.number(bytes.len() as u64, out);
        self.write_out(out);
        out.put_slice(bytes);
    }

    fn write_out(&mut self, out: &mut BytesMut) {
        out.put_slice(&self.bytes[..self.len]);
        self.len = 0;
    }
}

/// The most bytes that [`write_part`] writes.
pub const PART_HEAD: usize = 3 + 4 * TARGET;

/// Writes what stands in front of a part of a frame: the bytes of that frame from `offset` on, of
/// `total` in all.
pub fn write_part(frame: Frame, total: u64, offset: u64, out: &mut BytesMut) {
    let mut head = Gathered { bytes: [0; NUMBERS], len: 0 };
    head.put([MARK, PART, frame.lane]);
    let numbers = [frame.sequence, frame.acknowledged, total, offset];
    numbers.into_iter().for_each(|it| head.number(it, out));
    head.write_out(out);
}
