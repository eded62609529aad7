//! What goes to other nodes is written from a reference, field by field.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use ractor::errors::UndeliveredReason;
use ractor::message::SharedMessage as _;
use ractor::remoting::{Encoder, Outgoing};
use ractor::{pg, BytesConvertable, Message, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

use crate::outlet::{Remote, Session};

/// Knows of stock's two functions only. Counts its copies.
#[derive(Debug, Default)]
struct Old(Arc<AtomicUsize>);

impl Clone for Old {
    fn clone(&self) -> Self {
        assert_ne!(self.copies(), usize::MAX, "it cannot be copied");
        self.0.fetch_add(1, Ordering::SeqCst);
        Self(self.0.clone())
    }
}

impl BytesConvertable for Old {
    fn into_bytes(self) -> Vec<u8> {
        b"old".to_vec()
    }

    fn from_bytes(_: Vec<u8>) -> Self {
        Self::default()
    }
}

impl Old {
    /// Panics when it is copied.
    fn stubborn() -> Self {
        Self(Arc::new(usize::MAX.into()))
    }

    fn copies(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Is written from a reference, and is not `Clone`.
#[derive(Debug)]
struct Single(u8);

impl BytesConvertable for Single {
    fn into_bytes(self) -> Vec<u8> {
        vec![self.0]
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes[0])
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        self.0.to_encoder(encoder)
    }
}

/// Neither.
#[derive(Debug)]
struct Stuck;

impl BytesConvertable for Stuck {
    fn into_bytes(self) -> Vec<u8> {
        Vec::new()
    }

    fn from_bytes(_: Vec<u8>) -> Self {
        Self
    }
}

/// Counts the copies of whole messages: a field of each of our kinds, and a `Clone` by hand.
#[derive(RactorClusterMessage, Debug)]
enum Feed {
    Halt,
    Resume {},
    Tick(u64, String, Bytes),
    Level { r#type: u8, sizes: Vec<u8>, prices: Vec<f64> },
}

static COPIES: AtomicUsize = AtomicUsize::new(0);

impl Clone for Feed {
    fn clone(&self) -> Self {
        COPIES.fetch_add(1, Ordering::SeqCst);
        match self {
            Self::Halt => Self::Halt,
            Self::Resume {} => Self::Resume {},
            Self::Tick(number, name, bytes) => Self::Tick(*number, name.clone(), bytes.clone()),
            Self::Level { r#type, sizes, prices } => {
                Self::Level { r#type: *r#type, sizes: sizes.clone(), prices: prices.clone() }
            }
        }
    }
}

fn all() -> impl Iterator<Item = Feed> {
    let sized = [0, 1, 64, 1023, 1024, 64 * 1024].into_iter().flat_map(|length| {
        let (text, bytes) = ("t".repeat(length), vec![7; length]);
        let prices = vec![0.5; length / 8];
        [
            Feed::Tick(length as u64, text.clone(), bytes.clone().into()),
            Feed::Level { r#type: 1, sizes: bytes.clone(), prices },
            Feed::Level { r#type: 2, sizes: bytes, prices: Vec::new() },
        ]
    });
    [Feed::Halt, Feed::Resume {}].into_iter().chain(sized)
}

/// The variant, and the bytes in their pieces.
fn pieces(message: Outgoing) -> (String, Vec<u8>, Bytes) {
    assert!(message.metadata.is_none() && message.reply.is_none());
    (message.variant.into_owned(), message.args.head, message.args.tail)
}

#[test]
fn the_bytes_are_those_of_a_message_by_value() {
    for message in all() {
        let by_reference = message.to_outgoing().unwrap().expect("all of it can be written");
        let name = format!("{message:.40?}");
        assert_eq!(pieces(by_reference), pieces(message.into_outgoing().unwrap()), "{name}");
    }
}

/// Also the bytes are not copied before they are in a frame.
#[tokio::test]
async fn a_broadcast_to_two_nodes_makes_no_copy() {
    let sessions = [Session::new(), Session::new()];
    let mut remotes = Vec::new();
    for number in 0..6 {
        remotes.push(Remote::of(&sessions[number % 2]).await);
    }
    let group = "a_broadcast_to_two_nodes_makes_no_copy".to_owned();
    pg::join(group.clone(), remotes.iter().map(|it| it.cell.clone()).collect());
    for message in all().map(Arc::new) {
        let before = COPIES.load(Ordering::SeqCst);

        assert_eq!(pg::broadcast_arc(&group, message.clone()).delivered(), 6);

        assert_eq!(COPIES.load(Ordering::SeqCst), before);
        let by_value = Feed::clone(&message).into_outgoing().unwrap().args.into_vec();
        for session in &sessions {
            let args = session.take_one().args;
            if let Feed::Tick(_, _, bytes) = &*message {
                assert!(bytes.len() < 1024 || args.tail.as_ptr() == bytes.as_ptr());
            }
            assert_eq!(args.into_vec(), by_value);
        }
    }
    for remote in remotes {
        remote.stop().await;
    }
}

/// Has fields that cannot be written from a reference.
#[derive(RactorClusterMessage, Debug)]
#[shared]
enum Mixed {
    Copied(String, Old, u8),
    #[shared(no_copy)]
    NotCopied(String, Old),
    #[shared(no_copy)]
    Written(Single, Vec<u8>),
    #[shared(no_copy)]
    Stuck(u8, Stuck),
    #[rpc]
    Ask(u8, RpcReplyPort<u64>),
}

#[test]
fn a_field_that_cannot_be_written_is_copied_alone() {
    let old = Old::default();
    let message = Mixed::Copied("one".to_owned(), Old(old.0.clone()), 7);
    let by_reference = message.to_outgoing().unwrap().expect("it is copied");
    assert_eq!(old.copies(), 1);
    assert_eq!(pieces(by_reference), pieces(message.into_outgoing().unwrap()));
}

#[test]
fn what_can_be_neither_written_nor_copied_is_not_encoded() {
    let old = Old::default();
    for message in [
        Mixed::NotCopied("one".to_owned(), Old(old.0.clone())),
        Mixed::Stuck(1, Stuck),
        Mixed::Ask(1, ractor::concurrency::oneshot().0.into()),
        // The panic of its `clone` harms nobody.
        Mixed::Copied("one".to_owned(), Old::stubborn(), 7),
    ] {
        assert!(message.to_outgoing().unwrap().is_none(), "{message:?}");
    }
    assert_eq!(old.copies(), 0, "a variant that is not to be copied was");
}

/// A variant that cannot be copied goes to other nodes when all of it can be written.
#[tokio::test]
async fn variants_without_copies_go_to_other_nodes() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let written = Arc::new(Mixed::Written(Single(3), vec![4; 5000]));
    assert!(written.clone_shared().is_none());

    remote.cell.cast_arc(written).unwrap();
    let refused = [
        Mixed::NotCopied("one".to_owned(), Old::default()),
        Mixed::Stuck(1, Stuck),
        Mixed::Copied("one".to_owned(), Old::stubborn(), 7),
    ];
    for message in refused.map(Arc::new) {
        let failure = remote.cell.cast_arc(message.clone()).unwrap_err();
        assert_eq!(failure.reason(), UndeliveredReason::NotCopyable, "{message:?}");
        assert!(Arc::ptr_eq(&failure.into_message(), &message));
    }

    let sent = session.take_one();
    assert_eq!(sent.variant, "Written");
    let by_value = Mixed::Written(Single(3), vec![4; 5000]).into_outgoing().unwrap();
    assert_eq!(sent.args.into_vec(), by_value.args.into_vec());
    remote.stop().await;
}

/// Names that the derive's own helpers have.
mod namesakes {
    use super::*;

    #[derive(Debug, Clone)]
    struct Reference(u8);

    impl BytesConvertable for Reference {
        fn into_bytes(self) -> Vec<u8> {
            vec![self.0]
        }

        fn from_bytes(bytes: Vec<u8>) -> Self {
            Self(bytes[0])
        }
    }

    type OrCopy = Reference;

    #[derive(RactorClusterMessage, Debug)]
    enum Holder {
        One(Reference, OrCopy),
    }

    #[test]
    fn are_the_application_s() {
        let message = Holder::One(Reference(1), Reference(2));
        let by_reference = message.to_outgoing().unwrap().expect("it is copied");
        assert_eq!(pieces(by_reference), pieces(message.into_outgoing().unwrap()));
    }
}

/// Of a type of which only the conversion is known.
#[derive(RactorClusterMessage, Debug)]
enum Generic<T: BytesConvertable + Send + 'static> {
    One(u8, T),
}

#[derive(RactorClusterMessage)]
enum Empty {}

#[test]
fn generics_and_the_empty_one() {
    let message = Generic::One(1, "text".to_owned());
    let by_reference = message.to_outgoing().unwrap().expect("a text can be written");
    assert_eq!(pieces(by_reference), pieces(message.into_outgoing().unwrap()));
    // Nothing says that it is `Clone`.
    let old = Old::default();
    assert!(Generic::One(1, Old(old.0.clone())).to_outgoing().unwrap().is_none());
    assert_eq!(old.copies(), 0);
    let nobody: Option<Empty> = None;
    assert!(nobody.and_then(|it| it.to_outgoing().unwrap()).is_none());
}
