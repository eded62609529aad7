//! Actors of another node that end: the supervisor and the monitors of a proxy are told the same as
//! those of the actor.
//!
//! The nodes are of one process and have a link by TCP between them. Each of them announces all
//! actors of the process, so that every actor has a proxy at either end of the session.

mod common;

use std::sync::Arc;

use common::witness::{witness, Nothing, Told};
use common::{until, watched, Node, Stage};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};
use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::peers;
use ractor_cluster::RactorClusterMessage;
use tokio::sync::{mpsc, Mutex, Semaphore};
use tokio::task::yield_now;

#[derive(RactorClusterMessage)]
enum Fate {
    Fail(String),
    Panic(String),
}

/// Ends as it is told, or before it handles anything.
struct Mortal {
    /// Where it has one it fails before it handles a message, once this is open.
    gate: Option<Arc<Semaphore>>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Mortal {
    type Msg = Fate;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Fate>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Fate>,
        fate: Fate,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match fate {
            Fate::Fail(text) => Err(text.into()),
            Fate::Panic(text) => panic!("{text}"),
        }
    }

    async fn post_start(&self, _: ActorRef<Fate>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let Some(gate) = &self.gate else { return Ok(()) };
        gate.acquire().await?.forget();
        Err("it never started".into())
    }
}

/// Those who watch one proxy.
struct Watchers {
    supervisor: (ActorRef<Nothing>, mpsc::UnboundedReceiver<Told>),
    #[cfg(feature = "monitors")]
    monitor: (ActorRef<Nothing>, mpsc::UnboundedReceiver<Told>),
}

impl Watchers {
    async fn of(proxy: &ActorCell) -> Self {
        let supervisor = witness().await;
        proxy.link(supervisor.0.get_cell());
        #[cfg(feature = "monitors")]
        let monitor = witness().await;
        #[cfg(feature = "monitors")]
        monitor.0.monitor(proxy.clone());
        Self {
            supervisor,
            #[cfg(feature = "monitors")]
            monitor,
        }
    }

    /// What the supervisor is told. The monitor is told the same, as text.
    async fn told(mut self) -> Told {
        let told = watched(self.supervisor.1.recv()).await.expect("it watches");
        self.supervisor.0.stop(None);
        #[cfg(feature = "monitors")]
        {
            let other = watched(self.monitor.1.recv()).await.expect("it watches");
            let as_text = match told.clone() {
                Told::Failed { text, .. } => Told::Failed { text, panic: None },
                terminated => terminated,
            };
            assert_eq!(other, as_text);
            self.monitor.0.stop(None);
        }
        told
    }
}

/// The proxies of an actor of this process.
fn proxies(actor: &ActorCell) -> Vec<ActorCell> {
    let name = actor.get_name().expect("it has one");
    peers::list().into_iter().filter_map(|peer| peers::where_is(peer.node_id, &name)).collect()
}

/// Nodes and peers are of the process: one test at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The one who connected, and the other.
async fn nodes() -> (Node, Node) {
    let remote = PeerPolicy::default().with_location(Location::Remote);
    let options = || {
        let options = LinkOptions::default();
        options.with_peer(Peer::named("first"), remote).with_peer(Peer::named("second"), remote)
    };
    let mut first = Node::start("first", options()).await;
    let mut second = Node::start("second", options()).await;
    first.connect(&second).await;
    first.next(Stage::Ready).await;
    second.next(Stage::Ready).await;
    until("both know each other", || peers::list().len() == 2).await;
    (first, second)
}

async fn stop(first: Node, second: Node) {
    first.stop().await;
    second.stop().await;
    until("no peer is left", || peers::list().is_empty()).await;
}

