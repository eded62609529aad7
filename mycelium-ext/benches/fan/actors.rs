//! The feed and the readers as actors. Compiled against stock and against the fork.

use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef, pg};
use ractor_cluster::RactorClusterMessage;
use tokio::sync::mpsc;

use crate::child::{Run, cpu, fail, orders, say};
use crate::flavour::{self, Failure};
use crate::message::{Checks, write};

const READERS: &str = "fan readers";
const FEED: &str = "fan feed";

/// How long processes may take to find each other, and readers to acknowledge.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(RactorClusterMessage)]
pub(crate) enum FeedMessage {
    /// A reader handled another step of messages.
    Handled(u64),
}

struct Feed;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Feed {
    type Msg = FeedMessage;
    type State = mpsc::UnboundedSender<()>;
    type Arguments = mpsc::UnboundedSender<()>;

    async fn pre_start(
        &self,
        myself: ActorRef<FeedMessage>,
        handled: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        pg::join(FEED.to_owned(), vec![myself.get_cell()]);
        Ok(handled)
    }

    async fn handle(
        &self,
        _: ActorRef<FeedMessage>,
        _: FeedMessage,
        handled: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        Ok(handled.send(())?)
    }
}

/// What a reader does with a message, in whichever form it came.
pub(crate) struct Reading {
    feed: ActorRef<FeedMessage>,
    checks: Checks,
}

impl Reading {
    pub(crate) fn read(&mut self, payload: &[u8]) {
        match self.checks.see(payload) {
            Ok(false) => {}
            Ok(true) => {
                if self.feed.cast(FeedMessage::Handled(1)).is_err() {
                    fail("the feed cannot be reached");
                }
            }
            Err(why) => fail(&why),
        }
    }
}

async fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> Result<T, Failure> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if start.elapsed() > PATIENCE {
            return Err("processes do not find each other".into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Runs readers that connect to a feed's address, until there are no more orders.
pub(crate) async fn read(
    way: &str,
    number: &str,
    address: &str,
    readers: usize,
) -> Result<(), Failure> {
    let mut orders = orders();
    let node = flavour::node(way, &format!("readers{number}")).await?;
    flavour::connect(&node, address).await?;
    let feed = wait_for(|| pg::get_members(&FEED.to_owned()).pop()).await?;
    for _ in 0..readers {
        let reading = Reading { feed: feed.clone().into(), checks: Checks::default() };
        let (reader, _) = Actor::spawn(None, flavour::Reader, reading).await?;
        pg::join(READERS.to_owned(), vec![reader.get_cell()]);
    }
    say("there");
    while orders.recv().await.is_some() {
        say(&cpu().to_string());
    }
    Ok(())
}

/// Runs a feed for so many processes with so many readers each, until there are no more orders.
pub(crate) async fn feed(way: &str, processes: usize, readers: usize) -> Result<(), Failure> {
    let mut orders = orders();
    let (sender, mut handled) = mpsc::unbounded_channel();
    Actor::spawn(None, Feed, sender).await?;
    let node = flavour::node(way, "feed").await?;
    say(&flavour::address(&node).await?);
    let all = processes * readers;
    let members = || pg::get_members(&READERS.to_owned());
    wait_for(|| (members().len() == all && flavour::is_linked(way, processes)).then_some(()))
        .await?;
    say("there");
    while let Some(order) = orders.recv().await {
        let Some(run) = Run::parse(&order) else {
            say(&cpu().to_string());
            continue;
        };
        // In both an application knows whom it sends to.
        let (messages, elapsed) = send(&run, &members(), all as u64, &mut handled).await?;
        say(&format!("{messages} {elapsed}"));
    }
    Ok(())
}

/// Sends for a time, and returns how many messages it were, and the nanoseconds until all of them
/// were handled.
async fn send(
    run: &Run,
    readers: &[ractor::ActorCell],
    all: u64,
    handled: &mut mpsc::UnboundedReceiver<()>,
) -> Result<(u64, u64), Failure> {
    let mut payload = vec![7; run.size];
    let (step, mut sent, mut steps_handled) = (run.step(), 0, 0);
    let start = Instant::now();
    while sent == 0 || start.elapsed() < run.time {
        for _ in 0..step {
            write(&mut payload, sent, step);
            flavour::send(READERS, readers, &payload)?;
            sent += 1;
        }
        // One more step may be under way.
        let least = (sent / step).saturating_sub(run.window / step - 1) * all;
        wait_until_handled(handled, &mut steps_handled, least).await?;
    }
    wait_until_handled(handled, &mut steps_handled, sent / step * all).await?;
    Ok((sent, start.elapsed().as_nanos() as u64))
}

async fn wait_until_handled(
    handled: &mut mpsc::UnboundedReceiver<()>,
    so_far: &mut u64,
    least: u64,
) -> Result<(), Failure> {
    while *so_far < least {
        match tokio::time::timeout(PATIENCE, handled.recv()).await {
            Ok(Some(())) => *so_far += 1,
            _ => return Err("a reader does not acknowledge".into()),
        }
    }
    Ok(())
}
