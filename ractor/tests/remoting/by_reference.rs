//! Shared messages that are written by hand: encoded from a reference, and decoded once for all
//! actors of a process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ractor::concurrency::{oneshot, JoinHandle};
use ractor::errors::UndeliveredReason;
use ractor::message::{ArcMessage, BoxedDowncastErr, BoxedMessage, SerializedMessage, Shared};
use ractor::remoting::{deliver_to_all, Encoder, Incoming, Outgoing, Undeliverable};
use ractor::{
    pg, Actor, ActorCell, ActorProcessingErr, ActorRef, BytesConvertable, Message, OutputPort,
};

use crate::outlet::{Remote, Session};

/// What its type does when it is to be written from a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Writes,
    CannotThis,
    Fails,
    Panics,
    Asks,
}

/// Written by hand. Counts its copies.
#[derive(Debug)]
struct Text {
    text: String,
    way: Way,
    copies: Arc<AtomicUsize>,
}

impl Text {
    fn new(text: impl Into<String>, way: Way) -> Arc<Self> {
        Arc::new(Self { text: text.into(), way, copies: Arc::default() })
    }

    fn copies(&self) -> usize {
        self.copies.load(Ordering::SeqCst)
    }
}

impl Clone for Text {
    fn clone(&self) -> Self {
        self.copies.fetch_add(1, Ordering::SeqCst);
        Self { text: self.text.clone(), way: self.way, copies: self.copies.clone() }
    }
}

impl Message for Text {
    fn keeps_default_boxing() -> bool {
        true
    }

    fn serializable() -> bool {
        true
    }

    fn into_outgoing(self) -> Result<Outgoing, BoxedDowncastErr> {
        let mut encoder = Encoder::new();
        encoder.put_vec(self.text.into_bytes());
        Ok(Outgoing::cast("Text", encoder.finish()))
    }

    fn to_outgoing(&self) -> Result<Option<Outgoing>, BoxedDowncastErr> {
        let mut encoder = Encoder::new();
        encoder.put_copy(self.text.as_bytes());
        let args = encoder.finish();
        match self.way {
            Way::Writes => Ok(Some(Outgoing::cast("Text", args))),
            Way::CannotThis => Ok(None),
            Way::Fails => Err(BoxedDowncastErr),
            Way::Panics => panic!("it cannot be written"),
            Way::Asks => Ok(Some(Outgoing::call("Text", args, oneshot().0.into()))),
        }
    }
}

/// Proxies of two sessions, all in a group.
async fn scene(group: &str) -> ([Arc<Session>; 2], Vec<Remote>) {
    let sessions = [Session::new(), Session::new()];
    let mut remotes = Vec::new();
    for number in 0..4 {
        remotes.push(Remote::of(&sessions[number % 2]).await);
    }
    pg::join(group.to_owned(), remotes.iter().map(|it| it.cell.clone()).collect());
    (sessions, remotes)
}

/// What each of the sessions was sent last, to both of its actors.
fn sent(sessions: &[Arc<Session>; 2]) -> [Outgoing; 2] {
    [0, 1].map(|number| {
        let mut sent = sessions[number].take();
        assert_eq!(sent.len(), 1);
        let (pids, message) = sent.remove(0);
        assert_eq!(pids.len(), 2);
        message
    })
}

async fn stop(remotes: Vec<Remote>) {
    for remote in remotes {
        remote.stop().await;
    }
}

