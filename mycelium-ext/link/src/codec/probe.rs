//! The codec by itself, for tests and fuzzers that feed it any bytes.

use bytes::{Bytes, BytesMut};

use super::{
    CodecError, Frame, Head, Kind, Message, Names, Numbers, What, head, messages_in, write,
};

/// One end of a lane: the methods that it has numbered, and those that it has learnt.
#[derive(Debug, Default)]
pub struct Probe {
    numbers: Numbers,
    names: Names,
}

/// A message, and the numbers in front of it.
#[derive(Debug)]
pub struct Read {
    head: Head,
    message: Message<'static>,
}

impl Probe {
    /// Reads a frame of the other end. `None` is a frame of another kind.
    ///
    /// # Errors
    /// It is no message. A session ends with the first such frame.
    pub fn read(&mut self, frame: &Bytes) -> Result<Option<Read>, impl std::error::Error> {
        let Some(head) = head(frame)? else { return Ok(None) };
        let message = head.message((frame.clone(), Bytes::new()), &mut self.names)?.into_owned();
        Ok::<_, CodecError>(Some(Read { head, message }))
    }

    /// The frame that says the same to the other end, and how many messages it is to its sender.
    pub fn write(&mut self, Read { head, message }: &Read) -> (Bytes, usize) {
        let Head { lane, sequence, acknowledged, .. } = *head;
        let mut frame = BytesMut::new();
        write(Frame { lane, sequence, acknowledged }, what(message), &mut self.numbers, &mut frame);
        let count = messages_in(&frame);
        frame.extend_from_slice(&message.args);
        (frame.freeze(), count)
    }
}

/// What was read, as it is written.
pub(super) fn what<'a>(message: &'a Message<'_>) -> What<'a> {
    let trace = message.trace.as_ref();
    match &message.kind {
        Kind::Cast { to, method, metadata } => {
            What::Cast { to: *to, method, metadata: metadata.as_deref(), trace }
        }
        Kind::Call { to, tag, timeout, method, metadata } => What::Call {
            to: *to,
            tag: *tag,
            timeout: *timeout,
            method,
            metadata: metadata.as_deref(),
            trace,
        },
        Kind::Many { to, method, metadata } => {
            What::Many { to, method, metadata: metadata.as_deref(), trace }
        }
        Kind::Reply { to, tag } => What::Reply { to: *to, tag: *tag },
        Kind::NoReply { to, tag } => What::NoReply { to: *to, tag: *tag },
    }
}

impl Read {
    /// The arguments or the answer.
    #[must_use]
    pub fn args(&self) -> &[u8] {
        &self.message.args
    }

    /// The actors that it goes to. A missing answer goes to none.
    #[must_use]
    pub fn deliveries(&self) -> usize {
        match &self.message.kind {
            Kind::Many { to, .. } => to.len(),
            Kind::NoReply { .. } => 0,
            Kind::Cast { .. } | Kind::Call { .. } | Kind::Reply { .. } => 1,
        }
    }
}

/// Whether both say the same, in whatever form it came.
impl PartialEq for Read {
    fn eq(&self, other: &Self) -> bool {
        let numbers = |it: &Self| (it.head.lane, it.head.sequence, it.head.acknowledged);
        numbers(self) == numbers(other) && self.message == other.message
    }
}
