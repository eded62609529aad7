//! What a node demands of its peers, and what they can make it do, through its public interface.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mycelium_ext::address::Address;
use mycelium_ext::config::{Config, ConnectionMode, Environment};
use mycelium_ext::node::{
    CertificateNames, ConnectError, Identity, Listen, Node, NodeBuilder, Security, StartError,
};
use ractor::actor::actor_config::TransportPreference;

#[path = "common/authority.rs"]
mod authority;

use authority::Authority;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it takes too long")
}

fn node(name: &str) -> NodeBuilder {
    Node::builder(name).host("test").cookie("sesame")
}

async fn started(builder: NodeBuilder) -> Node {
    soon(builder.start()).await.unwrap_or_else(|error| panic!("{error}"))
}

fn socket(address: &Address) -> SocketAddr {
    let endpoint = address.endpoint().expect("TCP or TLS");
    SocketAddr::new(endpoint.ip().expect("a number"), endpoint.port())
}

/// A field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("it is short");
    [&[number << 3 | 2, length], bytes].concat()
}

/// What a stock node says first, by its protocol: its name, its version and its address.
fn stock_greeting() -> Vec<u8> {
    let version = field(2, &[1 << 3, 1]);
    let name = [field(1, b"stock@elsewhere"), version, field(3, b"elsewhere:1")].concat();
    let frame = field(1, &field(1, &name));
    [(frame.len() as u64).to_be_bytes().as_slice(), &frame].concat()
}

/// Whether a node answers a stock node at all.
fn answers_stock(address: SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(LONG)).expect("it is not zero");
    stream.write_all(&stock_greeting()).expect("it reads");
    let mut length = [0; 8];
    match stream.read(&mut length) {
        Ok(read) => read > 0,
        Err(error) => {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "it says nothing");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strict_node_lets_in_nodes_of_the_fork_alone() {
    let open = started(node("open")).await;
    assert!(answers_stock(socket(&open.addresses()[0])));
    let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "sesame")]);
    for (text, variables) in [
        ("[node]\nname = \"strict\"\nhost = \"test\"\n[security]\nstrict = true\n", &environment),
        (
            "[node]\nname = \"strict\"\nhost = \"test\"\n",
            &Environment::of([
                ("MYCELIUM_NODE_COOKIE", "sesame"),
                ("MYCELIUM_SECURITY_STRICT", "true"),
            ]),
        ),
    ] {
        let config = Config::parse(text, "mycelium.toml", variables).expect("it is right");
        assert!(config.to_string().contains("lets in: the fork's nodes only"), "{config}");
        let strict = started(Node::from_config(&config).expect("supported")).await;
        assert!(!answers_stock(socket(&strict.addresses()[0])));
        let address = strict.addresses()[0].clone();
        let peer = soon(open.connect(address)).await.unwrap_or_else(|error| {
            panic!("open does not get into {:?}: {error}: {error:?}", strict.addresses())
        });
        assert_eq!(peer.name, "strict@test");
        strict.stop().await;
    }
    open.stop().await;
}

/// Stock's server listens on all interfaces; a node on loopback, unless it is told otherwise.
#[tokio::test]
async fn a_node_listens_on_loopback_by_default() {
    let a = started(node("loopback")).await;
    let by_network: Vec<_> =
        a.addresses().iter().filter(|address| address.endpoint().is_some()).collect();
    let [address] = by_network[..] else { panic!("{by_network:?}") };
    assert!(socket(address).ip().is_loopback(), "{address}");
    a.stop().await;
}

#[tokio::test]
async fn what_peers_tell_is_dialled_by_those_who_are_told_to() {
    let refused = soon(node("c").mode(ConnectionMode::Transitive).start()).await;
    let error = refused.expect_err("it may not");
    assert!(matches!(error, StartError::SuppliedAddresses), "{error}");
    assert!(error.to_string().contains("dial_supplied_addresses"), "{error}");

    // Nodes of one process tell each other nothing, unless they take each other for remote ones.
    let host = |name| {
        let node = Node::builder(name).host("127.0.0.1").cookie("sesame");
        node.transport(TransportPreference::Tcp)
    };
    let a = started(host("a")).await;
    let b = started(host("b")).await;
    soon(b.connect(a.addresses()[0].clone())).await.expect("a session");
    soon(b.connected("a")).await;
    let isolated = started(host("isolated")).await;
    soon(isolated.connect(b.addresses()[0].clone())).await.expect("a session");
    let security = Security::default().with_supplied_addresses(true);
    let c = host("c").mode(ConnectionMode::Transitive).security(security);
    let c = started(c).await;
    soon(c.connect(b.addresses()[0].clone())).await.expect("a session");
    assert_eq!(soon(c.connected("a")).await.name, "a@127.0.0.1");
    let known: Vec<_> = isolated.peers().into_iter().map(|peer| peer.name).collect();
    assert!(!known.contains(&"a@127.0.0.1".to_owned()), "{known:?}");
    for node in [a, b, c, isolated] {
        node.stop().await;
    }
}

