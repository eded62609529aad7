//! An actor that has ended leaves no memory behind, also when a peer that sent to it sends nothing
//! more: what reads the peer's link has forgotten it.

use std::any::Any;
use std::sync::{Arc, Weak};

use ractor::actor::actor_config::Overflow;
use ractor::concurrency::Notify;
use ractor::inlet::{Delivery, Inlet, Owner, Refused};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_cluster::transport::TransportKind;
use tokio::sync::mpsc;

use crate::common::watched;
use crate::greetings::add;
use crate::scene::{Count, Scene};
use crate::wire::Frame;

/// A queue of messages that are never sent. It lives as long as there is anything of its actor.
struct Kept {
    _alive: Arc<()>,
    room: Notify,
}

struct Unsent;

impl Inlet<Unsent> for Kept {
    fn put(
        &self,
        message: Delivery<Unsent>,
        _: Owner<'_>,
    ) -> Result<Option<Overflow>, Refused<Unsent>> {
        Err(Refused::Stopped(message))
    }

    fn put_if_room(&self, message: Delivery<Unsent>, _: Owner<'_>) -> Result<(), Refused<Unsent>> {
        Err(Refused::Stopped(message))
    }

    fn has_room(&self) -> bool {
        true
    }

    fn room(&self) -> &Notify {
        &self.room
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Tells of each message that it has handled one.
struct Tells {
    handled: mpsc::UnboundedSender<()>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Tells {
    type Msg = Count;
    type State = ();
    type Arguments = Arc<()>;

    async fn pre_start(
        &self,
        myself: ActorRef<Count>,
        alive: Arc<()>,
    ) -> Result<(), ActorProcessingErr> {
        let kept: Arc<dyn Inlet<Unsent>> = Arc::new(Kept { _alive: alive, room: Notify::new() });
        myself.get_cell().set_inlet(kept);
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        _: Count,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(self.handled.send(())?)
    }
}

/// Starts an actor, has a peer send to it, and ends it.
async fn ended(client: &mut crate::client::Client) -> Weak<()> {
    let alive = Arc::new(());
    let left = Arc::downgrade(&alive);
    let (handled, mut messages) = mpsc::unbounded_channel();
    let (actor, handle) = Actor::spawn(None, Tells { handled }, alive).await.expect("it starts");
    let envelope = client.envelope(add(actor.get_id().pid(), 1));
    client.send(Frame::Envelope(envelope)).await;
    watched(messages.recv()).await.expect("it is handled");
    assert_eq!(left.strong_count(), 1, "it is the actor's");
    actor.stop(None);
    watched(handle).await.expect("it ends in order");
    left
}

#[tokio::test]
async fn an_actor_that_was_sent_to_last_leaves_nothing_when_it_ends() {
    let mut scene = Scene::start("forgets").await;
    let mut client = scene.guest(TransportKind::Tcp).await;
    // What came before the peer's actors were announced is all handled.
    client.call(scene.counter(), "Sum").await;
    for _ in 0..2 {
        let left = ended(&mut client).await;
        // Its end and the turn of reading are no events that could be waited for.
        watched(async {
            while left.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    scene.end().await;
}
