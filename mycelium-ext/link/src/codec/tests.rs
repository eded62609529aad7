use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::probe;
use super::{CodecError, Frame, MAX_NAMES, Names, Numbers, What, head, messages_in, write};

const FRAME: Frame = Frame { lane: 3, sequence: 1 << 33, acknowledged: 5 };

fn written(what: What<'_>, numbers: &mut Numbers, args: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    write(FRAME, what, numbers, &mut out);
    out.extend_from_slice(args);
    out.freeze()
}

/// Writes and reads a message in a lane that may know its method.
fn there_and_back(what: What<'_>, args: &[u8], numbers: &mut Numbers, names: &mut Names) -> usize {
    let frame = written(what, numbers, args);
    let head = head(&frame).unwrap().expect("a frame of messages");
    assert_eq!((head.lane, head.sequence, head.acknowledged), (3, 1 << 33, 5));
    let message = head.message(frame.clone(), names).unwrap();
    assert_eq!(message.args, args);
    let there = probe::what(&message.kind);
    assert_eq!(format!("{there:?}"), format!("{what:?}"));
    assert_eq!(
        format!("{:?}", message.into_owned().args),
        format!("{:?}", Bytes::from(args.to_vec()))
    );
    frame.len()
}

#[test]
fn messages_survive_the_wire_and_a_method_is_named_once() {
    let (mut numbers, mut names) = Default::default();
    let metadata = Some([1, 2, 3].as_slice());
    let tick = What::Cast { to: 7, method: "Tick", metadata: None };
    let first = there_and_back(tick, b"payload", &mut numbers, &mut names);
    let second = there_and_back(tick, b"payload", &mut numbers, &mut names);
    assert_eq!(first - second, 1 + "Tick".len());
    for what in [
        What::Cast { to: u64::MAX, method: "Tick", metadata },
        What::Call { to: 300, tag: 1 << 40, timeout: None, method: "Ask", metadata: None },
        What::Call { to: 300, tag: 2, timeout: Some(u64::MAX), method: "Ask", metadata },
        What::Many { to: &[1, 2, 300], method: "Tick", metadata },
        What::Reply { to: 1, tag: 2 },
        What::NoReply { to: 1, tag: 2 },
        What::Cast { to: 1, method: "", metadata: None },
    ] {
        there_and_back(what, b"", &mut numbers, &mut names);
        there_and_back(what, &[9; 100], &mut numbers, &mut names);
    }
}

#[test]
fn more_methods_than_are_numbered_go_by_name() {
    let (mut numbers, mut names) = Default::default();
    let long = "x".repeat(super::MAX_NAME + 1);
    for number in 0..MAX_NAMES + 10 {
        let method = number.to_string();
        let what = What::Cast { to: 1, method: &method, metadata: None };
        there_and_back(what, b"", &mut numbers, &mut names);
    }
    for method in ["0", "1033", long.as_str()] {
        let what = What::Cast { to: 1, method, metadata: None };
        there_and_back(what, b"", &mut numbers, &mut names);
    }
}

#[test]
fn a_peer_cannot_have_more_methods_numbered() {
    let mut names = Names::default();
    let define = |name: &str, names: &mut Names| {
        // A fresh table numbers every name anew.
        let what = What::Cast { to: 1, method: name, metadata: None };
        let frame = written(what, &mut Numbers::default(), b"");
        let head = head(&frame).unwrap().unwrap();
        head.message(frame.clone(), names).map(|_| ())
    };
    for _ in 0..MAX_NAMES {
        define("same", &mut names).unwrap();
    }
    assert_eq!(define("same", &mut names), Err(CodecError::Names));
}

#[test]
fn what_is_not_known_is_refused() {
    let read = |frame: &[u8]| {
        let frame = Bytes::copy_from_slice(frame);
        let head = head(&frame)?.expect("a frame of messages");
        head.message(frame, &mut Names::default()).map(|_| ())
    };
    // Zero, kind, lane, sequence, acknowledged, and the rest.
    assert_eq!(read(&[0, 6, 0, 1, 0]), Err(CodecError::Kind(6)));
    assert_eq!(read(&[0, 0x41, 0, 1, 0]), Err(CodecError::Kind(0x41)));
    assert_eq!(read(&[0, 0x14, 0, 1, 0, 1, 1]), Err(CodecError::Kind(0x14)));
    assert_eq!(read(&[0, 1, 0, 1]), Err(CodecError::Short));
    assert_eq!(read(&[0, 1, 0, 1, 0, 1, 9]), Err(CodecError::Unnamed(7)));
    assert_eq!(read(&[0, 1, 0, 1, 0, 1, 0, 1, 0xff]), Err(CodecError::Utf8));
    assert_eq!(read(&[0, 1, 0, 1, 0, 1, 0, 0x7f, b'a']), Err(CodecError::Short));
    assert_eq!(read(&[0, 3, 0, 1, 0, 0, 0, 0]), Err(CodecError::Count(0)));
    assert_eq!(read(&[0, 3, 0, 1, 0, 100, 1]), Err(CodecError::Count(100)));
    let mut number = vec![0, 1, 0];
    number.extend([0xff; 9]);
    number.push(0x02);
    assert_eq!(read(&number), Err(CodecError::Number));
    assert_eq!(head(b"\x0a\x00"), Ok(None));
    assert_eq!(head(b""), Ok(None));
}

#[test]
fn a_message_counts_for_each_that_it_goes_to() {
    let count = |what| messages_in(&written(what, &mut Numbers::default(), b""));
    assert_eq!(count(What::Cast { to: 1, method: "", metadata: None }), 1);
    assert_eq!(count(What::Many { to: &[1, 2, 3], method: "", metadata: None }), 3);
    assert_eq!(count(What::NoReply { to: 1, tag: 1 }), 0);
    assert_eq!(messages_in(b"\x0a\x00"), 0);
}

proptest! {
    /// Whatever comes is a message or an error.
    #[test]
    fn bytes_of_any_kind_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0..7_u8) {
        let mut frame = vec![0, kind];
        frame.extend(bytes);
        let frame = Bytes::from(frame);
        if let Ok(Some(head)) = head(&frame) {
            let mut names = Names::default();
            if let Ok(message) = head.message(frame.clone(), &mut names) {
                prop_assert!(message.args.len() < frame.len());
            }
        }
        messages_in(&frame);
    }
}
