//! What a peer has to prove, and when: between nodes of the fork both prove that they know the
//! cookie, bound to this connection, before upstream's handshake may succeed.
//!
//! 1. `Hello` goes both ways, and then upstream's names.
//! 2. The one who connected sends its `Proof` when it has the other's name: a stranger who
//!    reaches a listener gets nothing of it to try cookies on.
//! 3. The other verifies it, and answers by its own.
//! 4. Upstream's answer to a challenge, and its acknowledgement, count with a verified proof only.
//!
//! A peer without `Hello` is a stock node, and has upstream's handshake alone, or is refused.

use ractor::{ActorId, ActorRef};

use super::super::{NodeSession, NodeSessionState};
use super::{Active, Phase};
use crate::link::contest::{self, Claim, Outcome};
use crate::link::proven_names;
use crate::link::quiet_log::peer_line;
use crate::link::settle::{settle, Channels, Finding, Naming, Verdict};
use crate::link::{Event, Incarnation, LinkEvent};
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
    pub(super) fn greeted(&mut self, hello: Hello) {
        self.hello = Some(hello);
    }

    /// Whether the peer has named itself.
    pub(super) fn is_named(&self) -> bool {
        self.named
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

    /// Whether a peer of this name, which says so of itself, is one that may have it.
    fn naming<'a>(&'a self, session: &NodeSession, name: &'a NameMessage) -> Naming<'a> {
        let security = &self.server.options.security;
        let own = &session.this_node_name;
        let certificate = &self.proving.channel.certificate;
        let certified = security.certificate_names.as_ref().zip(certificate.as_ref());
        let (here, is_tls) = (self.first.kind.name(), self.first.kind == TransportKind::Tls);
        let channels = self.proving.hello.as_ref().map(|hello| Channels {
            here,
            there: &hello.channel,
            is_tls,
            is_bound: self.proving.channel.binding.is_some() && hello.bound,
        });
        Naming {
            name: &name.name,
            version: name.flags.map_or(0, |flags| flags.version),
            own_version: PROTOCOL_VERSION,
            is_own: name.name == own.name || name.connection_string == own.connection_string,
            has_wrong_certificate: certified
                .is_some_and(|(names, shown)| !names.allow(&name.name, shown)),
            channels,
            was_fork: proven_names::is_known(&name.name),
            strict: security.strict,
            refuse_downgrade: security.refuse_downgrade,
        }
    }

    /// The peer has named itself, and may go on: one of the fork has to prove itself.
    fn named(&mut self, session: &NodeSession, name: &NameMessage) {
        self.proving.named = true;
        let Some(hello) = &self.proving.hello else { return };
        let (ours, theirs) = (end(&self.hello(), &session.this_node_name), end(hello, name));
        let bound = ours.bound && theirs.bound;
        if ours.channel != theirs.channel {
            let (here, there) = (self.first.kind.name(), theirs.channel.as_str());
            peer_line!(
                self.log(),
                AnotherChannel,
                warn,
                node_id = session.node_id,
                peer = name.name,
                here,
                there,
                "a peer sees another kind of channel: its proof is not bound to it"
            );
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
    }

    /// Whether upstream's handshake may be completed, with a peer of the fork.
    fn is_proven(&self) -> bool {
        self.proving.verified && self.proving.kept.is_none()
    }

    fn prove(&self, session: &NodeSession, role: Role) -> Option<Proof> {
        let transcript = self.proving.transcript.as_ref()?;
        Some(Proof { proof: transcript.proof(&session.cookie, role) })
    }

    /// Whether a proof of the peer is due, and whether this one is right.
    fn verify(&self, session: &NodeSession, proof: &Proof) -> (bool, bool) {
        let theirs = if session.is_server { Role::Dialler } else { Role::Listener };
        let due = self.proving.transcript.as_ref().filter(|_| !self.proving.verified);
        let is_right = due.is_some_and(|it| it.verify(&session.cookie, theirs, &proof.proof));
        (due.is_some(), is_right)
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
        let at = state.links.standing(self.is_server);
        let Some(active) = state.links.0.as_deref_mut() else { return true };
        if active.state.phase() != Phase::Greeting {
            // It is authenticated, and upstream drops late frames.
            return true;
        }
        active.proving.answered |=
            matches!(message.msg, Some(Msg::ClientChallenge(_) | Msg::ServerAck(_)));
        if active.proving.is_complete(message, self.is_server) {
            return self.enters(active, message, &[], myself);
        }
        let named = match (&message.msg, self.is_server) {
            (Some(Msg::Name(name)), true) => Some(name.clone()),
            (Some(Msg::ServerChallenge(challenge)), false) => Some(name_in(challenge)),
            _ => None,
        };
        let named = named.filter(|_| !active.proving.named);
        let finding = match (&message.msg, self.is_server, &named) {
            (_, _, Some(name)) => Finding::Name(active.naming(self, name)),
            (Some(Msg::ClientChallenge(_)), true, _) | (Some(Msg::ServerAck(_)), false, _)
                if active.proving.hello.is_some() =>
            {
                Finding::LastWord { is_proven: active.is_proven() }
            }
            (Some(Msg::ServerStatus(it)), false, _)
                if matches!(it.status(), Status::NotOk | Status::NotAllowed) =>
            {
                Finding::NotOk
            }
            // Upstream knows what is due.
            _ => return true,
        };
        let verdict = settle(&finding, at);
        if verdict != Verdict::GoesOn {
            // For the log: upstream does not get to see it.
            state.name = state.name.take().or(named);
            return self.carry_out(state, verdict, myself);
        }
        let (Some(name), Some(active)) = (named, state.links.0.as_deref_mut()) else {
            return true;
        };
        active.named(self, &name);
        if !self.is_server {
            let proof = active.prove(self, Role::Dialler);
            if let Some(proof) = proof {
                state.send_frame(Body::Proof(proof));
            }
            // Upstream answers the challenge now. A peer that takes the answer may send lists.
            state.links.admit();
        }
        true
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
            self.goes_on(state, &Finding::Answered(newer), myself);
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
        let Some(active) = state.links.0.as_deref() else { return };
        let (is_due, is_right) = active.verify(self, proof);
        if !self.goes_on(state, &Finding::Proof { is_due, is_right }, myself) {
            return;
        }
        let Some(active) = state.links.0.as_deref_mut() else { return };
        active.proving.verified = true;
        if let (true, Some(answer)) = (self.is_server, active.prove(self, Role::Listener)) {
            state.send_frame(Body::Proof(answer));
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
