//! Two nodes of one process, which share ractor's registries: an application with both must get
//! every message once, whichever way the nodes found each other.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use common::{peer, until, watched, Node, SessionEvent, Stage};
use ractor::concurrency::JoinHandle;
use ractor::message::{BoxedDowncastErr, SerializedMessage, Shared};
use ractor::{call, pg, Actor, ActorCell, ActorProcessingErr, ActorRef};
use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
use ractor_cluster::link::{self, LinkOptions};
use ractor_cluster::peers::{self, Locality, PeerEvent};
use ractor_cluster::transport::TransportKind;
use ractor_cluster::{NodeServerMessage, NodeSessionMessage};
use tokio::sync::{mpsc, Mutex};

const MEBIBYTE: usize = 1024 * 1024;

/// Tests of one process see each other's peers and groups.
static ALONE: Mutex<()> = Mutex::const_new(());

/// How often payloads were copied and serialised.
#[derive(Default)]
struct Counts {
    clones: AtomicUsize,
    serialisations: AtomicUsize,
}

/// The counts of copies at this end of a connection; those of the sender do not travel.
static ARRIVED: Counts =
    Counts { clones: AtomicUsize::new(0), serialisations: AtomicUsize::new(0) };

enum Counted {
    Here(Arc<Counts>),
    Arrived,
}

impl Counted {
    fn counts(&self) -> &Counts {
        match self {
            Self::Here(counts) => counts,
            Self::Arrived => &ARRIVED,
        }
    }
}

/// A payload that counts what it costs.
struct Payload {
    bytes: Vec<u8>,
    counted: Counted,
}

impl Payload {
    fn new(size: usize) -> (Arc<Self>, Arc<Counts>) {
        let counts = Arc::new(Counts::default());
        let counted = Counted::Here(counts.clone());
        (Arc::new(Self { bytes: vec![7; size], counted }), counts)
    }
}

impl Clone for Payload {
    fn clone(&self) -> Self {
        self.counted.counts().clones.fetch_add(1, Ordering::Relaxed);
        let counted = match &self.counted {
            Counted::Here(counts) => Counted::Here(counts.clone()),
            Counted::Arrived => Counted::Arrived,
        };
        Self { bytes: self.bytes.clone(), counted }
    }
}

impl ractor::Message for Payload {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        self.counted.counts().serialisations.fetch_add(1, Ordering::Relaxed);
        let (variant, metadata) = (String::new(), None);
        Ok(SerializedMessage::Cast { variant, args: self.bytes, metadata })
    }

    fn deserialize(bytes: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match bytes {
            SerializedMessage::Cast { args, .. } => {
                Ok(Self { bytes: args, counted: Counted::Arrived })
            }
            _ => Err(BoxedDowncastErr),
        }
    }
}

/// What a reader saw: the address of the payload's bytes, and how many there are.
type Sight = (usize, usize);

/// Reads, and never takes a copy.
struct Reader(mpsc::UnboundedSender<Sight>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Reader {
    type Msg = Payload;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Payload>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Payload>,
        payload: Payload,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(self.0.send((payload.bytes.as_ptr() as usize, payload.bytes.len()))?)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<Payload>,
        payload: Shared<Payload>,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(self.0.send((payload.bytes.as_ptr() as usize, payload.bytes.len()))?)
    }
}

/// The readers of a group.
struct Readers {
    group: String,
    readers: Vec<(ActorRef<Payload>, JoinHandle<()>, mpsc::UnboundedReceiver<Sight>)>,
}

impl Readers {
    async fn start(group: &str, count: usize) -> Self {
        let mut readers = Self { group: group.to_owned(), readers: Vec::new() };
        for _ in 0..count {
            readers.add().await;
        }
        readers
    }

    async fn add(&mut self) {
        let (sender, seen) = mpsc::unbounded_channel();
        let (reader, handle) = Actor::spawn(None, Reader(sender), ()).await.expect("it starts");
        pg::join(self.group.clone(), vec![reader.get_cell()]);
        self.readers.push((reader, handle, seen));
    }

