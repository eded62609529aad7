//! What derived messages are on the wire, and how they come back.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use ractor::concurrency::oneshot;
use ractor::message::{BoxedDowncastErr, SerializedMessage, Shared};
use ractor::remoting::{deliver_to_all, Incoming, Outgoing, Undeliverable};
use ractor::{Actor, ActorProcessingErr, ActorRef, BytesConvertable, Message, RpcReplyPort};
use ractor_cluster_derive::RactorClusterMessage;

/// Of all kinds of variants.
#[derive(RactorClusterMessage, Debug)]
enum Book {
    Halt,
    Resume {},
    Pause(),
    Tick(u64, String, Vec<u32>),
    Level {
        r#type: u8,
        sizes: Vec<u8>,
    },
    #[rpc]
    Best(u8, RpcReplyPort<u64>, bool),
    #[rpc]
    Depth {
        port: RpcReplyPort<String>,
        levels: u16,
    },
}

/// A field as it is written.
fn field(bytes: &[u8]) -> Vec<u8> {
    let mut field = (bytes.len() as u64).to_be_bytes().to_vec();
    field.extend_from_slice(bytes);
    field
}

/// Each variant with what it is on the wire.
fn all() -> Vec<(Book, &'static str, Vec<u8>)> {
    let sizes = vec![9; 3000];
    let prices = [&1_u32.to_be_bytes()[..], &2_u32.to_be_bytes()].concat();
    let tick = [field(&7_u64.to_be_bytes()), field(b"seven"), field(&prices)].concat();
    let level = [field(&[8]), field(&sizes)].concat();
    let tick_of = Book::Tick(7, "seven".to_owned(), vec![1, 2]);
    vec![
        (Book::Halt, "Halt", vec![]),
        (Book::Resume {}, "Resume", vec![]),
        (Book::Pause(), "Pause", vec![]),
        (tick_of, "Tick", tick),
        (Book::Level { r#type: 8, sizes }, "Level", level),
        (Book::Best(1, oneshot().0.into(), true), "Best", [field(&[1]), field(&[1])].concat()),
        (Book::Depth { port: oneshot().0.into(), levels: 3 }, "Depth", field(&[0, 3])),
    ]
}

fn came(sent: Outgoing, decode: impl FnOnce(Incoming<'_>)) {
    assert!(sent.metadata.is_none());
    let args = sent.args.into_bytes();
    decode(Incoming {
        variant: &sent.variant,
        args,
        lent: Default::default(),
        metadata: None,
        reply: sent.reply,
    });
}

#[test]
fn bytes_are_those_of_stock() {
    for (message, variant, bytes) in all() {
        let is_call = matches!(message, Book::Best(..) | Book::Depth { .. });
        let sent = message.into_outgoing().unwrap();
        assert_eq!((&*sent.variant, sent.reply.is_some()), (variant, is_call));
        assert_eq!(sent.args.into_vec(), bytes, "{variant}");
    }
    for (message, name, bytes) in all() {
        match message.serialize().unwrap() {
            SerializedMessage::Cast { variant, args, metadata: None }
            | SerializedMessage::Call { variant, args, metadata: None, .. } => {
                assert_eq!((&*variant, args), (name, bytes));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_was_sent_comes_back() {
    for (message, _, _) in all() {
        let was = format!("{message:?}");
        came(message.into_outgoing().unwrap(), |it| {
            let is = format!("{:?}", Book::from_incoming(it).unwrap());
            // A port looks like another one.
            let port = is.find("RpcReplyPort").unwrap_or(is.len());
            assert_eq!(was[..port], is[..port]);
        });
    }
    for (message, variant, _) in all() {
        let back = Book::deserialize(message.serialize().unwrap()).unwrap();
        assert!(format!("{back:?}").starts_with(variant));
    }
}

#[test]
fn what_is_cut_or_goes_on_is_no_message() {
    for (message, variant, bytes) in all() {
        let is_call = matches!(message, Book::Best(..) | Book::Depth { .. });
        let decode = |args: &[u8], is_call: bool| {
            let reply = is_call.then(|| oneshot().0.into());
            let args = args.to_vec().into();
            read(Incoming { variant, args, lent: Default::default(), metadata: None, reply })
        };
        assert!(decode(&bytes, is_call).is_ok());
        assert!(decode(&bytes, !is_call).is_err(), "{variant} is of the other kind");
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length], is_call).is_err(), "{variant} of {length} bytes");
        }
        assert!(decode(&[&bytes[..], &[0]].concat(), is_call).is_err(), "{variant} goes on");
    }
    let unknown = Incoming {
        variant: "halt",
        args: Vec::new().into(),
        lent: Default::default(),
        metadata: None,
        reply: None,
    };
    assert!(read(unknown).is_err());
    assert!(Book::deserialize(SerializedMessage::CallReply(1, vec![])).is_err());
}

/// As whatever reads messages of other nodes does: a field's own code may panic.
fn read(incoming: Incoming<'_>) -> Result<Book, BoxedDowncastErr> {
    catch_unwind(AssertUnwindSafe(|| Book::from_incoming(incoming)))
        .unwrap_or(Err(BoxedDowncastErr))
}

/// Of any bytes there is a message or none.
#[test]
fn any_bytes_are_a_message_or_none() {
    let mut number = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number
    };
    let (mut good, mut bad) = (0, 0);
    for (_, variant, bytes) in (0..40).flat_map(|_| all()) {
        let mut args = bytes;
        for _ in 0..random() % 3 {
            if !args.is_empty() {
                // In the beginning, where the lengths are.
                let at = random() as usize % args.len().min(64);
                args[at] = random() as u8;
            }
        }
        let reply = matches!(variant, "Best" | "Depth").then(|| oneshot().0.into());
        let args = args.into();
        match read(Incoming { variant, args, lent: Default::default(), metadata: None, reply }) {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    assert!(good > 0 && bad > 0, "{good} were messages, {bad} were not");
}

#[test]
fn ports_are_bridged_both_ways() {
    let (port, mut answer) = oneshot();
    let limit = std::time::Duration::from_secs(5);
    let best = Book::Best(1, (port, limit).into(), true);

    came(best.into_outgoing().unwrap(), |it| {
        let reply = it.reply.as_ref().unwrap();
        assert_eq!((reply.get_timeout(), reply.is_closed()), (Some(limit), false));
        match Book::from_incoming(it).unwrap() {
            Book::Best(1, port, true) => {
                assert_eq!(port.get_timeout(), Some(limit));
                port.send(101).unwrap();
            }
            other => panic!("{other:?}"),
        }
    });

    assert_eq!(answer.try_recv(), Ok(101));
}

/// Of anything that goes to other nodes.
#[derive(RactorClusterMessage)]
enum Holder<T: BytesConvertable + Send + 'static> {
    One(T),
    #[rpc]
    Ask {
        port: RpcReplyPort<T>,
    },
}

#[derive(RactorClusterMessage)]
enum Empty {}

#[test]
fn generics_and_the_empty_one() {
    let sent = Holder::One(5_u64).into_outgoing().unwrap();
    came(sent, |it| assert!(matches!(Holder::from_incoming(it), Ok(Holder::One(5_u64)))));
    let ask = Holder::Ask { port: oneshot::<u8>().0.into() };
    came(ask.into_outgoing().unwrap(), |it| {
        assert!(matches!(Holder::<u8>::from_incoming(it), Ok(Holder::Ask { .. })));
    });
    let halt = Book::Halt.into_outgoing().unwrap();
    came(halt, |it| assert!(Empty::from_incoming(it).is_err()));
}

/// Counts how often it was read.
#[derive(Clone, Debug)]
struct Counted;

static READ: AtomicUsize = AtomicUsize::new(0);

impl BytesConvertable for Counted {
    fn into_bytes(self) -> Vec<u8> {
        vec![1]
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        assert_eq!(bytes, [1]);
        READ.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

/// Is shared, since it is `Clone`.
#[derive(RactorClusterMessage, Clone, Debug)]
enum Tick {
    Price(Counted, u64),
}

/// Never is.
#[derive(RactorClusterMessage, Clone, Debug)]
#[shared(never)]
enum Own {
    Price(Counted, u64),
}

/// Is not `Clone`.
#[derive(RactorClusterMessage, Debug)]
enum Single {
    Price(Counted, u64),
}

type Seen = Arc<std::sync::Mutex<Vec<usize>>>;

/// Tells where the messages lie that it shares with others; its own are at 0.
struct Reader<M>(std::marker::PhantomData<fn(M)>);

impl<M: Message + Sync> Actor for Reader<M> {
    type Msg = M;
    type State = Seen;
    type Arguments = Seen;

    async fn pre_start(&self, _: ActorRef<M>, seen: Seen) -> Result<Seen, ActorProcessingErr> {
        Ok(seen)
    }

    async fn handle(
        &self,
        _: ActorRef<M>,
        _: M,
        seen: &mut Seen,
    ) -> Result<(), ActorProcessingErr> {
        seen.lock().unwrap().push(0);
        Ok(())
    }

    async fn handle_arc(
        &self,
        _: ActorRef<M>,
        message: Shared<M>,
        seen: &mut Seen,
    ) -> Result<(), ActorProcessingErr> {
        seen.lock().unwrap().push(std::ptr::from_ref::<M>(&message) as usize);
        Ok(())
    }
}

/// Where three actors saw a message that came for them all, and how often it was read.
async fn seen_by_three<M: Message + Sync>(message: M) -> (Vec<usize>, usize) {
    let seen = Seen::default();
    let mut actors = Vec::new();
    let mut handles = Vec::new();
    for _ in 0..3 {
        let reader = Reader::<M>(std::marker::PhantomData);
        let (actor, handle) = Actor::spawn(None, reader, seen.clone()).await.unwrap();
        actors.push(actor.get_cell());
        handles.push(handle);
    }
    let before = READ.load(Ordering::SeqCst);
    came(message.into_outgoing().unwrap(), |it| assert_eq!(deliver_to_all(&actors, it), []));
    let read = READ.load(Ordering::SeqCst) - before;
    let noise = Incoming {
        variant: "?",
        args: Vec::new().into(),
        lent: Default::default(),
        metadata: None,
        reply: None,
    };
    let refused = deliver_to_all(&actors, noise);
    assert!(refused.iter().all(|(_, why)| *why == Undeliverable::NotDecodable));
    assert_eq!(refused.len(), 3);
    for (actor, handle) in actors.into_iter().zip(handles) {
        actor.drain().unwrap();
        handle.await.unwrap();
    }
    let seen = seen.lock().unwrap().clone();
    (seen, read)
}

#[tokio::test]
async fn a_message_for_several_is_read_once_where_it_is_shared() {
    let (seen, read) = seen_by_three(Tick::Price(Counted, 1)).await;
    assert!(seen[0] != 0 && seen == vec![seen[0]; 3], "{seen:?}");
    assert_eq!(read, 1);

    assert_eq!(seen_by_three(Own::Price(Counted, 2)).await, (vec![0; 3], 3));
    assert_eq!(seen_by_three(Single::Price(Counted, 3)).await, (vec![0; 3], 3));
}