fn by_name(node: &Node) -> Address {
    let is_tls = |address: &&Address| matches!(address, Address::Tls(_));
    let address = node.addresses().iter().find(is_tls).expect("TLS");
    format!("tls://localhost:{}", socket(address).port()).parse().expect("an address")
}

#[tokio::test]
async fn with_mutual_tls_both_sides_are_held_to_their_names() {
    let cluster = Authority::new();
    let feed = cluster.sign("feed", &["localhost", "feed"]);
    let listen = Listen::tls("127.0.0.1:0", feed.clone());
    let feed = node("feed").listen(listen).mutual_tls(feed, cluster.authorities());
    let feed = started(feed).await;
    let reader = cluster.sign("reader", &["reader"]);
    let dialler = |name: &str, identity: &Identity| {
        node(name).mutual_tls(identity.clone(), cluster.authorities())
    };

    let honest = started(dialler("reader", &reader)).await;
    let seen = soon(honest.connect(by_name(&feed))).await.expect("a session");
    assert_eq!(seen.name, "feed@test");

    // With the certificate of another node, with none, and with one of another authority.
    let thief = started(dialler("archive", &reader)).await;
    let strange = Authority::new().sign("reader", &["stranger"]);
    let stranger = started(dialler("stranger", &strange)).await;
    let bare = started(node("bare").authorities(cluster.authorities())).await;
    for refused in [&thief, &stranger, &bare] {
        let error = soon(refused.connect(by_name(&feed))).await.expect_err("it is not let in");
        assert!(
            matches!(error, ConnectError::Refused { .. } | ConnectError::Tls { .. }),
            "{error}"
        );
    }
    let known: Vec<_> = feed.peers().into_iter().map(|peer| peer.name).collect();
    assert_eq!(known, ["reader@test"]);

    // A listener whose certificate is for the host that is dialled, and not for the node.
    let host = cluster.sign("host", &["localhost"]);
    let book = node("book").listen(Listen::tls("127.0.0.1:0", host.clone()));
    let book = started(book.mutual_tls(host, cluster.authorities())).await;
    let error = soon(honest.connect(by_name(&book))).await.expect_err("it is not for the node");
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("refused_certificate"), "{error}");
    let names = CertificateNames::default().also("book", "localhost".try_into().expect("a name"));
    let security = Security::strict().with_certificate_names(names);
    let knowing = node("reader").security(security);
    let knowing = started(knowing.mutual_tls(reader, cluster.authorities())).await;
    let seen = soon(knowing.connect(by_name(&book))).await.expect("a session");
    assert_eq!(seen.name, "book@test");
    for node in [feed, honest, thief, stranger, bare, book, knowing] {
        node.stop().await;
    }
}

#[tokio::test]
async fn a_configuration_may_demand_certificates() {
    let cluster = Authority::new();
    cluster.sign("feed", &["localhost"]);
    cluster.sign("reader", &["reader.example.org"]);
    let environment = Environment::of([("MYCELIUM_NODE_COOKIE", "sesame")]);
    let file = cluster.path("mycelium.toml");
    let parsed = |text: &str| {
        Config::parse(text, &file, &environment).unwrap_or_else(|error| panic!("{error}\n{text}"))
    };
    let feed = |names: &str| {
        parsed(&format!(
            "[node]\nname = \"feed\"\nhost = \"test\"\n[node.tls]\n\
             client_authorities = \"authority.pem\"\n[[listen]]\ntls = \"0\"\n\
             certificate = \"feed.pem\"\nkey = \"feed.key\"\n[nodes.reader]\n{names}\n"
        ))
    };
    let reader = |address: &Address| {
        parsed(&format!(
            "[node]\nname = \"reader\"\nhost = \"test\"\n[node.tls]\nauthorities = \"authority.pem\"\n\
             certificate = \"reader.pem\"\nkey = \"reader.key\"\n[nodes.feed]\naddress = \"{address}\"\n\
             server_name = \"localhost\"\n"
        ))
    };
    let named = feed("certificate_names = [\"reader.example.org\"]");
    assert!(named.to_string().contains("demanded of those who connect by TLS"), "{named}");
    let feed_node = started(Node::from_config(&named).expect("supported")).await;
    let address = feed_node.addresses()[0].clone();
    let reader_node = started(Node::from_config(&reader(&address)).expect("supported")).await;
    soon(reader_node.connected("feed")).await;
    soon(feed_node.connected("reader")).await;
    reader_node.stop().await;
    feed_node.stop().await;

    // Without the list the certificate is for another node.
    let strict = started(Node::from_config(&feed("")).expect("supported")).await;
    let identity = Identity::load(&cluster.path("reader.pem"), &cluster.path("reader.key"));
    let dialler = node("reader").mutual_tls(identity.expect("one"), cluster.authorities());
    let dialler = started(dialler).await;
    let error = soon(dialler.connect(by_name(&strict))).await.expect_err("another name");
    assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
    dialler.stop().await;
    strict.stop().await;

    // No peer could connect by TLS.
    let text = "[node]\nname = \"feed\"\n[node.tls]\nclient_authorities = \"authority.pem\"\n";
    let error = Config::parse(text, &file, &environment).expect_err("no listener");
    assert!(error.to_string().contains("a [[listen]] with tls"), "{error}");
}
