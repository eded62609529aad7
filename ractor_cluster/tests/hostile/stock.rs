//! Stock nodes, or who passes for one, that want more than is good for a node.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ractor::errors::UndeliveredReason;
use ractor::{pg, Actor, ActorCell, ActorRef, ActorStatus};
use ractor::{BytesConvertable, MessagingErr, RactorErr};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;
use tokio::runtime::Handle;

use crate::calls::Undecided;
use crate::client::Client;
use crate::common::watched;
use crate::logs::Mark;
use crate::scene::{Count, Scene};
use crate::wire::{
    self, Body, Call, CallReply, Cast, ControlBody, Network, NodeBody, PgJoin, Ping,
};

/// A stock node that knows of this node's actors.
pub async fn stock(scene: &Scene, name: &str) -> Client {
    stock_by(scene, TransportKind::Tcp, name).await
}

async fn stock_by(scene: &Scene, kind: TransportKind, name: &str) -> Client {
    let mut client = scene.client(kind).await;
    let challenge = client.challenged(Client::name(name)).await;
    client.answer(challenge).await;
    let is_ready = |frame: Network| match frame.body {
        Some(Body::Control(it)) => matches!(it.body, Some(ControlBody::Ready(_))).then_some(()),
        _ => None,
    };
    client.find(is_ready).await;
    client
}

/// The proxy of an actor that the client announces.
async fn proxy_of(client: &mut Client, group: &str) -> ActorRef<Count> {
    proxies_of(client, group, &[7]).await.remove(0).into()
}

pub async fn proxies_of(client: &mut Client, group: &str, pids: &[u64]) -> Vec<ActorCell> {
    let (group, scope) = (group.to_owned(), pg::DEFAULT_SCOPE.to_owned());
    let actors = pids.iter().map(|pid| wire::Actor { pid: *pid, name: None }).collect();
    client.send(ControlBody::PgJoin(PgJoin { group: group.clone(), actors, scope })).await;
    soon(|| pg::get_members(&group).len() == pids.len()).await;
    pg::get_members(&group)
}

