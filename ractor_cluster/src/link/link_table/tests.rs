//! Whom a message notifies, whatever happens to the links.

use std::marker::PhantomData;
use std::sync::Weak;

use ractor::concurrency::JoinHandle;
use ractor::remoting::busy_poll::Watch;
use ractor::{Actor, ActorProcessingErr, Message};

use mycelium_link::codec::What;
use mycelium_link::lanes::Receiver;

use super::*;
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::{ActorEnd, EndKind, Ends};
use crate::transport::simple::{Simple, SimpleSink};

/// Nothing is taken from it: the tests do that themselves.
struct Source;

impl FrameSource for Source {
    type Reservation = ();

    fn transmit(&self, _: impl FnMut(Chunk) -> bool) {}
}

/// Takes all, and keeps nothing.
struct Nowhere;

impl SimpleSink for Nowhere {
    fn queue(&mut self, _: Bytes) {}

    fn queued_bytes(&self) -> usize {
        0
    }

    fn poll_flush(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

struct NoReader;

impl Watch for NoReader {
    fn look(&self) -> bool {
        false
    }

    fn give_up(&self) {}
}

struct Idle<M>(PhantomData<fn() -> M>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl<M: Message> Actor for Idle<M> {
    type Msg = M;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<M>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// A link with its actor and its writer.
struct End {
    actor: ActorRef<SessionMessage>,
    task: JoinHandle<()>,
    writer: Arc<LinkWriter<Source>>,
}

impl End {
    async fn start() -> Self {
        let (actor, task) = Actor::spawn(None, Idle(PhantomData), ()).await.unwrap();
        let reader: Weak<NoReader> = Weak::new();
        let writer = Arc::new(LinkWriter::new(Box::new(Simple::sink(Nowhere)), reader));
        let end = Self { actor, task, writer };
        end.go_idle();
        end
    }

    /// Gives the task a turn, after which the next message has to notify it.
    fn go_idle(&self) {
        let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
        let mut run = std::pin::pin!(self.writer.run());
        assert!(std::future::Future::poll(run.as_mut(), context).is_pending());
    }

    fn link(&self, kind: TransportKind) -> Link<Source> {
        let (peer, local) = (String::new(), String::new());
        let (actor, pings) = (self.actor.clone(), Pings::default());
        Link { kind, peer, local, actor, lends: None, writer: None, sent: 0, pings }
    }

    fn id(&self) -> ActorId {
        self.actor.get_id()
    }

    async fn end(self) {
        self.actor.stop(None);
        self.task.await.unwrap();
    }
}

fn cast(table: &mut LinkTable<Source>) -> PendingFlush<Source> {
    let what = What::Cast { to: 1, method: "Take", metadata: None, trace: None };
    let to = (&what, Receiver::Actor(1), false);
    table.message_to(ADAPTIVE, |_| 0, to, (b"payload", &Bytes::new()))
}

/// Whether it notifies the writer of this link, and no other.
fn notifies(push: &PendingFlush<Source>, end: &End) -> bool {
    push.writer.as_ref().is_some_and(|writer| Arc::ptr_eq(writer, &end.writer))
}

/// Has the link take all that is to go by it. Returns how many chunks these were.
fn take(table: &mut LinkTable<Source>, end: &End) -> usize {
    let mut chunks = 0;
    table.transmit(end.id(), |_| {
        chunks += 1;
        true
    });
    chunks
}

#[tokio::test]
async fn a_message_notifies_the_writer_of_the_link_that_is_taken() {
    let (tcp, shm) = (End::start().await, End::start().await);
    let mut table = LinkTable::new(1);
    table.begin(tcp.link(TransportKind::Tcp));
    assert!(cast(&mut table).writer.is_none(), "its actor has not told of the writer");
    table.serve(tcp.id(), tcp.writer.clone());
    let push = cast(&mut table);
    assert!(notifies(&push, &tcp) && !push.joins);
    drop(push);
    assert!(cast(&mut table).writer.is_none(), "it is notified already");
    tcp.go_idle();
    assert!(notifies(&cast(&mut table), &tcp));
    assert!(take(&mut table, &tcp) > 0);

    // Another link joins: all that went by the present one has to be acknowledged first.
    let pushes = table.add(shm.link(TransportKind::SharedMemory));
    table.serve(shm.id(), shm.writer.clone());
    tcp.go_idle();
    assert!(!pushes.iter().any(|push| notifies(push, &shm)));
    drop(pushes);
    assert!(notifies(&cast(&mut table), &tcp));
    assert!(take(&mut table, &tcp) > 0);
    assert!(notifies(&table.acknowledged(ADAPTIVE, 5).unwrap(), &shm));
    shm.go_idle();
    let push = cast(&mut table);
    assert!(notifies(&push, &shm) && push.joins);
    drop(push);
    assert_eq!((take(&mut table, &tcp), take(&mut table, &shm) > 0), (0, true));

    // It breaks: what was not acknowledged goes again by the other one.
    tcp.go_idle();
    let (gone, pushes) = table.remove(shm.id()).unwrap();
    drop(gone);
    assert!(pushes.iter().any(|push| notifies(push, &tcp)));
    drop(pushes);
    assert_eq!(Arc::strong_count(&shm.writer), 1, "a link that is gone is written no more");
    tcp.go_idle();
    assert!(notifies(&cast(&mut table), &tcp));
    assert!(take(&mut table, &tcp) > 0);

    // Without a link no writer is notified.
    tcp.go_idle();
    let (gone, _) = table.remove(tcp.id()).unwrap();
    drop(gone);
    assert!(cast(&mut table).writer.is_none());
    assert_eq!(Arc::strong_count(&tcp.writer), 1);

    // A link that comes then takes all of it.
    let pushes = table.add(tcp.link(TransportKind::Tcp));
    drop(pushes);
    table.serve(tcp.id(), tcp.writer.clone());
    assert!(notifies(&cast(&mut table), &tcp));
    assert!(take(&mut table, &tcp) > 0);
    drop(table.end());
    assert_eq!(Arc::strong_count(&tcp.writer), 1, "a session that has ended has no writers");
    tcp.end().await;
    shm.end().await;
}

/// Else a call that the actor answered would fail, since the peer takes no answer of what has ended.
#[tokio::test]
async fn an_end_comes_behind_what_its_actor_has_sent() {
    let tcp = End::start().await;
    let mut table = LinkTable::new(1);
    table.begin(tcp.link(TransportKind::Tcp));
    table.take_slots();
    let (what, mut lane) = (What::Cast { to: 1, method: "Take", metadata: None, trace: None }, 0);
    let number_of = |number| {
        lane = number;
        0
    };
    let to = (&what, Receiver::Actor(1), false);
    drop(table.message_to(ADAPTIVE, number_of, to, (b"payload", &Bytes::new())));
    let text = Some("its end".to_owned());
    let end = ActorEnd { pid: 1, kind: EndKind::Stopped.into(), text };
    let untold = || panic!("an acknowledgement of another lane counts as told");
    drop(table.control(Body::Ends(Ends { actors: vec![end] }), untold));
    let taken = |table: &mut LinkTable<Source>| {
        let mut bytes = Vec::new();
        table.transmit(tcp.id(), |chunk| {
            bytes.extend_from_slice(&chunk.frames);
            bytes.extend_from_slice(&chunk.tail);
            true
        });
        let has = |what: &[u8]| bytes.windows(what.len()).any(|it| it == what);
        (has(b"payload"), has(b"its end"))
    };
    assert_eq!(taken(&mut table), (true, false));
    drop(table.acknowledged(lane, 1).unwrap());
    assert_eq!(taken(&mut table), (false, true));
    tcp.end().await;
}

/// What waits is the sum of what waits by each preference.
#[tokio::test]
async fn what_waits_by_a_pinned_transport_counts() {
    let tcp = End::start().await;
    let mut table = LinkTable::new(1);
    table.begin(tcp.link(TransportKind::Tcp));
    assert_eq!(table.queued().all, 0);
    let what = What::Cast { to: 1, method: "Take", metadata: None, trace: None };
    let mut all = 0;
    for preference in [Preference::Tcp as u32, ADAPTIVE, Preference::UnixSocket as u32] {
        let to = (&what, Receiver::Actor(1), false);
        drop(table.message_to(preference, |_| 0, to, (&[7; 100], &Bytes::new())));
        let one = table.queued().all - all;
        assert!(one > 100, "{one} bytes of the message by {preference}");
        all += one;
    }
    assert_eq!((table.unsent(), table.messages()), (all, 3));
    drop(table.end());
    tcp.end().await;
}