#[ractor::concurrency::test]
async fn a_broadcast_to_two_nodes_makes_no_copy() {
    for length in [64, 64 * 1024] {
        let group = "a_broadcast_to_two_nodes_makes_no_copy".to_owned();
        let (sessions, remotes) = scene(&group).await;
        let text = Text::new("x".repeat(length), Way::Writes);
        let by_value = Text::clone(&text).into_outgoing().unwrap().args.into_vec();
        assert_eq!(text.copies(), 1);

        let report = pg::broadcast_arc(&group, text.clone());

        assert_eq!((report.delivered(), report.failed().len()), (4, 0));
        for message in sent(&sessions) {
            assert_eq!((&*message.variant, message.args.into_vec()), ("Text", by_value.clone()));
        }
        let port = OutputPort::<Text>::default();
        for remote in &remotes {
            port.subscribe_arc(remote.to::<Text>(), Some);
        }
        port.send_arc(text.clone());
        sent(&sessions);
        remotes[0].cell.cast_arc(text.clone()).unwrap();
        remotes[0].cell.send_arc(text.clone()).await.unwrap();
        assert_eq!(sessions[0].take().len(), 2);
        // And by the mailbox of a proxy that has no other way.
        let mut bare = Remote::bare().await;
        bare.cell.cast_arc(text.clone()).unwrap();
        assert!(matches!(
            bare.mailbox.recv().await,
            Some(SerializedMessage::Cast { args, .. }) if args == by_value
        ));
        bare.stop().await;
        assert_eq!(text.copies(), 1, "of {length} bytes");
        stop(remotes).await;
    }
}

#[ractor::concurrency::test]
async fn what_cannot_be_written_from_a_reference_is_copied_once() {
    let group = "what_cannot_be_written_from_a_reference_is_copied_once".to_owned();
    let (sessions, remotes) = scene(&group).await;
    let text = Text::new("seven", Way::CannotThis);

    assert_eq!(pg::broadcast_arc(&group, text.clone()).delivered(), 4);

    for message in sent(&sessions) {
        assert_eq!(message.args.into_vec(), b"seven");
    }
    assert_eq!(text.copies(), 1);
    stop(remotes).await;
}

#[ractor::concurrency::test]
async fn a_type_that_fails_is_reported_and_sent_nowhere() {
    let group = "a_type_that_fails_is_reported_and_sent_nowhere".to_owned();
    let (sessions, remotes) = scene(&group).await;
    for (way, expected) in [
        (Way::Fails, UndeliveredReason::NotSerializable),
        (Way::Panics, UndeliveredReason::NotSerializable),
        (Way::Asks, UndeliveredReason::NotShareable),
    ] {
        let report = pg::broadcast_arc(&group, Text::new("it", way));

        assert_eq!((report.delivered(), report.failed().len()), (0, 4), "{way:?}");
        assert!(report.failed().iter().all(|(_, reason)| *reason == expected), "{way:?}");
    }
    for session in &sessions {
        assert!(session.take().is_empty());
    }
    stop(remotes).await;
}

/// Has a form of its own for other nodes, and does not say that it has the default one.
#[derive(Clone)]
struct Sealed;

impl Message for Sealed {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let (variant, args) = ("Sealed".to_owned(), Vec::new());
        Ok(SerializedMessage::Cast { variant, args, metadata: None })
    }

    fn to_outgoing(&self) -> Result<Option<Outgoing>, BoxedDowncastErr> {
        Ok(Some(Outgoing::cast("open", Default::default())))
    }
}

#[ractor::concurrency::test]
async fn a_type_that_boxes_itself_is_not_asked() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    remote.cell.cast_arc(Arc::new(Sealed)).unwrap();
    assert_eq!(session.take_one().variant, "Sealed");
    remote.stop().await;
}

/// A message by its bytes alone. Counts its copies.
#[derive(Debug)]
struct Plain<const BY_REFERENCE: bool>(Vec<u8>, Arc<AtomicUsize>);

impl<const BY_REFERENCE: bool> Clone for Plain<BY_REFERENCE> {
    fn clone(&self) -> Self {
        self.1.fetch_add(1, Ordering::SeqCst);
        Self(self.0.clone(), self.1.clone())
    }
}

impl<const BY_REFERENCE: bool> BytesConvertable for Plain<BY_REFERENCE> {
    fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes, Arc::default())
    }

    fn to_encoder(&self, encoder: &mut Encoder) -> bool {
        encoder.put_copy(&self.0);
        BY_REFERENCE
    }
}

