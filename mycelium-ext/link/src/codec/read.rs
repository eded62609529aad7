//! Frames out of bytes that may be anything.

use std::borrow::Cow;
use std::fmt;

use bytes::{Buf as _, Bytes};

use super::method::Names;
use super::{
    CALL, CAST, DEFINED, HAS_METADATA, HAS_TIMEOUT, HAS_TRACE, KIND, MANY, MARK, MAX_TARGETS,
    NAMED, NO_REPLY, NUMBERED, PART, REPLY, TRACE,
};
use crate::lane::Part;

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecError {
    /// It ends within something.
    Short,
    /// A number has more than 64 bits.
    Number,
    /// There is no such kind of frame, or it has no such flag.
    Kind(u8),
    /// The name of a method is not UTF-8.
    Utf8,
    /// More names, or longer ones, than a lane numbers.
    Names,
    /// A method by a number that has no name.
    Unnamed(u64),
    /// A message to more actors than a frame may go to or has room for, or to none.
    Count(u64),
    /// A message names an actor twice.
    Repeated(u64),
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("a frame ends too early"),
            Self::Number => f.write_str("a number in a frame has more than 64 bits"),
            Self::Kind(kind) => write!(f, "there is no frame of kind {kind:#04x}"),
            Self::Utf8 => f.write_str("the name of a method is not UTF-8"),
            Self::Names => f.write_str("too many methods, or too long ones, want a number"),
            Self::Unnamed(number) => write!(f, "method {number} has no name"),
            Self::Count(count) => write!(f, "a message goes to {count} actors"),
            Self::Repeated(pid) => write!(f, "a message goes to actor {pid} twice"),
        }
    }
}

impl std::error::Error for CodecError {}

/// What stands in front of every message; what follows has not been looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The lane.
    pub lane: u8,
    /// The number of the frame in its lane.
    pub sequence: u64,
    /// The last frame of the lane that the other end has sent and this one has handled.
    pub acknowledged: u64,
    kind: u8,
    /// Where the rest begins.
    at: usize,
}

/// A message, and for whom.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// For which actors it is, and what they do with it.
    pub kind: Kind<'a>,
    /// The arguments, or the answer.
    pub args: Bytes,
    /// The end of them, where it lies in memory of the peer; empty as a rule.
    pub lent: Bytes,
    /// The context of the sender's span, which may be any bytes.
    pub trace: Option<[u8; TRACE]>,
}

/// The kind of a message, and its actors.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A message without an answer.
    Cast {
        /// The actor, by its number in its process.
        to: u64,
        /// The name of the message's variant.
        method: Cow<'a, str>,
        /// What the application adds.
        metadata: Option<Bytes>,
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
        method: Cow<'a, str>,
        /// What the application adds.
        metadata: Option<Bytes>,
    },
    /// A message without an answer, to several actors.
    Many {
        /// The actors, by their numbers; none of them twice.
        to: Vec<u64>,
        /// The name of the message's variant.
        method: Cow<'a, str>,
        /// What the application adds.
        metadata: Option<Bytes>,
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

/// A message without an answer, to one actor, of a method that has a number, and with nothing
/// beside its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainCast<'a> {
    /// The actor, by its number in its process.
    pub to: u64,
    /// The name of the message's variant.
    pub method: &'a str,
    /// Where the arguments begin in the frame.
    pub at: usize,
}

impl Message<'_> {
    /// How many actors it goes to.
    pub fn deliveries(&self) -> usize {
        match &self.kind {
            Kind::Many { to, .. } => to.len(),
            Kind::Cast { .. } | Kind::Call { .. } | Kind::Reply { .. } | Kind::NoReply { .. } => 1,
        }
    }

    /// The message without the names that it was read with.
    pub fn into_owned(self) -> Message<'static> {
        let kind = match self.kind {
            Kind::Cast { to, method, metadata } => {
                let method = Cow::Owned(method.into_owned());
                Kind::Cast { to, method, metadata }
            }
            Kind::Call { to, tag, timeout, method, metadata } => {
                let method = Cow::Owned(method.into_owned());
                Kind::Call { to, tag, timeout, method, metadata }
            }
            Kind::Many { to, method, metadata } => {
                let method = Cow::Owned(method.into_owned());
                Kind::Many { to, method, metadata }
            }
            Kind::Reply { to, tag } => Kind::Reply { to, tag },
            Kind::NoReply { to, tag } => Kind::NoReply { to, tag },
        };
        Message { kind, args: self.args, lent: self.lent, trace: self.trace }
    }
}

