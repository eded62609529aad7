//! What a node promises, through its public interface.

#[cfg(feature = "membership")]
#[path = "node/members.rs"]
mod members;
#[cfg(feature = "membership")]
#[path = "node/names.rs"]
mod names;
#[cfg(feature = "membership")]
#[path = "node/on_demand.rs"]
mod on_demand;
#[cfg(feature = "membership")]
#[path = "node/singletons.rs"]
mod singletons;

use std::future::Future;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use mycelium_ext::address::Address;
use mycelium_ext::config::{Config, Environment, Limits, NodeName, UnixListening};
use mycelium_ext::node::{
    Authorities, ConnectError, Identity, Listen, Locality, Node, NodeBuilder, NodeEvent, StartError,
};
use mycelium_ext::ractor_cluster::transport::TransportKind;
use tokio::sync::broadcast::Receiver;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(50);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it takes too long")
}

fn node(name: &str) -> NodeBuilder {
    Node::builder(name).host("test").cookie("sesame").listen(Listen::tcp("127.0.0.1:0"))
}

async fn started(builder: NodeBuilder) -> Node {
    soon(builder.start()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Pauses that a test can wait for.
fn eager() -> Limits {
    let mut limits = Limits::default();
    limits.backoff_min = Duration::from_millis(1).into();
    limits.backoff_max = Duration::from_millis(20).into();
    limits
}

fn name(name: &str) -> NodeName {
    name.parse().expect("a name")
}

/// An address of this machine that no other test here uses, so that a port of it stays free.
const OWN: &str = if cfg!(target_os = "linux") { "127.0.0.2:0" } else { "127.0.0.1:0" };

/// The first event that `wanted` takes.
async fn event<T>(events: &mut Receiver<NodeEvent>, wanted: impl Fn(&NodeEvent) -> Option<T>) -> T {
    soon(async {
        loop {
            if let Some(found) = wanted(&events.recv().await.expect("an event")) {
                return found;
            }
        }
    })
    .await
}

fn disconnected(event: &NodeEvent) -> Option<String> {
    match event {
        NodeEvent::Disconnected { peer, .. } => Some(peer.name.clone()),
        _ => None,
    }
}

fn socket(address: &Address) -> SocketAddr {
    let endpoint = address.endpoint().expect("TCP");
    SocketAddr::new(endpoint.ip().expect("a number"), endpoint.port())
}

/// Where it listens by TCP.
fn tcp(node: &Node) -> impl Iterator<Item = SocketAddr> {
    node.addresses().iter().filter(|address| matches!(address, Address::Tcp(_))).map(socket)
}

fn unix_path(address: &Address) -> Option<PathBuf> {
    match address {
        Address::Unix(path) => Some(path.clone()),
        _ => None,
    }
}

/// A peer that takes connections, and never says a word.
fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

#[tokio::test]
async fn nodes_know_each_other_once_they_are_connected() {
    let a = started(node("a")).await;
    let b = started(node("b")).await;
    let mut events = a.events();
    let seen_by_b = soon(b.connect(a.addresses()[0].clone())).await.expect("a session");
    assert_eq!(seen_by_b.name, "a@test");
    let ids = |node: &Node| node.peers().iter().map(|peer| peer.node_id).collect::<Vec<_>>();
    assert_eq!(ids(&b), [seen_by_b.node_id]);
    let seen_by_a = soon(a.connected("b")).await;
    assert_eq!(seen_by_a.name, "b@test");
    assert_eq!(ids(&a), [seen_by_a.node_id]);
    b.stop().await;
    assert_eq!(event(&mut events, disconnected).await, "b@test");
    assert_eq!(a.peers(), []);
    a.stop().await;
}

#[tokio::test]
async fn a_configuration_is_all_a_node_needs() {
    let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "sesame")]);
    let parsed = |text: &str| Config::parse(text, "mycelium.toml", &environment).expect("right");
    let feed = parsed("[node]\nname = \"feed\"\nhost = \"test\"\n");
    let feed = started(Node::from_config(&feed).expect("supported")).await;
    assert_eq!(feed.name(), "feed@test");
    let reader = parsed(&format!(
        "[node]\nname = \"reader\"\n[nodes.feed]\naddress = \"{}\"\n\
         [nodes.reader]\naddress = \"tcp://127.0.0.1:1\"\n",
        feed.addresses()[0]
    ));
    let reader = started(Node::from_config(&reader).expect("supported")).await;
    assert_eq!(soon(reader.connected("feed")).await.name, "feed@test");
    soon(feed.connected("reader")).await;
    reader.stop().await;
    feed.stop().await;
}

