//! The handshake of a further link that joins a session: both ends prove that they know the
//! session's secret, the listener first, so that a dialler tells nothing to a false one.

use std::fmt;
use std::io;

use bytes::Bytes;

use super::directory;
use super::split_transport::SplitTransport;
use super::upgrade::{End, Upgrade};
use super::{LinkEvent, Refusal};
use crate::protocol::mycelium::frame::Body;
use crate::protocol::mycelium::{
    Attach, AttachAccepted, AttachChallenge, AttachProof, AttachRefused, Preference, Refused,
};
use crate::transport::{Transport, TransportKind, TransportMessage};
use mycelium_link::secret::{draw, Nonces, Role, Secret, BYTES};

/// Why a link did not join a session.
#[derive(Debug)]
pub(crate) enum AttachError {
    Io(io::Error),
    /// The peer closed the link before the handshake was done.
    Closed,
    /// It said something else than what was due.
    Unexpected(&'static str),
    /// It does not know the secret.
    Proof,
    /// It says that it has no such session.
    Refused,
    /// It refuses the link for this.
    Cause(Refusal),
    /// There is no such session here, or it does not take links of this kind.
    NoSession,
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Closed => f.write_str("the peer closed the link during its handshake"),
            Self::Unexpected(due) => write!(f, "the peer did not send {due}"),
            Self::Proof => f.write_str("the peer does not know the session's secret"),
            Self::Refused => f.write_str("the peer has no such session"),
            Self::Cause(cause) => {
                write!(f, "the peer refused the link ({}): {cause}", cause.name())
            }
            Self::NoSession => f.write_str("no session here takes this link"),
        }
    }
}

impl std::error::Error for AttachError {}

impl From<io::Error> for AttachError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Joins a link that was dialled to the session of `secret`, and makes a better one of it where
/// there is an `upgrade`. Cancelling it closes the link.
pub(crate) async fn dial(
    transport: Box<dyn Transport>,
    secret: &Secret,
    max_frame: u64,
    again: bool,
    upgrade: Option<&Upgrade>,
) -> Result<Box<dyn Transport>, AttachError> {
    let mut link = SplitTransport::of(transport, max_frame);
    let (kind, becomes) = match upgrade {
        None => (link.kind, Preference::Adaptive),
        Some(_) => (TransportKind::SharedMemory, Preference::SharedMemory),
    };
    let dialler = draw();
    let attach = Attach {
        session: secret.name().to_vec(),
        nonce: dialler.to_vec(),
        again,
        becomes: becomes.into(),
    };
    send(&mut link, Body::Attach(attach)).await?;
    let challenge = match receive(&mut link).await? {
        Body::AttachChallenge(challenge) => challenge,
        Body::AttachRefused(AttachRefused {}) => return Err(AttachError::Refused),
        _ => return Err(AttachError::Unexpected("a challenge")),
    };
    let listener = nonce(&challenge.nonce).ok_or(AttachError::Unexpected("a nonce"))?;
    let nonces = Nonces { dialler, listener };
    if !secret.verify(Role::Listener, kind.name(), &nonces, &challenge.proof) {
        return Err(AttachError::Proof);
    }
    let proof = secret.proof(Role::Dialler, kind.name(), &nonces);
    send(&mut link, Body::AttachProof(AttachProof { proof })).await?;
    let Body::AttachAccepted(AttachAccepted {}) = receive(&mut link).await? else {
        return Err(AttachError::Unexpected("its consent"));
    };
    match upgrade {
        None => Ok(Box::new(link)),
        Some(upgrade) => upgrade.run(link, End::Dialler).await,
    }
}

/// Joins a link that came to a listener, and began with `attach`, to its session, which takes it
/// out of `arrived`. It takes frames of up to `max_frame` bytes from there on.
pub(crate) async fn accept(
    arrived: &mut Option<SplitTransport>,
    attach: Attach,
    max_frame: u64,
) -> Result<(), AttachError> {
    let link = arrived.as_mut().ok_or(AttachError::Closed)?;
    let becomes_shared = attach.becomes() == Preference::SharedMemory;
    let kind = if becomes_shared { TransportKind::SharedMemory } else { link.kind };
    let Some(session) = directory::session(&attach.session, Role::Listener) else {
        // One that goes on dialling for a session that has ended can end it too.
        send(link, Body::AttachRefused(AttachRefused {})).await?;
        return Err(AttachError::NoSession);
    };
    if !session.takes(kind) {
        return Err(AttachError::NoSession);
    }
    let upgrade = match becomes_shared {
        true => Some(session.upgrade.as_ref().ok_or(AttachError::NoSession)?),
        false => None,
    };
    let dialler = nonce(&attach.nonce).ok_or(AttachError::Unexpected("a nonce"))?;
    let nonces = Nonces { dialler, listener: draw() };
    let challenge = AttachChallenge {
        nonce: nonces.listener.to_vec(),
        proof: session.secret.proof(Role::Listener, kind.name(), &nonces),
    };
    send(link, Body::AttachChallenge(challenge)).await?;
    let Body::AttachProof(proof) = receive(link).await? else {
        return Err(AttachError::Unexpected("its proof"));
    };
    if !session.secret.verify(Role::Dialler, kind.name(), &nonces, &proof.proof) {
        return Err(AttachError::Proof);
    }
    // The session reads nothing of the link before it has it, so that what the dialler sends from
    // here on comes after.
    send(link, Body::AttachAccepted(AttachAccepted {})).await?;
    let mut link = arrived.take().ok_or(AttachError::Closed)?;
    let link: Box<dyn Transport> = match upgrade {
        None => {
            link.stream.set_max_frame(max_frame);
            Box::new(link)
        }
        Some(upgrade) => upgrade.run(link, End::Listener).await?,
    };
    let up = if attach.again { LinkEvent::up_again(link) } else { LinkEvent::up(link) };
    session.handler.cast(up).map_err(|_| AttachError::NoSession)
}

async fn send(link: &mut SplitTransport, body: Body) -> Result<(), AttachError> {
    let frame: Bytes = body.encoded();
    // Every transport carries bytes.
    link.sink
        .queue(TransportMessage::Bytes(frame))
        .map_err(|_| AttachError::Unexpected("a way to send"))?;
    Ok(link.sink.flush().await?)
}

async fn receive(link: &mut SplitTransport) -> Result<Body, AttachError> {
    match link.stream.frame().await? {
        None => Err(AttachError::Closed),
        Some(TransportMessage::Bytes(frame)) => {
            match Body::decode(frame).map_err(io::Error::from)? {
                Some(Body::Refused(Refused { code })) => {
                    Err(AttachError::Cause(Refusal::of_code(code)))
                }
                body => body.ok_or(AttachError::Unexpected("a frame of the handshake")),
            }
        }
        Some(TransportMessage::Arc(_) | TransportMessage::Lent { .. }) => {
            Err(AttachError::Unexpected("a frame of the handshake"))
        }
    }
}

fn nonce(bytes: &[u8]) -> Option<[u8; BYTES]> {
    bytes.try_into().ok()
}