/// The head of a frame, or `None` when it is a frame of protobuf.
#[inline(always)]
pub fn head(frame: &[u8]) -> Result<Option<Head>, CodecError> {
    if frame.first() != Some(&MARK) {
        return Ok(None);
    }
    let mut cursor = Cursor { bytes: frame, at: 1 };
    let (kind, lane) = (cursor.byte()?, cursor.byte()?);
    let (sequence, acknowledged) = (cursor.number()?, cursor.number()?);
    Ok(Some(Head { lane, sequence, acknowledged, kind, at: cursor.at }))
}

/// A method's name, and the metadata beside it.
type Method<'a> = (Cow<'a, str>, Option<Bytes>);

impl Head {
    /// Whether the frame is a part of another.
    pub fn is_part(&self) -> bool {
        self.kind == PART
    }

    /// Whether it may be a [plain cast](Self::plain_cast).
    #[inline(always)]
    pub fn may_be_plain(&self) -> bool {
        self.kind == CAST
    }

    /// The message behind the head of `frame`, if it is of the kind that streams consist of. `None`
    /// says nothing of the frame: [`message`](Self::message) reads it, whatever it is.
    #[inline(always)]
    pub fn plain_cast<'a>(&self, frame: &[u8], names: &'a Names) -> Option<PlainCast<'a>> {
        if !self.may_be_plain() {
            return None;
        }
        let mut cursor = Cursor { bytes: frame, at: self.at };
        let to = cursor.number().ok()?;
        let number = cursor.number().ok()?.checked_sub(NUMBERED)?;
        let method = names.get(number).ok()?;
        Some(PlainCast { to, method, at: cursor.at })
    }

    /// Whether this is the frame that parts with that head are of.
    pub fn continues(&self, part: &Self) -> bool {
        !self.is_part() && (self.lane, self.sequence) == (part.lane, part.sequence)
    }

    /// The part that `frame` is.
    pub fn part(&self, mut frame: Bytes) -> Result<Part, CodecError> {
        if !self.is_part() {
            return Err(CodecError::Kind(self.kind));
        }
        let mut cursor = Cursor { bytes: &frame, at: self.at };
        let (total, offset) = (cursor.number()?, cursor.number()?);
        let at = cursor.at;
        frame.advance(at);
        Ok(Part { sequence: self.sequence, total, offset, bytes: frame })
    }

    /// The message behind the head of `frame`. Its arguments keep their part of the frame's memory.
    /// `lent` is their end, where it lies in memory of the peer. `names` learns those that the
    /// message brings.
    #[inline]
    pub fn message<'a>(
        &self,
        (mut frame, lent): (Bytes, Bytes),
        names: &'a mut Names,
    ) -> Result<Message<'a>, CodecError> {
        let mut cursor = Cursor { bytes: &frame, at: self.at };
        let allowed = match self.kind & KIND {
            CAST | MANY => HAS_METADATA | HAS_TRACE,
            CALL => HAS_METADATA | HAS_TIMEOUT | HAS_TRACE,
            REPLY | NO_REPLY => 0,
            _ => return Err(CodecError::Kind(self.kind)),
        };
        if self.kind & !KIND & !allowed != 0 {
            return Err(CodecError::Kind(self.kind));
        }
        let kind = match self.kind & KIND {
            CAST => {
                let to = cursor.number()?;
                let (method, metadata) = self.method(&mut cursor, &frame, names)?;
                Kind::Cast { to, method, metadata }
            }
            CALL => {
                let (to, tag) = (cursor.number()?, cursor.number()?);
                let timeout = match self.kind & HAS_TIMEOUT {
                    0 => None,
                    _ => Some(cursor.number()?),
                };
                let (method, metadata) = self.method(&mut cursor, &frame, names)?;
                Kind::Call { to, tag, timeout, method, metadata }
            }
            MANY => {
                let to = cursor.targets()?;
                let (method, metadata) = self.method(&mut cursor, &frame, names)?;
                Kind::Many { to, method, metadata }
            }
            REPLY => Kind::Reply { to: cursor.number()?, tag: cursor.number()? },
            _ => Kind::NoReply { to: cursor.number()?, tag: cursor.number()? },
        };
        let trace = match self.kind & HAS_TRACE {
            0 => None,
            _ => Some(cursor.trace()?),
        };
        let at = cursor.at;
        frame.advance(at);
        Ok(Message { kind, args: frame, lent, trace })
    }

    #[inline]
    fn method<'a>(
        &self,
        cursor: &mut Cursor<'_>,
        frame: &Bytes,
        names: &'a mut Names,
    ) -> Result<Method<'a>, CodecError> {
        let method = match cursor.number()? {
            NAMED => Cow::Owned(cursor.name()?.to_owned()),
            DEFINED => {
                names.define(cursor.name()?)?;
                Cow::Borrowed(names.last())
            }
            number => Cow::Borrowed(names.get(number - NUMBERED)?),
        };
        let metadata = match self.kind & HAS_METADATA {
            0 => None,
            _ => Some(frame.slice_ref(cursor.bytes()?)),
        };
        Ok((method, metadata))
    }
}

