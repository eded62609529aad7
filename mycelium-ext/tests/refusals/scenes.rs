//! How each cause comes about.

use std::net::SocketAddr;
use std::time::Duration;

use mycelium_ext::address::Address;
use mycelium_ext::config::{Limits, UnixListening};
use mycelium_ext::node::{Identity, Listen, Node, NodeBuilder, Peer, PeerPolicy, Security};
use mycelium_ext::ractor_cluster::link::options::Location;
use mycelium_ext::ractor_cluster::link::refusals;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::authority::Authority;
use crate::relay::{Passes, Relay, To};
use crate::{Told, wire};

/// The patience of a node that is to lose it.
const SHORT: Duration = Duration::from_millis(200);

fn node(name: &str) -> NodeBuilder {
    Node::builder(name).host("test").cookie("sesame")
}

async fn started(builder: NodeBuilder) -> Node {
    builder.start().await.unwrap_or_else(|error| panic!("{error}"))
}

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    change(&mut limits);
    limits
}

fn tcp(node: &Node) -> String {
    let endpoint = node.addresses()[0].endpoint().expect("TCP or TLS");
    SocketAddr::new(endpoint.ip().expect("a number"), endpoint.port()).to_string()
}

fn by_tls(node: &Node) -> Address {
    let port = node.addresses()[0].endpoint().expect("TLS").port();
    format!("tls://localhost:{port}").parse().expect("an address")
}

/// How many refusals were counted so far.
fn counted() -> u64 {
    refusals().into_iter().map(|(_, count)| count).sum()
}

