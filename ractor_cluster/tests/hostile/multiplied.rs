//! Peers that know the cookie, and send little that becomes much: lists of actors beside one
//! message.

use ractor::{call, pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::link::{dead_letters, Cause};
use ractor_cluster::transport::TransportKind;
use ractor_cluster::RactorClusterMessage;

use crate::common::watched;
use crate::letters::{letter, subscribe, Of};
use crate::logs::Mark;
use crate::scene::{Count, Scene, KINDS};
use crate::watchdog::watch;
use crate::wire::{ControlBody, Frame, PgJoin};

/// Sums the bytes that it is sent. Actors cannot share its messages, so each gets a copy.
struct Owner;

#[derive(RactorClusterMessage)]
enum Owned {
    Blob(Vec<u8>),
    #[rpc]
    Bytes(RpcReplyPort<u64>),
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Owner {
    type Msg = Owned;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Owned>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Owned>,
        message: Owned,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Owned::Blob(bytes) => *sum += bytes.len() as u64,
            Owned::Bytes(reply) => reply.send(*sum)?,
        }
        Ok(())
    }
}

struct Owners(Vec<ActorRef<Owned>>);

impl Owners {
    async fn start(count: usize) -> Self {
        let mut owners = Vec::new();
        for _ in 0..count {
            owners.push(Actor::spawn(None, Owner, ()).await.expect("it starts").0);
        }
        Self(owners)
    }

    fn pids(&self) -> Vec<u64> {
        self.0.iter().map(|owner| owner.get_id().pid()).collect()
    }

    /// The bytes that all of them were sent.
    async fn sum(&self) -> u64 {
        let mut sum = 0;
        for owner in &self.0 {
            sum += watched(async { call!(owner, Owned::Bytes) }).await.expect("it runs");
        }
        sum
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        self.0.iter().for_each(|owner| owner.stop(None));
    }
}

/// The argument of a blob of so many bytes, as a frame has it.
fn blob(bytes: usize) -> Vec<u8> {
    [(bytes as u64).to_be_bytes().as_slice(), &vec![7; bytes]].concat()
}

#[tokio::test]
async fn a_list_that_repeats_an_actor_is_refused_as_a_whole() {
    let mut scene = Scene::start("repeated").await;
    let owners = Owners::start(2).await;
    let [one, other] = owners.pids()[..] else { panic!("there are two") };
    for kind in KINDS {
        for list in [vec![one; 500], vec![one, other, one]] {
            let mut guest = scene.guest(kind).await;
            let log = Mark::of(&scene.log);
            watch(async {
                guest.many(&list, "Blob", &blob(40_000)).await;
                guest.closed().await;
            })
            .await;
            log.told(&format!("goes to actor {one} twice"), "guest").await;
        }
    }
    assert_eq!(owners.sum().await, 0);
    scene.end().await;
}

#[tokio::test]
async fn a_list_is_no_longer_than_a_list_may_be() {
    let mut scene = Scene::start("long-list").await;
    for kind in KINDS {
        let mut guest = scene.guest(kind).await;
        let log = Mark::of(&scene.log);
        let list: Vec<u64> = (1..=513).collect();
        watch(async {
            guest.many(&list, "Add", &[]).await;
            guest.closed().await;
        })
        .await;
        log.told("a message goes to 513 actors", "guest").await;
    }
    scene.end().await;
}

/// Lists as long as they may be, of actors that there are not, one behind the other: others have
/// their turns in between.
#[tokio::test]
async fn a_burst_of_long_lists_stalls_nothing() {
    let mut scene = Scene::start("burst").await;
    let list: Vec<u64> = (1 << 40..(1 << 40) + 512).collect();
    for kind in KINDS {
        let mut guest = scene.guest(kind).await;
        watch(async {
            for _ in 0..1600 {
                guest.many(&list, "Add", &[]).await;
            }
            guest.call(scene.counter(), "Sum").await;
        })
        .await;
    }
    scene.end().await;
}

/// One message of 60,000 bytes for 400 actors would become 24 million.
#[tokio::test]
async fn copies_of_one_message_have_a_bound() {
    const BYTES: usize = 60_000;
    const BOUND: u64 = (ractor::remoting::MAX_COPIES + 2 * BYTES) as u64;
    let mut scene = Scene::start("copies").await;
    let owners = Owners::start(400).await;
    let refused = || {
        let counts = dead_letters();
        counts.iter().find(|(cause, _)| *cause == Cause::TooManyCopies).expect("it is counted").1
    };
    let before = refused();
    let mut letters = subscribe();
    let mut guest = scene.guest(TransportKind::Tcp).await;
    watch(async {
        guest.many(&owners.pids(), "Blob", &blob(BYTES)).await;
        guest.call(scene.counter(), "Sum").await;
    })
    .await;
    let sum = owners.sum().await;
    assert!(sum > BOUND - 4 * BYTES as u64 && sum <= BOUND, "{sum} bytes were made of {BYTES}");
    let handled = sum / BYTES as u64;
    assert_eq!(refused() - before, 400 - handled);
    let last = owners.pids()[399];
    letter(&mut letters, ractor::errors::UndeliveredCause::TooManyCopies, Of::Actor(last)).await;
    // What fits goes to all of them.
    guest.many(&owners.pids(), "Blob", &blob(100)).await;
    guest.call(scene.counter(), "Sum").await;
    assert_eq!(owners.sum().await, sum + 400 * 100);
    drop(guest);
    scene.end().await;
}

/// A node splits its own lists, so that none of its frames is refused by another one.
#[tokio::test]
async fn a_node_sends_lists_that_others_take() {
    const MEMBERS: u64 = 5000;
    let mut scene = Scene::start("split-list").await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    let group = "many of split-list".to_owned();
    let actors = (1..=MEMBERS).map(|pid| crate::wire::Actor { pid, name: None }).collect();
    let scope = pg::DEFAULT_SCOPE.to_owned();
    let join = ControlBody::PgJoin(PgJoin { group: group.clone(), actors, scope });
    let envelope = guest.envelope(join);
    guest.send(Frame::Envelope(envelope)).await;
    guest.call(scene.counter(), "Sum").await;
    watched(async {
        while pg::get_members(&group).len() < MEMBERS as usize {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let broadcast = pg::broadcast_arc(&group, std::sync::Arc::new(Count::Add(1)));
    assert!(broadcast.failed().is_empty(), "{} failed", broadcast.failed().len());
    let mut told = Vec::new();
    while told.len() < MEMBERS as usize {
        let sent = guest.sent().await;
        assert!(sent.to.len() <= 512, "{} actors in one frame", sent.to.len());
        told.extend(sent.to);
    }
    told.sort_unstable();
    assert!(told.into_iter().eq(1..=MEMBERS));
    drop(guest);
    scene.end().await;
}