#[ractor::concurrency::test]
async fn messages_that_are_bytes_by_themselves() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    for length in [0, 100, 5000] {
        let (yes, no) = (Arc::default(), Arc::default());
        let bytes = vec![9; length];
        remote.cell.cast_arc(Arc::new(Plain::<true>(bytes.clone(), Arc::clone(&yes)))).unwrap();
        assert_eq!(session.take_one().args.into_vec(), bytes);
        remote.cell.cast_arc(Arc::new(Plain::<false>(bytes.clone(), Arc::clone(&no)))).unwrap();
        assert_eq!(session.take_one().args.into_vec(), bytes);
        assert_eq!((yes.load(Ordering::SeqCst), no.load(Ordering::SeqCst)), (0, 1));
    }
    remote.stop().await;
}

/// Written by hand, and says that it is decoded once. With the number 0 it is not shared, and with
/// 255 it is no message.
#[derive(Debug, PartialEq)]
struct Tick<const OWN_BOXING: bool>(u8);

/// How often a [`Tick`] was decoded, by its number.
static DECODED: [AtomicUsize; 256] = [const { AtomicUsize::new(0) }; 256];

fn decoded(number: u8) -> usize {
    DECODED[usize::from(number)].load(Ordering::SeqCst)
}

impl<const OWN_BOXING: bool> ractor::SharedMessage for Tick<OWN_BOXING> {
    fn clone_shared(&self) -> Option<Self> {
        Some(Self(self.0))
    }

    fn is_shareable(&self) -> bool {
        self.0 != 0
    }
}

impl<const OWN_BOXING: bool> Message for Tick<OWN_BOXING> {
    fn keeps_default_boxing() -> bool {
        !OWN_BOXING
    }

    fn serializable() -> bool {
        true
    }

    fn from_boxed(boxed: BoxedMessage) -> Result<Self, BoxedDowncastErr> {
        assert!(OWN_BOXING, "it has the default, and is not asked");
        match boxed.serialized_msg {
            Some(SerializedMessage::Cast { args, .. }) => Self::read(&args),
            _ => Err(BoxedDowncastErr),
        }
    }

    fn from_incoming(incoming: Incoming<'_>) -> Result<Self, BoxedDowncastErr> {
        assert!(!OWN_BOXING, "it has its own, which is asked");
        Self::read(&incoming.args)
    }

    fn arc_from_incoming(incoming: Incoming<'_>) -> Option<Result<ArcMessage, BoxedDowncastErr>> {
        ArcMessage::decode::<Self>(incoming)
    }
}

impl<const OWN_BOXING: bool> Tick<OWN_BOXING> {
    fn read(bytes: &[u8]) -> Result<Self, BoxedDowncastErr> {
        DECODED[usize::from(bytes[0])].fetch_add(1, Ordering::SeqCst);
        match bytes[0] {
            255 => Err(BoxedDowncastErr),
            number => Ok(Self(number)),
        }
    }
}

/// Where the messages lay that its readers shared; 0 for one of their own.
type Seen = Arc<Mutex<Vec<usize>>>;

