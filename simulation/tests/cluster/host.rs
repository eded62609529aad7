//! What runs on each host: an actor that wants the name, and an offer of the singleton.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mycelium_ext::names::Names;
use mycelium_ext::node::Node;
use mycelium_ext::singleton::{self, FencingNumber};
use mycelium_simulation::{Failure, Host};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_cluster::RactorClusterMessage;

use crate::book::{Book, Kind, Life, View};

const NAME: &str = "ledger";

const SINGLETON: &str = "clock";

/// What the hosts of a run share.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub(crate) book: Book,
    /// No host gives the name up by itself any more.
    pub(crate) is_settled: Arc<AtomicBool>,
}

#[derive(RactorClusterMessage)]
enum Beat {
    Beat,
}

/// Has a name, and does nothing else.
struct Ledger;

impl Actor for Ledger {
    type Msg = Beat;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Beat>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// The singleton. It uses a resource with a fence.
struct Clock {
    host: Host,
    name: &'static str,
    life: Life,
    names: Names,
    book: Book,
}

impl Clock {
    /// Whether this node takes it for the one that stays.
    fn stays(&self, number: FencingNumber) -> bool {
        self.names.holder(SINGLETON).is_some_and(|holder| holder.number == number)
    }
}

impl Actor for Clock {
    type Msg = Beat;
    type State = FencingNumber;
    type Arguments = FencingNumber;

    async fn pre_start(
        &self,
        myself: ActorRef<Beat>,
        number: FencingNumber,
    ) -> Result<FencingNumber, ActorProcessingErr> {
        self.host.record(format_args!("runs the singleton as {number}"));
        self.book.gets(Kind::Singleton, self.name, self.life, number);
        myself.send_interval(Duration::from_millis(200), || Beat::Beat);
        Ok(number)
    }

    async fn handle(
        &self,
        myself: ActorRef<Beat>,
        Beat::Beat: Beat,
        number: &mut FencingNumber,
    ) -> Result<(), ActorProcessingErr> {
        if !self.book.admits(*number) {
            self.host.record(format_args!("is fenced out as {number}"));
            if self.stays(*number) {
                // The other one may be gone. In its place this one is started anew.
                myself.stop(None);
            }
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<Beat>,
        number: &mut FencingNumber,
    ) -> Result<(), ActorProcessingErr> {
        self.host.record(format_args!("ran the singleton as {number}"));
        self.book.loses(Kind::Singleton, self.name, *number);
        Ok(())
    }
}

fn short(full_name: &str) -> String {
    full_name.split('@').next().unwrap_or_default().to_owned()
}

/// Wants the name, keeps it for a while, and wants it again.
async fn claim(host: Host, life: Life, names: Names, shared: Shared) -> Result<(), Failure> {
    let (actor, _) = Actor::spawn(None, Ledger, ()).await?;
    let name = crate::scene::known(host.name());
    loop {
        if let Ok(mut registration) = names.register(NAME, &actor).await {
            let number = registration.number();
            host.record(format_args!("has the name as {number}"));
            shared.book.gets(Kind::Name, name, life, number);
            loop {
                let while_kept = Duration::from_millis(100 + host.draw(1500));
                let released = tokio::time::timeout(while_kept, registration.released()).await;
                if let Ok(why) = released {
                    host.record(format_args!("has lost the name as {number}: {why}"));
                    break;
                }
                if !shared.is_settled.load(Ordering::Relaxed) {
                    host.record(format_args!("gives up the name as {number}"));
                    registration.unregister();
                    break;
                }
            }
            shared.book.loses(Kind::Name, name, number);
        }
        tokio::time::sleep(Duration::from_millis(10 + host.draw(60))).await;
    }
}

fn view(life: Life, node: &Node, names: &Names) -> View {
    let members = node.membership().map(|it| it.members()).unwrap_or_default();
    let members = members.iter().map(|it| (short(&it.name), (it.state, it.incarnation)));
    let holder = |(kind, name)| {
        let holder = names.holder(name)?;
        Some((kind, (short(&holder.node), holder.number)))
    };
    let holders: BTreeMap<_, _> =
        [(Kind::Name, NAME), (Kind::Singleton, SINGLETON)].into_iter().filter_map(holder).collect();
    let peers = node.peers().iter().map(|peer| short(&peer.name)).collect();
    View { life, members: members.collect(), peers, holders }
}

/// The software of each host.
pub(crate) async fn run(host: Host, node: Node, shared: Shared) -> Result<(), Failure> {
    let name = crate::scene::known(host.name());
    let (names, membership) = (node.names(), node.membership());
    let (names, membership) = names.zip(membership).ok_or("it is in no cluster")?;
    let own = membership.members().iter().find_map(|it| it.incarnation.filter(|_| it.is_this_node));
    let life = shared.book.starts(name, own.ok_or("it does not know itself")?);
    let (of, its_names, book) = (host.clone(), names.clone(), shared.book.clone());
    let _offer = singleton::offer(names, SINGLETON, move |number| {
        let (names, book) = (its_names.clone(), book.clone());
        let clock = Clock { host: of.clone(), name, life, names, book };
        async move { Actor::spawn(None, clock, number).await.map(|(clock, _)| clock) }
    })?;
    let claiming = tokio::spawn(claim(host.clone(), life, names.clone(), shared.clone()));
    let mut last = None;
    while !claiming.is_finished() {
        let view = view(life, &node, names);
        if last.as_ref() != Some(&view) {
            host.record(format_args!("sees {view:?}"));
            shared.book.sees(name, view.clone());
            last = Some(view);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    claiming.await?
}