/// How many messages a frame is, as far as its sender is concerned: one for each actor that it goes
/// to, and none where it is no message.
pub fn messages_in(frame: &[u8]) -> usize {
    let Ok(Some(head)) = head(frame) else { return 0 };
    match head.kind & KIND {
        MANY => {
            let count = Cursor { bytes: frame, at: head.at }.number();
            count.ok().and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
        }
        NO_REPLY => 0,
        _ => 1,
    }
}

/// A number that a list has twice. A sorted list, as our senders write, is not copied.
fn repeated(targets: &[u64]) -> Option<u64> {
    if targets.is_sorted_by(|one, next| one < next) {
        return None;
    }
    let mut sorted = targets.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    fn byte(&mut self) -> Result<u8, CodecError> {
        let byte = *self.bytes.get(self.at).ok_or(CodecError::Short)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline(always)]
    pub(super) fn number(&mut self) -> Result<u64, CodecError> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte & 0x80 == 0 => {
                self.at += 1;
                Ok(byte.into())
            }
            _ => self.long_number(),
        }
    }

    /// A number of more than one byte.
    #[inline(never)]
    fn long_number(&mut self) -> Result<u64, CodecError> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(CodecError::Number);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            shift += 7;
            if shift > 63 {
                return Err(CodecError::Number);
            }
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let length = usize::try_from(self.number()?).map_err(|_| CodecError::Short)?;
        let end = self.at.checked_add(length).ok_or(CodecError::Short)?;
        let bytes = self.bytes.get(self.at..end).ok_or(CodecError::Short)?;
        self.at = end;
        Ok(bytes)
    }

    fn trace(&mut self) -> Result<[u8; TRACE], CodecError> {
        let trace = self.bytes[self.at..].first_chunk().ok_or(CodecError::Short)?;
        self.at += TRACE;
        Ok(*trace)
    }

    fn name(&mut self) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| CodecError::Utf8)
    }

    /// Reads a list of distinct actors. Its memory is bounded by [`MAX_TARGETS`].
    fn targets(&mut self) -> Result<Vec<u64>, CodecError> {
        let count = self.number()?;
        let most = MAX_TARGETS.min(self.bytes.len() - self.at);
        let fits = usize::try_from(count).ok().filter(|it| (1..=most).contains(it));
        let count = fits.ok_or(CodecError::Count(count))?;
        let mut targets = Vec::with_capacity(count);
        for _ in 0..count {
            targets.push(self.number()?);
        }
        match repeated(&targets) {
            Some(pid) => Err(CodecError::Repeated(pid)),
            None => Ok(targets),
        }
    }
}
