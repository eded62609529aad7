//! Whom datagrams are accepted from: the proof that a sender lives, and the protection against
//! replays. No I/O, and no clock of its own.
//!
//! ```text
//! one                                   other
//!  | -- Hello: challenge 1 ------------> |   knows nothing of one yet
//!  | <- Reply: answer 1, challenge 2 --- |
//!  | -- Confirm: answer 2 -------------> |   one lives at its address
//!  | -- Data, for the other's session -> |
//! ```
//!
//! All of these are sealed, and have the same size. A challenge is answered once. Data of a session
//! that has not proven itself, or from another address, or for another session, has no effect; a
//! Hello goes back, which is never larger than the data. So a recorded datagram is either one that
//! the window of counters knows, or leads to a challenge that nobody answers.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mycelium_link::chance;
use tokio::time::Instant;

use crate::fragment::{self, Joined, Joiner, LEAST, SMALLEST};
use crate::refused::Refused;
use crate::seal::{ClusterKey, Head, Kind, Session, SessionKey};
use crate::window::Window;

/// How long a challenge may be answered.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long nobody is challenged again.
const PAUSE: Duration = Duration::from_millis(200);

/// Sessions that have proven themselves, at most. The one that was silent for longest goes.
const SESSIONS: usize = 2048;

/// Addresses of a session, at most.
const ADDRESSES: usize = 4;

/// Open challenges of this node, and answers to those of others, at most. The oldest goes.
const OPEN: usize = 512;

/// Messages that wait for a proof, at most.
const WAITING: usize = 32;

/// Addresses that have turned out to be this node's own, at most.
const OWN: usize = 64;

type Challenge = [u8; 16];

/// A session that has proven to live.
#[derive(Debug)]
struct Peer {
    key: Arc<SessionKey>,
    window: Window,
    addresses: Vec<SocketAddr>,
    used: Instant,
}

/// A challenge to an address.
#[derive(Debug)]
struct Hello {
    challenge: Challenge,
    since: Instant,
    /// What is sent when it is answered.
    message: Option<Vec<u8>>,
}

/// A challenge to a session that has challenged this node.
#[derive(Debug)]
struct Asked {
    challenge: Challenge,
    since: Instant,
}

/// What a datagram led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// A complete message.
    pub(crate) message: Option<Vec<u8>>,
    /// Why it has no effect.
    pub(crate) refused: Option<Refused>,
    /// What goes back.
    pub(crate) answers: Vec<Vec<u8>>,
}

impl Received {
    fn refused(cause: Refused) -> Self {
        Self { refused: Some(cause), ..Self::default() }
    }
}

/// The state of all that this node gossips with.
#[derive(Debug)]
pub(crate) struct Peers {
    session: Session,
    key: SessionKey,
    counter: u64,
    /// Opens; the first also seals.
    accepted: Vec<ClusterKey>,
    peers: HashMap<Session, Peer>,
    routes: HashMap<SocketAddr, Session>,
    hellos: HashMap<SocketAddr, Hello>,
    asked: HashMap<(Session, SocketAddr), Asked>,
    joiner: Joiner,
    /// Messages that were given up without an answer.
    unanswered: u64,
    number: u32,
    own: HashSet<SocketAddr>,
}

fn oldest<K: Copy, V>(map: &HashMap<K, V>, since: impl Fn(&V) -> Instant) -> Option<K> {
    map.iter().min_by_key(|(_, value)| since(value)).map(|(key, _)| *key)
}

impl Peers {
    /// With a session of its own; the first of `accepted` seals.
    pub(crate) fn new(accepted: Vec<ClusterKey>) -> Option<Self> {
        let session: Session = chance::random();
        let key = accepted.first()?.of_session(&session);
        Some(Self {
            session,
            key,
            counter: 0,
            accepted,
            peers: HashMap::new(),
            routes: HashMap::new(),
            hellos: HashMap::new(),
            asked: HashMap::new(),
            joiner: Joiner::default(),
            unanswered: 0,
            number: 0,
            own: HashSet::new(),
        })
    }

    fn seal(&mut self, kind: Kind, to: Session, content: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let head = Head { kind, session: self.session, counter: self.counter, to };
        self.key.seal(&head, content)
    }

    /// A datagram of the handshake: all have the smallest size.
    fn greet(
        &mut self,
        kind: Kind,
        to: Session,
        answer: Challenge,
        challenge: Challenge,
    ) -> Vec<u8> {
        let mut content = [0; LEAST];
        content[..16].copy_from_slice(&answer);
        content[16..32].copy_from_slice(&challenge);
        self.seal(kind, to, &content)
    }

    /// The addresses that have turned out to be this node's own.
    pub(crate) fn own(&self) -> &HashSet<SocketAddr> {
        &self.own
    }

    /// Forgets which addresses are its own: names may lead elsewhere.
    pub(crate) fn forget_own(&mut self) {
        self.own.clear();
    }

