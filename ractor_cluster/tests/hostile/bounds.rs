//! Messages that are larger than the peer takes, and others that no link survives.

use std::sync::Arc;

use ractor::errors::{UndeliveredCause as Cause, UndeliveredReason};
use ractor::{pg, Actor, ActorCell, ActorProcessingErr, ActorRef, MessagingErr, RpcReplyPort};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::node::DEFAULT_MAX_INBOUND_FRAME_SIZE;
use ractor_cluster::transport::TransportKind;
use ractor_cluster::RactorClusterMessage;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::common::watched;
use crate::letters::{letter, node_of, subscribe, Of};
use crate::scene::{Count, Scene, MAX_FRAME};
use crate::stock::{message, proxies_of, stock};
use crate::wire::{Announcement, Call, Cast, ControlBody, Enveloped, Frame, Network, NodeBody};

/// What the peers here take, in bytes.
const BOUND: usize = 2048;

#[derive(RactorClusterMessage)]
enum Ask {
    #[rpc]
    Take(Vec<u8>, RpcReplyPort<u64>),
    /// Gets an answer of so many bytes as the actor was spawned with.
    #[rpc]
    Large(RpcReplyPort<Vec<u8>>),
}

/// Tells whether its answers were taken.
struct Talker(mpsc::UnboundedSender<bool>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Talker {
    type Msg = Ask;
    type State = usize;
    type Arguments = usize;

    async fn pre_start(&self, _: ActorRef<Ask>, size: usize) -> Result<usize, ActorProcessingErr> {
        Ok(size)
    }

    async fn handle(
        &self,
        _: ActorRef<Ask>,
        message: Ask,
        size: &mut usize,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Ask::Take(bytes, reply) => reply.send(bytes.len() as u64)?,
            Ask::Large(reply) => self.0.send(reply.send(vec![7; *size]).is_ok())?,
        }
        Ok(())
    }
}

/// A peer that takes frames of up to [`BOUND`] bytes.
pub async fn small(scene: &Scene, name: &str) -> Client {
    let mut client = scene.client(TransportKind::Tcp).await;
    let bound = Some(BOUND as u64);
    let announcement = Announcement { max_frame: bound, ..client.announcement() };
    client.join_as(name, announcement).await;
    let theirs = client.announced.as_ref().and_then(|it| it.max_frame);
    assert_eq!(theirs, Some(MAX_FRAME), "the node says what it takes itself");
    client
}

async fn announce(client: &mut Client, group: &str, pids: &[u64]) -> Vec<ActorCell> {
    crate::ways::announce(client, group, pids).await.iter().map(ActorRef::get_cell).collect()
}

fn is_too_large(reason: UndeliveredReason, most: u64) -> bool {
    matches!(reason, UndeliveredReason::TooLarge { size, bound } if bound == most && size > most)
}

#[tokio::test]
async fn a_message_that_is_too_large_comes_back_alone_whichever_way_it_is_sent() {
    let scene = Scene::start("bounds").await;
    let mut client = small(&scene, "bounds").await;
    let members = announce(&mut client, "bounds", &[700, 701]).await;
    let proxy = ActorRef::<Count>::from(members[0].clone());

    let Err(MessagingErr::SendErr(Count::Blob(back))) = proxy.cast(Count::Blob(vec![7; BOUND]))
    else {
        panic!("it is taken, or lost")
    };
    assert_eq!(back, vec![7; BOUND]);
    let sent = proxy.send(Count::Blob(vec![7; BOUND])).await;
    assert!(matches!(sent, Err(MessagingErr::SendErr(Count::Blob(_)))));
    let blob = Arc::new(Count::Blob(vec![7; BOUND]));
    let refused = proxy.cast_arc(blob.clone()).unwrap_err();
    assert!(is_too_large(refused.reason(), BOUND as u64), "{refused}");
    assert!(refused.to_string().contains("with_max_inbound_frame_size"), "{refused}");
    let report = pg::broadcast_arc(&"bounds".to_owned(), blob);
    assert_eq!((report.delivered(), report.failed().len()), (0, 2));
    assert!(report.failed().iter().all(|(_, reason)| is_too_large(*reason, BOUND as u64)));
    let asked = ActorRef::<Ask>::from(members[0].clone());
    let call = asked.call(|reply| Ask::Take(vec![7; BOUND], reply), None);
    let call = watched(call).await;
    assert!(matches!(call, Err(MessagingErr::SendErr(Ask::Take(..)))));

    // Up to the edge, and beyond: what is taken arrives, and fits.
    let mut taken = 0;
    for size in BOUND - 200..=BOUND {
        if proxy.cast(Count::Blob(vec![7; size])).is_ok() {
            let sent = client.sent().await;
            assert!(sent.bytes > size && sent.bytes <= BOUND, "{sent:?}");
            taken += 1;
        }
    }
    assert!((50..200).contains(&taken), "{taken} were taken");
    // Nothing else came in between.
    proxy.cast(Count::Add(1)).unwrap();
    assert!(client.sent().await.bytes < 100);
    scene.end().await;
}

#[tokio::test]
async fn many_receivers_are_several_frames_where_one_has_no_room_for_all() {
    let scene = Scene::start("bounds-many").await;
    let mut client = small(&scene, "bounds-many").await;
    let mut pids: Vec<u64> = (700..1200).collect();
    for (part, pids) in pids.chunks(100).enumerate() {
        announce(&mut client, &format!("part {part}"), pids).await;
    }
    let members: Vec<ActorCell> =
        (0..5).flat_map(|part| pg::get_members(&format!("part {part}"))).collect();
    pg::join("bounds-many".to_owned(), members);
    let report =
        pg::broadcast_arc(&"bounds-many".to_owned(), Arc::new(Count::Blob(vec![7; BOUND / 4])));
    assert_eq!((report.delivered(), report.failed().len()), (500, 0));
    let mut frames = 0;
    while !pids.is_empty() {
        let sent = client.sent().await;
        assert!(sent.bytes <= BOUND, "{} bytes", sent.bytes);
        pids.retain(|pid| !sent.to.contains(pid));
        frames += 1;
    }
    assert!(frames > 1);
    scene.end().await;
}