/// Reads what is shared.
struct Reader<M>(std::marker::PhantomData<fn(M)>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
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

struct Readers {
    cells: Vec<ActorCell>,
    handles: Vec<JoinHandle<()>>,
    seen: Seen,
}

impl Readers {
    async fn eight<M: Message + Sync>() -> Self {
        let (mut cells, mut handles, seen) = (Vec::new(), Vec::new(), Seen::default());
        for _ in 0..8 {
            let reader = Reader::<M>(std::marker::PhantomData);
            let (actor, handle) = Actor::spawn(None, reader, seen.clone()).await.unwrap();
            cells.push(actor.get_cell());
            handles.push(handle);
        }
        Self { cells, handles, seen }
    }

    fn deliver(&self, number: u8) -> Vec<Undeliverable> {
        let args = vec![number].into();
        let incoming =
            Incoming { variant: "Tick", args, metadata: None, lent: Bytes::new(), reply: None };
        deliver_to_all(&self.cells, incoming).into_iter().map(|(_, why)| why).collect()
    }

    async fn end(self) -> Vec<usize> {
        for cell in &self.cells {
            cell.drain().unwrap();
        }
        for handle in self.handles {
            handle.await.unwrap();
        }
        Arc::into_inner(self.seen).unwrap().into_inner().unwrap()
    }
}

async fn is_decoded_once<const OWN_BOXING: bool>(number: u8) {
    let readers = Readers::eight::<Tick<OWN_BOXING>>().await;
    assert_eq!(readers.deliver(number), []);
    let seen = readers.end().await;
    assert!(seen[0] != 0 && seen == vec![seen[0]; 8], "{seen:?}");
    assert_eq!(decoded(number), 1);
}

#[ractor::concurrency::test]
async fn eight_readers_share_what_is_decoded_once() {
    is_decoded_once::<false>(1).await;
    // Also where the type opens messages itself.
    is_decoded_once::<true>(2).await;
}

#[ractor::concurrency::test]
async fn a_value_that_is_not_shared_is_decoded_for_each() {
    let readers = Readers::eight::<Tick<false>>().await;
    assert_eq!(readers.deliver(0), []);
    assert_eq!(readers.end().await, [0; 8]);
    // And once to find out.
    assert_eq!(decoded(0), 1 + 8);
}

#[ractor::concurrency::test]
async fn bytes_that_are_no_message_are_looked_at_once() {
    let readers = Readers::eight::<Tick<true>>().await;
    assert_eq!(readers.deliver(255), [Undeliverable::NotDecodable; 8]);
    assert_eq!(readers.end().await, []);
    assert_eq!(decoded(255), 1);
}

/// Also where the bytes are lent, of which a type by hand knows nothing.
#[ractor::concurrency::test]
async fn what_is_lent_is_decoded_once_out_of_own_memory() {
    let readers = Readers::eight::<Tick<false>>().await;
    let (args, lent) = (Bytes::new(), Bytes::from_static(&[4]));
    let incoming = Incoming { variant: "Tick", args, metadata: None, lent, reply: None };
    assert_eq!(deliver_to_all(&readers.cells, incoming), []);
    let seen = readers.end().await;
    assert!(seen[0] != 0 && seen == vec![seen[0]; 8], "{seen:?}");
    assert_eq!(decoded(4), 1);
}

/// A sole reader has a message of its own, and a call is never shared.
#[ractor::concurrency::test]
async fn one_reader_and_calls_share_nothing() {
    let readers = Readers::eight::<Tick<false>>().await;
    let args = || vec![3].into();
    let incoming =
        Incoming { variant: "Tick", args: args(), metadata: None, lent: Bytes::new(), reply: None };
    assert_eq!(deliver_to_all(&readers.cells[..1], incoming), []);
    let (port, _answer) = oneshot();
    let reply = Some(port.into());
    let call =
        Incoming { variant: "Tick", args: args(), metadata: None, lent: Bytes::new(), reply };
    assert!(ArcMessage::decode::<Tick<false>>(call).is_none());
    assert_eq!(readers.end().await, [0]);
    assert_eq!(decoded(3), 1);
}

/// Says nothing, as hand-written types of before.
#[derive(Clone)]
struct Silent;

static SILENT: AtomicUsize = AtomicUsize::new(0);

impl Message for Silent {
    fn serializable() -> bool {
        true
    }

    fn deserialize(_: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        SILENT.fetch_add(1, Ordering::SeqCst);
        Ok(Self)
    }
}

#[ractor::concurrency::test]
async fn a_type_that_says_nothing_is_decoded_for_each() {
    let readers = Readers::eight::<Silent>().await;
    assert_eq!(readers.deliver(1), []);
    assert_eq!(readers.end().await, [0; 8]);
    assert_eq!(SILENT.load(Ordering::SeqCst), 8);
}
