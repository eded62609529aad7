//! A node server that has ended leaves its port to the next one.

use std::net::{Ipv4Addr, TcpListener};

use ractor::Actor;
use ractor_cluster::{IncomingEncryptionMode, NodeServer};

/// Not known to be free once it is given back, but nothing else here asks for one in between.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn server(port: u16) -> NodeServer {
    let (cookie, name, host) = ("cookie".to_owned(), "again".to_owned(), "localhost".to_owned());
    NodeServer::new(port, cookie, name, host, Some(IncomingEncryptionMode::Raw), None)
        .with_listen_addr(Ipv4Addr::LOCALHOST.into())
}

/// How a node server ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stop,
    StopAndWait,
    Kill,
    Abort,
}

async fn start_and_end(end: End) {
    let port = free_port();
    for round in 0..25 {
        let (node, handle) = Actor::spawn(None, server(port), ())
            .await
            .unwrap_or_else(|error| panic!("{end:?}, round {round}: {error}"));
        match end {
            End::Stop => {
                node.stop(None);
                handle.await.unwrap();
            }
            End::StopAndWait => node.stop_and_wait(None, None).await.unwrap(),
            End::Kill => {
                node.kill();
                handle.await.unwrap();
            }
            End::Abort => {
                handle.abort();
                node.wait(None).await.unwrap();
            }
        }
    }
}

async fn start_and_end_in_each_way() {
    for end in [End::Stop, End::StopAndWait, End::Kill, End::Abort] {
        start_and_end(end).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_port_is_free_on_several_threads() {
    start_and_end_in_each_way().await;
}

#[tokio::test]
async fn the_port_is_free_on_one_thread() {
    start_and_end_in_each_way().await;
}
