//! What is stock's own in the application: its nodes and messages, and a cast to each reader.

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef};
use ractor_cluster::node::NodeConnectionMode;
use ractor_cluster::{IncomingEncryptionMode, NodeServer, NodeServerMessage, RactorClusterMessage};

use crate::actors::Reading;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Stock has no `Bytes` in messages.
#[derive(RactorClusterMessage)]
pub(crate) enum ReaderMessage {
    Tick(Vec<u8>),
}

pub(crate) struct Reader;

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

    async fn handle(
        &self,
        _: ActorRef<ReaderMessage>,
        message: ReaderMessage,
        reading: &mut Reading,
    ) -> Result<(), ActorProcessingErr> {
        let ReaderMessage::Tick(payload) = message;
        reading.read(&payload);
        Ok(())
    }
}

pub(crate) struct Node {
    server: ActorRef<NodeServerMessage>,
    port: u16,
}

pub(crate) async fn node(_: &str, name: &str) -> Result<Node, Failure> {
    let mut last = None;
    // A port that is free now may be taken in between: stock does not tell one of its own choice.
    for _ in 0..10 {
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let server = NodeServer::new(
            port,
            "measured in turns".to_owned(),
            name.to_owned(),
            "localhost".to_owned(),
            Some(IncomingEncryptionMode::Raw),
            Some(NodeConnectionMode::Isolated),
        );
        match Actor::spawn(None, server, ()).await {
            Ok((server, _)) => return Ok(Node { server, port }),
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or("there was no port".into(), Failure::from))
}

pub(crate) async fn address(node: &Node) -> Result<String, Failure> {
    Ok(format!("127.0.0.1:{}", node.port))
}

pub(crate) async fn connect(node: &Node, address: &str) -> Result<(), Failure> {
    Ok(ractor_cluster::client_connect(&node.server, address).await?)
}

pub(crate) fn is_linked(_: &str, _: usize) -> bool {
    true
}

/// Sends a message to all readers, a copy to each.
pub(crate) fn send(_: &str, readers: &[ActorCell], payload: &[u8]) -> Result<(), Failure> {
    for reader in readers {
        reader.send_message(ReaderMessage::Tick(payload.to_vec())).map_err(|it| it.to_string())?;
    }
    Ok(())
}
