//! Structs and enums as fields of messages, what holds several of them, and structs as messages.

use std::fmt::Debug;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use ractor::concurrency::oneshot;
use ractor::message::ArcMessage;
use ractor::remoting::derived::Bytes;
use ractor::remoting::{Encoder, Incoming, Part};
use ractor::{BytesConvertable, Message, RpcReplyPort};
use ractor_cluster_derive::{BytesConvertable, RactorClusterMessage};

#[derive(BytesConvertable, Clone, Debug, PartialEq)]
struct Level {
    price: u64,
    r#type: char,
    orders: Vec<String>,
}

#[derive(BytesConvertable, Clone, Debug, PartialEq)]
struct Pair<A, B: Clone>(A, B)
where
    A: Clone;

#[derive(BytesConvertable, Clone, Debug, PartialEq)]
struct Nothing;

#[derive(BytesConvertable, Clone, Debug, PartialEq)]
enum Side {
    Bid,
    Ask(u8, Option<Level>),
    Cross { with: Vec<Level>, payload: Vec<u8> },
    None {},
}

#[derive(BytesConvertable, Clone, Debug, PartialEq)]
enum Never {}

#[derive(BytesConvertable, Clone, Debug, PartialEq)]
struct Tree {
    children: Vec<Tree>,
}

/// Cannot be written from a reference.
#[derive(Clone, Debug, PartialEq)]
struct ByValue(u8);

impl BytesConvertable for ByValue {
    fn into_bytes(self) -> Vec<u8> {
        vec![self.0]
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes[0])
    }
}

/// All ways to write a value give the same bytes, and all ways to read them the value.
fn agrees<T: BytesConvertable + Clone + PartialEq + Debug>(value: T) -> Vec<u8> {
    let bytes = value.clone().into_bytes();
    let written = |write: &dyn Fn(&mut Encoder)| {
        let mut encoder = Encoder::new();
        encoder.put_slice(b"before");
        write(&mut encoder);
        encoder.finish().into_bytes()[6..].to_vec()
    };
    assert_eq!(written(&|encoder| value.clone().into_encoder(encoder)), bytes);
    assert_eq!(written(&|encoder| assert!(value.to_encoder(encoder))), bytes);
    assert!(value.bytes_len().is_none_or(|length| length == bytes.len()), "{value:?}");
    let mut whole = Encoder::new();
    whole.put_slice(&bytes);
    let whole = whole.finish().into_bytes();
    assert_eq!(T::from_part(Part::all(&whole)), value);
    assert_eq!(T::from_owned(whole.clone()), value);
    assert_eq!(T::from_lent(whole.clone()), value);
    // Wherever the bytes are cut.
    for at in (0..=whole.len()).step_by(1.max(whole.len() / 500)) {
        assert_eq!(T::from_split(whole.slice(..at), whole.slice(at..)), value, "{at}");
    }
    assert_eq!(T::from_bytes(bytes.clone()), value);
    bytes
}

