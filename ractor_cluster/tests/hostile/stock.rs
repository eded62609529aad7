//! Stock nodes, or who passes for one, that want more than is good for a node.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ractor::{
    pg, Actor, ActorProcessingErr, ActorRef, ActorStatus, BytesConvertable, MessagingErr,
};
use ractor::{RactorErr, RpcReplyPort};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;
use tokio::runtime::Handle;

use crate::client::Client;
use crate::common::watched;
use crate::logs::Mark;
use crate::scene::{Count, Scene};
use crate::wire::{self, Body, Call, CallReply, Cast, ControlBody, Network, NodeBody, PgJoin};

/// A stock node that knows of this node's actors.
async fn stock(scene: &Scene, name: &str) -> Client {
    let mut client = scene.client(TransportKind::Tcp).await;
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
    let (group, scope) = (group.to_owned(), pg::DEFAULT_SCOPE.to_owned());
    let actors = vec![wire::Actor { pid: 7, name: None }];
    client.send(ControlBody::PgJoin(PgJoin { group: group.clone(), actors, scope })).await;
    soon(|| !pg::get_members(&group).is_empty()).await;
    pg::get_members(&group).remove(0).into()
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
async fn message(client: &mut Client) -> NodeBody {
    let of_node = |frame: Network| match frame.body {
        Some(Body::Node(node)) => node.body,
        _ => None,
    };
    client.find(of_node).await
}

/// What waits for it has a bound beyond what the kernel takes, and there is room again when it reads.
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

/// Keeps who asks waiting, and counts them.
struct Undecided(Arc<AtomicU64>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Undecided {
    type Msg = Count;
    type State = Vec<RpcReplyPort<u64>>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<Count>,
        (): (),
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        message: Count,
        asked: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Count::Sum(port) => asked.push(port),
            Count::Add(_) => self.0.store(asked.len() as u64, Ordering::SeqCst),
            Count::Blob(_) => {
                for (port, sum) in asked.drain(..).zip(1..) {
                    port.send(sum)?;
                }
            }
        }
        Ok(())
    }
}

/// A stock node's calls take no task each, and no more than so many at a time.
#[tokio::test]
async fn a_stock_node_may_wait_for_so_many_answers() {
    let options = LinkOptions::default().with_max_calls(2);
    let scene = Scene::with("stock-asks", options).await;
    let count = Arc::new(AtomicU64::new(0));
    let (undecided, handle) =
        Actor::spawn(None, Undecided(count.clone()), ()).await.expect("it starts");
    pg::join("stock-undecided".to_owned(), vec![undecided.get_cell()]);
    let to = undecided.get_id().pid();
    let mut client = stock(&scene, "stock-asks").await;
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

/// The fields of a message with one number.
fn fields(number: u64) -> Vec<u8> {
    [8_u64.to_be_bytes(), number.to_be_bytes()].concat()
}