#[cfg(not(feature = "membership"))]
#[tokio::test]
async fn a_cluster_needs_the_feature_and_that_is_said() {
    let text = "[node]\nname = \"a\"\ncookie = \"sesame\"\n[cluster]\nseeds = [\"h:1\"]\n";
    let config = Config::parse(text, "mycelium.toml", &Environment::empty()).expect("right");
    let error = Node::from_config(&config).expect_err("it cannot");
    assert!(error.to_string().contains("the feature `membership`"), "{error}");
    let builder = node("a").cluster(mycelium_ext::config::ClusterSettings::default());
    let error = soon(builder.start()).await.expect_err("it cannot");
    assert!(matches!(error, StartError::Unsupported { .. }), "{error}");
}

#[tokio::test]
async fn a_peer_that_comes_back_is_connected_again() {
    let feed = || Node::builder("feed").host("test").cookie("sesame");
    let first = started(feed().listen(Listen::tcp(OWN))).await;
    let address = first.addresses()[0].clone();
    let reader = started(node("reader").limits(eager()).peer(name("feed"), address.clone())).await;
    let mut events = reader.events();
    let before = soon(reader.connected("feed")).await;
    first.stop().await;
    assert_eq!(event(&mut events, disconnected).await, "feed@test");

    // It is dialled while it is away, and that is told.
    let (peer, dialled, retry_in) = event(&mut events, |event| match event {
        NodeEvent::DialFailed { peer, address, error, retry_in } => {
            assert!(matches!(**error, ConnectError::Unreachable { .. }), "{error}");
            Some((peer.clone(), address.clone(), *retry_in))
        }
        _ => None,
    })
    .await;
    assert_eq!((peer, &dialled), (name("feed"), &address));
    assert!(retry_in <= Duration::from_millis(20), "{retry_in:?} is over the bound");

    let second = started(feed().listen(Listen::tcp(&socket(&address).to_string()))).await;
    assert_eq!(second.addresses()[0], address);
    let after = soon(reader.connected("feed")).await;
    // It is who it was.
    assert_eq!(before.node_id, after.node_id);
    reader.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn two_nodes_that_dial_each_other_end_with_one_session() {
    let b = started(node("b")).await;
    let mut events = b.events();
    let to_b = b.addresses()[0].clone();
    let a = started(node("a").limits(eager()).peer(name("b"), to_b)).await;
    // Either of the two may be the one that stays.
    let _ = soon(b.connect(a.addresses()[0].clone())).await;
    while (a.peers().len(), b.peers().len()) != (1, 1) {
        let _ = event(&mut events, |_| Some(())).await;
        soon(a.connected("b")).await;
    }
    a.stop().await;
    b.stop().await;
}

#[tokio::test]
async fn another_cookie_is_refused_and_others_are_served() {
    let a = started(node("a")).await;
    let stranger = started(node("stranger").cookie("simsalabim")).await;
    let refused = soon(stranger.connect(a.addresses()[0].clone())).await;
    let error = refused.expect_err("another cookie");
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    let told = error.refusal().map(|(cause, by)| (cause.name(), format!("{by:?}")));
    assert_eq!(told, Some(("wrong_cookie", "Peer".to_owned())), "{error}");
    assert!(error.to_string().contains(&a.addresses()[0].to_string()), "{error}");
    assert!(!error.to_string().contains("sesame") && !error.to_string().contains("simsalabim"));
    assert_eq!((a.peers(), stranger.peers()), (vec![], vec![]));
    let friend = started(node("friend")).await;
    soon(friend.connect(a.addresses()[0].clone())).await.expect("the same cookie");
    for node in [a, stranger, friend] {
        node.stop().await;
    }
}

#[tokio::test]
async fn garbage_ends_a_connection_and_nothing_else() {
    let a = started(node("a")).await;
    let mut garbage = TcpStream::connect(socket(&a.addresses()[0])).expect("a connection");
    garbage.write_all(&[0xff; 64]).expect("it is taken");
    let friend = started(node("friend")).await;
    soon(friend.connect(a.addresses()[0].clone())).await.expect("a session");
    friend.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn a_handshake_has_to_finish_in_time() {
    let (_mute, address) = mute();
    let mut limits = Limits::default();
    limits.handshake_timeout = SHORT.into();
    let a = started(node("a").limits(limits)).await;
    let dialled = soon(a.connect(format!("tcp://{address}").parse().expect("an address"))).await;
    let error = dialled.expect_err("nobody answers");
    assert!(
        matches!(error, ConnectError::HandshakeTimeout { after, .. } if after == SHORT),
        "{error}"
    );

    // Nor may one who dials hold a connection open without a word.
    let mut silent = TcpStream::connect(socket(&a.addresses()[0])).expect("a connection");
    silent.set_read_timeout(Some(LONG)).expect("a timeout");
    let closed = tokio::task::spawn_blocking(move || {
        std::io::Read::read_to_end(&mut silent, &mut Vec::new())
    });
    let closed = soon(closed).await.expect("no panic");
    // Closed, or reset.
    assert!(!matches!(&closed, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock));
    a.stop().await;
}

#[tokio::test]
async fn what_does_not_open_is_given_up() {
    let (closed, address) = mute();
    drop(closed);
    let a = started(node("a")).await;
    let refused = soon(a.connect(format!("tcp://{address}").parse().expect("an address"))).await;
    let error = refused.expect_err("nobody listens");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    a.stop().await;
}

#[tokio::test]
async fn a_node_says_why_it_does_not_start() {
    let a = started(node("a")).await;
    let taken = socket(&a.addresses()[0]).to_string();
    for second in [false, true] {
        let mut builder = Node::builder("b").cookie("sesame");
        if second {
            builder = builder.listen(Listen::tcp("127.0.0.1:0"));
        }
        let error = soon(builder.listen(Listen::tcp(&taken)).start()).await.expect_err("taken");
        assert!(error.to_string().contains(&taken), "{error}");
        if !second {
            assert!(
                matches!(&error, StartError::Listen { source, .. }
                    if source.kind() == std::io::ErrorKind::AddrInUse),
                "{error}"
            );
        }
    }
    a.stop().await;
    let wrong = soon(node("a@b").start()).await;
    assert!(matches!(wrong, Err(StartError::Name(_))));
    let wrong = soon(node("b").listen(Listen::tcp("nowhere")).start()).await;
    assert!(matches!(wrong, Err(StartError::Address(_))));
    assert!(matches!(soon(Node::builder("b").start()).await, Err(StartError::NoCookie)));
}

#[tokio::test]
async fn a_node_that_is_dropped_stops() {
    let a = started(node("a")).await;
    let mut events = a.events();
    let b = started(node("b").peer(name("a"), a.addresses()[0].clone())).await;
    soon(a.connected("b")).await;
    drop(b);
    assert_eq!(event(&mut events, disconnected).await, "b@test");
    a.stop().await;
}

#[tokio::test]
async fn a_node_whose_server_is_gone_dials_nobody() {
    let a = started(node("a")).await;
    let address = a.addresses()[0].clone();
    let b = started(node("b")).await;
    soon(b.server().stop_and_wait(None, None)).await.expect("it stops");
    let error = soon(b.connect(address)).await.expect_err("there is no server");
    assert!(matches!(error, ConnectError::Stopped), "{error}");
    b.stop().await;
    a.stop().await;
}

#[tokio::test]
async fn every_listener_serves() {
    let a = started(node("a").listen(Listen::tcp("localhost:0"))).await;
    assert_eq!(tcp(&a).count(), 2);
    for (number, address) in a.addresses().iter().enumerate() {
        let peer = started(node(&format!("peer-{number}"))).await;
        soon(peer.connect(address.clone())).await.expect("a session");
        peer.stop().await;
    }
    a.stop().await;
}

#[tokio::test]
async fn the_addresses_are_free_when_it_has_stopped() {
    let a = Node::builder("a").cookie("sesame").listen(Listen::tcp(OWN)).listen(Listen::tcp(OWN));
    let a = started(a).await;
    let addresses: Vec<_> = tcp(&a).collect();
    let socket = a.addresses().iter().find_map(unix_path).expect("a Unix socket");
    assert!(socket.exists());
    a.stop().await;
    assert!(!socket.exists());
    let free: Vec<_> = addresses.iter().map(TcpListener::bind).collect();
    assert!(free.iter().all(Result::is_ok), "{free:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_that_is_not_there_is_told_by_its_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none.sock");
    let a = started(node("a")).await;
    let address = format!("unix://{}", path.display()).parse().expect("an address");
    let error = soon(a.connect(address)).await.expect_err("there is no such socket");
    assert!(error.to_string().contains("none.sock"), "{error}");
    a.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_where_it_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sock");
    let a = started(node("a").unix(UnixListening::At(path.clone()))).await;
    assert!(a.addresses().iter().filter_map(unix_path).eq([path.clone()]));
    let b = started(node("b").unix(UnixListening::Off)).await;
    assert_eq!(b.addresses().iter().filter_map(unix_path).count(), 0);
    let address = format!("unix://{}", path.display()).parse().expect("an address");
    let seen = soon(b.connect(address)).await.expect("a session");
    assert!(seen.links.iter().any(|link| link.kind == TransportKind::UnixSocket), "{seen:?}");
    a.stop().await;
    b.stop().await;

    let nowhere = folder.path().join("none").join("a.sock");
    let error = soon(node("a").unix(UnixListening::At(nowhere)).start()).await;
    let error = error.expect_err("there is no such folder");
    assert!(matches!(error, StartError::Unix(_)), "{error:?}");
}

/// Two nodes from configurations. The one that dials has `more`. And how it sees the
/// other.
async fn seen_with(more: &str) -> (Locality, Option<TransportKind>, Option<u64>) {
    let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "sesame")]);
    let parsed = |text: &str| Config::parse(text, "mycelium.toml", &environment).expect("right");
    let feed = parsed("[node]\nname = \"feed\"\nid = 7\n");
    let feed = started(Node::from_config(&feed).expect("supported")).await;
    let reader = parsed(&format!(
        "[node]\nname = \"reader\"\n{}\n",
        more.replace("ADDRESS", &format!("address = \"{}\"", feed.addresses()[0]))
    ));
    let reader = started(Node::from_config(&reader).expect("supported")).await;
    let peer = soon(reader.connected("feed")).await;
    let seen = (peer.locality, peer.active(), peer.number);
    reader.stop().await;
    feed.stop().await;
    seen
}

