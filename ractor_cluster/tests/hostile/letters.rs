//! Dead letters of messages that come from peers, or that peers do not get: each cause gives one,
//! with the actor or the node that it concerns.

use std::num::NonZeroUsize;
use std::sync::Arc;

use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::concurrency::JoinHandle;
use ractor::dead_letters::{DeadLetter, DeadLetters, Event, Options};
use ractor::errors::UndeliveredCause as Cause;
use ractor::{pg, Actor, ActorId, ActorProcessingErr, ActorRef};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;
use tokio::sync::Semaphore;

use crate::bounds::small;
use crate::client::Client;
use crate::common::{peer, watched};
use crate::greetings::add;
use crate::scene::{Count, Scene};
use crate::ways::announce;
use crate::wire::{
    ActorPreference, Announcement, Call, Cast, Enveloped, Frame, NodeBody, Preferences,
};

/// All letters of the process, without the messages: other tests run beside.
pub fn subscribe() -> DeadLetters {
    let many = NonZeroUsize::new(1 << 20).expect("it is some");
    Options::default().with_capacity(many).with_rate(None).with_messages(false).subscribe()
}

/// The next letter of this cause for this actor, or from this node.
pub async fn letter(letters: &mut DeadLetters, cause: Cause, of: Of) -> Arc<DeadLetter> {
    watched(async {
        loop {
            let letter = match letters.recv().await {
                Event::Letter(letter) => letter,
                Event::Missed(missed) => panic!("{missed} letters are missing"),
            };
            let is_of = match of {
                Of::Actor(pid) => letter.actor().is_some_and(|it| it.pid() == pid),
                Of::Node(node) => letter.node() == Some(node),
            };
            if is_of && letter.cause() == cause {
                return letter;
            }
        }
    })
    .await
}

#[derive(Clone, Copy)]
pub enum Of {
    Actor(u64),
    Node(u64),
}

pub fn node_of(name: &str) -> u64 {
    peer(name).expect("it is a peer").node_id
}

async fn send(client: &mut Client, body: NodeBody) {
    let envelope = client.envelope(body);
    client.send(Frame::Envelope(envelope)).await;
}

async fn ask(client: &mut Client, to: u64, variant: &str, tag: u64) {
    let (what, variant) = (Vec::new(), variant.to_owned());
    send(client, NodeBody::Call(Call { to, what, tag, timeout_ms: None, variant })).await;
}

/// Handles nothing before it is let, and keeps who asks waiting.
struct Gated(Arc<Semaphore>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Gated {
    type Msg = Count;
    type State = Vec<Count>;
    type Arguments = ();

    async fn pre_start(
        &self,
        _: ActorRef<Count>,
        (): (),
    ) -> Result<Vec<Count>, ActorProcessingErr> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        message: Count,
        kept: &mut Vec<Count>,
    ) -> Result<(), ActorProcessingErr> {
        self.0.acquire().await?.forget();
        kept.push(message);
        Ok(())
    }
}

async fn gated(config: ActorConfig) -> (ActorRef<Count>, JoinHandle<()>, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let spawned = Actor::spawn_with_config(None, Gated(gate.clone()), (), config).await;
    let (actor, ended) = spawned.expect("it starts");
    (actor, ended, gate)
}

#[tokio::test]
async fn what_a_peer_sends_in_vain_gives_letters() {
    let mut letters = subscribe();
    let options = LinkOptions::default().with_max_calls(1);
    let scene = Scene::with("letters", options).await;
    let mut client = scene.client(TransportKind::Tcp).await;
    client.join("letters").await;
    let node = node_of("letters");

    let missing = u64::MAX - 7;
    send(&mut client, add(missing, 1)).await;
    let it = letter(&mut letters, Cause::NoActor, Of::Actor(missing)).await;
    assert_eq!((it.actor(), it.node()), (Some(ActorId::Local(missing)), Some(node)));
    assert_eq!((it.message_type(), it.is_returned(), it.count()), ("", false, 1));

    let counter = scene.counter();
    let damaged = Cast { to: counter, what: vec![1], variant: "Add".to_owned() };
    send(&mut client, NodeBody::Cast(damaged)).await;
    let it = letter(&mut letters, Cause::NotDecodable, Of::Actor(counter)).await;
    assert!(it.message_type().ends_with("Count") && it.node() == Some(node), "{it}");

    // A mailbox for one message, and a peer that knows no credits.
    let one = ActorConfig::default().with_mailbox(Mailbox::bounded(1, Overflow::Reject));
    let (full, full_ended, gate) = gated(one).await;
    for _ in 0..3 {
        send(&mut client, add(full.get_id().pid(), 1)).await;
    }
    letter(&mut letters, Cause::Full, Of::Actor(full.get_id().pid())).await;
    full.drain().expect("it runs");
    send(&mut client, add(full.get_id().pid(), 1)).await;
    letter(&mut letters, Cause::Stopped, Of::Actor(full.get_id().pid())).await;
    gate.add_permits(10);
    watched(full_ended).await.expect("it ends in order");

    let (asked, asked_ended, gate) = gated(ActorConfig::default()).await;
    gate.add_permits(10);
    ask(&mut client, asked.get_id().pid(), "Sum", 1).await;
    ask(&mut client, asked.get_id().pid(), "Sum", 2).await;
    letter(&mut letters, Cause::TooManyCalls, Of::Actor(asked.get_id().pid())).await;
    asked.stop(None);
    watched(asked_ended).await.expect("it ends in order");
    drop(client);
    scene.end().await;
}

