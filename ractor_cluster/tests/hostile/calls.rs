//! Calls that no actor answers, and more calls than the limit allows.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ractor::{pg, Actor, ActorProcessingErr, ActorRef, MessagingErr, RpcReplyPort};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;
use tokio::runtime::Handle;

use crate::client::Client;
use crate::common::watched;
use crate::scene::{Count, Scene};
use crate::wire::{self, Call, ControlBody, Frame, NodeBody, PgJoin};

/// Keeps who asks waiting as long as it lives, or until it is sent a blob. Asked to add something,
/// it tells how many wait.
#[derive(Default)]
pub struct Undecided(pub Arc<AtomicU64>);

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
            Count::Sum(port) | Count::Work(port) => asked.push(port),
            Count::Add(_) => {
                let open = asked.iter().filter(|port| !port.is_closed()).count();
                self.0.store(open as u64, Ordering::SeqCst);
            }
            Count::Blob(_) => {
                for (port, sum) in asked.drain(..).zip(1..) {
                    port.send(sum)?;
                }
            }
        }
        Ok(())
    }
}

async fn ask(client: &mut Client, to: u64, tag: u64) {
    ask_within(client, to, tag, None).await;
}

async fn ask_within(client: &mut Client, to: u64, tag: u64, timeout_ms: Option<u64>) {
    let call = Call { to, what: Vec::new(), tag, timeout_ms, variant: "Sum".to_owned() };
    let envelope = client.envelope(NodeBody::Call(call));
    client.send(Frame::Envelope(envelope)).await;
}

/// Each caller is told, by whatever its call comes to nothing, and no task waits for the answer.
#[tokio::test]
async fn who_gets_no_answer_is_told() {
    let options = LinkOptions::default().with_max_calls(2);
    let mut scene = Scene::with("undecided", options).await;
    let (undecided, handle) =
        Actor::spawn(None, Undecided::default(), ()).await.expect("it starts");
    pg::join("undecided".to_owned(), vec![undecided.get_cell()]);
    let mut client = scene.guest(TransportKind::Tcp).await;
    // There is no such actor.
    ask(&mut client, u64::MAX, 1).await;
    assert_eq!(client.unanswered().await, 1);
    let before = Handle::current().metrics().num_alive_tasks();
    for tag in 2..=4 {
        ask(&mut client, undecided.get_id().pid(), tag).await;
    }
    // Two wait, and that is as many as may.
    assert_eq!(client.unanswered().await, 4);
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
    undecided.stop(None);
    watched(handle).await.expect("it stops");
    assert_eq!([client.unanswered().await, client.unanswered().await], [2, 3]);
    // There is room again.
    client.call(scene.counter(), "Sum").await;
    scene.end().await;
}

/// An actor learns that a caller has given up, as in stock, and the call makes room for another.
#[tokio::test]
async fn a_call_is_over_with_its_timeout() {
    let options = LinkOptions::default().with_max_calls(3);
    let mut scene = Scene::with("hurries", options).await;
    let open = Arc::new(AtomicU64::new(u64::MAX));
    let (undecided, handle) =
        Actor::spawn(None, Undecided(open.clone()), ()).await.expect("it starts");
    pg::join("hurried".to_owned(), vec![undecided.get_cell()]);
    let to = undecided.get_id().pid();
    let mut client = scene.guest(TransportKind::Tcp).await;
    for (tag, timeout_ms) in [(1, Some(60_000)), (2, Some(1)), (3, None)] {
        ask_within(&mut client, to, tag, timeout_ms).await;
    }
    // The fourth finds no room, so that the others have come.
    ask(&mut client, to, 4).await;
    assert_eq!(client.unanswered().await, 4);

    let two_are_open = async {
        while open.load(Ordering::SeqCst) != 2 {
            undecided.cast(Count::Add(1)).expect("it lives");
            tokio::task::yield_now().await;
        }
    };
    watched(two_are_open).await;
    // It answers all of them, and hears at the second that its caller has given up.
    undecided.cast(Count::Blob(Vec::new())).expect("it lives");
    watched(handle).await.expect("it fails, and ends");
    assert_eq!([client.unanswered().await, client.unanswered().await], [2, 3]);
    scene.end().await;
}

/// Who calls a peer that answers nothing gets its message back, once enough calls wait.
#[tokio::test]
async fn a_peer_that_answers_nothing_is_asked_so_often() {
    let options = LinkOptions::default().with_max_calls(2);
    let mut scene = Scene::with("unheard", options).await;
    let mut client = scene.guest(TransportKind::Tcp).await;
    let (group, scope) = ("unheard".to_owned(), pg::DEFAULT_SCOPE.to_owned());
    let actors = vec![wire::Actor { pid: 7, name: None }];
    let join = ControlBody::PgJoin(PgJoin { group: group.clone(), actors, scope });
    let envelope = client.envelope(join);
    client.send(Frame::Envelope(envelope)).await;
    let proxy = watched(async {
        loop {
            if let Some(proxy) = pg::get_members(&group).pop() {
                return ActorRef::<Count>::from(proxy);
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut nobody = Context::from_waker(Waker::noop());
    let mut calls: Vec<_> = (0..3).map(|_| Box::pin(proxy.call(Count::Sum, None))).collect();
    for call in &mut calls[..2] {
        assert!(call.as_mut().poll(&mut nobody).is_pending());
    }
    let third = calls[2].as_mut().poll(&mut nobody);
    assert!(matches!(third, Poll::Ready(Err(MessagingErr::SendErr(Count::Sum(_))))), "{third:?}");
    scene.end().await;
}