#[tokio::test]
async fn the_caller_of_an_answer_that_is_too_large_learns_that_there_is_none() {
    let scene = Scene::start("bounds-answers").await;
    let mut letters = subscribe();
    let mut client = small(&scene, "bounds-answers").await;
    let (sender, mut taken) = mpsc::unbounded_channel();
    let (talker, ended) = Actor::spawn(None, Talker(sender), BOUND).await.unwrap();
    let (to, what, variant) = (talker.get_id().pid(), Vec::new(), "Large".to_owned());
    let call = Call { to, what, tag: 5, timeout_ms: None, variant };
    let envelope = client.envelope(NodeBody::Call(call));
    client.send(Frame::Envelope(envelope)).await;
    assert_eq!(client.unanswered().await, 5);
    assert_eq!(watched(taken.recv()).await, Some(false), "who answers learns it too");
    letter(&mut letters, Cause::AnswerTooLarge, Of::Node(node_of("bounds-answers"))).await;
    // The session goes on.
    assert_eq!(client.call(scene.counter(), "Sum").await.len(), 8);
    talker.stop(None);
    ended.await.unwrap();
    scene.end().await;
}

#[tokio::test]
async fn announcements_go_in_pieces() {
    let scene = Scene::start("bounds-names").await;
    let mut client = small(&scene, "bounds-names").await;
    let (sender, _) = mpsc::unbounded_channel();
    let mut talkers = Vec::new();
    for number in 0..100 {
        let name = format!("{number} {}", "n".repeat(100));
        let talker = Actor::spawn(Some(name), Talker(sender.clone()), 1).await.unwrap();
        talkers.push(talker);
    }
    let cells = talkers.iter().map(|(talker, _)| talker.get_cell()).collect();
    pg::join("bounds-names".to_owned(), cells);
    let (mut found, mut pieces) = (0, 0);
    while found < talkers.len() {
        let join = |body| match body {
            Enveloped::Control(control) => match control.body {
                Some(ControlBody::PgJoin(join)) if join.group == "bounds-names" => Some(join),
                _ => None,
            },
            _ => None,
        };
        let join = client.enveloped(join).await;
        let bytes: usize =
            join.actors.iter().map(|it| it.name.as_ref().map_or(0, String::len)).sum();
        assert!(bytes < BOUND, "{bytes} bytes of names");
        found += join.actors.len();
        pieces += 1;
    }
    assert!(pieces > 1);
    for (talker, ended) in talkers {
        talker.stop(None);
        ended.await.unwrap();
    }
    scene.end().await;
}

/// Stock says nothing of its bound, and is held to have the default one.
#[tokio::test]
async fn a_stock_node_is_spared_what_it_would_break_over() {
    const MOST: usize = DEFAULT_MAX_INBOUND_FRAME_SIZE as usize;

    let scene = Scene::start("bounds-stock").await;
    let mut client = stock(&scene, "bounds-stock").await;
    let proxy: ActorRef<Count> =
        proxies_of(&mut client, "bounds-stock", &[7]).await.remove(0).into();
    let back = proxy.cast(Count::Blob(vec![7; MOST]));
    assert!(matches!(back, Err(MessagingErr::SendErr(Count::Blob(it))) if it.len() == MOST));
    let refused = proxy.cast_arc(Arc::new(Count::Blob(vec![7; MOST]))).unwrap_err();
    assert!(is_too_large(refused.reason(), MOST as u64), "{refused}");

    let (sender, mut taken) = mpsc::unbounded_channel();
    let (talker, ended) = Actor::spawn(None, Talker(sender), MOST).await.unwrap();
    let (to, what, variant) = (talker.get_id().pid(), Vec::new(), "Large".to_owned());
    let call = Call { to, what, tag: 5, timeout_ms: None, variant };
    client.send(Network::from(NodeBody::Call(call))).await;
    assert_eq!(watched(taken.recv()).await, Some(false));
    proxy.cast(Count::Add(1)).unwrap();
    let NodeBody::Cast(Cast { variant, .. }) = message(&mut client).await else {
        panic!("another message")
    };
    assert_eq!(variant, "Add");
    talker.stop(None);
    ended.await.unwrap();
    scene.end().await;
}

/// Whatever it is that no link survives: it is not sent for ever.
#[tokio::test]
async fn a_message_over_which_every_link_breaks_ends_the_session() {
    let scene = Scene::with("poison", LinkOptions::default()).await;
    let mut first = scene.client(TransportKind::Tcp).await;
    first.join("poison").await;
    let proxy: ActorRef<Count> = announce(&mut first, "poison", &[700]).await.remove(0).into();
    proxy.cast(Count::Add(1)).unwrap();
    first.sent().await;
    first.shut_down().await.unwrap();
    first.closed().await;
    for _ in 0..2 {
        let mut next = scene.client(TransportKind::Tcp).await;
        let proof = next.attach(&first).await;
        next.send(Frame::AttachProof(proof)).await;
        // The node sends it again.
        next.sent().await;
        next.shut_down().await.unwrap();
        next.closed().await;
    }
    scene.log.told("3 links broke in a row before frame", &first.address).await;
    watched(proxy.get_cell().wait(None)).await.unwrap();
    scene.end().await;
}