#[tokio::test]
async fn what_the_configuration_says_of_a_peer_counts() {
    let nearest = (Locality::SameProcess, Some(TransportKind::Arc), Some(7));
    assert_eq!(seen_with("[nodes.feed]\nADDRESS").await, nearest);
    assert_eq!(seen_with("[node.local_nodes]\nids = [7]\n[nodes.feed]\nADDRESS").await, nearest);
    let by_tcp = (Locality::Remote, Some(TransportKind::Tcp), Some(7));
    for more in [
        "[nodes.feed]\nADDRESS\nlocation = \"remote\"",
        "[nodes.feed]\nADDRESS\nid = 7\n[node.remote_nodes]\nids = [7]",
        "[nodes.feed]\nADDRESS\n[node.remote_nodes]\nids = [7]",
        "[nodes.feed]\nADDRESS\ntransport = \"tcp\"",
        "transport = \"tcp\"\n[nodes.feed]\nADDRESS",
    ] {
        assert_eq!(seen_with(more).await, by_tcp, "{more}");
    }
}

mod tls {
    use super::*;

    /// The files of a listener whose certificate is for `localhost`, signed by itself.
    struct Files {
        _folder: tempfile::TempDir,
        certificate: PathBuf,
        key: PathBuf,
    }

    fn files() -> Files {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
            .expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = (folder.path().join("node.pem"), folder.path().join("node.key"));
        std::fs::write(&certificate, made.cert.pem()).expect("a file");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
        Files { _folder: folder, certificate, key }
    }

