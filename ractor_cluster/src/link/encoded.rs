//! Frames as they wait for a link: encoded, and with a large payload beside the rest of the frame, where
//! the actor's message put it, and not copied into it.

use bytes::{Bytes, BytesMut};
use prost::encoding::{encode_key, encode_varint, WireType};
use prost::Message as _;

use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::frame::Body as FrameBody;
use crate::protocol::mycelium::Envelope;
use crate::protocol::node::node_message::Msg;

/// Payloads from here on stay where they are: copying less costs less than a write in parts.
const APART: usize = 16 * 1024;
/// What the fields around a payload take at most, beside those that are encoded first.
const AROUND: usize = 64;

/// The numbers of the fields that lead to a payload, as the `.proto` files have them.
const MYCELIUM: u32 = 1000;
const ENVELOPE: u32 = 4;
const NODE: u32 = 4;

/// One frame: both parts, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) head: Bytes,
    /// Empty where the frame is in one piece.
    pub(crate) payload: Bytes,
}

impl Encoded {
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.payload.len()
    }
}

impl From<Bytes> for Encoded {
    fn from(head: Bytes) -> Self {
        Self { head, payload: Bytes::new() }
    }
}

impl From<Envelope> for Encoded {
    /// Protobuf leaves the order of fields open, so a payload may be the last of all.
    fn from(mut envelope: Envelope) -> Self {
        match envelope.body.as_mut().and_then(take_payload) {
            None => FrameBody::Envelope(envelope).encoded().into(),
            Some(payload) => Self { head: head(envelope, payload.len()), payload },
        }
    }
}

/// Takes a large payload out of a message.
fn take_payload(body: &mut Body) -> Option<Bytes> {
    let Body::Node(node) = body else { return None };
    let what = match node.msg.as_mut()? {
        Msg::Cast(cast) => &mut cast.what,
        Msg::Call(call) => &mut call.what,
        Msg::Reply(reply) => &mut reply.what,
    };
    (what.len() >= APART).then(|| std::mem::take(what).into())
}

/// All of a frame but the payload that was taken out of it, which follows.
fn head(envelope: Envelope, payload: usize) -> Bytes {
    let Envelope { lane, sequence, acknowledged, body } = envelope;
    let numbers = Envelope { lane, sequence, acknowledged, body: None }.encode_to_vec();
    let message = match body {
        Some(Body::Node(node)) => node.msg,
        _ => None,
    };
    // As in `node.proto`: the message's own number, what is in it, and its payload's number.
    let (number, fields, what) = match message {
        Some(Msg::Cast(cast)) => (1, cast.encode_to_vec(), 2),
        Some(Msg::Call(call)) => (2, call.encode_to_vec(), 2),
        Some(Msg::Reply(reply)) => (3, reply.encode_to_vec(), 3),
        None => (0, Vec::new(), 0),
    };
    let payload_field = field(what, payload);
    let message_size = fields.len() + payload_field.len() + payload;
    let message_field = field(number, message_size);
    let node_size = message_field.len() + message_size;
    let node_field = field(NODE, node_size);
    let envelope_size = numbers.len() + node_field.len() + node_size;
    let envelope_field = field(ENVELOPE, envelope_size);
    let frame_field = field(MYCELIUM, envelope_field.len() + envelope_size);

    let mut head = BytesMut::with_capacity(numbers.len() + fields.len() + AROUND);
    let parts: [&[u8]; 7] = [
        &frame_field,
        &envelope_field,
        &numbers,
        &node_field,
        &message_field,
        &fields,
        &payload_field,
    ];
    parts.iter().for_each(|part| head.extend_from_slice(part));
    head.freeze()
}

/// What stands before a field of so many bytes.
fn field(number: u32, size: usize) -> Vec<u8> {
    let mut field = Vec::with_capacity(AROUND / 4);
    encode_key(number, WireType::LengthDelimited, &mut field);
    encode_varint(size as u64, &mut field);
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::node::{Call, CallReply, Cast, NodeMessage};

    fn envelopes(size: usize) -> Vec<Envelope> {
        let what: Vec<u8> = (0..size).map(|index| index as u8).collect();
        let (variant, metadata) = ("Take".to_owned(), Some(vec![1, 2, 3]));
        let cast = Cast { to: 7, what: what.clone(), variant, metadata };
        let call = Call { to: 300, what: what.clone(), tag: 1 << 40, ..Call::default() };
        let reply = CallReply { to: 1, tag: 2, what };
        [Msg::Cast(cast), Msg::Call(call), Msg::Reply(reply)]
            .map(|msg| Envelope {
                lane: 3,
                sequence: 1 << 33,
                acknowledged: 5,
                body: Some(Body::Node(NodeMessage { msg: Some(msg) })),
            })
            .into()
    }

    #[test]
    fn a_frame_in_parts_is_the_frame() {
        // Around the sizes where a length takes a byte more.
        for size in [APART, APART + 1, (1 << 21) - 64, 1 << 21] {
            for envelope in envelopes(size) {
                let encoded = Encoded::from(envelope.clone());
                assert_eq!(encoded.payload.len(), size);
                let whole = [encoded.head.as_ref(), &encoded.payload].concat();
                assert_eq!(whole.len(), encoded.len());
                assert_eq!(FrameBody::decode(whole.into()), Some(FrameBody::Envelope(envelope)));
            }
        }
    }

    #[test]
    fn small_payloads_stay_inside() {
        for envelope in envelopes(APART - 1) {
            let encoded = Encoded::from(envelope.clone());
            assert!(encoded.payload.is_empty());
            assert_eq!(FrameBody::decode(encoded.head), Some(FrameBody::Envelope(envelope)));
        }
    }
}
