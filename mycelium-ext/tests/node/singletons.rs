//! Singletons of nodes of one process. `tests/names` has several processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mycelium_ext::singleton::{self, FencingNumber, Offer, OfferError, Place, SendError};
use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus, SpawnErr};
use tokio::sync::watch;

use super::members::{member, sees};
use super::names::{Answers, Ask, Local, names, number, three, until};
use super::*;

async fn spawn(node: u64) -> Result<ActorRef<Ask>, SpawnErr> {
    Actor::spawn(None, Answers, node).await.map(|(actor, _)| actor)
}

/// Offers a singleton that answers with the number of its node.
fn offer(node: &Node, place: u64, name: &str) -> Offer<Ask> {
    singleton::offer(names(node), name, move |_| spawn(place)).expect("it may")
}

async fn place(node: &Node, name: &str) -> Place<Ask> {
    soon(singleton::find::<Ask>(names(node), name).running()).await.expect("its type")
}

/// Waits until a node knows a later start.
async fn after(node: &Node, name: &str, before: FencingNumber) -> Place<Ask> {
    let clock = singleton::find::<Ask>(names(node), name);
    until(|| clock.place().expect("its type").filter(|place| place.number > before)).await
}

fn index(place: &Place<Ask>) -> usize {
    ["a@test", "b@test", "c@test"].iter().position(|it| **it == *place.node).expect("one of three")
}

#[tokio::test]
async fn a_singleton_runs_once_and_moves_when_its_node_stops_or_withdraws() {
    let mut nodes: Vec<_> = three().await.into_iter().map(Some).collect();
    let mut offers: Vec<_> = nodes
        .iter()
        .flatten()
        .zip(0..)
        .map(|(it, place)| Some(offer(it, place, "clock")))
        .collect();
    let at = |nodes: &[Option<Node>]| nodes.iter().position(Option::is_some).expect("one is left");
    let first = place(nodes[0].as_ref().expect("it runs"), "clock").await;
    for node in nodes.iter().flatten() {
        // Each node knows the same.
        let known = place(node, "clock").await;
        assert_eq!((&known.node, known.number), (&first.node, first.number));
        assert_eq!(number(&known.actor).await, index(&first) as u64);
    }
    // Its node stops, and with it the actor, before another one begins.
    soon(nodes[index(&first)].take().expect("it runs").stop()).await;
    assert!(first.actor.get_status() >= ActorStatus::Stopping, "{:?}", first.actor.get_status());
    let left = at(&nodes);
    let second = after(nodes[left].as_ref().expect("it runs"), "clock", first.number).await;
    assert_ne!(second.node, first.node);
    let reference = offers[left].as_ref().expect("it is offered").reference().clone();
    assert_eq!(number(&second.actor).await, index(&second) as u64);
    // The offer is withdrawn.
    soon(offers[index(&second)].take().expect("it is offered").withdraw()).await;
    assert!(second.actor.get_status() >= ActorStatus::Stopping);
    let third = after(nodes[left].as_ref().expect("it runs"), "clock", second.number).await;
    assert_ne!(third.node, second.node);
    // No node offers it any more.
    drop(offers);
    until(|| reference.place().expect("its type").is_none().then_some(())).await;
    let error = reference.cast(Ask::Number(ractor::concurrency::oneshot().0.into()));
    assert!(matches!(error, Err(SendError::NotRunning { .. })), "{error:?}");
    for node in nodes.into_iter().flatten() {
        node.stop().await;
    }
}

/// Stops when it may.
struct Slow(watch::Receiver<bool>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Slow {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Ask>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.0.clone().wait_for(|may| *may).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_node_stops_when_its_singleton_has_and_no_other_runs_it_before() {
    let a = member("a", None).await;
    let b = member("b", Some(&a)).await;
    for node in [&a, &b] {
        sees(node, &["a", "b"]).await;
    }
    let (may_stop, may) = watch::channel(false);
    let on_a = singleton::offer(names(&a), "clock", move |_| {
        let slow = Slow(may.clone());
        async move { Actor::spawn(None, slow, ()).await.map(|(actor, _)| actor) }
    })
    .expect("it may");
    let first = place(&b, "clock").await;
    let on_b = offer(&b, 1, "clock");
    let mut stopping = Box::pin(a.stop());
    let stopped = tokio::time::timeout(4 * SHORT, &mut stopping).await;
    assert!(stopped.is_err(), "its singleton has not stopped");
    assert_eq!(first.actor.get_status(), ActorStatus::Stopping);
    let known = singleton::find::<Ask>(names(&b), "clock").place().expect("its type");
    assert!(known.is_none_or(|it| it.number == first.number), "it runs twice");
    may_stop.send_replace(true);
    soon(stopping).await;
    let second = after(&b, "clock", first.number).await;
    assert_eq!(number(&second.actor).await, 1);
    drop((on_a, on_b));
    b.stop().await;
}

#[tokio::test]
async fn an_actor_that_ends_or_does_not_start_is_started_elsewhere() {
    let a = member("a", None).await;
    let b = member("b", Some(&a)).await;
    for node in [&a, &b] {
        sees(node, &["a", "b"]).await;
    }
    // On `a` it panics, or fails to start, and counts.
    let tried = Arc::new(AtomicU32::new(0));
    let counts = tried.clone();
    let may_start = Arc::new(AtomicBool::new(false));
    let may = may_start.clone();
    let on_a = singleton::offer(names(&a), "clock", move |_| {
        let count = counts.fetch_add(1, Ordering::SeqCst);
        let may = may.clone();
        async move {
            assert!(count != 0, "this panic is meant");
            if may.load(Ordering::SeqCst) {
                spawn(0).await
            } else {
                Err(SpawnErr::ActorAlreadyStarted)
            }
        }
    })
    .expect("it may");
    until(|| (tried.load(Ordering::SeqCst) >= 3).then_some(())).await;
    let on_b = offer(&b, 1, "clock");
    let first = place(&a, "clock").await;
    assert_eq!(&*first.node, "b@test");
    // It ends, and the other node starts it.
    may_start.store(true, Ordering::SeqCst);
    first.actor.stop(None);
    let second = after(&b, "clock", first.number).await;
    assert_eq!(number(&second.actor).await, index(&second) as u64);
    second.actor.kill();
    after(&a, "clock", second.number).await;
    drop((on_a, on_b));
    for node in [a, b] {
        node.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_offered_is_refused_and_says_why() {
    let a = member("a", None).await;
    let names = names(&a).clone();
    let of = |offer: Result<Offer<Ask>, _>| offer.map(drop).expect_err("it cannot be");
    let error = of(singleton::offer(&names, "", |_| spawn(0)));
    assert_eq!(error, OfferError::Name { name: String::new() });
    let kept = offer(&a, 0, "clock");
    let error = of(singleton::offer(&names, "clock", |_| spawn(0)));
    assert!(matches!(error, OfferError::Twice { .. }), "{error}");
    let local = singleton::offer::<Local, _, _>(&names, "local", async |_| unreachable!());
    assert!(matches!(local, Err(OfferError::NoBytes { .. })), "{local:?}");
    // Its type is compared.
    place(&a, "clock").await;
    let wrong = singleton::find::<Local>(&names, "clock").cast(Local);
    assert!(matches!(wrong, Err(SendError::WrongType { .. })), "{wrong:?}");
    // It can be offered again.
    soon(kept.withdraw()).await;
    let again = offer(&a, 0, "clock");
    a.stop().await;
    drop(again);
    let error = of(singleton::offer(&names, "late", |_| spawn(0)));
    assert!(matches!(error, OfferError::NodeStopped { .. }), "{error}");
}
