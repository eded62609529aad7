//! What a peer has to prove, and when: between nodes of the fork both prove that they know the
//! cookie, bound to this connection, before upstream's handshake may succeed.
//!
//! 1. `Hello` goes both ways, and then upstream's names.
//! 2. The one who connected sends its `Proof` when it has the other's name: whoever can reach a
//!    listener gets nothing of it to try cookies on.
//! 3. The other verifies it, and answers by its own.
//! 4. Upstream's answer to a challenge, and its acknowledgement, count with a verified proof only.
//!
//! A peer without `Hello` is a stock node, and has upstream's handshake alone, or is refused.

use std::fmt;

use ractor::{ActorId, ActorRef};

use super::super::{NodeSession, NodeSessionState};
use super::{Active, Phase};
use crate::link::contest::{self, Claim, Outcome};
use crate::link::proven_names;
use crate::link::{Event, Incarnation, LinkEvent, Refusal};
use crate::node::{NodeSessionMessage, PROTOCOL_VERSION};
use crate::protocol::auth::authentication_message::Msg;
use crate::protocol::auth::server_status::Status;
use crate::protocol::auth::{AuthenticationMessage, Challenge, NameMessage};
use crate::protocol::meta::network_message::Message;
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{self as wire, Hello, Proof};
use crate::protocol::NetworkMessage;
use crate::transport::{Channel, TransportKind};
use mycelium_link::secret::Role;
use mycelium_link::transcript::{End, Transcript};

/// Why a peer is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has the name or the address of this node.
    Own,
    /// It speaks another version of stock's protocol.
    Version(u32),
    /// It is a stock node, or passes for one.
    NoFork,
    /// It said `Hello` behind its name.
    LateHello,
    /// Its proof is wrong.
    Wrong,
    /// There is no proof where one is due, or one where none is.
    OutOfTurn,
    /// Both ends see different kinds of channels.
    Channels { here: &'static str, there: String },
    /// A channel of TLS has no binding at one end.
    Unbound,
    /// Its certificate is for somebody else.
    Certificate(String),
    /// A node of the fork had its name before.
    Downgrade,
}

impl Fault {
    /// The cause that the peer is told, and that is counted.
    pub(super) const fn cause(&self) -> Refusal {
        match self {
            Self::Own => Refusal::OwnName,
            Self::Version(_) => Refusal::Version,
            Self::NoFork => Refusal::StockNode,
            Self::Downgrade => Refusal::Downgrade,
            Self::Wrong => Refusal::WrongCookie,
            Self::LateHello | Self::OutOfTurn => Refusal::OutOfTurn,
            Self::Channels { .. } | Self::Unbound => Refusal::Channel,
            Self::Certificate(_) => Refusal::Certificate,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("it has the name or the address of this node"),
            Self::Version(theirs) => write!(
                f,
                "it speaks version {theirs} of the protocol, and this node {PROTOCOL_VERSION}"
            ),
            Self::NoFork => f.write_str(
                "it is a stock node, or passes for one, and this node lets in none (strict)",
            ),
            Self::Downgrade => f.write_str(
                "it is a stock node, or passes for one, and a node of the fork had its name before \
                 (refuse_downgrade)",
            ),
            Self::LateHello => f.write_str("its Hello came behind its name"),
            Self::Wrong => f.write_str(
                "its proof is wrong: it has another cookie, or somebody is between the two",
            ),
            Self::OutOfTurn => f.write_str("it has not proven that it knows the cookie in its turn"),
            Self::Channels { here, there } => write!(
                f,
                "it is connected by {there:?} and this node by {here:?}: somebody is between the \
                 two (strict)"
            ),
            Self::Unbound => f.write_str(
                "its proof cannot be bound to the channel, which takes TLS 1.3 at both ends (strict)",
            ),
            Self::Certificate(name) => {
                write!(f, "its certificate is not for {name:?}, nor for a name that is listed for it")
            }
        }
    }
}

/// How far both ends' proofs have come.
#[derive(Debug, Default)]
pub(super) struct Proving {
    channel: Channel,
    hello: Option<Hello>,
    /// The peer has named itself: from here on it is a stock node or one of the fork.
    named: bool,
    transcript: Option<Transcript>,
    pub(super) verified: bool,
    /// The incarnation that the peer says it is, and its part in the contest for its name.
    claim: Option<(Incarnation, Claim)>,
    /// It has the name.
    entered: bool,
    /// What completes upstream's handshake, while it is found out which incarnation has the name.
    kept: Option<AuthenticationMessage>,
    /// The peer has answered the challenge, rightly or not.
    pub(super) answered: bool,
}

impl Proving {
    pub(super) fn by(channel: Channel) -> Self {
        Self { channel, ..Self::default() }
    }

    /// The peer is a node of the fork.
    pub(super) fn greeted(&mut self, hello: Hello) -> Result<(), Fault> {
        if self.named {
            return Err(Fault::LateHello);
        }
        self.hello = Some(hello);
        Ok(())
    }

