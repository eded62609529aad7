//! A node with every kind of listener and an actor to call, and its log.

use std::sync::Arc;
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::{call, pg, Actor, ActorProcessingErr, ActorRef, BytesConvertable, RpcReplyPort};
use ractor_cluster::link::options::{Listen, UnixListening};
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;
use ractor_cluster::{NodeServer, RactorClusterMessage};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::client::Client;
use crate::common::server::member;
use crate::common::{node_server, transitive_server, watched, Node};
use crate::logs::Log;
use crate::watchdog::cpu;

/// The kinds of listeners.
pub const KINDS: [TransportKind; 3] =
    [TransportKind::Tcp, TransportKind::UnixSocket, TransportKind::Tls];

/// A node takes frames of up to so many bytes here.
pub const MAX_FRAME: u64 = 64 * 1024;

/// Counts, and sums, what it is sent.
pub struct Counter;

#[derive(RactorClusterMessage)]
#[shared]
pub enum Count {
    Add(u64),
    /// Is of no use but its size.
    Blob(Vec<u8>),
    #[rpc]
    Sum(RpcReplyPort<u64>),
    /// Keeps the thread for a tenth of a second of the processor's time.
    #[rpc]
    Work(RpcReplyPort<u64>),
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Counter {
    type Msg = Count;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Count>, (): ()) -> Result<u64, ActorProcessingErr> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        message: Count,
        sum: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Count::Add(number) => *sum += number,
            Count::Blob(bytes) => drop(bytes),
            Count::Sum(reply) => reply.send(*sum)?,
            Count::Work(reply) => {
                let begin = cpu();
                while cpu() - begin < Duration::from_millis(100) {
                    std::hint::spin_loop();
                }
                reply.send(*sum)?;
            }
        }
        Ok(())
    }
}

pub struct Scene {
    pub log: Log,
    pub node: Node,
    counter: ActorRef<Count>,
    ended: JoinHandle<()>,
    pub connector: TlsConnector,
    guests: u32,
    /// Of the Unix socket.
    _folder: TempDir,
}

impl Scene {
    pub async fn start(name: &str) -> Self {
        Self::with(name, Self::options()).await
    }

    /// A node that waits so long for each part of a handshake.
    pub async fn patient(name: &str, timeout: Duration) -> Self {
        Self::with(name, Self::options().with_handshake_timeout(timeout)).await
    }

    /// Of a node that waits for none of the clients to come back, which never do.
    fn options() -> LinkOptions {
        LinkOptions::default().with_reconnect_grace(Duration::ZERO)
    }

    /// A node with these options, beside its listeners.
    pub async fn with(name: &str, options: LinkOptions) -> Self {
        Self::of(name, node_server(name), options).await
    }

    /// A node that connects to the peers of its peers.
    pub async fn transitive(name: &str, options: LinkOptions) -> Self {
        Self::of(name, transitive_server(name), options).await
    }

    /// A node that logs no more lines of one cause than it does by default.
    pub async fn terse(name: &str, options: LinkOptions) -> Self {
        let server = node_server(name).with_max_inbound_frame_size(MAX_FRAME);
        Self::logging(name, server, options).await
    }

    async fn of(name: &str, server: NodeServer, options: LinkOptions) -> Self {
        let server = server.with_max_inbound_frame_size(MAX_FRAME);
        // Tests look for the line of each refusal.
        let limits = options.limits.with_log_lines(10_000);
        Self::logging(name, server, options.with_limits(limits)).await
    }

    /// A node that takes frames of upstream's default.
    pub async fn roomy(name: &str) -> Self {
        Self::logging(name, node_server(name), Self::options()).await
    }

    async fn logging(name: &str, server: NodeServer, options: LinkOptions) -> Self {
        let log = Log::begin();
        let folder = tempfile::tempdir().expect("there is room");
        let (acceptor, connector) = tls("localhost");
        let options = options
            .with_unix(UnixListening::At(folder.path().join("socket")))
            .with_listener(Listen::Tls(([127, 0, 0, 1], 0).into(), acceptor));
        let server = server.with_links(options);
        let node = Node::spawn(server).await;
        let (counter, ended) = member(Counter, &format!("counters of {name}")).await;
        Self { log, node, counter, ended, connector, guests: 0, _folder: folder }
    }

    pub fn address(&self, kind: TransportKind) -> String {
        self.node.address(kind)
    }

    /// A connection to the listener of this kind.
    pub async fn client(&self, kind: TransportKind) -> Client {
        let address = self.address(kind);
        match kind {
            TransportKind::UnixSocket => Client::unix(&address).await,
            TransportKind::Tls => Client::tls(&address, &self.connector).await,
            _ => Client::tcp(&address).await,
        }
    }

    /// A peer that joined, by a name of its own.
    pub async fn guest(&mut self, kind: TransportKind) -> Client {
        self.guests += 1;
        let mut client = self.client(kind).await;
        client.join(&format!("guest-{}", self.guests)).await;
        client
    }

    pub fn counter(&self) -> u64 {
        self.counter.get_id().pid()
    }

    /// What the counter was sent so far.
    pub async fn sum(&self) -> u64 {
        watched(async { call!(self.counter, Count::Sum) }).await.expect("it runs")
    }

    /// A peer that behaves is served.
    pub async fn serves(&mut self, kind: TransportKind) {
        let mut guest = self.guest(kind).await;
        let answer = guest.call(self.counter(), "Sum").await;
        assert_eq!(u64::from_bytes(answer), self.sum().await);
    }

    pub fn actor(&self) -> ActorRef<Count> {
        self.counter.clone()
    }

    pub async fn end(self) {
        self.end_with_log().await;
    }

    /// As [`end`](Self::end), and returns what was logged.
    pub async fn end_with_log(mut self) -> Log {
        for kind in KINDS {
            self.serves(kind).await;
        }
        self.node.stop().await;
        self.counter.stop(None);
        watched(self.ended).await.expect("it ends in order");
        self.log.tells_no_secrets();
        self.log
    }
}

/// The proxy of a scene's counter at the node that has this peer.
pub async fn proxy_of(group: &str, peer: u64) -> ActorRef<Count> {
    watched(async {
        loop {
            let members = pg::get_members(&group.to_owned());
            let proxy = members.into_iter().find(|it| it.get_id().node() == peer);
            if let Some(proxy) = proxy {
                return proxy.into();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// The server's and the client's part of a certificate for `name`.
pub fn tls(name: &str) -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("it is a name");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it is a key");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("it is a certificate");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("it knows them")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they fit");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("it knows them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client)))
}