    /// How many messages were given up for missing parts, and how many without an answer.
    pub(crate) fn take_lost(&mut self) -> (u64, u64) {
        (self.joiner.take_lost(), std::mem::take(&mut self.unanswered))
    }

    /// The datagrams of a message to `to`, or a challenge, behind which it follows.
    pub(crate) fn send(
        &mut self,
        to: SocketAddr,
        message: Vec<u8>,
        now: Instant,
    ) -> Result<Vec<Vec<u8>>, Refused> {
        if message.len() > fragment::MESSAGE {
            return Err(Refused::TooLarge);
        }
        match self.routes.get(&to).copied() {
            Some(session) => Ok(self.data(session, &message)),
            None => Ok(self.hello(to, Some(message), now).into_iter().collect()),
        }
    }

    fn data(&mut self, session: Session, message: &[u8]) -> Vec<Vec<u8>> {
        self.number = self.number.wrapping_add(1);
        let contents = fragment::split(self.number, message).unwrap_or_default();
        contents.iter().map(|content| self.seal(Kind::Data, session, content)).collect()
    }

    /// A challenge to an address, unless there was one a moment ago.
    fn hello(&mut self, to: SocketAddr, message: Option<Vec<u8>>, now: Instant) -> Option<Vec<u8>> {
        let age = |hello: &Hello| now.saturating_duration_since(hello.since);
        let waiting = |hellos: &HashMap<SocketAddr, Hello>| {
            hellos.values().filter(|hello| hello.message.is_some()).count()
        };
        let before = waiting(&self.hellos);
        self.hellos.retain(|_, hello| age(hello) < PATIENCE);
        let waits = waiting(&self.hellos);
        self.unanswered += (before - waits) as u64;
        if let Some(hello) = self.hellos.get_mut(&to) {
            if message.is_some() && (hello.message.is_some() || waits < WAITING) {
                // The latest has all that the one before had.
                hello.message = message;
            } else {
                self.unanswered += u64::from(message.is_some());
            }
            if age(hello) < PAUSE {
                return None;
            }
            // The same challenge: an answer to the first may be on its way.
            let challenge = hello.challenge;
            hello.since = now;
            return Some(self.greet(Kind::Hello, [0; 16], [0; 16], challenge));
        }
        if self.hellos.len() >= OPEN {
            let oldest = oldest(&self.hellos, |hello| hello.since);
            let gone = oldest.and_then(|to| self.hellos.remove(&to));
            self.unanswered += u64::from(gone.is_some_and(|hello| hello.message.is_some()));
        }
        let challenge = chance::random();
        self.unanswered += u64::from(message.is_some() && waits >= WAITING);
        let message = message.filter(|_| waits < WAITING);
        self.hellos.insert(to, Hello { challenge, since: now, message });
        Some(self.greet(Kind::Hello, [0; 16], [0; 16], challenge))
    }

