//! Peers that tell a node whom else to connect to.

use std::time::Duration;

use ractor_cluster::link::options::{LinkOptions, Security};
use ractor_cluster::transport::TransportKind;
use tokio::net::TcpListener;

use crate::client::Client;
use crate::common::watched;
use crate::logs::Mark;
use crate::scene::Scene;
use crate::wire::{ControlBody, Name, NodeSessions};

/// An address where a peer may connect.
struct Place {
    door: TcpListener,
    address: String,
}

impl Place {
    async fn open() -> Self {
        let door = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        let address = door.local_addr().expect("it is bound").to_string();
        Self { door, address }
    }

    async fn visited(&self) {
        watched(self.door.accept()).await.expect("it listens");
    }

    /// No peer has connected so far.
    async fn is_lonely(&self) -> bool {
        tokio::select! {
            biased;
            _ = self.door.accept() => false,
            () = std::future::ready(()) => true,
        }
    }
}

fn told(addresses: impl IntoIterator<Item = String>) -> ControlBody {
    let named = |(number, connection_string): (usize, String)| Name {
        name: format!("told-{number}@elsewhere"),
        flags: None,
        connection_string,
        connection_id: 0,
    };
    let sessions = addresses.into_iter().enumerate().map(named).collect();
    ControlBody::NodeSessions(NodeSessions { sessions })
}

/// Tells the node, and waits until it has heard.
async fn tell(client: &mut Client, scene: &Scene, addresses: impl IntoIterator<Item = String>) {
    client.send(told(addresses)).await;
    client.call(scene.counter(), "Sum").await;
}

/// As the mode has it that the application has chosen.
#[tokio::test]
async fn a_transitive_node_connects_to_whom_it_is_told() {
    let mut scene = Scene::transitive("transitive", LinkOptions::default()).await;
    let place = Place::open().await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    tell(&mut guest, &scene, [place.address.clone(), place.address.clone()]).await;
    place.visited().await;
    tell(&mut guest, &scene, [place.address.clone()]).await;
    assert!(place.is_lonely().await, "an address is dialled once");
    scene.end().await;
}

#[tokio::test]
async fn a_node_may_be_told_to_dial_no_such_address() {
    let security = Security::default().with_supplied_addresses(false);
    let options = LinkOptions::default().with_security(security);
    let mut scene = Scene::transitive("wary", options).await;
    let place = Place::open().await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    let log = Mark::of(&scene.log);
    tell(&mut guest, &scene, [place.address.clone()]).await;
    log.told("this node does not dial them", &place.address).await;
    assert!(place.is_lonely().await);
    scene.end().await;
    // Nor does one whose mode it is not, whatever it is told: that is the default of stock's too.
    let mut scene = Scene::start("isolated").await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    tell(&mut guest, &scene, [place.address.clone()]).await;
    assert!(place.is_lonely().await);
    scene.end().await;
}

/// What came by TLS is not dialled in the clear.
#[tokio::test]
async fn a_peer_of_tls_leads_nobody_into_the_clear() {
    let mut scene = Scene::transitive("clear", LinkOptions::default()).await;
    let place = Place::open().await;
    let mut guest = scene.guest(TransportKind::Tls).await;
    let log = Mark::of(&scene.log);
    tell(&mut guest, &scene, [place.address.clone()]).await;
    log.told("they would be dialled by plain TCP", &place.address).await;
    assert!(place.is_lonely().await);
    scene.end().await;
}

#[tokio::test]
async fn a_peer_tells_so_many_and_no_more() {
    let mut scene = Scene::transitive("told-much", LinkOptions::default()).await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    let log = Mark::of(&scene.log);
    // None of them leads anywhere.
    tell(&mut guest, &scene, (0..1200).map(|number| format!("nowhere {number}"))).await;
    tell(&mut guest, &scene, (0..1200).map(|number| format!("nowhere else {number}"))).await;
    log.told("the peer has told too many", "nowhere 1024").await;
    scene.end().await;
}

/// One address that does not answer holds the place of the next, until it is given up.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn so_many_are_dialled_at_a_time_and_for_so_long() {
    let mut security = Security::default();
    security.max_supplied_dials = 1;
    let options = LinkOptions::default()
        .with_security(security)
        .with_connect_timeout(Duration::from_millis(300));
    let mut scene = Scene::transitive("patient", options).await;
    let full = crate::full::Full::new();
    let place = Place::open().await;
    let mut guest = scene.guest(TransportKind::Tcp).await;
    tell(&mut guest, &scene, [full.address.clone(), place.address.clone()]).await;
    place.visited().await;
    assert!(scene.log.says("a peer's peer is not connected to"), "both were dialled at a time");
    scene.end().await;
}