    /// The incarnation of the peer, once it is proven.
    pub(super) fn incarnation(&self) -> Option<Incarnation> {
        self.claim.as_ref().filter(|_| self.verified).map(|(incarnation, _)| *incarnation)
    }
}

impl Proving {
    /// Whether the message completes upstream's handshake with a peer that may have to give way to
    /// another incarnation of its name.
    fn is_complete(&self, message: &AuthenticationMessage, is_server: bool) -> bool {
        let is_last = matches!(
            (&message.msg, is_server),
            (Some(Msg::ClientChallenge(_)), true) | (Some(Msg::ServerAck(_)), false)
        );
        is_last && self.incarnation().is_some() && !self.entered && self.kept.is_none()
    }
}

impl Active {
    /// What this end says first.
    pub(super) fn hello(&self) -> Hello {
        Hello {
            version: wire::VERSION,
            nonce: self.nonce.to_vec(),
            channel: self.first.kind.name().to_owned(),
            bound: self.proving.channel.binding.is_some(),
            incarnation: Some(self.server.incarnation.to_bytes().to_vec()),
        }
    }

    /// The peer names itself: whether it may go on, and whether it has to prove itself.
    fn named(&mut self, session: &NodeSession, name: &NameMessage) -> Result<(), Fault> {
        let security = &self.server.options.security;
        let version = name.flags.map_or(0, |flags| flags.version);
        if version != PROTOCOL_VERSION {
            return Err(Fault::Version(version));
        }
        let own = &session.this_node_name;
        if name.name == own.name || name.connection_string == own.connection_string {
            return Err(Fault::Own);
        }
        if let (Some(names), Some(shown)) =
            (&security.certificate_names, &self.proving.channel.certificate)
        {
            if !names.allow(&name.name, shown) {
                return Err(Fault::Certificate(name.name.clone()));
            }
        }
        self.proving.named = true;
        let Some(hello) = &self.proving.hello else {
            return if security.strict {
                Err(Fault::NoFork)
            } else if security.refuse_downgrade && proven_names::is_known(&name.name) {
                Err(Fault::Downgrade)
            } else {
                Ok(())
            };
        };
        let (ours, theirs) = (end(&self.hello(), &session.this_node_name), end(hello, name));
        let bound = ours.bound && theirs.bound;
        if ours.channel != theirs.channel {
            let (here, there) = (self.first.kind.name(), theirs.channel.clone());
            if security.strict {
                return Err(Fault::Channels { here, there });
            }
            if let Some(suppressed) = self.server.strangers.log.another_channel() {
                tracing::warn!(
                    node_id = session.node_id,
                    peer = name.name,
                    here,
                    there,
                    suppressed,
                    "a peer sees another kind of channel: its proof is not bound to it"
                );
            }
        } else if security.strict && self.first.kind == TransportKind::Tls && !bound {
            return Err(Fault::Unbound);
        }
        let (dialler, listener, connection_id) = match session.is_server {
            true => (theirs, ours, name.connection_id),
            false => (ours, theirs, session.connection_id),
        };
        let binding = self.proving.channel.binding.filter(|_| bound);
        let transcript = Transcript { dialler, listener, connection_id, binding };
        let claimed = hello.incarnation.as_deref().and_then(Incarnation::from_bytes);
        self.proving.claim =
            claimed.filter(|_| transcript.covers_incarnations()).map(|incarnation| {
                let (server, activity) = (session.node_server.get_id(), &self.liveness.activity);
                let claim =
                    contest::claim(server, &name.name, incarnation, activity, &self.session);
                (incarnation, claim)
            });
        self.proving.transcript = Some(transcript);
        Ok(())
    }

    /// Looks at a message of upstream's handshake before that does. Returns what is to be sent
    /// before it does.
    fn before(
        &mut self,
        session: &NodeSession,
        message: &AuthenticationMessage,
    ) -> Result<Option<Proof>, Fault> {
        match (&message.msg, session.is_server) {
            (Some(Msg::Name(name)), true) if !self.proving.named => {
                self.named(session, name).map(|()| None)
            }
            (Some(Msg::ServerChallenge(challenge)), false) if !self.proving.named => {
                self.named(session, &name_in(challenge))?;
                Ok(self.prove(session, Role::Dialler))
            }
            (Some(Msg::ClientChallenge(_)), true) | (Some(Msg::ServerAck(_)), false)
                if self.proving.hello.is_some()
                    && (!self.proving.verified || self.proving.kept.is_some()) =>
            {
                Err(Fault::OutOfTurn)
            }
            // Upstream knows what is due.
            _ => Ok(None),
        }
    }

    fn prove(&self, session: &NodeSession, role: Role) -> Option<Proof> {
        let transcript = self.proving.transcript.as_ref()?;
        Some(Proof { proof: transcript.proof(&session.cookie, role) })
    }