    /// Takes a datagram.
    pub(crate) fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) -> Received {
        if !(SMALLEST..=fragment::LARGEST).contains(&datagram.len()) {
            return Received::refused(Refused::NotGossip);
        }
        let Some(head) = Head::read(datagram) else { return Received::refused(Refused::NotGossip) };
        if head.session == self.session {
            return self.reflected(&head, datagram);
        }
        let known = self.peers.get(&head.session).map(|peer| peer.key.clone());
        let opened = match &known {
            Some(key) => key.open(&head, datagram).map(|content| (key.clone(), content)),
            None => self.accepted.iter().find_map(|cluster| {
                let key = cluster.of_session(&head.session);
                key.open(&head, datagram).map(|content| (Arc::new(key), content))
            }),
        };
        let Some((key, content)) = opened else { return Received::refused(Refused::Unsealed) };
        if head.kind == Kind::Data {
            return self.take_data(from, &head, &content, now);
        }
        let challenges = content.first_chunk::<32>().filter(|_| datagram.len() == SMALLEST);
        let Some(challenges) = challenges else { return Received::refused(Refused::Malformed) };
        let (answer, challenge) = challenges.split_at(16);
        let (Ok(answer), Ok(challenge)) = (answer.try_into(), challenge.try_into()) else {
            return Received::refused(Refused::Malformed);
        };
        if head.kind == Kind::Hello {
            return self.take_hello(from, &head, challenge, now);
        }
        if head.to != self.session {
            return Received::refused(Refused::Misdirected);
        }
        match head.kind {
            Kind::Reply => self.take_reply(from, &head, &key, (answer, challenge), now),
            _ => self.take_confirm(from, &head, &key, answer, now),
        }
    }

    /// A datagram of this very session: a seed that is this node, or a mirror.
    fn reflected(&mut self, head: &Head, datagram: &[u8]) -> Received {
        let content = self.key.open(head, datagram).unwrap_or_default();
        let challenge = content.get(16..32);
        let at = self.hellos.iter().find(|(_, hello)| Some(&hello.challenge[..]) == challenge);
        if let Some(at) = at.map(|(at, _)| *at).filter(|_| head.kind == Kind::Hello) {
            self.hellos.remove(&at);
            if self.own.len() < OWN {
                self.own.insert(at);
            }
            return Received::default();
        }
        Received::refused(Refused::Replayed)
    }

    fn take_hello(
        &mut self,
        from: SocketAddr,
        head: &Head,
        challenge: Challenge,
        now: Instant,
    ) -> Received {
        let age = |asked: &Asked| now.saturating_duration_since(asked.since);
        self.asked.retain(|_, asked| age(asked) < PATIENCE);
        if self.asked.len() >= OPEN && !self.asked.contains_key(&(head.session, from)) {
            let oldest = oldest(&self.asked, |asked| asked.since);
            oldest.and_then(|asked| self.asked.remove(&asked));
        }
        let fresh = || Asked { challenge: chance::random(), since: now };
        let asked = self.asked.entry((head.session, from)).or_insert_with(fresh).challenge;
        let reply = self.greet(Kind::Reply, head.session, challenge, asked);
        Received { answers: vec![reply], ..Received::default() }
    }

    fn take_reply(
        &mut self,
        from: SocketAddr,
        head: &Head,
        key: &Arc<SessionKey>,
        (answer, challenge): (Challenge, Challenge),
        now: Instant,
    ) -> Received {
        let asked = self.hellos.iter().find(|(_, hello)| hello.challenge == answer);
        let Some(to) = asked.map(|(to, _)| *to) else {
            return Received::refused(Refused::Unasked);
        };
        let message = self.hellos.remove(&to).and_then(|hello| hello.message);
        if !self.prove(from, head, key, now) {
            return Received::refused(Refused::Replayed);
        }
        // A node with several addresses may answer from another one than it was asked at.
        self.routes.insert(to, head.session);
        let mut answers = vec![self.greet(Kind::Confirm, head.session, challenge, [0; 16])];
        answers.extend(message.into_iter().flat_map(|message| self.data(head.session, &message)));
        Received { answers, ..Received::default() }
    }

    fn take_confirm(
        &mut self,
        from: SocketAddr,
        head: &Head,
        key: &Arc<SessionKey>,
        answer: Challenge,
        now: Instant,
    ) -> Received {
        let place = (head.session, from);
        if self.asked.get(&place).is_none_or(|asked| asked.challenge != answer) {
            return Received::refused(Refused::Unasked);
        }
        self.asked.remove(&place);
        if !self.prove(from, head, key, now) {
            return Received::refused(Refused::Replayed);
        }
        // What waits for it need not wait for an answer of its own.
        let message = self.hellos.remove(&from).and_then(|hello| hello.message);
        let answers = message.map(|message| self.data(head.session, &message)).unwrap_or_default();
        Received { answers, ..Received::default() }
    }

    /// A session has answered a challenge: it lives, and has this address. Returns whether its
    /// datagram is new.
    fn prove(
        &mut self,
        from: SocketAddr,
        head: &Head,
        key: &Arc<SessionKey>,
        now: Instant,
    ) -> bool {
        if let Some(peer) = self.peers.get_mut(&head.session) {
            if !peer.window.accept(head.counter) {
                return false;
            }
            peer.used = now;
            if !peer.addresses.contains(&from) {
                peer.addresses.truncate(ADDRESSES - 1);
                peer.addresses.insert(0, from);
            }
        } else {
            if self.peers.len() >= SESSIONS {
                if let Some(session) = oldest(&self.peers, |peer| peer.used) {
                    self.peers.remove(&session);
                    self.routes.retain(|_, of| *of != session);
                }
            }
            let window = Window::after(head.counter);
            let peer = Peer { key: key.clone(), window, addresses: vec![from], used: now };
            self.peers.insert(head.session, peer);
        }
        self.routes.insert(from, head.session);
        if self.routes.len() > ADDRESSES * SESSIONS {
            let peers = &self.peers;
            self.routes
                .retain(|at, of| peers.get(of).is_some_and(|peer| peer.addresses.contains(at)));
        }
        true
    }

    fn take_data(
        &mut self,
        from: SocketAddr,
        head: &Head,
        content: &[u8],
        now: Instant,
    ) -> Received {
        let to_this = head.to == self.session;
        let peer = self.peers.get_mut(&head.session);
        let proven = peer.filter(|peer| peer.addresses.contains(&from));
        let Some(peer) = proven.filter(|_| to_this) else {
            let refused = if to_this { Refused::Unproven } else { Refused::Misdirected };
            let answers = self.hello(from, None, now).into_iter().collect();
            return Received { refused: Some(refused), answers, message: None };
        };
        if !peer.window.accept(head.counter) {
            return Received::refused(Refused::Replayed);
        }
        peer.used = now;
        match self.joiner.join(head.session, content, now) {
            Joined::Message(message) => Received { message: Some(message), ..Received::default() },
            Joined::Waits => Received::default(),
            Joined::Malformed => Received::refused(Refused::Malformed),
        }
    }
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