/// Waits until something holds. Of stock peers there are no events.
async fn soon(mut holds: impl FnMut() -> bool) {
    watched(async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The node's next message to an actor of the client.
pub async fn message(client: &mut Client) -> NodeBody {
    let of_node = |frame: Network| match frame.body {
        Some(Body::Node(node)) => node.body,
        _ => None,
    };
    client.find(of_node).await
}

/// What waits for it has a bound beyond what the kernel takes, and there is room again when it
/// reads.
#[tokio::test]
async fn what_waits_for_a_stock_node_has_a_bound() {
    const WINDOW: usize = 4 * 1024 * 1024;
    const BLOB: usize = 64 * 1024;
    /// More than the kernel keeps for a connection.
    const MUCH: usize = 64 * 1024 * 1024;

    let options = LinkOptions::default().with_replay_window(WINDOW);
    let mut scene = Scene::with("stock-deaf", options).await;
    let mut deaf = stock(&scene, "stock-deaf").await;
    let proxy = proxy_of(&mut deaf, "stock-deaf").await;
    let mut sent = 0;
    let back = loop {
        match proxy.cast(Count::Blob(vec![7; BLOB])) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent * BLOB < MUCH, "{sent} messages were taken");
        tokio::task::yield_now().await;
    };
    assert!(sent * BLOB > WINDOW - 2 * BLOB, "{sent} messages were taken");
    let MessagingErr::SendErr(Count::Blob(blob)) = back else { panic!("{back:?}") };
    assert_eq!(blob, vec![7; BLOB]);
    let call = proxy.call(Count::Sum, None).await;
    assert!(matches!(call, Err(MessagingErr::SendErr(Count::Sum(_)))));
    let mut send = std::pin::pin!(proxy.send(Count::Add(1)));
    let mut nobody = Context::from_waker(Waker::noop());
    assert!(send.as_mut().poll(&mut nobody).is_pending());
    scene.serves(TransportKind::Tcp).await;

    let mut read = 0;
    let (send, ()) = tokio::join!(watched(send), async {
        loop {
            match message(&mut deaf).await {
                NodeBody::Cast(Cast { variant, .. }) if variant == "Blob" => read += 1,
                NodeBody::Cast(Cast { variant, .. }) if variant == "Add" => break,
                other => panic!("{other:?}"),
            }
        }
    });
    send.expect("there is room");
    assert_eq!(read, sent, "nothing is lost, and the last comes last");
    scene.end().await;
}

/// Who takes nothing for too long is given up, whatever else it says.
#[tokio::test]
async fn a_stock_node_that_takes_nothing_is_closed() {
    let options = LinkOptions::default().with_write_deadline(Duration::from_millis(200));
    let mut scene = Scene::with("stock-stuck", options).await;
    let mut stuck = stock(&scene, "stock-stuck").await;
    let proxy = proxy_of(&mut stuck, "stock-stuck").await;
    let log = Mark::of(&scene.log);
    while proxy.cast(Count::Blob(vec![7; 64 * 1024])).is_ok() {
        tokio::task::yield_now().await;
    }
    log.told("a connection cannot be written to", "bytes was taken within").await;
    soon(|| proxy.get_status() == ActorStatus::Stopped).await;
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
    drop(stuck);
}

/// Nor does it help to ask for what the node answers by itself.
#[tokio::test]
async fn a_stock_node_that_pings_and_reads_nothing_is_closed() {
    let options = LinkOptions::default().with_write_deadline(Duration::from_millis(200));
    let mut scene = Scene::with("stock-pings", options).await;
    // Whose buffers are small.
    let mut stuck = stock_by(&scene, TransportKind::UnixSocket, "stock-pings").await;
    let log = Mark::of(&scene.log);
    let pings = Client::encoded(ControlBody::Ping(Ping::default())).repeat(1000);
    watched(async { while stuck.send_bytes(&pings).await.is_ok() {} }).await;
    log.told("a connection cannot be written to", "bytes was taken within").await;
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
}

/// A node of the fork that calls as a stock node does, and does not read the answers either.
#[tokio::test]
async fn a_node_that_reads_no_answers_is_closed_and_its_session_ends() {
    let mut options = LinkOptions::default().with_write_deadline(Duration::from_millis(200));
    options.reconnect_grace = Duration::ZERO;
    let mut scene = Scene::with("stock-deaf-fork", options).await;
    let mut deaf = scene.guest(TransportKind::UnixSocket).await;
    let log = Mark::of(&scene.log);
    let to = scene.counter();
    let call =
        |tag| Call { to, what: Vec::new(), tag, timeout_ms: None, variant: "Sum".to_owned() };
    let calls: Vec<u8> =
        (0..1000).flat_map(|tag| Client::encoded(NodeBody::Call(call(tag)))).collect();
    watched(async { while deaf.send_bytes(&calls).await.is_ok() {} }).await;
    log.told("a connection cannot be written to", "bytes was taken within").await;
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
}

/// Each of several actors of a stock node gets a message of its own, and each counts.
#[tokio::test]
async fn a_message_to_many_actors_of_a_stock_node_finds_room_for_each() {
    const WINDOW: usize = 512 * 1024;

    let options = LinkOptions::default().with_replay_window(WINDOW);
    let scene = Scene::with("stock-many", options).await;
    let mut client = stock(&scene, "stock-many").await;
    let group = "stock-many".to_owned();
    proxies_of(&mut client, &group, &[7, 8, 9]).await;
    let report = pg::broadcast_arc(&group, Arc::new(Count::Blob(vec![7; WINDOW])));
    assert_eq!(report.delivered(), 1, "there was room");
    assert!(report.failed().iter().all(|(_, reason)| *reason == UndeliveredReason::Full));
    let NodeBody::Cast(Cast { what, .. }) = message(&mut client).await else { panic!("a cast") };
    assert!(what.len() > WINDOW);
    scene.end().await;
}

/// Our calls end with the connection, and so many wait for an answer at most.
#[tokio::test]
async fn calls_to_a_stock_node_are_answered_or_fail() {
    let options = LinkOptions::default().with_max_calls(2);
    let scene = Scene::with("stock-called", options).await;
    let mut client = stock(&scene, "stock-called").await;
    let proxy = proxy_of(&mut client, "stock-called").await;
    let mut nobody = Context::from_waker(Waker::noop());
    let mut calls: Vec<_> = (0..3).map(|_| Box::pin(proxy.call(Count::Sum, None))).collect();
    for call in &mut calls[..2] {
        assert!(call.as_mut().poll(&mut nobody).is_pending());
    }
    let third = calls.pop().expect("there are three").as_mut().poll(&mut nobody);
    assert!(matches!(third, Poll::Ready(Err(MessagingErr::SendErr(Count::Sum(_))))), "{third:?}");

    let mut tags = Vec::new();
    for _ in 0..2 {
        let NodeBody::Call(Call { to: 7, tag, variant, .. }) = message(&mut client).await else {
            panic!("it is called")
        };
        assert_eq!(variant, "Sum");
        tags.push(tag);
    }
    let reply = CallReply { to: 7, tag: tags[1], what: 5_u64.into_bytes() };
    client.send(NodeBody::Reply(reply)).await;
    let answer = watched(calls.pop().expect("two wait")).await.expect("it was taken");
    assert_eq!(answer.unwrap(), 5);
    drop(client);
    let left = watched(calls.pop().expect("one waits")).await.expect("it was taken");
    assert!(!left.is_success(), "{left:?}");
    soon(|| proxy.get_status() == ActorStatus::Stopped).await;
    let gone = ractor::call!(proxy, Count::Sum);
    assert!(matches!(gone, Err(RactorErr::Messaging(MessagingErr::SendErr(_)))), "{gone:?}");
    scene.end().await;
}

/// A stock node's calls take no task each, and no more than so many at a time; nor do those that a
/// node of the fork makes as a stock node would.
#[tokio::test]
async fn a_stock_node_may_wait_for_so_many_answers() {
    for is_stock in [true, false] {
        answers_are_counted(is_stock).await;
    }
}

async fn answers_are_counted(is_stock: bool) {
    let options = LinkOptions::default().with_max_calls(2);
    let mut scene = Scene::with("stock-asks", options).await;
    let count = Arc::new(AtomicU64::new(0));
    let (undecided, handle) =
        Actor::spawn(None, Undecided(count.clone()), ()).await.expect("it starts");
    pg::join("stock-undecided".to_owned(), vec![undecided.get_cell()]);
    let to = undecided.get_id().pid();
    let mut client = match is_stock {
        true => stock(&scene, "stock-asks").await,
        false => scene.guest(TransportKind::Tcp).await,
    };
    let before = Handle::current().metrics().num_alive_tasks();
    for tag in 1..=3 {
        let call = Call { to, what: Vec::new(), tag, timeout_ms: None, variant: "Sum".to_owned() };
        client.send(NodeBody::Call(call)).await;
    }
    let told = Cast { to, what: fields(1), variant: "Add".to_owned() };
    client.send(NodeBody::Cast(told)).await;
    soon(|| count.load(Ordering::SeqCst) != 0).await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
    assert!(Handle::current().metrics().num_alive_tasks() <= before);
    undecided.cast(Count::Blob(Vec::new())).expect("it lives");
    let mut answers = Vec::new();
    for _ in 0..2 {
        let NodeBody::Reply(reply) = message(&mut client).await else { panic!("an answer is due") };
        answers.push((reply.tag, u64::from_bytes(reply.what)));
    }
    assert_eq!(answers, [(1, 1), (2, 2)]);
    undecided.stop(None);
    watched(handle).await.expect("it stops");
    scene.end().await;
}

/// An actor learns that a caller has given up, as in stock.
#[tokio::test]
async fn a_stock_nodes_call_is_over_with_its_timeout() {
    let scene = Scene::start("stock-hurries").await;
    let count = Arc::new(AtomicU64::new(u64::MAX));
    let (undecided, handle) =
        Actor::spawn(None, Undecided(count.clone()), ()).await.expect("it starts");
    pg::join("stock-hurried".to_owned(), vec![undecided.get_cell()]);
    let to = undecided.get_id().pid();
    let mut client = stock(&scene, "stock-hurries").await;
    for (tag, timeout_ms) in [(1, Some(60_000)), (2, Some(1)), (3, None)] {
        let call = Call { to, what: Vec::new(), tag, timeout_ms, variant: "Sum".to_owned() };
        client.send(NodeBody::Call(call)).await;
    }
    let told = Cast { to, what: fields(1), variant: "Add".to_owned() };
    client.send(NodeBody::Cast(told)).await;
    // All three have come by then.
    soon(|| count.load(Ordering::SeqCst) != u64::MAX).await;
    soon(|| {
        undecided.cast(Count::Add(1)).expect("it lives");
        count.load(Ordering::SeqCst) == 2
    })
    .await;
    undecided.stop(None);
    watched(handle).await.expect("it stops");
    scene.end().await;
}

/// The fields of a message with one number.
fn fields(number: u64) -> Vec<u8> {
    [8_u64.to_be_bytes(), number.to_be_bytes()].concat()
}