fn level(orders: &[&str]) -> Level {
    let orders = orders.iter().map(|it| (*it).to_owned()).collect();
    Level { price: 7, r#type: 'x', orders }
}

#[test]
fn values_come_back_whatever_holds_them() {
    agrees(level(&[]));
    agrees(level(&["", "one", &"large".repeat(2000)]));
    agrees(vec![level(&["a"]), level(&[])]);
    agrees(Vec::<Level>::new());
    agrees(vec![vec![1_u8, 2], vec![], vec![3; 5000]]);
    agrees(vec![vec![1_u32], vec![]]);
    agrees([Some("text".to_owned()), None]);
    agrees(Some(Some(Vec::<u16>::new())));
    agrees(Some(()));
    agrees(Result::<Level, String>::Ok(level(&["a"])));
    agrees(vec![Err("no such symbol".to_owned()), Ok(Some(7_u64)), Ok(None)]);
    agrees(vec![Duration::ZERO, Duration::from_nanos(1_500_000_001), Duration::MAX]);
    agrees((1_u8, "two".to_owned(), vec![3_i64], Some('4'), (5.0,), [true; 3]));
    agrees(Pair(Nothing, Pair(vec![Nothing, Nothing], [0_u8; 32])));
    for side in [
        Side::Bid,
        Side::Ask(3, None),
        Side::Ask(3, Some(level(&["b"]))),
        Side::Cross { with: vec![level(&["c"]); 3], payload: vec![9; 10_000] },
        Side::None {},
    ] {
        agrees(vec![side.clone(), side]);
    }
    assert_eq!(agrees(Option::<Never>::None), [0]);
    agrees(Tree { children: vec![Tree { children: vec![] }, Tree { children: vec![] }] });
}

/// What is written last is the tail of the encoded bytes. It is read where it lies, also where it is
/// the last field of a last field; and of a copy where it was cut elsewhere.
#[test]
fn the_last_bytes_of_a_value_are_read_where_they_lie() {
    #[derive(BytesConvertable, Clone, Debug, PartialEq)]
    struct Page {
        number: u64,
        tags: Vec<String>,
        bytes: Bytes,
    }

    #[derive(BytesConvertable, Clone, Debug, PartialEq)]
    enum Found {
        Nothing,
        Page(u8, Page),
        Bytes(Bytes),
        Mixed(Bytes, u8),
    }

    type Answer = Result<Option<(u8, Found)>, String>;

    fn split(value: Answer) -> (Bytes, Bytes) {
        let mut encoder = Encoder::new();
        value.into_encoder(&mut encoder);
        let payload = encoder.finish();
        (payload.head.into(), payload.tail)
    }

    let bytes = Bytes::from(vec![5; 5000]);
    let page = Page { number: 1, tags: vec!["a".to_owned()], bytes: bytes.clone() };
    for found in [Found::Page(7, page.clone()), Found::Bytes(bytes.clone())] {
        let answer: Answer = Ok(Some((3, found.clone())));
        agrees(answer.clone());
        let (front, lent) = split(answer.clone());
        assert_eq!(lent.as_ptr(), bytes.as_ptr());
        let read = Answer::from_split(front.clone(), lent.clone());
        assert_eq!(read, answer);
        let Ok(Some((3, Found::Bytes(at) | Found::Page(7, Page { bytes: at, .. })))) = read else {
            panic!("{found:?}")
        };
        assert_eq!(at.as_ptr(), bytes.as_ptr(), "it was copied");
        // A length that is not that of what is left.
        let shorter = lent.slice(1..);
        assert!(catch_unwind(|| Answer::from_split(front, shorter)).is_err());
    }
    for found in [Found::Nothing, Found::Mixed(bytes.clone(), 9)] {
        let answer: Answer = Ok(Some((3, found)));
        agrees(answer.clone());
        assert_eq!(split(answer).1, Bytes::new());
    }
    let error: Answer = Err("e".repeat(5000));
    agrees(error.clone());
    let (front, lent) = split(error.clone());
    assert_eq!(Answer::from_split(front, lent), error);
}

#[test]
fn bytes_are_as_documented() {
    let eight = |number: u8| [[0; 7].as_slice(), &[number]].concat();
    let order = [eight(3), b"one".to_vec()].concat();
    let level_bytes =
        [eight(8), eight(7), eight(4), vec![0, 0, 0, b'x'], eight(11), order].concat();
    assert_eq!(agrees(level(&["one"])), level_bytes);
    let some = [vec![1], level_bytes].concat();
    let ask = [vec![0, 0, 0, 1], eight(1), vec![3], eight(some.len() as u8), some].concat();
    assert_eq!(agrees(Side::Ask(3, Some(level(&["one"])))), ask);
    assert_eq!(agrees(Result::<u8, u16>::Ok(3)), [1, 3]);
    assert_eq!(agrees(Result::<u8, u16>::Err(3)), [0, 0, 3]);
    assert_eq!(agrees(Duration::new(7, 258)), [eight(7), vec![0, 0, 1, 2]].concat());
    // Those of numbers stand side by side, as before.
    assert_eq!(agrees(vec![1_u16, 2]), [0, 1, 0, 2]);
    assert_eq!(agrees([true, false]), [1, 0]);
}

#[test]
fn a_value_with_a_field_that_needs_a_copy_is_not_written_from_a_reference() {
    let value = (1_u8, vec![ByValue(2)]);
    let mut encoder = Encoder::new();
    assert!(!value.to_encoder(&mut encoder));
    assert!(!Result::<ByValue, u8>::Ok(ByValue(2)).to_encoder(&mut encoder));
    assert_eq!(<(u8, Vec<ByValue>)>::from_bytes(value.clone().into_bytes()), value);
}

/// A panic drops the message that they came with.
#[test]
fn bytes_of_another_type_are_refused() {
    fn is_refused<T: BytesConvertable>(bytes: &[u8]) -> bool {
        let bytes = bytes.to_vec();
        catch_unwind(move || drop(T::from_bytes(bytes))).is_err()
    }
    let right = level(&["one", "two"]).into_bytes();
    for length in 0..right.len() {
        assert!(is_refused::<Level>(&right[..length]), "{length} bytes");
    }
    assert!(is_refused::<Level>(&[right.clone(), vec![0]].concat()));
    let huge = [&u64::MAX.to_be_bytes()[..], &[1; 20]].concat();
    assert!(is_refused::<Vec<String>>(&huge) && is_refused::<(String,)>(&huge));
    for place in [4_u32, u32::MAX] {
        assert!(is_refused::<Side>(&place.to_be_bytes()));
    }
    assert!(is_refused::<Side>(&[0, 0, 0]) && is_refused::<Never>(&[0; 4]));
    for bytes in [&[][..], &[2], &[0, 0], &[1]] {
        assert!(is_refused::<Option<u8>>(bytes), "{bytes:?}");
    }
    for bytes in [&[][..], &[2, 1], &[0], &[1], &[0, 1]] {
        assert!(is_refused::<Result<u8, u16>>(bytes), "{bytes:?}");
    }
    let second = [&[0; 8][..], &1_000_000_000_u32.to_be_bytes()].concat();
    for bytes in [&[][..], &[0; 7], &[0; 11], &[0; 13], &second] {
        assert!(is_refused::<Duration>(bytes), "{bytes:?}");
    }
    assert!(is_refused::<[u16; 3]>(&[0; 4]) && is_refused::<[u16; 1]>(&[0; 4]));
    assert!(is_refused::<Nothing>(&[0]));
}

/// A peer chooses how deep the bytes are, and they take stack when they are read.
#[test]
fn values_that_are_too_deep_are_refused() {
    let deep = |levels: usize| {
        let mut bytes = vec![0; 8];
        for _ in 1..levels {
            let element = [&(bytes.len() as u64).to_be_bytes()[..], &bytes].concat();
            bytes = [&(element.len() as u64).to_be_bytes()[..], &element].concat();
        }
        bytes
    };
    let read = |levels| catch_unwind(move || drop(Tree::from_bytes(deep(levels))));
    assert!(read(64).is_ok());
    for levels in [65, 10_000] {
        let panicked = read(levels).expect_err("it is too deep");
        let text = panicked.downcast_ref::<String>().expect("a text");
        assert!(text.contains("more than 64 deep"), "{text}");
    }
    // The depth is that of one value: it does not add up.
    assert!(read(64).is_ok());
}

#[derive(RactorClusterMessage, Debug, PartialEq, Clone)]
struct Tick {
    symbol: String,
    levels: Vec<Level>,
    book: Option<Vec<u8>>,
}

#[derive(RactorClusterMessage, Debug)]
#[rpc]
struct Best(Level, RpcReplyPort<Result<Level, String>>);

#[derive(RactorClusterMessage, Debug, PartialEq, Clone)]
struct Halt;

fn came<M: Message>(sent: ractor::remoting::Outgoing) -> M {
    let args = sent.args.into_bytes();
    let lent = Default::default();
    let variant = &*sent.variant;
    let incoming = Incoming { variant, args, lent, metadata: None, reply: sent.reply };
    M::from_incoming(incoming).expect("it is a message of the type")
}

#[test]
fn structs_are_messages_of_one_variant() {
    let book = Some(vec![1; 5000]);
    let tick = Tick { symbol: "ABC".to_owned(), levels: vec![level(&["one"])], book };
    let sent = tick.clone().into_outgoing().unwrap();
    assert_eq!((&*sent.variant, sent.reply.is_none()), ("Tick", true));
    assert_eq!(came::<Tick>(sent), tick);
    let from_reference = tick.to_outgoing().unwrap().expect("all can be written");
    assert_eq!(came::<Tick>(from_reference), tick);

    let best = Best(level(&[]), oneshot().0.into()).into_outgoing().unwrap();
    assert_eq!((&*best.variant, best.reply.is_some()), ("Best", true));
    assert_eq!(came::<Best>(best).0, level(&[]));
    assert_eq!(came::<Halt>(Halt.into_outgoing().unwrap()), Halt);

    // They are shared as others are.
    assert!(ArcMessage::new(Arc::new(tick)).is::<Tick>());
    assert!(Tick::serializable() && Best::serializable() && Halt::serializable());
}
