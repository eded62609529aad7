//! What is the fork's own in the application: its nodes, links, messages and broadcasts.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use mycelium_ext::arena::Arena;
use mycelium_ext::config::{Config, Environment};
use mycelium_ext::node::Node;
use ractor::message::Shared;
use ractor::{Actor, ActorProcessingErr, ActorRef, pg};
use ractor_cluster::RactorClusterMessage;

use crate::actors::Reading;
use crate::message::place;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(RactorClusterMessage)]
#[shared]
pub(crate) enum ReaderMessage {
    Tick(Bytes),
}

pub(crate) struct Reader;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Reader {
    type Msg = ReaderMessage;
    type State = Reading;
    type Arguments = Reading;

    async fn pre_start(
        &self,
        _: ActorRef<ReaderMessage>,
        reading: Reading,
    ) -> Result<Reading, ActorProcessingErr> {
        Ok(reading)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<ReaderMessage>,
        message: Shared<ReaderMessage>,
        reading: &mut Reading,
    ) -> Result<(), ActorProcessingErr> {
        let ReaderMessage::Tick(payload) = &*message;
        reading.read(payload);
        Ok(())
    }
}

/// The way of each word of the bench, as the configuration has it.
fn transport(way: &str) -> &str {
    match way {
        // All go by shared memory: without an arena, and with payloads that are made in it.
        "ring" | "arena" | "placed" => "shm",
        way => way,
    }
}

pub(crate) async fn node(way: &str, name: &str) -> Result<Node, Failure> {
    _ = MAKE.set(match way {
        "arena" => |payload| placed(payload, <[u8]>::copy_from_slice),
        "placed" => |payload| placed(payload, |memory, payload| place(payload, memory)),
        _ => Bytes::copy_from_slice,
    });
    let transport = transport(way);
    let arena = if matches!(way, "arena" | "placed") { "256 MiB" } else { "0 B" };
    let text = format!(
        "[node]\nname = {name:?}\ncookie = \"measured in turns\"\ntransport = {transport:?}\n\
         [node.limits]\nreplay_window = \"256 MiB\"\n[node.shm]\narena = {arena:?}\n"
    );
    let config = Config::parse(&text, "mycelium.toml", &Environment::of_process())
        .map_err(|error| error.to_string())?;
    Ok(Node::from_config(&config)
        .map_err(|error| error.to_string())?
        .start()
        .await
        .map_err(|error| error.to_string())?)
}

pub(crate) async fn address(node: &Node) -> Result<String, Failure> {
    Ok(node.addresses()[0].to_string())
}

pub(crate) async fn connect(node: &Node, address: &str) -> Result<(), Failure> {
    node.connect(address.parse()?).await.map_err(|error| error.to_string())?;
    Ok(())
}

/// Whether each process is reached by the link that is to be measured.
pub(crate) fn is_linked(way: &str, processes: usize) -> bool {
    let wanted = transport(way);
    let peers = ractor_cluster::peers::list();
    let linked =
        peers.iter().filter(|peer| peer.active().is_some_and(|it| it.to_string() == wanted));
    linked.count() == processes
}

/// Makes the payload of a message.
static MAKE: OnceLock<fn(&[u8]) -> Bytes> = OnceLock::new();

/// A payload in memory that readers share, as `write` writes it there.
fn placed(payload: &[u8], write: fn(&mut [u8], &[u8])) -> Bytes {
    let arena = Arena::get().expect("the links have made it");
    let Ok(mut memory) = arena.alloc(payload.len()) else {
        return Bytes::copy_from_slice(payload);
    };
    write(&mut memory, payload);
    memory.freeze()
}

/// Sends a message to all readers.
pub(crate) fn send(
    group: &str,
    readers: &[ractor::ActorCell],
    payload: &[u8],
) -> Result<(), Failure> {
    let message = Arc::new(ReaderMessage::Tick(MAKE.get().expect("the node is made")(payload)));
    let report = pg::broadcast_arc(&group.to_owned(), message);
    if report.delivered() == readers.len() {
        return Ok(());
    }
    let why = report.failed().first().map(|(_, reason)| reason.to_string());
    Err(format!("{} of {} readers were sent it: {why:?}", report.delivered(), readers.len()).into())
}