#[tokio::test]
async fn what_a_peer_sends_without_a_credit_gives_a_letter() {
    let mut letters = subscribe();
    let scene = Scene::start("letters-credit").await;
    let mut client = scene.client(TransportKind::Tcp).await;
    let announcement = Announcement { credits: Some(1), ..client.announcement() };
    let one = ActorConfig::default().with_mailbox(Mailbox::bounded(1, Overflow::Reject));
    let (full, ended, gate) = gated(one).await;
    client.join_as("letters-credit", announcement).await;
    for _ in 0..3 {
        send(&mut client, add(full.get_id().pid(), 1)).await;
    }
    letter(&mut letters, Cause::NoCredit, Of::Actor(full.get_id().pid())).await;
    gate.add_permits(10);
    full.stop(None);
    watched(ended).await.expect("it ends in order");
    drop(client);
    scene.end().await;
}

/// Cannot go to another node.
struct Local;

impl ractor::Message for Local {}

#[tokio::test]
async fn what_does_not_go_to_a_peer_gives_letters() {
    let mut letters = subscribe();
    let scene = Scene::start("letters-away").await;
    let mut client = small(&scene, "letters-away").await;
    let (node, most) = (node_of("letters-away"), 2048);
    // Pinned to shared memory: there is no such link.
    let actors = vec![ActorPreference { pid: 7701, preference: 2, urgent: false }];
    let envelope = client.envelope(Enveloped::Preferences(Preferences { actors }));
    client.send(Frame::Envelope(envelope)).await;
    let mut proxies = announce(&mut client, "letters-away", &[7700, 7701]).await;
    proxies.sort_by_key(|proxy| proxy.get_id().pid());
    let [proxy, pinned] = &proxies[..] else { panic!("there are two") };

    let blob = Arc::new(Count::Blob(vec![7; most]));
    let refused = proxy.cast_arc(blob).unwrap_err();
    let it = letter(&mut letters, Cause::TooLarge, Of::Actor(7700)).await;
    assert_eq!((it.actor(), it.is_returned()), (Some(refused.actor()), true));
    proxy.cast(Count::Blob(vec![7; most])).unwrap_err();
    letter(&mut letters, Cause::TooLarge, Of::Actor(7700)).await;

    ActorRef::<Local>::from(proxy.get_cell()).cast(Local).unwrap_err();
    letter(&mut letters, Cause::NotSerializable, Of::Actor(7700)).await;

    pinned.cast(Count::Add(1)).unwrap_err();
    letter(&mut letters, Cause::NoLink, Of::Actor(7701)).await;
    pinned.cast_arc(Arc::new(Count::Add(1))).unwrap_err();
    letter(&mut letters, Cause::NoLink, Of::Actor(7701)).await;

    pg::join("n".repeat(most * 2), vec![scene.actor().get_cell()]);
    letter(&mut letters, Cause::AnnouncementTooLarge, Of::Node(node)).await;

    // It is sent, and never acknowledged.
    proxy.cast(Count::Add(1)).expect("it is taken");
    client.sent().await;
    drop(client);
    let it = letter(&mut letters, Cause::Unacknowledged, Of::Node(node)).await;
    assert_eq!((it.count(), it.actor()), (1, None));
    scene.end().await;
}