    /// The peer's proof came. Returns the answer.
    fn verify(&mut self, session: &NodeSession, proof: &Proof) -> Result<Option<Proof>, Fault> {
        let theirs = if session.is_server { Role::Dialler } else { Role::Listener };
        match &self.proving.transcript {
            Some(transcript) if !self.proving.verified => {
                if !transcript.verify(&session.cookie, theirs, &proof.proof) {
                    return Err(Fault::Wrong);
                }
            }
            _ => return Err(Fault::OutOfTurn),
        }
        self.proving.verified = true;
        Ok(if session.is_server { self.prove(session, Role::Listener) } else { None })
    }
}

impl NodeSession {
    /// Whether upstream's handshake may have this message.
    pub(in crate::node::node_session) fn admits(
        &self,
        state: &mut NodeSessionState,
        message: &AuthenticationMessage,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> bool {
        let Some(active) = state.links.0.as_deref_mut() else { return true };
        if active.state.phase() != Phase::Greeting {
            // It is authenticated, and upstream drops what comes late.
            return true;
        }
        active.proving.answered |=
            matches!(message.msg, Some(Msg::ClientChallenge(_) | Msg::ServerAck(_)));
        if active.proving.is_complete(message, self.is_server) {
            return self.enters(active, message, &[], myself);
        }
        if let (Some(Msg::ServerStatus(it)), false) = (&message.msg, self.is_server) {
            if matches!(it.status(), Status::NotOk | Status::NotAllowed) {
                self.refused_by_peer(state, Refusal::NameTaken, myself);
                return false;
            }
        }
        let outcome = active.before(self, message);
        if outcome.is_err() {
            // For the log: upstream does not get to see it.
            state.name = state.name.take().or_else(|| match &message.msg {
                Some(Msg::Name(name)) => Some(name.clone()),
                Some(Msg::ServerChallenge(challenge)) => Some(name_in(challenge)),
                _ => None,
            });
        }
        self.go_on(state, outcome, myself)
    }

    /// Whether the peer has its name. Where another incarnation may have it that one is asked, and
    /// the message, which completes upstream's handshake, is kept.
    fn enters(
        &self,
        active: &mut Active,
        message: &AuthenticationMessage,
        silent: &[ActorId],
        myself: &ActorRef<NodeSessionMessage>,
    ) -> bool {
        let rivals = match contest::enter(myself.get_id(), silent) {
            Outcome::Enters => {
                active.proving.entered = true;
                return true;
            }
            Outcome::Contested(rivals) => rivals,
        };
        active.proving.kept = Some(message.clone());
        let (within, session) = (active.server.options.handshake_timeout / 2, myself.clone());
        // Ends by itself, within that time.
        drop(ractor::concurrency::spawn(async move {
            let (silent, alive) = contest::ask(rivals, within).await;
            // It may have ended.
            _ = session.cast(NodeSessionMessage::Link(LinkEvent(Event::Probed { silent, alive })));
        }));
        false
    }

    /// The other incarnations of the peer have been asked.
    pub(super) fn probed(
        &self,
        state: &mut NodeSessionState,
        silent: &[ActorId],
        alive: Option<Incarnation>,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let Some(active) = state.links.0.as_deref_mut() else { return };
        let Some(kept) = active.proving.kept.take() else { return };
        if let Some(newer) = alive {
            self.supersede(state, newer, myself);
        } else if self.enters(active, &kept, silent, myself) {
            let message = Some(Message::Auth(kept));
            // To itself, behind nothing that could depend on it: the peer waits for the answer.
            _ = myself.cast(NodeSessionMessage::MessageReceived(NetworkMessage { message }));
        }
    }

    /// A peer's proof came.
    pub(super) fn proven(
        &self,
        state: &mut NodeSessionState,
        proof: &Proof,
        myself: &ActorRef<NodeSessionMessage>,
    ) {
        let Some(active) = state.links.0.as_deref_mut() else { return };
        let outcome = active.verify(self, proof);
        self.go_on(state, outcome, myself);
    }

    fn go_on(
        &self,
        state: &mut NodeSessionState,
        outcome: Result<Option<Proof>, Fault>,
        myself: &ActorRef<NodeSessionMessage>,
    ) -> bool {
        match outcome {
            Ok(proof) => {
                if let Some(proof) = proof {
                    state.send_frame(Body::Proof(proof));
                }
                true
            }
            Err(fault) => {
                self.refuse(state, fault.cause(), &fault.to_string(), myself);
                false
            }
        }
    }
}

/// How a listener names itself.
fn name_in(challenge: &Challenge) -> NameMessage {
    NameMessage {
        name: challenge.name.clone(),
        flags: challenge.flags,
        connection_string: challenge.connection_string.clone(),
        connection_id: 0,
    }
}

/// What an end said in its `Hello`, and how it named itself.
fn end(hello: &Hello, name: &NameMessage) -> End {
    End {
        version: hello.version,
        nonce: hello.nonce.clone(),
        channel: hello.channel.clone(),
        bound: hello.bound,
        name: name.name.clone(),
        connection_string: name.connection_string.clone(),
        protocol: name.flags.map_or(0, |flags| flags.version),
        incarnation: hello.incarnation.clone(),
    }
}
