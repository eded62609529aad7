//! A node that is restarted: it has a teller, offers to run the clerk, and asks for the desk.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

use mycelium_ext::config::ClusterSettings;
use mycelium_ext::names::Names;
use mycelium_ext::node::{Listen, Node};
use mycelium_ext::singleton::{self, FencingNumber, SingletonRef};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;
use tokio::sync::watch;

use crate::LONG;
use crate::book::{Post, Write};

/// Between two attempts at something that is not to be had at the moment.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// What tellers and the clerk are asked.
#[derive(RactorClusterMessage)]
pub(crate) enum Order {
    /// Has an order written; whether it was.
    #[rpc]
    Place(u64, RpcReplyPort<bool>),
}

/// Asks an actor; `None` where it has no answer, since it or its node has ended.
async fn ask<M: ractor::Message, T: Send + 'static>(
    actor: &ActorRef<M>,
    message: impl FnOnce(RpcReplyPort<T>) -> M,
) -> Option<T> {
    let answer = actor.call(message, Some(LONG)).await.ok()?;
    answer.is_success().then(|| answer.unwrap())
}

/// Passes orders on to the clerk, wherever it runs.
struct Teller(SingletonRef<Order>);

impl Actor for Teller {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        Order::Place(order, reply): Order,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let written = match self.0.place()? {
            Some(clerk) => ask(&clerk.actor, |reply| Order::Place(order, reply)).await,
            None => None,
        };
        let _ = reply.send(written == Some(true));
        Ok(())
    }
}

/// The singleton. It sends its number with all that it writes.
struct Clerk {
    book: ActorRef<Write>,
    number: FencingNumber,
}

impl Clerk {
    async fn tell(&self, what: fn(Post, FencingNumber, RpcReplyPort<()>) -> Write) {
        // The book is out of reach when this node has lost the cluster.
        let _ = ask(&self.book, |reply| what(Post::Clerk, self.number, reply)).await;
    }
}

impl Actor for Clerk {
    type Msg = Order;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Order>, (): ()) -> Result<(), ActorProcessingErr> {
        self.tell(Write::Begins).await;
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        Order::Place(order, reply): Order,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let written = ask(&self.book, |reply| Write::Order(self.number, order, reply)).await;
        let _ = reply.send(written == Some(true));
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Order>, (): &mut ()) -> Result<(), ActorProcessingErr> {
        self.tell(Write::Ends).await;
        Ok(())
    }
}

/// The name of the teller of a node.
pub(crate) fn teller_of(node: &str) -> String {
    format!("the teller of {node}")
}

/// Has the desk whenever it is free, until the node stops.
async fn desk(
    names: Names,
    teller: ActorRef<Order>,
    book: ActorRef<Write>,
    mut stops: watch::Receiver<bool>,
) {
    while !*stops.borrow() {
        let asked = tokio::select! {
            asked = names.register("desk", &teller) => asked,
            _ = stops.changed() => return,
        };
        let Ok(mut held) = asked else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let number = held.number();
        let _ = ask(&book, |reply| Write::Begins(Post::Desk, number, reply)).await;
        tokio::select! {
            _ = held.released() => {}
            _ = stops.wait_for(|stops| *stops) => {}
        }
        // Before another one may have it.
        let _ = ask(&book, |reply| Write::Ends(Post::Desk, number, reply)).await;
        held.unregister();
    }
}

/// A node of the cluster of this seed.
pub(crate) async fn start(name: &str, listen: &str, seed: &str) -> Result<Node, Box<dyn Error>> {
    let mut cluster = ClusterSettings::default().with_seed(seed)?;
    // A program of its own needs no such hurry.
    cluster.pace.interval = Duration::from_millis(100).into();
    let began = std::time::Instant::now();
    loop {
        // In earnest the cookie comes from a file or a variable.
        let node = Node::builder(name).cookie("a cookie of some nodes").cluster(cluster.clone());
        match node.listen(Listen::tcp(listen)).start().await {
            Ok(node) => return Ok(node),
            // Something else may have had the port for a moment.
            Err(_) if began.elapsed() < LONG => tokio::time::sleep(10 * PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until a node sees so many members alive, itself included, and has sessions with them.
pub(crate) async fn sees(node: &Node, members: usize) -> Result<(), Box<dyn Error>> {
    let membership = node.membership().ok_or("the node has a cluster")?;
    let seen = async {
        let alive = |count: usize| count >= members;
        membership.wait_for(|all| alive(all.iter().filter(|it| it.state.is_alive()).count())).await;
        while node.peers().len() + 1 < members {
            tokio::time::sleep(PAUSE).await;
        }
    };
    Ok(tokio::time::timeout(LONG, seen).await?)
}

/// The process of a node. It stops in order when its input ends.
pub(crate) async fn run(
    name: &str,
    listen: &str,
    seed: &str,
    members: usize,
) -> Result<(), Box<dyn Error>> {
    let node = start(name, listen, seed).await?;
    // What it has not found before it gives out names is as if behind a partition.
    sees(&node, members).await?;
    let names = node.names().ok_or("the node has a cluster")?;
    let book = tokio::time::timeout(LONG, names.wait_for::<Write>("book")).await??;

    let clerk = singleton::find::<Order>(names, "clerk");
    let (teller, _) = Actor::spawn(None, Teller(clerk), ()).await?;
    let registration = names.register(&teller_of(name), &teller).await?;
    let of = book.clone();
    let offer = singleton::offer(names, "clerk", move |number| {
        let clerk = Clerk { book: of.clone(), number };
        async move { Actor::spawn(None, clerk, ()).await.map(|(clerk, _)| clerk) }
    })?;
    let (stop, stops) = watch::channel(false);
    let desk = tokio::spawn(desk(names.clone(), teller.clone(), book, stops));
    println!("ready");

    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    // What runs here ends before it begins elsewhere, and while the sessions are there.
    stop.send_replace(true);
    desk.await?;
    offer.withdraw().await;
    registration.unregister();
    teller.stop_and_wait(None, None).await?;
    node.stop().await;
    Ok(())
}
