//! A client of its own making, which speaks the protocol as far as the test wants it to.

// By a path, since what is fuzzed has this file elsewhere.
#[path = "client/handshake.rs"]
mod handshake;
// Used by the soak; these tests fail where a step fails.
#[allow(dead_code)]
#[path = "client/trying.rs"]
mod trying;

use std::collections::VecDeque;
use std::io;

use prost::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::common::watched;
use super::message::{self, Sent};
use super::wire::{
    Acknowledgement, Announcement, AuthBody, Body, Call, ControlBody, Envelope, Enveloped, Frame,
    Network, NodeBody, Ours, Ready, Settled,
};
use handshake::Said;
#[allow(unused_imports, reason = "as above")]
pub use trying::Session;

/// A connection of any kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One end of a connection with a node.
pub struct Client {
    stream: Box<dyn Stream>,
    /// What the node calls this end, where it knows.
    pub address: String,
    /// The other end of a connection that the node has made.
    pub peer: String,
    /// The kind of transport, as proofs name it.
    kind: &'static str,
    cookie: String,
    server: bool,
    nonce: [u8; 32],
    /// The start of its node that it claims to be.
    incarnation: Option<Vec<u8>>,
    share: [u8; 32],
    /// What the node said of itself.
    pub announced: Option<Announcement>,
    /// How both ends said hello and named themselves, and what makes this connection unlike others.
    said: Said,
    sequence: u64,
    /// The node's last envelope.
    pub seen: u64,
    waiting: VecDeque<Network>,
    /// The node's casts, until a test asks for them.
    messages: VecDeque<Sent>,
    /// The tags of calls that the node does not answer, as well.
    unanswered: VecDeque<u64>,
}

/// How a call of ours is answered.
pub const ANSWER_TAG: u64 = 77;

impl Client {
    fn new(stream: Box<dyn Stream>, address: String, kind: &'static str) -> Self {
        Self {
            stream,
            address,
            peer: String::new(),
            kind,
            cookie: super::common::COOKIE.to_owned(),
            server: false,
            nonce: rand::random(),
            incarnation: None,
            share: rand::random(),
            announced: None,
            said: Said::default(),
            messages: VecDeque::new(),
            unanswered: VecDeque::new(),
            sequence: 0,
            seen: 0,
            waiting: VecDeque::new(),
        }
    }

    pub async fn tcp(address: &str) -> Self {
        Self::try_tcp(address).await.expect("it is listened to")
    }

    pub async fn try_tcp(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let address = stream.local_addr()?.to_string();
        Ok(Self::new(Box::new(stream), address, "tcp"))
    }

    pub async fn unix(path: &str) -> Self {
        Self::try_unix(path).await.expect("it is listened to")
    }

    pub async fn try_unix(path: &str) -> io::Result<Self> {
        let stream = UnixStream::connect(path).await?;
        Ok(Self::new(Box::new(stream), format!("process {}", std::process::id()), "unix"))
    }

    /// Over a stream that the application has brought along.
    #[allow(dead_code, reason = "what is fuzzed uses it")]
    pub fn external(stream: impl Stream + 'static) -> Self {
        Self::new(Box::new(stream), "external".to_owned(), "external")
    }