    fn members(&self) -> Vec<ActorCell> {
        pg::get_members(&self.group)
    }

    fn are_the_only_members(&self) {
        let members: BTreeSet<_> = self.members().iter().map(ActorCell::get_id).collect();
        let readers: BTreeSet<_> = self.readers.iter().map(|(it, ..)| it.get_id()).collect();
        assert_eq!(members, readers);
        assert!(members.iter().all(|id| id.is_local()), "{members:?}");
    }

    /// All see one more payload: the very same, without a copy.
    async fn see_one_payload(&mut self) {
        let (payload, counts) = Payload::new(MEBIBYTE);
        let report = pg::broadcast_arc(&self.group, payload.clone());
        assert_eq!((report.delivered(), report.failed().len()), (self.readers.len(), 0));
        let sight = (payload.bytes.as_ptr() as usize, MEBIBYTE);
        for (.., seen) in &mut self.readers {
            assert_eq!(watched(seen.recv()).await, Some(sight));
        }
        assert_eq!(counts.clones.load(Ordering::Relaxed), 0);
        assert_eq!(counts.serialisations.load(Ordering::Relaxed), 0);
    }

    /// Ends them, after the nodes have, and makes sure that nothing else came.
    async fn stop(self) {
        for (reader, handle, mut seen) in self.readers {
            reader.drain().expect("it runs");
            watched(handle).await.expect("it ends in order");
            assert_eq!(seen.recv().await, None, "something came twice");
        }
    }
}

/// Every end of a session between two nodes of this process knows where the other one is.
fn are_in_the_same_process(names: [&str; 2]) {
    for name in names {
        let info = peer(name).unwrap_or_else(|| panic!("{name} is in {:?}", peers::list()));
        assert_eq!(info.locality, Locality::SameProcess);
        assert_eq!(info.active(), Some(TransportKind::Arc));
        let kinds: Vec<_> = info.links.iter().map(|link| link.kind).collect();
        assert_eq!(kinds, [TransportKind::Arc, TransportKind::Tcp]);
        assert_eq!(peers::get(info.node_id).as_ref(), Some(&info));
    }
    assert_eq!(peers::list().len(), 2);
}

/// The nodes `first` and `second`, and what each is told of its session. The second one has
/// connected to the first.
async fn joined([one, other]: [LinkOptions; 2]) -> ([Node; 2], [SessionEvent; 2]) {
    let mut first = Node::start("first", one).await;
    let mut second = Node::start("second", other).await;
    second.connect(&first).await;
    let ends = [first.next(Stage::Ready).await, second.next(Stage::Ready).await];
    ([first, second], ends)
}

/// Stops both, and waits until no session is left.
async fn end(nodes: [Node; 2]) {
    for node in nodes {
        node.stop().await;
    }
    until("no peer is left", || peers::list().is_empty()).await;
}

#[tokio::test]
async fn they_find_each_other_and_deliver_once() {
    let _alone = ALONE.lock().await;
    // Some were there before, and one comes later.
    let mut readers = Readers::start("once", 3).await;
    let ([first, mut second], [there, here]) = joined(Default::default()).await;
    for event in [&there, &here] {
        assert!(call!(event.session, NodeSessionMessage::GetReadyState).unwrap());
    }
    assert_ne!(there.node_id, here.node_id);
    are_in_the_same_process(["first", "second"]);
    readers.are_the_only_members();
    readers.see_one_payload().await;
    readers.add().await;
    readers.are_the_only_members();
    readers.see_one_payload().await;
    let (reader, ..) = &readers.readers[0];
    assert_eq!(peers::locality_of(&reader.get_cell()), Some(Locality::SameProcess));

    // The end of one is no end of the other's actors, which are the same.
    first.stop().await;
    second.next(Stage::Disconnected).await;
    until("no peer is left", || peers::list().is_empty()).await;
    readers.are_the_only_members();
    readers.see_one_payload().await;
    second.stop().await;
    readers.stop().await;
}

