//! The steps of a client that does not know whether the node still takes them: none of them panics
//! when the node refuses or closes the connection.

use super::super::wire::{
    Announcement, Attach, AttachProof, AuthBody, Body, ControlBody, Enveloped, Frame, Network,
    Ours, Proof, Ready, Settled,
};
use super::handshake::mac;
use super::Client;

/// What proves that a connection belongs to a session. It outlives the session.
#[derive(Debug, Clone)]
pub struct Session {
    pub name: [u8; 32],
    pub key: [u8; 32],
}

impl Client {
    /// Becomes a peer that is ready for messages, of the fork.
    pub async fn try_join(&mut self, name: &str) -> Option<Session> {
        self.try_send(self.hello()).await.ok()?;
        self.try_authenticate(name).await?;
        self.try_send(Frame::Announcement(self.announcement())).await.ok()?;
        let announcement = self.try_find(|frame| match ours(frame)? {
            Frame::Announcement(announcement) => Some(announcement),
            _ => None,
        });
        let announcement: Announcement = announcement.await?;
        self.announced = Some(announcement);
        self.try_send(Frame::Settled(Settled {})).await.ok()?;
        let ready = self.envelope(ControlBody::Ready(Ready {}));
        self.try_send(Frame::Envelope(ready)).await.ok()?;
        let is_ready = |frame| match ours(frame)? {
            Frame::Envelope(envelope) => match envelope.body? {
                Enveloped::Control(it) => {
                    matches!(it.body, Some(ControlBody::Ready(_))).then_some(())
                }
                _ => None,
            },
            _ => None,
        };
        self.try_find(is_ready).await?;
        let (name, key) = self.secret();
        Some(Session { name, key })
    }

    /// Becomes a peer that is ready for messages, of stock.
    pub async fn try_join_as_stock(&mut self, name: &str) -> Option<()> {
        self.try_authenticate(name).await?;
        self.try_send(ControlBody::Ready(Ready {})).await.ok()
    }

    /// Authenticates under this name, as a node of the fork where it has said hello.
    pub async fn try_authenticate(&mut self, name: &str) -> Option<()> {
        self.try_send(Self::name(name)).await.ok()?;
        let challenge = self.try_challenge().await?;
        self.try_answer(challenge).await.ok()?;
        let is_ack = |frame: Network| match frame.body {
            Some(Body::Auth(auth)) => matches!(auth.body, Some(AuthBody::Ack(_))).then_some(()),
            _ => None,
        };
        self.try_find(is_ack).await
    }

    /// Asks for a further link to a session, and proves with its key, or with another one, that it
    /// may. Returns whether the node accepted the link.
    pub async fn try_attach(&mut self, session: &Session) -> bool {
        self.attaching(session).await.is_some()
    }

    async fn attaching(&mut self, session: &Session) -> Option<()> {
        let attach = Attach { session: session.name.to_vec(), nonce: self.nonce.to_vec() };
        self.try_send(Frame::Attach(attach)).await.ok()?;
        let challenge = self.try_find(|frame| match ours(frame)? {
            Frame::AttachChallenge(challenge) => Some(challenge),
            _ => None,
        });
        let challenge = challenge.await?;
        let parts = [b"dialler.", self.nonce.as_slice(), &challenge.nonce, self.kind.as_bytes()];
        let proof = AttachProof { proof: mac(&session.key, &parts).to_vec() };
        self.try_send(Frame::AttachProof(proof)).await.ok()?;
        let accepted = |frame| matches!(ours(frame)?, Frame::AttachAccepted(_)).then_some(());
        self.try_find(accepted).await
    }

    /// A proof that proves nothing.
    pub fn false_proof() -> Frame {
        Frame::Proof(Proof { proof: vec![7; 32] })
    }

    /// The next frame of those that are looked for, or `None` when the node has closed the
    /// connection.
    pub async fn try_find<T>(&mut self, wanted: impl Fn(Network) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = wanted(self.receive().await?) {
                return Some(found);
            }
        }
    }
}

fn ours(frame: Network) -> Option<Frame> {
    match frame.body {
        Some(Body::Ours(Ours { frame })) => frame,
        _ => None,
    }
}