    pub async fn tls(address: &str, connector: &TlsConnector) -> Self {
        let stream = TcpStream::connect(address).await.expect("it is listened to");
        let address = stream.local_addr().expect("it is connected").to_string();
        let name = "localhost".try_into().expect("it is a name");
        let stream = connector.connect(name, stream).await.expect("they agree");
        let binding = stream
            .get_ref()
            .1
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]))
            .expect("the handshake is done");
        let mut client = Self::new(Box::new(stream), address, "tls");
        client.said.binding = Some(binding);
        client
    }

    /// The other side: the node has connected.
    pub fn accepted(stream: TcpStream) -> Self {
        let address = stream.local_addr().expect("it is connected").to_string();
        // As the node sees it, this end is the peer.
        let peer = address.clone();
        Self { server: true, peer, ..Self::new(Box::new(stream), address, "tcp") }
    }

    pub fn with_cookie(mut self, cookie: &str) -> Self {
        cookie.clone_into(&mut self.cookie);
        self
    }

    pub fn with_incarnation(mut self, incarnation: [u8; 16]) -> Self {
        self.incarnation = Some(incarnation.to_vec());
        self
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Sends a frame; a node that has had enough of us takes none.
    pub async fn try_send(&mut self, frame: impl Into<Network>) -> io::Result<()> {
        let frame = frame.into();
        self.said.ours.note(&frame);
        self.send_bytes(&Self::encoded(frame)).await
    }

    /// A frame with its length.
    pub fn encoded(frame: impl Into<Network>) -> Vec<u8> {
        let frame = frame.into();
        let frame = message::encode(&frame).unwrap_or_else(|| frame.encode_to_vec());
        let mut bytes = (frame.len() as u64).to_be_bytes().to_vec();
        bytes.extend(frame);
        bytes
    }

    pub async fn send(&mut self, frame: impl Into<Network>) {
        self.try_send(frame).await.expect("the node takes it");
    }

    /// The next frame, or `None` when the node has closed the connection.
    pub async fn receive(&mut self) -> Option<Network> {
        if let Some(frame) = self.waiting.pop_front() {
            return Some(frame);
        }
        let length = watched(self.stream.read_u64()).await.ok()?;
        let mut frame = vec![0; usize::try_from(length).expect("it is a length")];
        watched(self.stream.read_exact(&mut frame)).await.ok()?;
        self.messages.extend(message::sent(&frame));
        self.unanswered.extend(message::unanswered(&frame));
        let frame = message::decode(&frame).unwrap_or_else(|| {
            Network::decode(frame.as_slice()).expect("the node speaks the protocol")
        });
        self.said.theirs.note(&frame);
        if let Some(Body::Ours(ours)) = &frame.body {
            if let Some(Frame::Envelope(it)) = &ours.frame {
                self.seen = self.seen.max(it.sequence);
            }
        }
        Some(frame)
    }

    /// Reads until the node closes the connection.
    pub async fn closed(&mut self) {
        while self.receive().await.is_some() {}
    }

    /// Ends what this end sends, and goes on reading.
    pub async fn shut_down(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// The next frame of those that are looked for; what else comes is skipped.
    pub async fn find<T>(&mut self, wanted: impl Fn(Network) -> Option<T>) -> T {
        loop {
            let frame = self.receive().await.expect("the node goes on");
            if let Some(found) = wanted(frame) {
                return found;
            }
        }
    }

    /// The next frame of stock's handshake.
    pub async fn auth(&mut self) -> AuthBody {
        self.find(|frame| match frame.body {
            Some(Body::Auth(auth)) => auth.body,
            _ => None,
        })
        .await
    }

    /// The next frame of the fork's.
    pub async fn ours(&mut self) -> Frame {
        self.find(|frame| match frame.body {
            Some(Body::Ours(ours)) => ours.frame,
            _ => None,
        })
        .await
    }

    /// Becomes a peer that is ready for messages.
    pub async fn join(&mut self, name: &str) {
        self.join_as(name, self.announcement()).await;
    }

    /// The same, of one that says this of itself.
    pub async fn join_as(&mut self, name: &str, announcement: Announcement) {
        self.authenticate(name).await;
        self.send(Frame::Announcement(announcement)).await;
        self.expect_announcement().await;
        self.send(Frame::Settled(Settled {})).await;
        self.send_ready().await;
        self.await_ready().await;
    }

    pub async fn send_ready(&mut self) {
        let ready = self.envelope(ControlBody::Ready(Ready {}));
        self.send(Frame::Envelope(ready)).await;
    }

    /// Waits until the node has told all that it has.
    pub async fn await_ready(&mut self) {
        let is_ready = |body| match body {
            Enveloped::Control(control) => {
                matches!(control.body, Some(ControlBody::Ready(_))).then_some(())
            }
            _ => None,
        };
        self.enveloped(is_ready).await;
    }

    /// The next message in an envelope that is looked for.
    pub async fn enveloped<T>(&mut self, wanted: impl Fn(Enveloped) -> Option<T>) -> T {
        loop {
            if let Frame::Envelope(Envelope { body: Some(body), .. }) = self.ours().await {
                if let Some(found) = wanted(body) {
                    return found;
                }
            }
        }
    }

    /// The node's next cast.
    pub async fn sent(&mut self) -> Sent {
        loop {
            if let Err(sent) = self.next().await {
                return sent;
            }
        }
    }

    /// The tag of the next call that gets no answer; what else comes is skipped.
    pub async fn unanswered(&mut self) -> u64 {
        loop {
            if let Some(tag) = self.unanswered.pop_front() {
                return tag;
            }
            self.receive().await.expect("the node goes on");
        }
    }

    /// The next message: one in an envelope, or a cast.
    pub async fn next(&mut self) -> Result<Enveloped, Sent> {
        loop {
            if let Some(sent) = self.messages.pop_front() {
                return Err(sent);
            }
            if let Frame::Envelope(Envelope { body: Some(body), .. }) = self.ours_or_cast().await {
                return Ok(body);
            }
        }
    }

    async fn ours_or_cast(&mut self) -> Frame {
        let frame = self.receive().await.expect("the node goes on");
        match frame.body {
            Some(Body::Ours(Ours { frame: Some(frame) })) => frame,
            _ => Frame::Acknowledgement(Acknowledgement { lane: 0, acknowledged: 0 }),
        }
    }

    /// Sends a message to many actors.
    pub async fn many(&mut self, to: &[u64], variant: &str, what: &[u8]) {
        self.try_many(to, variant, what).await.expect("the node takes it");
    }

    pub async fn try_many(&mut self, to: &[u64], variant: &str, what: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let frame = message::many(self.sequence, self.seen, to, variant, what);
        let bytes = [(frame.len() as u64).to_be_bytes().as_slice(), &frame].concat();
        self.send_bytes(&bytes).await
    }

    /// The next envelope of this end.
    pub fn envelope(&mut self, body: impl Into<Enveloped>) -> Envelope {
        self.sequence += 1;
        Envelope {
            lane: 0,
            sequence: self.sequence,
            acknowledged: self.seen,
            body: Some(body.into()),
        }
    }

    /// Calls an actor, and returns its answer.
    pub async fn call(&mut self, to: u64, variant: &str) -> Vec<u8> {
        let (variant, what) = (variant.to_owned(), Vec::new());
        let call = Call { to, what, tag: ANSWER_TAG, timeout_ms: None, variant };
        let envelope = self.envelope(NodeBody::Call(call));
        self.send(Frame::Envelope(envelope)).await;
        self.reply(ANSWER_TAG).await
    }

    /// The answer to the call with this tag.
    pub async fn reply(&mut self, tag: u64) -> Vec<u8> {
        self.enveloped(|body| match body {
            Enveloped::Node(node) => match node.body {
                Some(NodeBody::Reply(reply)) if reply.tag == tag => Some(reply.what),
                _ => None,
            },
            _ => None,
        })
        .await
    }
}
