use bytes::{Buf as _, Bytes, BytesMut};
use proptest::prelude::*;

use super::probe;
use super::{
    Alike, CodecError, Frame, MAX_NAMES, Names, Numbers, TRACE, What, head, messages_in, write,
};

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
    let message = head.message((frame.clone(), Bytes::new()), names).unwrap();
    assert_eq!(message.args, args);
    let there = probe::what(&message);
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
    let trace = Some(&[7; TRACE]);
    let tick = What::Cast { to: 7, method: "Tick", metadata: None, trace: None };
    let first = there_and_back(tick, b"payload", &mut numbers, &mut names);
    let second = there_and_back(tick, b"payload", &mut numbers, &mut names);
    assert_eq!(first - second, 1 + "Tick".len());
    for what in [
        What::Cast { to: u64::MAX, method: "Tick", metadata, trace: None },
        What::Call {
            to: 300,
            tag: 1 << 40,
            timeout: None,
            method: "Ask",
            metadata: None,
            trace: None,
        },
        What::Call {
            to: 300,
            tag: 2,
            timeout: Some(u64::MAX),
            method: "Ask",
            metadata,
            trace: None,
        },
        What::Many { to: &[1, 2, 300], method: "Tick", metadata, trace: None },
        What::Cast { to: 7, method: "Tick", metadata: None, trace },
        What::Call { to: 300, tag: 3, timeout: Some(1), method: "Ask", metadata, trace },
        What::Many { to: &[1, 2, 300], method: "Other", metadata, trace },
        What::Reply { to: 1, tag: 2 },
        What::NoReply { to: 1, tag: 2 },
        What::Cast { to: 1, method: "", metadata: None, trace: None },
    ] {
        there_and_back(what, b"", &mut numbers, &mut names);
        there_and_back(what, &[9; 100], &mut numbers, &mut names);
    }
}

/// What is written first is gathered, and goes in several pieces where there is much of it.
#[test]
fn the_longest_numbers_survive_the_wire() {
    let (mut numbers, mut names) = Default::default();
    let to: Vec<u64> = (0..super::MAX_TARGETS as u64).map(|it| u64::MAX - it * it).collect();
    let (method, trace, metadata) = ("Tick", Some(&[7; TRACE]), Some([1, 2, 3].as_slice()));
    let longest = Frame { lane: 63, sequence: u64::MAX, acknowledged: u64::MAX };
    for many in 1..=to.len() {
        let many = What::Many { to: &to[..many], method, metadata, trace };
        there_and_back(many, b"args", &mut numbers, &mut names);
    }
    for (metadata, trace) in [(None, None), (metadata, None), (None, trace), (metadata, trace)] {
        let (to, tag, timeout) = (u64::MAX, u64::MAX, Some(u64::MAX));
        let call = What::Call { to, tag, timeout, method, metadata, trace };
        let mut out = BytesMut::from(&b"before"[..]);
        super::write_framed(longest, &call, 1000, &mut numbers, &mut out);
        assert_eq!(out.split_to(6), b"before"[..]);
        assert_eq!(out.get_u64(), out.len() as u64 + 1000);
        assert!(out.len() <= call.room());
        let frame = out.freeze();
        let head = head(&frame).unwrap().unwrap();
        assert_eq!((head.lane, head.sequence, head.acknowledged), (63, u64::MAX, u64::MAX));
        let message = head.message((frame.clone(), Bytes::new()), &mut names).unwrap();
        assert_eq!(format!("{:?}", probe::what(&message)), format!("{call:?}"));
    }
}

/// Most frames are written a shorter way, behind their length, and no byte of them differs.
#[test]
fn a_frame_behind_its_length_is_the_same_frame() {
    let (mut framed, mut plain) = <(Numbers, Numbers)>::default();
    let (to, tag, trace, metadata) = (300, 1 << 40, Some(&[7; TRACE]), Some([1, 2, 3].as_slice()));
    let (both, mut frames) = ([1, to], Vec::new());
    for method in ["Tick", "Tick", "Tock", "Tick", "Tack"] {
        for (metadata, trace) in [(None, None), (metadata, None), (None, trace), (metadata, trace)]
        {
            frames.push(What::Cast { to, method, metadata, trace });
            for timeout in [None, Some(0), Some(u64::MAX)] {
                frames.push(What::Call { to, tag, timeout, method, metadata, trace });
            }
            frames.push(What::Many { to: &both, method, metadata, trace });
        }
        frames.extend([What::Reply { to, tag }, What::NoReply { to, tag }]);
    }
    for (sequence, what) in (1..).map(|it| it * it * it * it).zip(frames) {
        let place = Frame { lane: 9, sequence, acknowledged: sequence / 2 };
        let (mut short, mut long) = <(BytesMut, BytesMut)>::default();
        super::write_framed(place, &what, 72, &mut framed, &mut short);
        write(place, what, &mut plain, &mut long);
        assert_eq!(short.get_u64(), long.len() as u64 + 72, "{what:?}");
        assert_eq!(short, long, "{what:?}");
    }
}

