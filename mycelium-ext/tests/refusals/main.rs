//! Every cause for which a node refuses a peer is brought about, and each side is asked: the node
//! that dialled says in its error which end refused which, why, and what to do; the node that
//! refuses counts the cause once, and logs it once. In a binary of its own, since the counters and
//! the log are the process's.
#![allow(unreachable_pub, reason = "the test is a crate, whose modules share what they need")]

#[path = "../common/authority.rs"]
mod authority;
mod log;
mod relay;
mod scenes;
mod wire;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use mycelium_ext::node::ConnectError;
use mycelium_ext::ractor_cluster::link::{Refusal, RefusedBy, refusals};

use log::Log;
use scenes as by;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("it takes too long")
}

/// What the refused end learns.
enum Told {
    /// A node that dialled: this error.
    Node(ConnectError),
    /// Both: a node dialled, and its peer is refused and is of the test's own making.
    Both(ConnectError, Option<u32>),
    /// A peer of the test's own making, of the fork as far as it says: this code.
    Peer(Option<u32>),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

type Scene = fn() -> Pin<Box<dyn Future<Output = Told> + Send>>;

/// Each cause, the end that refuses, and how it comes about. All nodes are gone when a scene is
/// over. Causes that no two nodes of this release can bring about have a peer of the test's own
/// making at one end.
const SCENES: &[(Refusal, RefusedBy, Scene)] = &[
    (Refusal::WrongCookie, RefusedBy::Peer, || Box::pin(by::another_cookie())),
    (Refusal::NameTaken, RefusedBy::Peer, || Box::pin(by::a_second_session())),
    (Refusal::OwnName, RefusedBy::Peer, || Box::pin(by::the_same_name())),
    (Refusal::NotLocal, RefusedBy::Peer, || Box::pin(by::a_false_local(true))),
    (Refusal::NotLocal, RefusedBy::ThisNode, || Box::pin(by::a_false_local(false))),
    (Refusal::Version, RefusedBy::Peer, || Box::pin(by::a_peer_of_another_version())),
    (Refusal::Version, RefusedBy::ThisNode, || Box::pin(by::a_listener_of_another_version())),
    (Refusal::StockNode, RefusedBy::Peer, || Box::pin(by::a_stock_peer())),
    (Refusal::StockNode, RefusedBy::ThisNode, || Box::pin(by::a_stock_listener())),
    (Refusal::Downgrade, RefusedBy::Peer, || Box::pin(by::a_peer_that_was_of_the_fork())),
    (Refusal::Downgrade, RefusedBy::ThisNode, || Box::pin(by::a_listener_that_was_of_the_fork())),
    (Refusal::Channel, RefusedBy::Peer, || Box::pin(by::another_channel(true))),
    (Refusal::Channel, RefusedBy::ThisNode, || Box::pin(by::another_channel(false))),
    (Refusal::Certificate, RefusedBy::Peer, || Box::pin(by::the_certificate_of_another())),
    (Refusal::Certificate, RefusedBy::ThisNode, || Box::pin(by::a_listener_of_another_name())),
    (Refusal::TooManyPeers, RefusedBy::Peer, || Box::pin(by::too_many_peers())),
    (Refusal::FrameTooLarge, RefusedBy::Peer, || Box::pin(by::a_large_first_frame())),
    (Refusal::FrameTooLarge, RefusedBy::ThisNode, || Box::pin(by::a_listener_that_is_no_node())),
    (Refusal::Malformed, RefusedBy::Peer, || Box::pin(by::garbage())),
    (Refusal::Malformed, RefusedBy::Peer, || Box::pin(by::late_garbage())),
    (Refusal::Malformed, RefusedBy::ThisNode, || Box::pin(by::a_listener_that_sends_garbage())),
    (Refusal::ListTooLong, RefusedBy::Peer, || Box::pin(by::a_list_before_authentication())),
    (Refusal::ListTooLong, RefusedBy::Peer, || Box::pin(by::a_list_right_behind_its_hello())),
    (Refusal::ListTooLong, RefusedBy::ThisNode, || Box::pin(by::a_listener_with_an_early_list())),
    (Refusal::OutOfTurn, RefusedBy::Peer, || Box::pin(by::two_hellos())),
    (Refusal::OutOfTurn, RefusedBy::ThisNode, || Box::pin(by::a_listener_with_two_hellos())),
    (Refusal::TooSlow, RefusedBy::Peer, || Box::pin(by::a_stalled_handshake())),
    (Refusal::TooSlow, RefusedBy::Peer, || Box::pin(by::a_stalled_first_frame())),
    (Refusal::TooSlow, RefusedBy::ThisNode, || Box::pin(by::a_mute_listener())),
    (Refusal::Displaced, RefusedBy::Peer, || Box::pin(by::a_newer_handshake())),
    (Refusal::Displaced, RefusedBy::Peer, || Box::pin(by::a_newer_connection())),
    (Refusal::NoSession, RefusedBy::Peer, || Box::pin(by::a_link_of_no_session())),
    (Refusal::Tls, RefusedBy::ThisNode, || Box::pin(by::another_authority())),
    (Refusal::Tls, RefusedBy::Peer, || Box::pin(by::no_certificate())),
    (Refusal::Unauthenticated, RefusedBy::Peer, || Box::pin(by::a_peer_that_goes())),
    (Refusal::OlderIncarnation, RefusedBy::Peer, || Box::pin(by::an_older_incarnation())),
];

fn check_told(told: Told, cause: Refusal, refused_by: RefusedBy) {
    match told {
        Told::Both(error, code) => {
            check_told(Told::Node(error), cause, refused_by);
            check_told(Told::Peer(code), cause, refused_by);
        }
        Told::Node(error @ ConnectError::Refused { .. }) => {
            assert_eq!(error.refusal(), Some((cause, refused_by)), "{error}");
            let text = error.to_string();
            let ConnectError::Refused { address, .. } = &error else { unreachable!("it is one") };
            for part in [cause.name(), &cause.to_string(), &address.to_string()] {
                assert!(text.contains(part), "no {part:?} in {text:?}");
            }
        }
        // Errors of their own, which say as much.
        Told::Node(error @ ConnectError::HandshakeTimeout { .. }) => {
            assert_eq!((cause, refused_by), (Refusal::TooSlow, RefusedBy::ThisNode), "{error}");
        }
        Told::Node(error @ ConnectError::Tls { .. }) => {
            assert_eq!((cause, refused_by), (Refusal::Tls, RefusedBy::ThisNode), "{error}");
            assert!(error.to_string().contains("certificate"), "{error}");
        }
        Told::Node(error) => panic!("{error}: {error:?}"),
        Told::Peer(code) => assert_eq!(code, Some(cause as u32), "{}", cause.name()),
        Told::Nothing(reason) => assert!(!reason.is_empty()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_name_each_cause() {
    let log = Log::begin(tracing::Level::WARN);
    for (cause, _) in refusals() {
        let has_scene = SCENES.iter().any(|(of, ..)| *of == cause);
        assert!(has_scene, "{} has no scene here: add one", cause.name());
    }
    for (number, (cause, refused_by, scene)) in SCENES.iter().enumerate() {
        let (cause, name) = (*cause, cause.name());
        let before = refusals();
        log.take();
        let told = soon(scene()).await;
        let lines = log.take();
        let place = format!("scene {number}, {name} by {refused_by:?}");
        let counted: Vec<_> = refusals()
            .into_iter()
            .zip(before)
            .filter(|((_, after), (_, before))| after != before)
            .map(|((cause, after), (_, before))| (cause, after - before))
            .collect();
        assert_eq!(counted, [(cause, 1)], "{place}: {lines:#?}");
        let (by_name, advice) = (format!("cause=\"{name}\""), format!("advice={cause}"));
        let of_refusing = |line: &&String| {
            line.contains(&by_name) && line.contains(&advice) && line.contains("is refused")
        };
        assert_eq!(lines.iter().filter(of_refusing).count(), 1, "{place}: {lines:#?}");
        println!("{place}: {lines:#?}");
        check_told(told, cause, *refused_by);
    }
}
