//! Processes that attack the cluster: a hostile member and a stranger.
//!
//! Each does what a seed decides, one thing after the other, and some things last in the
//! background. What they know of the protocol is the client of the tests of hostile peers.

mod attack;
#[allow(dead_code, unreachable_pub, reason = "those tests use all of it")]
#[rustfmt::skip] // It has the layout of its own crate's edition.
#[path = "../../../ractor_cluster/tests/hostile/client.rs"]
mod client;
mod common;
mod floods;
mod hostile;
#[allow(dead_code, unreachable_pub, reason = "as above")]
#[path = "../../../ractor_cluster/tests/hostile/message.rs"]
mod message;
mod stranger;
mod targets;
#[allow(dead_code, missing_docs, unreachable_pub, reason = "as above")]
#[rustfmt::skip]
#[path = "../../../ractor_cluster/tests/hostile/wire.rs"]
mod wire;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use attack::Attack;
use targets::{Target, Targets};

use super::crew::{Order, Outsider};
use super::record::Record;

/// How long a misdeed may take; some wait for a node to close a connection.
const MOST: Duration = Duration::from_secs(4);

/// Connections, or groups of them, that are kept in the background.
const MOST_KEPT: usize = 6;

/// Attacks until its orders end.
pub(crate) async fn run(
    (by, seed, only): (Outsider, u64, &[String]),
    cookie: &str,
    mut orders: UnboundedReceiver<Order>,
) {
    let mut targets = Targets::default();
    let (share, shared) = tokio::sync::watch::channel(targets.clone());
    let cookie = cookie.to_owned();
    let attacks = async {
        match by {
            Outsider::Hostile => {
                attack(&chosen(hostile::Misdeed::ALL, only), seed, &cookie, shared).await;
            }
            Outsider::Stranger => {
                attack(&chosen(stranger::Misdeed::ALL, only), !seed, &cookie, shared).await;
            }
        }
    };
    let listen = async {
        while let Some(order) = orders.recv().await {
            if let Order::Target { name, address, pid } = order {
                targets.set(name, address.map(|address| Target { address, pid }));
                share.send_replace(targets.clone());
            }
        }
    };
    tokio::select! {
        () = attacks => {}
        () = listen => {}
    }
}

/// Those of these names, or all when there are no names.
fn chosen<M: Misdeed>(all: &[M], only: &[String]) -> Vec<M> {
    let is_chosen = |it: &&M| only.is_empty() || only.iter().any(|name| name == it.name());
    all.iter().filter(is_chosen).copied().collect()
}

/// All that outsiders do, by name.
pub(crate) fn names(of: Outsider) -> Vec<&'static str> {
    match of {
        Outsider::Hostile => hostile::Misdeed::ALL.iter().map(|it| it.name()).collect(),
        Outsider::Stranger => stranger::Misdeed::ALL.iter().map(|it| it.name()).collect(),
    }
}

/// Does all of these in turns, in an order that the seed decides.
async fn attack<M: Misdeed>(
    all: &[M],
    seed: u64,
    cookie: &str,
    targets: tokio::sync::watch::Receiver<Targets>,
) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut kept = JoinSet::new();
    loop {
        let mut all = all.to_vec();
        all.shuffle(&mut random);
        for misdeed in all {
            let seed = random.random();
            sleep(Duration::from_millis(random.random_range(20..300))).await;
            while kept.len() >= MOST_KEPT {
                // One that panicked found that a node does not speak the protocol.
                kept.join_next().await.transpose().expect("the node speaks the protocol");
            }
            let targets = targets.borrow().clone();
            let mut attack = Attack::new(seed, cookie, targets, &mut kept);
            let in_time = timeout(MOST, misdeed.commit(&mut attack));
            // What was done until then counts, whatever the node made of it.
            let _ = in_time.await;
            let note = |count, kind: &str| {
                let (kind, at) = (kind.to_owned(), attack.at.clone());
                Record::Misdeed { count, kind, at }.note();
            };
            note(attack.count, misdeed.name());
            if attack.refused > 0 {
                note(attack.refused, REFUSED);
            }
        }
    }
}

/// Connections and sessions that were not let in.
const REFUSED: &str = "not-let-in";

/// Something that an outsider does.
trait Misdeed: Copy {
    /// A word for it.
    fn name(self) -> &'static str;

    /// Does it, and counts it.
    async fn commit(self, attack: &mut Attack<'_>);
}