    impl Files {
        fn identity(&self) -> Identity {
            Identity::load(&self.certificate, &self.key).expect("an identity")
        }

        fn authorities(&self) -> Authorities {
            Authorities::load(&self.certificate).expect("authorities")
        }
    }

    fn tls(host: &str, address: &Address) -> Address {
        let port = address.endpoint().expect("TLS").port();
        format!("tls://{host}:{port}").parse().expect("an address")
    }

    #[tokio::test]
    async fn a_peer_is_believed_by_its_certificate() {
        let files = files();
        let a = Node::builder("a").host("test").cookie("sesame");
        let a = a.listen(Listen::tls("127.0.0.1:0", files.identity()));
        let a = started(a.listen(Listen::tls("127.0.0.1:0", files.identity()))).await;
        let b = started(node("b").authorities(files.authorities())).await;
        let other = super::tls::files();
        let doubtful = started(node("c").authorities(other.authorities())).await;
        let bare = started(node("d")).await;
        let by_tls = |address: &&Address| matches!(address, Address::Tls(_));
        assert_eq!(a.addresses().iter().filter(by_tls).count(), 2);
        for address in a.addresses().iter().filter(by_tls) {
            // For another name, by another authority, by none.
            let error = soon(b.connect(tls("127.0.0.1", address))).await.expect_err("a name");
            assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
            let by_name = tls("localhost", address);
            let error = soon(doubtful.connect(by_name.clone())).await.expect_err("a stranger");
            assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
            let error = soon(bare.connect(by_name.clone())).await.expect_err("no authority");
            assert!(matches!(error, ConnectError::NoAuthorities { .. }), "{error}");
            // TCP where TLS is spoken.
            let plain = format!("tcp://{}", socket(address)).parse().expect("an address");
            let error = soon(bare.connect(plain)).await.expect_err("no TLS");
            assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
        }
        let seen = soon(b.connect(tls("localhost", &a.addresses()[0]))).await.expect("a session");
        assert_eq!(seen.name, "a@test");
        for node in [a, b, doubtful, bare] {
            node.stop().await;
        }
    }

