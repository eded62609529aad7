//! `Debug` of all that holds a secret of the cluster, without it: neither the cookie, nor the
//! challenges and digests of a handshake, on which a cookie can be tried.

use std::fmt;

use super::NodeSession;
use crate::node::auth::{
    ClientAuthenticationProcess as Client, ServerAuthenticationProcess as Server,
};
use crate::node::NodeServer;

/// Implements `Debug` with these fields, and no other: a field that is added is not shown until it
/// is listed.
macro_rules! shows {
    ($($type:ident { $($field:ident),+ })+) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($field), &self.$field))+
                    .finish_non_exhaustive()
            }
        }
    )+};
}

shows! {
    NodeServer {
        port, node_name, hostname, encryption_mode, connection_mode, listen_addr,
        max_inbound_frame_size, links
    }
    NodeSession {
        node_id, is_server, node_server, this_node_name, connection_mode, max_inbound_frame_size,
        connection_id
    }
}

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

#[cfg(test)]
mod tests {
    use ractor::{Actor, ActorProcessingErr, ActorRef};

    use super::*;
    use crate::node::{NodeConnectionMode, NodeServerMessage};
    use crate::protocol::auth::NameMessage;

    const COOKIE: &str = "chocolate-7f3a";

    /// Stands in for the server of a session.
    struct Server;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Server {
        type Msg = NodeServerMessage;
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _: ActorRef<NodeServerMessage>,
            (): (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_prints_has_no_secret_in_it() {
        let (name, host) = ("a".to_owned(), "here".to_owned());
        let server = NodeServer::new(0, COOKIE.to_owned(), name.clone(), host, None, None);
        let (stand_in, ended) = Actor::spawn(None, Server, ()).await.expect("it starts");
        let this_node = NameMessage { name, ..NameMessage::default() };
        let mode = NodeConnectionMode::Isolated;
        let session =
            NodeSession::new(1, true, COOKIE.to_owned(), stand_in.clone(), this_node, mode);
        let digest = crate::hash::challenge_digest(COOKIE, 123_456_789);
        for (shown, has) in [
            (format!("{server:#?}"), "node_name: \"a\""),
            (format!("{session:#?}"), "node_id: 1"),
            (
                format!("{:?}", super::Server::WaitingOnClientChallengeReply(123_456_789, digest)),
                "has challenged the peer",
            ),
            (format!("{:?}", super::Server::Ok(digest)), "authenticated"),
        ] {
            assert!(shown.contains(has), "no {has:?} in {shown}");
            let digest = format!("{digest:?}");
            for secret in [COOKIE, "123456789", digest.as_str()] {
                assert!(!shown.contains(secret), "{secret:?} is in {shown}");
            }
        }
        stand_in.stop(None);
        ended.await.expect("it ends in order");
    }
}
