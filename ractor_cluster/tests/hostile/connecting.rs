//! Peers that do not answer when they are dialled.

use std::io::ErrorKind;
use std::time::Duration;

use ractor_cluster::client_connect_enc;
use ractor_cluster::link::LinkOptions;
use ractor_cluster::node::client::ClientConnectErr;
use tokio::net::TcpListener;

use crate::common::{watched, Node};
use crate::scene::tls;

/// The node's patience; that of the test is without end, and that of the system takes minutes.
fn hasty() -> LinkOptions {
    LinkOptions::default().with_connect_timeout(Duration::from_millis(50))
}

#[track_caller]
fn is_given_up(outcome: Result<(), ClientConnectErr>) {
    match outcome {
        Err(ClientConnectErr::Socket(error) | ClientConnectErr::Encryption(error)) => {
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            // And not by the system.
            assert!(error.to_string().contains("connect_timeout"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_does_not_answer_is_given_up() {
    let node = Node::start("hasty", hasty()).await;
    let full = crate::full::Full::new();
    let connecting = ractor_cluster::client_connect(&node.server, full.address.as_str());
    is_given_up(watched(connecting).await);
    let (_, connector) = tls("localhost");
    let name = "localhost".try_into().expect("it is a name");
    let connecting = client_connect_enc(&node.server, full.address.as_str(), connector, name);
    is_given_up(watched(connecting).await);
    node.stop().await;
}

#[tokio::test]
async fn a_peer_that_does_not_agree_on_tls_is_given_up() {
    let node = Node::start("hasty-tls", hasty()).await;
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let address = mute.local_addr().expect("it is bound");
    let (_, connector) = tls("localhost");
    let name = "localhost".try_into().expect("it is a name");
    is_given_up(watched(client_connect_enc(&node.server, address, connector, name)).await);
    node.stop().await;
}
