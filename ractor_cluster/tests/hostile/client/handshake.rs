//! How a client comes to be a peer: what it says at the beginning, what it proves, and what it
//! remembers of both.

use std::io;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::super::wire::{
    Announcement, Attach, AttachChallenge, AttachProof, AuthBody, Body, Challenge, ChallengeAck,
    ChallengeReply, Flags, Frame, Hello, Name, Network, Proof, ServerStatus,
};
use super::Client;

impl Client {
    pub fn hello(&self) -> Frame {
        Frame::Hello(Hello {
            version: if self.incarnation.is_some() { 2 } else { 1 },
            nonce: self.nonce.to_vec(),
            channel: self.kind.to_owned(),
            bound: self.said.binding.is_some(),
            incarnation: self.incarnation.clone(),
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

    /// As [`answer`](Self::answer), of a node that may have had enough. Who said hello proves first
    /// that it knows the cookie.
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
        let hellos = [dialler, listener].map(|it| it.hello.clone().unwrap_or_default());
        if hellos.iter().all(|hello| hello.version >= 2) {
            parts.extend(hellos.map(|hello| hello.incarnation.unwrap_or_default()));
        }
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

    /// Lets the node that connected authenticate, as a node of this name; the node has then
    /// announced itself.
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

    /// The secret that this end and the node share: the session's name, and its key.
    pub(super) fn secret(&self) -> ([u8; 32], [u8; 32]) {
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
pub(super) struct Said {
    pub(super) ours: End,
    pub(super) theirs: End,
    pub(super) binding: Option<[u8; 32]>,
}

/// What one end said.
#[derive(Default)]
pub(super) struct End {
    hello: Option<Hello>,
    name: String,
    connection_string: String,
    version: u32,
    connection_id: u64,
    proof: Option<Vec<u8>>,
    secrets: Vec<Vec<u8>>,
}

impl End {
    pub(super) fn note(&mut self, frame: &Network) {
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

pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