#[test]
fn more_methods_than_are_numbered_go_by_name() {
    let (mut numbers, mut names) = Default::default();
    let long = "x".repeat(super::MAX_NAME + 1);
    for number in 0..MAX_NAMES + 10 {
        let method = number.to_string();
        let what = What::Cast { to: 1, method: &method, metadata: None, trace: None };
        there_and_back(what, b"", &mut numbers, &mut names);
    }
    for method in ["0", "1033", long.as_str()] {
        let what = What::Cast { to: 1, method, metadata: None, trace: None };
        there_and_back(what, b"", &mut numbers, &mut names);
    }
}

#[test]
fn a_peer_cannot_have_more_methods_numbered() {
    let mut names = Names::default();
    let define = |name: &str, names: &mut Names| {
        // A fresh table numbers every name anew.
        let what = What::Cast { to: 1, method: name, metadata: None, trace: None };
        let frame = written(what, &mut Numbers::default(), b"");
        let head = head(&frame).unwrap().unwrap();
        head.message((frame.clone(), Bytes::new()), names).map(|_| ())
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
        head.message((frame, Bytes::new()), &mut Names::default()).map(|_| ())
    };
    // Zero, kind, lane, sequence, acknowledged, and the rest.
    assert_eq!(read(&[0, 6, 0, 1, 0]), Err(CodecError::Kind(6)));
    assert_eq!(read(&[0, 0x81, 0, 1, 0]), Err(CodecError::Kind(0x81)));
    assert_eq!(read(&[0, 0x44, 0, 1, 0, 1, 1]), Err(CodecError::Kind(0x44)));
    assert_eq!(read(&[0, 0x45, 0, 1, 0, 1, 1]), Err(CodecError::Kind(0x45)));
    assert_eq!(read(&[0, 0x46, 0, 1, 0]), Err(CodecError::Kind(0x46)));
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
fn a_context_stands_whole_in_front_of_the_arguments() {
    // Zero, kind, lane, sequence, acknowledged, to, a name without a number, of no bytes.
    let with = |trace: &[u8]| {
        let frame = Bytes::from([&[0, 0x41, 0, 1, 0, 1, 0, 0], trace].concat());
        let head = head(&frame).unwrap().expect("a frame of messages");
        head.message((frame.clone(), Bytes::new()), &mut Names::default())
            .map(|it| (it.trace, it.args))
    };
    for length in 0..TRACE {
        assert_eq!(with(&vec![1; length]), Err(CodecError::Short));
    }
    assert_eq!(with(&[1; TRACE]), Ok((Some([1; TRACE]), Bytes::new())));
    assert_eq!(with(&[0; TRACE + 2]), Ok((Some([0; TRACE]), Bytes::from_static(&[0; 2]))));
}

/// What peers that announced nothing of contexts get is as it was: kind and bytes.
#[test]
fn without_a_context_no_byte_differs() {
    let metadata = Some([1, 2].as_slice());
    let frame = |what| written(what, &mut Numbers::default(), b"!").to_vec();
    let head = |kind| [&[0, kind, 3][..], &[0x80, 0x80, 0x80, 0x80, 0x20, 5]].concat();
    assert_eq!(
        frame(What::Cast { to: 1, method: "a", metadata: None, trace: None }),
        [&head(0x01)[..], &[1, 1, 1, b'a', b'!']].concat()
    );
    assert_eq!(
        frame(What::Call { to: 1, tag: 2, timeout: Some(3), method: "a", metadata, trace: None }),
        [&head(0x32)[..], &[1, 2, 3, 1, 1, b'a', 2, 1, 2, b'!']].concat()
    );
    assert_eq!(
        frame(What::Many { to: &[1, 4], method: "a", metadata, trace: None }),
        [&head(0x13)[..], &[2, 1, 4, 1, 1, b'a', 2, 1, 2, b'!']].concat()
    );
}

#[test]
fn a_message_counts_for_each_that_it_goes_to() {
    let count = |what| messages_in(&written(what, &mut Numbers::default(), b""));
    assert_eq!(count(What::Cast { to: 1, method: "", metadata: None, trace: None }), 1);
    assert_eq!(count(What::Many { to: &[1, 2, 3], method: "", metadata: None, trace: None }), 3);
    assert_eq!(count(What::NoReply { to: 1, tag: 1 }), 0);
    assert_eq!(messages_in(b"\x0a\x00"), 0);
}

/// The number of the second cast and its arguments, as the head of the first has it.
fn as_alike(first: &Bytes, second: &Bytes, names: &Names) -> Option<(u64, Bytes)> {
    let cast = head(first).unwrap().unwrap().plain_cast(first, names).unwrap();
    let (number, at) = Alike::new(first, cast.at)?.number(second)?;
    Some((number, second.slice(at..)))
}

#[test]
fn heads_are_alike_whose_number_alone_differs() {
    let (mut numbers, mut names) = Default::default();
    let mut write_in = |frame: Frame, to: u64, method: &str, args: &[u8]| {
        let mut out = BytesMut::new();
        let what = What::Cast { to, method, metadata: None, trace: None };
        write(frame, what, &mut numbers, &mut out);
        out.extend_from_slice(args);
        out.freeze()
    };
    let frame = |sequence, acknowledged| Frame { lane: 3, sequence, acknowledged };
    // Each method has a number from its second cast on.
    for method in ["Tick", "Tock"] {
        let named = write_in(frame(1, 0), 7, method, &[]);
        head(&named).unwrap().unwrap().message((named, Bytes::new()), &mut names).unwrap();
    }
    let first = write_in(frame(1, 300), 7, "Tick", b"any");
    let args = [9; 12];
    for sequence in [0, 2, 127, 128, 1 << 20, u64::MAX] {
        let alike = write_in(frame(sequence, 300), 7, "Tick", &args);
        assert_eq!(as_alike(&first, &alike, &names), Some((sequence, args.to_vec().into())));
    }
    let other_lane = Frame { lane: 4, ..frame(2, 300) };
    for other in [
        write_in(frame(2, 301), 7, "Tick", &args),
        write_in(frame(2, 300), 8, "Tick", &args),
        write_in(frame(2, 300), 7, "Tock", &args),
        write_in(other_lane, 7, "Tick", &args),
        // Eleven bytes behind the head, which has four.
        write_in(frame(2, 300), 7, "Tick", &args[1..]),
    ] {
        assert_eq!(as_alike(&first, &other, &names), None, "{other:?}");
    }
    // A head that is longer than what is compared, and one that is just as long.
    for (to, length) in [(1 << 63, None), (1 << 62, None), (1 << 34, Some(16))] {
        let [first, second] = [1, 2].map(|it| write_in(frame(it, u64::MAX), to, "Tick", &args));
        let as_long = as_alike(&first, &second, &names).map(|(_, args)| second.len() - args.len());
        assert_eq!(as_long.map(|it| it - 4), length, "to {to}");
    }
}

proptest! {
    /// What is taken for alike is what it is read as.
    #[test]
    fn alike_is_what_reads_the_same(bytes in proptest::collection::vec(0..4_u8, 8..40), at in 0..8_usize, by in any::<u8>()) {
        let names = {
            let mut names = Names::default();
            names.define("Tick").unwrap();
            names.define("Tock").unwrap();
            names
        };
        let first = [&[0, 1], &bytes[..]].concat();
        let mut second = first.clone();
        second[at] = by;
        let read = |frame: &[u8]| {
            let head = head(frame).ok()??;
            Some((head, head.plain_cast(frame, &names)?))
        };
        if let Some((first_head, first_cast)) = read(&first)
            && let Some((number, at)) = Alike::new(&first, first_cast.at).unwrap().number(&second)
        {
            let (head, cast) = read(&second).unwrap();
            prop_assert_eq!((head.sequence, cast.at), (number, at));
            prop_assert_eq!(
                (head.lane, head.acknowledged, cast.to, cast.method),
                (first_head.lane, first_head.acknowledged, first_cast.to, first_cast.method)
            );
        } else if let (Some((one, its)), Some((other, others))) = (read(&first), read(&second)) {
            let is_short = second.len() < others.at + 16;
            let is_same = (one.lane, one.acknowledged, its.to, its.method)
                == (other.lane, other.acknowledged, others.to, others.method);
            // Numbers may be written with more bytes than they need.
            prop_assert!(is_short || !is_same || by >= 0x80);
        }
    }

    /// Whatever comes is a message or an error.
    #[test]
    fn bytes_of_any_kind_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..64), kind in 0..0x80_u8) {
        let mut frame = vec![0, kind];
        frame.extend(bytes);
        let frame = Bytes::from(frame);
        if let Ok(Some(head)) = head(&frame) {
            let mut names = Names::default();
            if let Ok(message) = head.message((frame.clone(), Bytes::new()), &mut names) {
                prop_assert!(message.args.len() < frame.len());
            }
        }
        messages_in(&frame);
    }
}
