//! Arguments and answers of calls that are large: they arrive as they were sent, by TCP and within
//! the process.
#![allow(clippy::disallowed_methods, reason = "these tests run without `blanket_serde`")]

use bytes::Bytes;
use ractor::{call, pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::peers;
use ractor_cluster::{BytesConvertable, RactorClusterMessage};
use tokio::task::yield_now;

use crate::common::{until, watched, Node, Stage};
use crate::nodes::ALONE;

const GROUP: &str = "those who answer";

#[derive(BytesConvertable, Clone, Debug, PartialEq)]
struct Page {
    title: String,
    bytes: Bytes,
}

#[derive(RactorClusterMessage)]
enum Ask {
    #[rpc]
    Bytes(Bytes, RpcReplyPort<Bytes>),
    #[rpc]
    Page(u64, Page, RpcReplyPort<(u64, Page)>),
    #[rpc]
    Maybe(Option<Bytes>, RpcReplyPort<Result<Option<Bytes>, String>>),
    #[rpc]
    Copied(Vec<u8>, RpcReplyPort<Vec<u8>>),
}

/// Answers with what it is sent.
struct Echo;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Echo {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Ask>,
        message: Ask,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Ask::Bytes(bytes, reply) => reply.send(bytes)?,
            Ask::Page(number, page, reply) => {
                reply.send((number, page)).map_err(|it| it.map(|_| ()))?;
            }
            Ask::Maybe(bytes, reply) => {
                reply.send(bytes.map_or(Err("none".to_owned()), |it| Ok(Some(it))))?;
            }
            Ask::Copied(bytes, reply) => reply.send(bytes)?,
        }
        Ok(())
    }
}

/// Calls with payloads of all sizes.
async fn asks(echo: &ActorRef<Ask>) {
    for size in [0, 1, 100, 1023, 1024, 20_000, 200_000, 3 << 20] {
        let vector: Vec<u8> = (0..=255).cycle().take(size).collect();
        let bytes = Bytes::from(vector.clone());
        assert!(call!(echo, Ask::Bytes, bytes.clone()).unwrap() == bytes, "{size}");
        let page = Page { title: "t".repeat(size / 100), bytes: bytes.clone() };
        let (number, answer) = call!(echo, Ask::Page, 7, page.clone()).unwrap();
        assert!(number == 7 && answer == page, "{size}");
        let answer = call!(echo, Ask::Maybe, Some(bytes.clone())).unwrap();
        assert!(answer.unwrap().unwrap() == bytes, "{size}");
        assert!(call!(echo, Ask::Copied, vector.clone()).unwrap() == vector, "{size}");
    }
    assert_eq!(call!(echo, Ask::Maybe, None).unwrap(), Err("none".to_owned()));
}

#[tokio::test]
async fn large_arguments_and_answers_arrive_as_they_were_sent() {
    let _alone = ALONE.lock().await;
    let (echo, handle) = Actor::spawn(None, Echo, ()).await.unwrap();
    pg::join(GROUP.to_owned(), vec![echo.get_cell()]);
    watched(asks(&echo)).await;

    let remote = PeerPolicy::default().with_location(Location::Remote);
    let options = || {
        let peers = ["home", "caller"].map(Peer::named);
        peers.into_iter().fold(LinkOptions::default(), |it, peer| it.with_peer(peer, remote))
    };
    let home = Node::start("home", options()).await;
    let mut caller = Node::start("caller", options()).await;
    caller.connect(&home).await;
    let session = caller.next(Stage::Ready).await;
    let proxy = watched(async {
        loop {
            let mut members = pg::get_members(&GROUP.to_owned()).into_iter();
            if let Some(it) = members.find(|it| it.get_id().node() == session.node_id) {
                return ActorRef::from(it);
            }
            yield_now().await;
        }
    })
    .await;
    watched(asks(&proxy)).await;
    for node in [caller, home] {
        node.stop().await;
    }
    until("no peer is left", || peers::list().is_empty()).await;
    echo.stop(None);
    watched(handle).await.expect("it ends in order");
}