    #[tokio::test]
    async fn a_connection_has_to_open_in_time() {
        let (_mute, address) = mute();
        let mut limits = Limits::default();
        limits.connect_timeout = SHORT.into();
        let b = started(node("b").authorities(files().authorities()).limits(limits)).await;
        let address: Address = format!("tls://{address}").parse().expect("an address");
        let error = soon(b.connect(address.clone())).await.expect_err("nobody answers");
        assert!(
            matches!(&error, ConnectError::Timeout { address: it, after }
            if *it == address && *after == SHORT),
            "{error}"
        );
        b.stop().await;
    }

    #[tokio::test]
    async fn one_who_says_nothing_does_not_keep_others_out() {
        let files = files();
        let a = started(node("a").listen(Listen::tls("127.0.0.1:0", files.identity()))).await;
        let address = &a.addresses()[1];
        let _silent = TcpStream::connect(socket(address)).expect("a connection");
        let b = started(node("b").authorities(files.authorities())).await;
        soon(b.connect(tls("localhost", address))).await.expect("a session");
        b.stop().await;
        a.stop().await;
    }

    #[tokio::test]
    async fn a_configuration_may_use_it() {
        let files = files();
        let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "sesame")]);
        let file = files.certificate.with_file_name("mycelium.toml");
        let parsed = |text: &str| {
            Config::parse(text, &file, &environment).unwrap_or_else(|error| panic!("{error}"))
        };
        let feed = parsed(
            "[node]\nname = \"feed\"\n[[listen]]\ntls = \"0\"\ncertificate = \"node.pem\"\n\
             key = \"node.key\"\n",
        );
        let feed = started(Node::from_config(&feed).expect("supported")).await;
        let reader = parsed(&format!(
            "[node]\nname = \"reader\"\n[node.tls]\nauthorities = \"node.pem\"\n[nodes.feed]\n\
             address = \"{}\"\nserver_name = \"localhost\"\n",
            feed.addresses()[0]
        ));
        let reader = started(Node::from_config(&reader).expect("supported")).await;
        soon(reader.connected("feed")).await;
        reader.stop().await;
        feed.stop().await;
    }

    #[test]
    fn files_that_do_not_fit_are_told_without_what_is_in_them() {
        let (one, two) = (files(), files());
        let error = Identity::load(&one.certificate, &two.key).expect_err("another's key");
        let words = error.to_string();
        assert!(words.contains("node.pem") && words.contains("node.key"), "{words}");
        let error = Identity::load(&one.key, &one.key).expect_err("no certificate");
        assert!(error.to_string().contains("no certificate (PEM) in it"), "{error}");
        let error = Identity::load(&one.certificate, &one.certificate).expect_err("no key");
        assert!(error.to_string().contains("no private key (PEM) in it"), "{error}");
    }
}