/// Waits for one more: the refused end may learn of it first.
async fn more_than(before: u64) {
    while counted() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The error of `dialler`, which is not let in at `address`. Both nodes are stopped.
async fn refused_at(address: Address, dialler: Node, listener: Option<Node>) -> Told {
    let before = counted();
    let error = dialler.connect(address).await.expect_err("it is refused");
    more_than(before).await;
    stop([Some(dialler), listener].into_iter().flatten()).await;
    Told::Node(error)
}

async fn refused(dialler: Node, listener: Node) -> Told {
    refused_at(listener.addresses()[0].clone(), dialler, Some(listener)).await
}

async fn stop(nodes: impl IntoIterator<Item = Node>) {
    for node in nodes {
        node.stop().await;
    }
}

/// Says `what` to a node, and returns what that answers.
async fn says(what: &[u8], listener: Node) -> Option<u32> {
    let before = counted();
    let mut stream = TcpStream::connect(tcp(&listener)).await.expect("it listens");
    stream.write_all(what).await.expect("it reads");
    let told = wire::told(&mut stream).await;
    more_than(before).await;
    listener.stop().await;
    told
}

/// A listener that is no node: it says this to the one who connects, and reads until that one goes.
///
/// The task returns the code of the cause that it was told, if it was.
async fn speaker(what: Vec<u8>) -> (Address, JoinHandle<Option<u32>>) {
    let door = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let address = format!("tcp://{}", door.local_addr().expect("it is bound"));
    let task = tokio::spawn(async move {
        let (mut stream, _) = door.accept().await.expect("it is dialled");
        stream.write_all(&what).await.expect("it reads");
        wire::told(&mut stream).await
    });
    (address.parse().expect("an address"), task)
}

/// The error of `dialler`, which connects to a listener that says this.
async fn hears(what: Vec<u8>, dialler: Node) -> Told {
    let (address, task) = speaker(what).await;
    let told = refused_at(address, dialler, None).await;
    task.await.expect("it ends in order");
    told
}

/// As [`hears`], of a listener that is to be told why it is refused.
async fn hears_and_tells(what: Vec<u8>, dialler: Node) -> Told {
    let (address, task) = speaker(what).await;
    let Told::Node(error) = refused_at(address, dialler, None).await else {
        unreachable!("a node dialled")
    };
    Told::Both(error, task.await.expect("it ends in order"))
}

pub async fn another_cookie() -> Told {
    refused(started(node("b").cookie("simsalabim")).await, started(node("a")).await).await
}

/// Of two sessions the one whose random number is lower stays: sooner or later the first one does.
pub async fn a_second_session() -> Told {
    let (a, b) = (started(node("a")).await, started(node("b")).await);
    let before = counted();
    for _ in 0..64 {
        if let Err(error) = b.connect(a.addresses()[0].clone()).await {
            more_than(before).await;
            stop([b, a]).await;
            return Told::Node(error);
        }
    }
    panic!("each of 64 sessions takes the place of the one before");
}

pub async fn the_same_name() -> Told {
    refused(started(node("a")).await, started(node("a")).await).await
}

/// The one end takes the other for one of this machine, and that one takes it for a remote one.
pub async fn a_false_local(is_listener: bool) -> Told {
    let policy = |local: bool| {
        let location = if local { Location::Local } else { Location::Remote };
        PeerPolicy::default().with_location(location)
    };
    let a = node("a").known(Peer::named("b"), policy(is_listener));
    let b = node("b").known(Peer::named("a"), policy(!is_listener));
    refused(started(b).await, started(a).await).await
}

pub async fn a_peer_of_another_version() -> Told {
    let said = [wire::hello(), wire::name("later@test", wire::VERSION + 1)].concat();
    Told::Peer(says(&said, started(node("a")).await).await)
}

pub async fn a_listener_of_another_version() -> Told {
    hears(wire::challenge("later@test", wire::VERSION + 1), started(node("b")).await).await
}

/// A stock node knows no frame that could tell it.
async fn stock(name: &str, listener: Node) -> Told {
    assert_eq!(says(&wire::name(name, wire::VERSION), listener).await, None);
    Told::Nothing("a stock node does not know the frame")
}

pub async fn a_stock_peer() -> Told {
    stock("stock@test", started(node("a").security(Security::strict())).await).await
}

pub async fn a_stock_listener() -> Told {
    let strict = started(node("b").security(Security::strict())).await;
    hears(wire::challenge("stock@test", wire::VERSION), strict).await
}

fn wary(name: &str) -> NodeBuilder {
    node(name).security(Security::default().with_refused_downgrades(true))
}

/// A node of this name has proven itself in this process.
async fn proven(name: &str) {
    let (proven, other) = (started(node(name)).await, started(node("other")).await);
    other.connect(proven.addresses()[0].clone()).await.expect("a session");
    stop([proven, other]).await;
}

pub async fn a_peer_that_was_of_the_fork() -> Told {
    proven("peer").await;
    stock("peer@test", started(wary("a")).await).await
}

pub async fn a_listener_that_was_of_the_fork() -> Told {
    proven("listener").await;
    hears(wire::challenge("listener@test", wire::VERSION), started(wary("b")).await).await
}

/// A relay takes TCP and goes on by the Unix socket.
pub async fn another_channel(is_listener: bool) -> Told {
    let strict = |node: NodeBuilder, is: bool| {
        if is { node.security(Security::strict()) } else { node }
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let a = strict(node("a"), is_listener).unix(UnixListening::At(path.clone()));
    let (a, b) = (started(a).await, started(strict(node("b"), !is_listener)).await);
    let relay = Relay::new(To::Unix(path), Passes::All).await;
    refused_at(relay.address.clone(), b, Some(a)).await
}

/// A listener by TLS that demands certificates of this authority.
async fn demanding(name: &str, cluster: &Authority, identity: Identity) -> Node {
    let listen = Listen::tls("127.0.0.1:0", identity.clone());
    started(node(name).listen(listen).mutual_tls(identity, cluster.authorities())).await
}

pub async fn the_certificate_of_another() -> Told {
    let cluster = Authority::new();
    let a = demanding("a", &cluster, cluster.sign("a", &["localhost", "a"])).await;
    let thief = node("b").mutual_tls(cluster.sign("c", &["c"]), cluster.authorities());
    refused_at(by_tls(&a), started(thief).await, Some(a)).await
}

pub async fn a_listener_of_another_name() -> Told {
    let cluster = Authority::new();
    let a = demanding("a", &cluster, cluster.sign("host", &["localhost"])).await;
    let b = node("b").mutual_tls(cluster.sign("b", &["b"]), cluster.authorities());
    refused_at(by_tls(&a), started(b).await, Some(a)).await
}

pub async fn another_authority() -> Told {
    let listen = Listen::tls("127.0.0.1:0", Authority::new().sign("a", &["localhost"]));
    let a = started(node("a").listen(listen)).await;
    let b = started(node("b").authorities(Authority::new().authorities())).await;
    refused_at(by_tls(&a), b, Some(a)).await
}

/// By TLS 1.3 the one who dials learns it when it takes the channel for established.
pub async fn no_certificate() -> Told {
    let cluster = Authority::new();
    let a = demanding("a", &cluster, cluster.sign("a", &["localhost", "a"])).await;
    let b = started(node("b").authorities(cluster.authorities())).await;
    refused_at(by_tls(&a), b, Some(a)).await
}

pub async fn too_many_peers() -> Told {
    let one = limits(|limits| limits.max_peers = 1.into());
    let (a, b) = (started(node("a").limits(one)).await, started(node("b")).await);
    b.connect(a.addresses()[0].clone()).await.expect("a session");
    let told = refused_at(a.addresses()[0].clone(), started(node("c")).await, None).await;
    stop([b, a]).await;
    told
}

pub async fn a_large_first_frame() -> Told {
    let small = limits(|limits| limits.first_frame = 16.into());
    refused(started(node("b")).await, started(node("a").limits(small)).await).await
}

/// Its first bytes are no length that a frame may have.
pub async fn a_listener_that_is_no_node() -> Told {
    hears(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), started(node("b")).await).await
}

pub async fn garbage() -> Told {
    Told::Peer(says(&wire::framed(b"\xff\xff\xff"), started(node("a")).await).await)
}

pub async fn late_garbage() -> Told {
    let said = [wire::hello(), wire::framed(b"\xff\xff\xff")].concat();
    Told::Peer(says(&said, started(node("a")).await).await)
}

pub async fn a_listener_that_sends_garbage() -> Told {
    hears(wire::framed(b"\xff\xff\xff"), started(node("b")).await).await
}

pub async fn a_list_before_authentication() -> Told {
    let (before, listener) = (counted(), started(node("a")).await);
    let mut stream = TcpStream::connect(tcp(&listener)).await.expect("it listens");
    stream.write_all(&wire::hello()).await.expect("it reads");
    // It knows by then whom to tell.
    assert!(wire::frame(&mut stream).await.is_some(), "its Hello");
    stream.write_all(&wire::list()).await.expect("it reads");
    let told = wire::told(&mut stream).await;
    more_than(before).await;
    listener.stop().await;
    Told::Peer(told)
}

/// The list is found before the node has handled the `Hello`.
pub async fn a_list_right_behind_its_hello() -> Told {
    let said = [wire::hello(), wire::list()].concat();
    Told::Peer(says(&said, started(node("a")).await).await)
}

pub async fn a_listener_with_an_early_list() -> Told {
    let said = [wire::hello(), wire::list()].concat();
    hears_and_tells(said, started(node("b")).await).await
}

pub async fn two_hellos() -> Told {
    Told::Peer(says(&wire::hello().repeat(2), started(node("a")).await).await)
}

pub async fn a_listener_with_two_hellos() -> Told {
    hears_and_tells(wire::hello().repeat(2), started(node("b")).await).await
}

async fn stalled(passes: Passes) -> Told {
    let impatient = limits(|limits| limits.handshake_timeout = SHORT.into());
    let (a, b) = (started(node("a").limits(impatient)).await, started(node("b")).await);
    let relay = Relay::new(To::Tcp(tcp(&a)), passes).await;
    refused_at(relay.address.clone(), b, Some(a)).await
}

pub async fn a_stalled_handshake() -> Told {
    stalled(Passes::FirstFrame).await
}

pub async fn a_stalled_first_frame() -> Told {
    stalled(Passes::Nothing).await
}

pub async fn a_mute_listener() -> Told {
    let impatient = limits(|limits| limits.handshake_timeout = SHORT.into());
    hears(Vec::new(), started(node("b").limits(impatient)).await).await
}

/// There is one place, which `c` takes from `b`.
async fn displaced(passes: Passes) -> Told {
    let one = limits(|limits| limits.max_handshakes = 1.into());
    let (a, b) = (started(node("a").limits(one)).await, started(node("b")).await);
    let relay = Relay::new(To::Tcp(tcp(&a)), passes).await;
    let address = relay.address.clone();
    let dialled = tokio::spawn(async move { (b.connect(address).await, b) });
    relay.reached().await;
    let c = started(node("c")).await;
    c.connect(a.addresses()[0].clone()).await.expect("a session");
    let (outcome, b) = dialled.await.expect("no panic");
    stop([b, c, a]).await;
    Told::Node(outcome.expect_err("it is refused"))
}

pub async fn a_newer_handshake() -> Told {
    displaced(Passes::FirstFrame).await
}

pub async fn a_newer_connection() -> Told {
    displaced(Passes::Nothing).await
}

pub async fn a_link_of_no_session() -> Told {
    Told::Peer(says(&wire::attach(), started(node("a")).await).await)
}

pub async fn a_peer_that_goes() -> Told {
    let a = started(node("a")).await;
    let mut stream = TcpStream::connect(tcp(&a)).await.expect("it listens");
    let said = [wire::hello(), wire::name("b@test", wire::VERSION)].concat();
    stream.write_all(&said).await.expect("it reads");
    wire::frame(&mut stream).await.expect("it answers");
    let before = counted();
    drop(stream);
    more_than(before).await;
    a.stop().await;
    Told::Nothing("it has gone")
}

pub async fn an_older_incarnation() -> Told {
    let (hub, older) = (started(node("hub")).await, started(node("twin")).await);
    let newer = started(node("twin")).await;
    newer.connect(hub.addresses()[0].clone()).await.expect("a session");
    let told = refused_at(hub.addresses()[0].clone(), older, None).await;
    stop([newer, hub]).await;
    told
}
