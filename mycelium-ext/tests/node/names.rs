//! Names in the whole cluster, of nodes of one process. `tests/names` has several processes.

use std::pin::Pin;
use std::task::Poll;

use mycelium_ext::names::{FencingNumber, Holder, Names, RegisterError, Registration, Released};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::{RactorClusterMessage, RactorMessage};

use super::members::{member, sees};
use super::*;

#[derive(RactorClusterMessage, Debug)]
pub(super) enum Ask {
    /// What it was started with.
    #[rpc]
    Number(RpcReplyPort<u64>),
}

pub(super) struct Answers;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Answers {
    type Msg = Ask;
    type State = u64;
    type Arguments = u64;

    async fn pre_start(&self, _: ActorRef<Ask>, number: u64) -> Result<u64, ActorProcessingErr> {
        Ok(number)
    }

    async fn handle(
        &self,
        _: ActorRef<Ask>,
        Ask::Number(reply): Ask,
        number: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        Ok(reply.send(*number)?)
    }
}

#[derive(RactorMessage, Debug)]
pub(super) struct Local;

pub(super) struct Silent;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Silent {
    type Msg = Local;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Local>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

pub(super) async fn answers(number: u64) -> ActorRef<Ask> {
    Actor::spawn(None, Answers, number).await.expect("it starts").0
}

pub(super) async fn number(actor: &ActorRef<Ask>) -> u64 {
    soon(actor.call(Ask::Number, None)).await.expect("it is sent").expect("an answer")
}

pub(super) fn names(node: &Node) -> &Names {
    node.names().expect("it has a cluster")
}

/// Waits until a node knows, or does not know any more, who has a name.
pub(super) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await
}

/// Registers an actor when the node has heard that the name is free. A reference to an actor that
/// has stopped is of no use before that.
async fn when_free(node: &Node, name: &str, actor: &ActorRef<Ask>) -> Registration {
    soon(async {
        loop {
            match names(node).register(name, actor).await {
                Ok(registration) => return registration,
                Err(error) => assert!(matches!(error, RegisterError::Taken { .. }), "{error}"),
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    })
    .await
}

/// Polls once.
async fn is_pending<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *future).poll(context).is_pending()))
        .await
}

/// Three nodes that see each other.
pub(super) async fn three() -> [Node; 3] {
    let a = member("a", None).await;
    let nodes = [member("b", Some(&a)).await, member("c", Some(&a)).await];
    let [b, c] = nodes;
    for node in [&a, &b, &c] {
        sees(node, &["a", "b", "c"]).await;
    }
    [a, b, c]
}