/// An actor and those who watch its two proxies: at the end that connected, and at the other.
async fn watched_actor(
    name: &str,
    gate: Option<Arc<Semaphore>>,
) -> (ActorRef<Fate>, Vec<Watchers>) {
    let mortal = Mortal { gate };
    let (actor, _) = Actor::spawn(Some(name.to_owned()), mortal, ()).await.expect("it starts");
    let cell = actor.get_cell();
    let found = watched(async {
        loop {
            let found = proxies(&cell);
            if found.len() == 2 {
                return found;
            }
            yield_now().await;
        }
    })
    .await;
    assert_ne!(found[0].get_id(), found[1].get_id());
    let mut watchers = Vec::new();
    for proxy in &found {
        watchers.push(Watchers::of(proxy).await);
    }
    (actor, watchers)
}

fn failed(text: &str, panic: bool) -> Told {
    Told::Failed { text: text.to_owned(), panic: Some(panic) }
}

fn terminated(reason: Option<&str>) -> Told {
    Told::Terminated(reason.map(str::to_owned))
}

#[tokio::test]
async fn supervisors_and_monitors_of_proxies_are_told_why_an_actor_ended() {
    type End = fn(&ActorRef<Fate>);
    let _alone = ALONE.lock().await;
    let (first, second) = nodes().await;
    let fail: End = |it| it.cast(Fate::Fail("no such book".to_owned())).expect("it runs");
    let panic: End = |it| it.cast(Fate::Panic("a bad price".to_owned())).expect("it runs");
    let cases: [(&str, End, Told); 6] = [
        (
            "with-reason",
            |it| it.stop(Some("the day is over".to_owned())),
            terminated(Some("the day is over")),
        ),
        ("without-reason", |it| it.stop(None), terminated(None)),
        ("drained", |it| it.drain().expect("it runs"), terminated(Some("Drained"))),
        ("killed", |it| it.kill(), terminated(Some("killed"))),
        ("failed", fail, failed("no such book", false)),
        ("panicked", panic, failed("a bad price", true)),
    ];
    for (name, end, expected) in cases {
        let (actor, watchers) = watched_actor(name, None).await;
        end(&actor);
        for watchers in watchers {
            assert_eq!(watchers.told().await, expected, "{name}");
        }
    }
    stop(first, second).await;
}

#[tokio::test]
async fn a_long_text_is_cut_where_it_is_sent() {
    let _alone = ALONE.lock().await;
    let (first, second) = nodes().await;
    // A character of three bytes, which 1024 is no multiple of.
    let long = "\u{20ac}".repeat(100_000);
    let (actor, watchers) = watched_actor("wordy", None).await;
    actor.cast(Fate::Fail(long.clone())).expect("it runs");
    for watchers in watchers {
        let expected = failed(&long[..1023], false);
        assert_eq!(watchers.told().await, expected);
    }
    stop(first, second).await;
}

#[tokio::test]
async fn an_actor_that_fails_before_it_handles_a_message_is_no_exception() {
    let _alone = ALONE.lock().await;
    let (first, second) = nodes().await;
    let gate = Arc::new(Semaphore::new(0));
    let (_, watchers) = watched_actor("stillborn", Some(gate.clone())).await;
    gate.add_permits(1);
    for watchers in watchers {
        assert_eq!(watchers.told().await, failed("it never started", false));
    }
    stop(first, second).await;
}

/// The session tells why it ended, and the actors live on.
#[tokio::test]
async fn the_end_of_a_node_is_told_with_its_reason() {
    let _alone = ALONE.lock().await;
    let (first, second) = nodes().await;
    let (actor, watchers) = watched_actor("survivor", None).await;
    first.stop().await;
    for watchers in watchers {
        let Told::Terminated(Some(reason)) = watchers.told().await else {
            panic!("a node that ends is no failure of its actors");
        };
        let peer = if reason.contains("first@") { "it left" } else { "its session ended" };
        assert!(reason.starts_with(peers::GONE) && reason.contains(peer), "{reason}");
    }
    actor.stop(None);
    second.stop().await;
    until("no peer is left", || peers::list().is_empty()).await;
}
