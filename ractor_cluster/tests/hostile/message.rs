//! Messages between nodes of the fork, which have frames of their own, as envelopes: as if they
//! were what everything else of a session is.

use super::wire::{
    Body, Call, CallReply, Cast, Envelope, Enveloped, Frame, Network, Node, NodeBody, Ours,
};

fn number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().expect("a number");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
        shift += 7;
    }
}

/// The bytes of a message, if it is one. Its method is named, not numbered.
pub fn encode(frame: &Network) -> Option<Vec<u8>> {
    let Some(Body::Ours(Ours { frame: Some(Frame::Envelope(envelope)) })) = &frame.body else {
        return None;
    };
    let Some(Enveloped::Node(Node { body: Some(body) })) = &envelope.body else { return None };
    let kind = match body {
        NodeBody::Cast(_) => 1,
        NodeBody::Call(call) => 2 | call.timeout_ms.map_or(0, |_| 0x20),
        NodeBody::Reply(_) => 4,
    };
    let mut out = vec![0, kind, u8::try_from(envelope.lane).unwrap_or(u8::MAX)];
    number(envelope.sequence, &mut out);
    number(envelope.acknowledged, &mut out);
    match body {
        NodeBody::Cast(Cast { to, what, variant }) => {
            number(*to, &mut out);
            named(variant, &mut out);
            out.extend(what);
        }
        NodeBody::Call(Call { to, what, tag, timeout_ms, variant }) => {
            number(*to, &mut out);
            number(*tag, &mut out);
            if let Some(limit) = timeout_ms {
                number(*limit, &mut out);
            }
            named(variant, &mut out);
            out.extend(what);
        }
        NodeBody::Reply(CallReply { to, tag, what }) => {
            number(*to, &mut out);
            number(*tag, &mut out);
            out.extend(what);
        }
    }
    Some(out)
}

/// A message of the node's.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    pub kind: u8,
    pub lane: u8,
    pub to: Vec<u64>,
    /// In all.
    pub bytes: usize,
    /// What stands behind the actors: method, metadata, context and arguments.
    pub rest: Vec<u8>,
}

/// A cast, to one actor or to many.
pub fn sent(frame: &[u8]) -> Option<Sent> {
    let [0, kind, lane, rest @ ..] = frame else { return None };
    let is_to_many = match kind & 0x0f {
        1 => false,
        3 => true,
        _ => return None,
    };
    let mut rest = rest;
    let _ = (take(&mut rest), take(&mut rest));
    let count = if is_to_many { take(&mut rest) } else { 1 };
    let to = (0..count).map(|_| take(&mut rest)).collect();
    Some(Sent { kind: *kind, lane: *lane, to, bytes: frame.len(), rest: rest.to_vec() })
}

/// The tag of a call of ours that gets no answer.
pub fn unanswered(frame: &[u8]) -> Option<u64> {
    let [0, 5, _, rest @ ..] = frame else { return None };
    let mut rest = rest;
    let _ = (take(&mut rest), take(&mut rest), take(&mut rest));
    Some(take(&mut rest))
}

/// A message to many actors.
pub fn many(sequence: u64, acknowledged: u64, to: &[u64], variant: &str, what: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 3, 0];
    for it in [sequence, acknowledged, to.len() as u64] {
        number(it, &mut out);
    }
    to.iter().for_each(|to| number(*to, &mut out));
    named(variant, &mut out);
    out.extend(what);
    out
}

/// A part of a message.
pub fn part(lane: u64, sequence: u64, (total, offset): (u64, u64), bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 6, u8::try_from(lane).expect("it is one")];
    [sequence, 0, total, offset].into_iter().for_each(|it| number(it, &mut out));
    out.extend(bytes);
    out
}

fn named(variant: &str, out: &mut Vec<u8>) {
    number(0, out);
    number(variant.len() as u64, out);
    out.extend(variant.as_bytes());
}

/// The answer in a frame of messages, or another message, whose content no test asks for.
pub fn decode(frame: &[u8]) -> Option<Network> {
    let [0, kind, lane, rest @ ..] = frame else { return None };
    let mut rest = rest;
    let (sequence, acknowledged) = (take(&mut rest), take(&mut rest));
    let body = (*kind == 4).then(|| {
        let (to, tag) = (take(&mut rest), take(&mut rest));
        Enveloped::from(NodeBody::Reply(CallReply { to, tag, what: rest.to_vec() }))
    });
    let lane = u32::from(*lane);
    Some(Frame::Envelope(Envelope { lane, sequence, acknowledged, body }).into())
}
