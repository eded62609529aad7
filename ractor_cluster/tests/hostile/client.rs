//! A client of its own making, which speaks the protocol as far as the test wants it to.

use std::collections::VecDeque;
use std::io;

use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::common::watched;
use crate::message::{self, Sent};
use crate::wire::{
    Acknowledgement, Announcement, Attach, AttachChallenge, AttachProof, AuthBody, Body, Call,
    Challenge, ChallengeAck, ChallengeReply, ControlBody, Envelope, Enveloped, Flags, Frame, Hello,
    Name, Network, NodeBody, Ours, Proof, Ready, ServerStatus, Settled,
};

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
    share: [u8; 32],
    /// What the node said of itself.
    pub announced: Option<Announcement>,
    /// How both ends said hello and named themselves, and what makes this connection unlike others.
    said: Said,
    sequence: u64,
    /// The node's last envelope.
    pub seen: u64,
    waiting: VecDeque<Network>,
    /// The node's casts, until somebody asks for them.
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
            cookie: crate::common::COOKIE.to_owned(),
            server: false,
            nonce: rand::random(),
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
        let stream = TcpStream::connect(address).await.expect("it is listened to");
        let address = stream.local_addr().expect("it is connected").to_string();
        Self::new(Box::new(stream), address, "tcp")
    }

    pub async fn unix(path: &str) -> Self {
        let stream = UnixStream::connect(path).await.expect("it is listened to");
        Self::new(Box::new(stream), format!("process {}", std::process::id()), "unix")
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

    pub fn hello(&self) -> Frame {
        Frame::Hello(Hello {
            version: 1,
            nonce: self.nonce.to_vec(),
            channel: self.kind.to_owned(),
            bound: self.said.binding.is_some(),
        })
    }

    pub fn name(name: &str) -> AuthBody {
        AuthBody::Name(Name {
            name: format!("{name}@elsewhere"),
            flags: Some(Flags { version: 1 }),
            connection_string: format!("{name}:1"),
            connection_id: rand::random(),
        })
    }

    /// Says hello and gives a name, and returns the node's challenge.
    pub async fn introduce(&mut self, name: &str) -> u32 {
        self.send(self.hello()).await;
        self.challenged(Self::name(name)).await
    }

    /// Gives a name, and returns the node's challenge.
    pub async fn challenged(&mut self, name: AuthBody) -> u32 {
        self.send(name).await;
        let AuthBody::ServerStatus(ServerStatus { status: 0 | 1 }) = self.auth().await else {
            panic!("the node did not consent");
        };
        let AuthBody::Challenge(challenge) = self.auth().await else {
            panic!("the node did not challenge");
        };
        challenge.challenge
    }

    /// The node's challenge, or `None` when it does not consent to the name.
    pub async fn try_challenge(&mut self) -> Option<u32> {
        loop {
            let Some(Body::Auth(auth)) = self.receive().await?.body else { continue };
            match auth.body {
                Some(AuthBody::ServerStatus(ServerStatus { status: 0 | 1 })) => {}
                Some(AuthBody::Challenge(challenge)) => return Some(challenge.challenge),
                _ => return None,
            }
        }
    }

    /// Answers the node's challenge, and challenges it.
    pub async fn answer(&mut self, challenge: u32) {
        self.try_answer(challenge).await.expect("the node takes it");
    }

    /// As [`answer`](Self::answer), of a node that may have had enough. Who said hello proves first that
    /// it knows the cookie.
    pub async fn try_answer(&mut self, challenge: u32) -> io::Result<()> {
        if self.said.ours.hello.is_some() {
            let proof = self.proof();
            self.try_send(Frame::Proof(Proof { proof })).await?;
        }
        self.try_reply(challenge).await
    }

    /// Answers the node's challenge alone.
    pub async fn try_reply(&mut self, challenge: u32) -> io::Result<()> {
        let digest = digest(&self.cookie, challenge);
        self.try_send(AuthBody::Reply(ChallengeReply { challenge: 5, digest })).await
    }

    /// Authenticates to the node that was connected to, under this name.
    pub async fn authenticate(&mut self, name: &str) {
        let challenge = self.introduce(name).await;
        self.answer(challenge).await;
        let AuthBody::Ack(ack) = self.auth().await else { panic!("the node did not agree") };
        assert_eq!(ack.digest, digest(&self.cookie, 5));
        self.said.theirs.proof.clone().map_or_else(
            || assert!(self.said.ours.hello.is_none(), "the node has proven nothing"),
            |proof| assert_eq!(proof, self.proof_of(b"listener")),
        );
    }

    /// What this end has to prove.
    pub fn proof(&self) -> Vec<u8> {
        self.proof_of(if self.server { b"listener" } else { b"dialler." })
    }

    fn proof_of(&self, role: &[u8]) -> Vec<u8> {
        let (dialler, listener) = match self.server {
            true => (&self.said.theirs, &self.said.ours),
            false => (&self.said.ours, &self.said.theirs),
        };
        let mut parts = vec![b"mycelium: first connection of a session, 1".to_vec(), role.to_vec()];
        parts.extend(dialler.parts());
        parts.extend(listener.parts());
        parts.push(dialler.connection_id.to_be_bytes().to_vec());
        let bound =
            [dialler, listener].iter().all(|it| it.hello.as_ref().is_some_and(|it| it.bound));
        let binding = self.said.binding.filter(|_| bound);
        parts.push(binding.map_or_else(Vec::new, |it| it.to_vec()));
        let parts: Vec<Vec<u8>> = parts
            .iter()
            .map(|part| [(part.len() as u64).to_be_bytes().as_slice(), part].concat())
            .collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        mac(self.cookie.as_bytes(), &parts).to_vec()
    }

    /// As if this end had another channel than it has.
    pub fn with_binding(mut self, binding: Option<[u8; 32]>) -> Self {
        self.said.binding = binding;
        self
    }

    /// Everything of its handshake on which a cookie could be tried.
    pub fn secrets(&self) -> Vec<Vec<u8>> {
        let ends = [&self.said.ours, &self.said.theirs];
        ends.into_iter().flat_map(|end| end.secrets.clone()).collect()
    }

    /// Lets the node that connected authenticate, as a node of this name; the node has then announced
    /// itself.
    pub async fn admit(&mut self, name: &str) -> Announcement {
        let AuthBody::Name(_) = self.auth().await else { panic!("the node gave no name") };
        self.send(self.hello()).await;
        self.send(AuthBody::ServerStatus(ServerStatus { status: 0 })).await;
        self.send(self.challenge(name)).await;
        let AuthBody::Reply(reply) = self.auth().await else { panic!("the node gave no answer") };
        assert_eq!(reply.digest, digest(&self.cookie, 9));
        assert_eq!(self.said.theirs.proof, Some(self.proof_of(b"dialler.")));
        let proof = self.proof();
        self.send(Frame::Proof(Proof { proof })).await;
        let digest = digest(&self.cookie, reply.challenge);
        self.send(AuthBody::Ack(ChallengeAck { digest })).await;
        self.expect_announcement().await
    }

    /// What a node that was connected to asks.
    pub fn challenge(&self, name: &str) -> AuthBody {
        AuthBody::Challenge(Challenge {
            name: format!("{name}@elsewhere"),
            flags: Some(Flags { version: 1 }),
            challenge: 9,
            connection_string: format!("{name}:1"),
        })
    }

    /// The right answer to a challenge.
    pub fn digest(&self, challenge: u32) -> Vec<u8> {
        digest(&self.cookie, challenge)
    }

    /// What the node has proven.
    pub fn their_proof(&self) -> Option<Vec<u8>> {
        self.said.theirs.proof.clone()
    }

    pub fn announcement(&self) -> Announcement {
        Announcement {
            release: "0.16.5+hostile".to_owned(),
            share: self.share.to_vec(),
            ..Announcement::default()
        }
    }

    /// This machine, as a node that was connected to says it.
    #[cfg(target_os = "linux")]
    pub fn machine(&self) -> Vec<u8> {
        use std::os::unix::fs::MetadataExt;

        let space = |name| std::fs::metadata(format!("/proc/self/ns/{name}")).expect("it is there");
        let mut raw = std::fs::read("/proc/sys/kernel/random/boot_id").expect("it is there");
        raw.extend(space("net").dev().to_be_bytes());
        raw.extend(space("net").ino().to_be_bytes());
        raw.extend(space("user").ino().to_be_bytes());
        let theirs = self.said.theirs.hello.as_ref().expect("it has said hello");
        let salt = [theirs.nonce.as_slice(), &self.nonce].concat();
        let mut hash = Sha256::new();
        for part in [b"machine".as_slice(), b"listener", &salt, &raw] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }

    pub async fn expect_announcement(&mut self) -> Announcement {
        loop {
            if let Frame::Announcement(announcement) = self.ours().await {
                self.announced = Some(announcement.clone());
                return announcement;
            }
        }
    }

    /// Becomes a peer that is ready for messages.
    pub async fn join(&mut self, name: &str) {
        self.authenticate(name).await;
        self.send(Frame::Announcement(self.announcement())).await;
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

    /// What comes next: something in an envelope, or a cast.
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
        self.sequence += 1;
        let frame = message::many(self.sequence, self.seen, to, variant, what);
        let bytes = [(frame.len() as u64).to_be_bytes().as_slice(), &frame].concat();
        self.send_bytes(&bytes).await.expect("the node takes it");
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

    /// The secret that this end and the node share: the session's name, and its key.
    fn secret(&self) -> ([u8; 32], [u8; 32]) {
        let node = &self.announced.as_ref().expect("the node has announced itself").share;
        let (ours, node) = (self.share.as_slice(), node.as_slice());
        let (client, server) = if self.server { (node, ours) } else { (ours, node) };
        let name = Sha256::new()
            .chain_update(b"session")
            .chain_update(client)
            .chain_update(server)
            .finalize();
        let key = mac(self.cookie.as_bytes(), &[b"links", client, server]);
        (name.into(), key)
    }

    /// Asks for a further link to the session of `of`, and returns what proves it, once challenged.
    pub async fn attach(&mut self, of: &Self) -> AttachProof {
        let (session, key) = of.secret();
        let attach = Attach { session: session.to_vec(), nonce: self.nonce.to_vec() };
        self.send(Frame::Attach(attach)).await;
        let Frame::AttachChallenge(AttachChallenge { nonce, proof }) = self.ours().await else {
            panic!("the node did not challenge");
        };
        let of_node = mac(&key, &[b"listener", &self.nonce, &nonce, self.kind.as_bytes()]);
        assert_eq!(proof, of_node);
        let proof = mac(&key, &[b"dialler.", &self.nonce, &nonce, self.kind.as_bytes()]);
        AttachProof { proof: proof.to_vec() }
    }
}

/// What was said at the beginning of a connection.
#[derive(Default)]
struct Said {
    ours: End,
    theirs: End,
    binding: Option<[u8; 32]>,
}

/// What one end said.
#[derive(Default)]
struct End {
    hello: Option<Hello>,
    name: String,
    connection_string: String,
    version: u32,
    connection_id: u64,
    proof: Option<Vec<u8>>,
    secrets: Vec<Vec<u8>>,
}

impl End {
    fn note(&mut self, frame: &Network) {
        match &frame.body {
            Some(Body::Auth(auth)) => match &auth.body {
                Some(AuthBody::Name(it)) => {
                    self.named(&it.name, &it.connection_string, it.flags);
                    self.connection_id = it.connection_id;
                }
                Some(AuthBody::Challenge(it)) => {
                    self.named(&it.name, &it.connection_string, it.flags);
                }
                Some(AuthBody::Reply(it)) => self.secrets.push(it.digest.clone()),
                Some(AuthBody::Ack(it)) => self.secrets.push(it.digest.clone()),
                _ => {}
            },
            Some(Body::Ours(ours)) => match &ours.frame {
                Some(Frame::Hello(hello)) => self.hello = Some(hello.clone()),
                Some(Frame::Proof(it)) => {
                    self.proof = Some(it.proof.clone());
                    self.secrets.push(it.proof.clone());
                }
                Some(Frame::Announcement(it)) => self.secrets.push(it.share.clone()),
                _ => {}
            },
            _ => {}
        }
    }

    fn named(&mut self, name: &str, connection_string: &str, flags: Option<Flags>) {
        name.clone_into(&mut self.name);
        connection_string.clone_into(&mut self.connection_string);
        self.version = flags.map_or(0, |flags| flags.version);
    }

    /// As a proof has it.
    fn parts(&self) -> Vec<Vec<u8>> {
        let hello = self.hello.clone().unwrap_or_default();
        vec![
            hello.version.to_be_bytes().to_vec(),
            hello.nonce,
            hello.channel.into_bytes(),
            vec![u8::from(hello.bound)],
            self.name.clone().into_bytes(),
            self.connection_string.clone().into_bytes(),
            self.version.to_be_bytes().to_vec(),
        ]
    }
}

fn digest(cookie: &str, challenge: u32) -> Vec<u8> {
    Sha256::new().chain_update(challenge.to_be_bytes()).chain_update(cookie).finalize().to_vec()
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