#[tokio::test]
async fn a_name_leads_to_its_actor_on_each_node_until_the_actor_ends() {
    let nodes = three().await;
    let actor = answers(7).await;
    let mut registration =
        soon(names(&nodes[1]).register("archive", &actor)).await.expect("it is free");
    assert_eq!(registration.name(), "archive");
    for node in &nodes {
        let found = soon(names(node).wait_for::<Ask>("archive")).await.expect("it is of this type");
        assert_eq!(number(&found).await, 7);
        let Holder { node, number, .. } = names(node).holder("archive").expect("it is known");
        assert_eq!((&*node, number), ("b@test", registration.number()));
        assert_eq!(names(&nodes[0]).list().len(), 1);
    }
    let wrong = names(&nodes[0]).where_is::<Local>("archive").expect_err("it is of another type");
    assert!(wrong.found.ends_with("Ask") && wrong.expected.ends_with("Local"), "{wrong}");
    assert!(wrong.to_string().contains("b@test"), "{wrong}");

    // It is taken on each node, and the error says by which.
    let second = answers(8).await;
    for node in &nodes {
        let error = soon(names(node).register("archive", &second)).await.expect_err("it is taken");
        let RegisterError::Taken { holder, is_held, .. } = &error else { panic!("{error}") };
        assert_eq!((&**holder, *is_held), ("b@test", true));
        assert!(error.to_string().contains("b@test"), "{error}");
    }
    actor.stop(None);
    assert_eq!(soon(registration.released()).await, Released::ActorStopped);
    until(|| names(&nodes[2]).holder("archive").is_none().then_some(())).await;
    let again = when_free(&nodes[2], "archive", &second).await;
    assert!(again.number() > registration.number());

    // It is not given up with the registration, and by `unregister`.
    drop(again);
    soon(names(&nodes[0]).wait_for::<Ask>("archive")).await.expect("it is of this type");
    assert!(!names(&nodes[0]).unregister("archive"), "it is another node's");
    assert!(names(&nodes[2]).unregister("archive"));
    until(|| names(&nodes[0]).holder("archive").is_none().then_some(())).await;
    let third = soon(names(&nodes[0]).register("archive", &second)).await.expect("it is free");
    third.unregister();
    assert!(names(&nodes[0]).holder("archive").is_none());
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn of_nodes_that_ask_at_once_one_gets_the_name() {
    let nodes = three().await;
    for round in 0..10_u64 {
        let name = format!("race-{round}");
        let [one, two, three] = [answers(0).await, answers(1).await, answers(2).await];
        let asked = soon(async {
            tokio::join!(
                names(&nodes[0]).register(&name, &one),
                names(&nodes[1]).register(&name, &two),
                names(&nodes[2]).register(&name, &three),
            )
        })
        .await;
        let asked: [Result<_, _>; 3] = asked.into();
        let winner = asked.iter().position(Result::is_ok).expect("one gets it");
        assert_eq!(asked.iter().filter(|it| it.is_ok()).count(), 1, "{asked:?}");
        for error in asked.iter().filter_map(|it| it.as_ref().err()) {
            assert!(matches!(error, RegisterError::Taken { .. }), "{error}");
        }
        for node in &nodes {
            let found = soon(names(node).wait_for::<Ask>(&name)).await.expect("its type");
            assert_eq!(number(&found).await, winner as u64);
        }
    }
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_and_says_why() {
    let a = member("a", None).await;
    let b = member("b", Some(&a)).await;
    let actor = answers(1).await;
    let of = |error: Result<_, RegisterError>| error.map(|_| ()).expect_err("it cannot be");
    for name in ["", "a\nb", &"x".repeat(256)] {
        let error = of(soon(names(&a).register(name, &actor)).await);
        assert_eq!(error, RegisterError::Name { name: name.to_owned() });
    }
    let (silent, _) = Actor::spawn(None, Silent, ()).await.expect("it starts");
    let error = of(soon(names(&a).register("silent", &silent)).await);
    assert!(matches!(error, RegisterError::NoBytes { .. }), "{error}");
    let (stopped, end) = Actor::spawn(None, Answers, 1).await.expect("it starts");
    stopped.stop(None);
    soon(end).await.expect("it ends");
    let error = of(soon(names(&a).register("stopped", &stopped)).await);
    assert!(matches!(error, RegisterError::ActorStopped { .. }), "{error}");

    // A caller that does not wait any more does not get the name.
    for (one, other) in [(&a, &b), (&b, &a)] {
        soon(names(one).register(one.name(), &actor)).await.expect("it is free");
        soon(names(other).wait_for::<Ask>(one.name())).await.expect("its type");
    }
    let mut asked = Box::pin(names(&a).register("given up", &actor));
    assert!(is_pending(&mut asked).await, "the other node has not answered");
    drop(asked);
    let other = soon(names(&a).register("given up", &actor)).await.expect("it is free");
    // And does not take it from a later one.
    let (short, _) = Actor::spawn(None, Answers, 2).await.expect("it starts");
    let mut asked = Box::pin(names(&b).register("late", &short));
    assert!(is_pending(&mut asked).await, "the other node has not answered");
    short.stop(None);
    let later = when_free(&b, "late", &actor).await;
    drop(asked);
    assert_eq!(names(&b).holder("late").map(|it| it.number), Some(later.number()));
    b.stop().await;
    let handle = names(&a).clone();
    let mut released = other;
    a.stop().await;
    assert_eq!(soon(released.released()).await, Released::NodeStopped);
    let error = of(soon(handle.register("late", &actor)).await);
    assert!(matches!(error, RegisterError::NodeStopped { .. }), "{error}");
    let plain = started(node("plain")).await;
    assert!(plain.names().is_none());
    plain.stop().await;
}

#[tokio::test]
async fn the_names_of_a_node_that_stops_are_free_at_once() {
    let [a, b, c] = three().await;
    let actor = answers(1).await;
    let registration = soon(names(&b).register("archive", &actor)).await.expect("it is free");
    soon(names(&a).wait_for::<Ask>("archive")).await.expect("its type");
    b.stop().await;
    until(|| names(&a).holder("archive").is_none().then_some(())).await;
    let again = soon(names(&a).register("archive", &actor)).await.expect("it is free");
    assert!(again.number() > registration.number());
    for node in [a, c] {
        node.stop().await;
    }
}

#[test]
fn a_number_is_a_field_of_a_message() {
    use ractor::BytesConvertable;

    let number = FencingNumber::new(7, u64::MAX);
    let bytes = BytesConvertable::into_bytes(number);
    assert_eq!(<FencingNumber as BytesConvertable>::from_bytes(bytes), number);
}