#[tokio::test]
async fn they_may_connect_at_the_same_time() {
    let _alone = ALONE.lock().await;
    let mut readers = Readers::start("both", 2).await;
    for _ in 0..4 {
        let first = Node::start("first", LinkOptions::default()).await;
        let second = Node::start("second", LinkOptions::default()).await;

        tokio::join!(first.connect(&second), second.connect(&first));

        // Of two connections one is given up, by both in the same way.
        until("one session at each end", || {
            let all = peers::list();
            all.len() == 2 && all.iter().all(|it| it.active() == Some(TransportKind::Arc))
        })
        .await;
        for node in [&first, &second] {
            let ready = async {
                loop {
                    let sessions = call!(node.server, NodeServerMessage::GetSessions).unwrap();
                    if let [session] = sessions.into_values().collect::<Vec<_>>().as_slice() {
                        let is_ready = call!(session.actor, NodeSessionMessage::GetReadyState);
                        if matches!(is_ready, Ok(true)) {
                            return;
                        }
                    }
                    tokio::task::yield_now().await;
                }
            };
            watched(ready).await;
        }
        readers.are_the_only_members();
        readers.see_one_payload().await;
        end([first, second]).await;
    }
    readers.stop().await;
}

#[tokio::test]
async fn without_the_shorter_link_they_still_deliver_once() {
    let _alone = ALONE.lock().await;
    let mut readers = Readers::start("cut", 2).await;
    let (nodes, [there, _]) = joined(Default::default()).await;

    for kind in [TransportKind::Arc, TransportKind::Tcp] {
        let mut events = peers::events();
        link::close(there.node_id, kind).expect("there is a session");
        let down = PeerEvent::LinkDown { node_id: there.node_id, kind };
        while watched(events.recv()).await.expect("the test keeps up") != down {}
        // Whatever link there is now: they know by now that they are of one process.
        readers.add().await;
        readers.are_the_only_members();
        readers.see_one_payload().await;
        until("the link is made again", || {
            let all = peers::list();
            all.len() == 2 && all.iter().all(|it| it.links.len() == 2)
        })
        .await;
        are_in_the_same_process(["first", "second"]);
        readers.are_the_only_members();
        readers.see_one_payload().await;
    }
    end(nodes).await;
    readers.stop().await;
}

/// A node that may not look for cheaper links does not tell who it is. To the other it is a peer
/// like any other, and both announce their actors over TCP, as two nodes of the stock release do.
/// Every actor is then there three times: itself, and as a proxy of either session.
#[tokio::test]
async fn when_one_may_not_be_local_they_are_strangers() {
    let _alone = ALONE.lock().await;
    let remote = PeerPolicy::default().with_location(Location::Remote);
    for (one, other) in [
        (LinkOptions::default().with_peer(Peer::named("second"), remote), LinkOptions::default()),
        (LinkOptions::default(), LinkOptions::default().with_peer(Peer::named("first"), remote)),
    ] {
        let mut readers = Readers::start("strangers", 1).await;
        let (nodes, ends) = joined([one, other]).await;
        for (name, end) in ["second", "first"].iter().zip(&ends) {
            let info = peer(name).expect("it is ready");
            assert_eq!((info.node_id, info.locality), (end.node_id, Locality::Remote));
            assert_eq!(info.active(), Some(TransportKind::Tcp));
            assert_eq!(info.links.len(), 1);
        }
        let members = readers.members();
        let proxies: Vec<_> = members.iter().filter(|it| !it.get_id().is_local()).collect();
        assert_eq!((members.len(), proxies.len()), (3, 2));
        for proxy in proxies {
            assert_eq!(peers::locality_of(proxy), Some(Locality::Remote));
        }
        let (payload, counts) = Payload::new(MEBIBYTE);
        assert_eq!(pg::broadcast_arc(&readers.group, payload).delivered(), 3);
        let (.., seen) = &mut readers.readers[0];
        for _ in 0..3 {
            let (_, size) = watched(seen.recv()).await.expect("it runs");
            assert_eq!(size, MEBIBYTE);
        }
        // Once, for both proxies.
        assert_eq!(counts.serialisations.load(Ordering::Relaxed), 1);
        end(nodes).await;
        readers.stop().await;
    }
}
