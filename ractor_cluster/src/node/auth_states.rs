//! States of upstream's handshake, for logs: by their names alone. What is in them are challenges
//! and digests, on which a cookie can be tried.

use std::fmt;

use super::auth::{ClientAuthenticationProcess as Client, ServerAuthenticationProcess as Server};

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WaitingOnPeerName => "waiting for the peer's name",
            Self::HavePeerName(_) => "has the peer's name",
            Self::WaitingOnClientStatus => "waiting for the peer's consent",
            Self::WaitingOnClientChallengeReply(..) => "has challenged the peer",
            Self::Ok(_) => "authenticated",
            Self::Close => "refused",
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WaitingForServerStatus => "waiting for the peer's consent",
            Self::WaitingForServerChallenge(_) => "waiting for the peer's challenge",
            Self::WaitingForServerChallengeAck(..) => "has challenged the peer",
            Self::Ok => "authenticated",
            Self::Close => "refused",
        })
    }
}
