//! What strangers and members can make a node log: a few lines of each kind, however often they
//! come back.

use std::time::{Duration, Instant};

use ractor_cluster::link::options::Security;
use ractor_cluster::link::LinkOptions;
use ractor_cluster::transport::TransportKind;

use crate::client::Client;
use crate::scene::{Scene, KINDS};
use crate::wire::{
    Attach, AuthBody, Call, ChallengeReply, ControlBody, Frame, Hello, Network, NodeBody, Ready,
    Refused,
};

/// Connections of each kind and transport.
const MANY: usize = 30;

/// Lines of one kind at once, and how far apart the lines behind them are.
const BURST: usize = 8;
const INTERVAL: Duration = Duration::from_secs(10);

/// What a stranger does with a connection. None of them knows the cookie.
///
/// Three further lines have limits, which a test cannot make come: those about connections over
/// Unix sockets of another user or of an unknown user, and about connections for which the system
/// has no descriptors.
#[derive(Debug, Clone, Copy)]
enum Stranger {
    Goes,
    SendsGarbage,
    SendsGarbageLate,
    SendsTooMuch,
    SendsNothing,
    SaysHelloTwice,
    ShowsAnotherChannel,
    IsOfTheNodesName,
    IsOfAnotherVersion,
    GuessesTheCookie,
    GuessesTheChallenge,
    AnswersWhatNobodyAsked,
    SendsMessages,
    SendsControl,
    Refuses,
    Attaches,
}

impl Stranger {
    const ALL: [Self; 16] = [
        Self::Goes,
        Self::SendsGarbage,
        Self::SendsGarbageLate,
        Self::SendsTooMuch,
        Self::SendsNothing,
        Self::SaysHelloTwice,
        Self::ShowsAnotherChannel,
        Self::IsOfTheNodesName,
        Self::IsOfAnotherVersion,
        Self::GuessesTheCookie,
        Self::GuessesTheChallenge,
        Self::AnswersWhatNobodyAsked,
        Self::SendsMessages,
        Self::SendsControl,
        Self::Refuses,
        Self::Attaches,
    ];

    /// The frames that it says to the node of this name.
    fn says(self, client: &Client, node: &str) -> Vec<Network> {
        let hello = || Network::from(client.hello());
        let AuthBody::Name(mut name) = Client::name("stranger") else { unreachable!() };
        match self {
            Self::Goes | Self::SendsGarbage | Self::SendsTooMuch => vec![],
            Self::SendsGarbageLate => vec![hello()],
            Self::SendsNothing => vec![Network { body: None }],
            Self::SaysHelloTwice => vec![hello(), hello()],
            Self::ShowsAnotherChannel => {
                let Frame::Hello(said) = client.hello() else { unreachable!() };
                let other = Hello { channel: "pigeon".to_owned(), ..said };
                vec![Frame::Hello(other).into(), AuthBody::Name(name).into()]
            }
            Self::IsOfTheNodesName => {
                name.name = format!("{node}@localhost");
                vec![hello(), AuthBody::Name(name).into()]
            }
            Self::IsOfAnotherVersion => {
                name.flags = None;
                vec![hello(), AuthBody::Name(name).into()]
            }
            Self::GuessesTheCookie => vec![hello(), AuthBody::Name(name).into()],
            Self::GuessesTheChallenge => vec![AuthBody::Name(name).into()],
            Self::AnswersWhatNobodyAsked => {
                let reply = ChallengeReply { challenge: 0, digest: Vec::new() };
                vec![AuthBody::Reply(reply).into()]
            }
            Self::SendsMessages => {
                let variant = "Sum".to_owned();
                let call = Call { to: 1, what: Vec::new(), tag: 1, timeout_ms: None, variant };
                vec![NodeBody::Call(call).into()]
            }
            Self::SendsControl => vec![ControlBody::Ready(Ready {}).into()],
            Self::Refuses => vec![hello(), Frame::Refused(Refused { code: 1 }).into()],
            Self::Attaches => {
                vec![Frame::Attach(Attach { session: vec![7; 32], nonce: vec![7; 32] }).into()]
            }
        }
    }

    async fn visits(self, client: &mut Client, node: &str) {
        for frame in self.says(client, node) {
            // It may be refused before it has said all.
            _ = client.try_send(frame).await;
        }
        match self {
            Self::SendsGarbage | Self::SendsGarbageLate => {
                _ = client.send_bytes(&[0, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff]).await;
            }
            Self::SendsTooMuch => _ = client.send_bytes(&[0xff; 8]).await,
            Self::GuessesTheCookie | Self::GuessesTheChallenge => {
                if let Some(challenge) = client.try_challenge().await {
                    _ = client.try_answer(challenge).await;
                }
            }
            _ => {}
        }
        // So that the node reads all of it: of a connection that is closed it may not.
        _ = client.shut_down().await;
        client.closed().await;
    }
}

async fn flood(name: &str, security: Security) {
    let options =
        LinkOptions::default().with_reconnect_grace(Duration::ZERO).with_security(security);
    let begin = Instant::now();
    let mut scene = Scene::terse(name, options).await;
    for kind in KINDS {
        for stranger in Stranger::ALL {
            for _ in 0..MANY {
                let mut client = scene.client(kind).await.with_cookie("vanilla");
                stranger.visits(&mut client, name).await;
            }
        }
    }
    logged_few(&scene, begin);
    let kinds = scene.log.kinds();
    assert!(kinds.len() > 8, "the log was not captured: {kinds:#?}");
    scene.serves(TransportKind::Tcp).await;
    scene.end().await;
}

/// What was logged since `begin` are few lines of each kind.
fn logged_few(scene: &Scene, begin: Instant) {
    let kinds = scene.log.kinds();
    let intervals = usize::try_from(begin.elapsed().as_secs() / INTERVAL.as_secs());
    let most = BURST + 1 + intervals.expect("it is short");
    println!("{kinds:#?}");
    for (kind, count) in &kinds {
        assert!(*count <= most, "{most} lines of a kind are allowed; {kind:?} in {kinds:#?}");
    }
}

/// A further link of the session that `first` began, which the node has taken.
async fn joined(scene: &Scene, first: &Client) -> Client {
    let mut link = scene.client(TransportKind::Tcp).await;
    let proof = link.attach(first).await;
    link.send(Frame::AttachProof(proof)).await;
    let Frame::AttachAccepted(_) = link.ours().await else { panic!("it was proven") };
    link
}

/// The fork's frame 20, which says that the session ends.
const GOODBYE: [u8; 14] = [0, 0, 0, 0, 0, 0, 0, 6, 0xc2, 0x3e, 3, 0xa2, 1, 0];

/// Says that the session ends.
async fn leaves(mut client: Client) {
    client.send_bytes(&GOODBYE).await.expect("it is open");
    client.closed().await;
}

/// Peers that know the cookie, with which nothing is wrong but that they come and go.
#[tokio::test]
async fn members_that_come_and_go_make_few_lines() {
    // Longer than the test takes.
    let grace = Duration::from_secs(600);
    let options = LinkOptions::default().with_reconnect_grace(grace);
    let begin = Instant::now();
    let mut scene = Scene::terse("stays", options).await;
    let steady = scene.guest(TransportKind::Tcp).await;
    for number in 0..MANY {
        // Its last link breaks, and another one comes back.
        let mut first = scene.client(TransportKind::Tcp).await;
        first.join(&format!("returns-{number}")).await;
        first.shut_down().await.expect("it is open");
        first.closed().await;
        leaves(joined(&scene, &first).await).await;
        // It leaves at once.
        leaves(scene.guest(TransportKind::Tcp).await).await;
        // A further link breaks.
        let mut link = joined(&scene, &steady).await;
        link.shut_down().await.expect("it is open");
        link.closed().await;
        // It is replaced by a later start of its process, which sends garbage.
        let mut twin = scene.client(TransportKind::Tcp).await;
        twin.join("twin").await;
        _ = twin.send_bytes(&[0, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff]).await;
        twin.closed().await;
        // It is a stock node.
        let mut stock = scene.client(TransportKind::Tcp).await;
        stock.try_join_as_stock(&format!("stock-{number}")).await.expect("it is let in");
        stock.shut_down().await.expect("it is open");
        stock.closed().await;
    }
    let kinds = scene.log.kinds();
    for said in [
        "a link broke",
        "a session waits for a link",
        "a session goes on",
        "a session ended",
        "a peer leaves",
        "a connection is closed: its bytes are no frame of a peer",
        "a peer is let in by stock's challenge",
        "the peer runs Mycelium's fork",
    ] {
        assert!(kinds.keys().any(|kind| kind.starts_with(said)), "no {said:?} in {kinds:#?}");
    }
    logged_few(&scene, begin);
    drop(steady);
    scene.end().await;
}

#[tokio::test]
async fn strangers_make_few_lines() {
    flood("terse", Security::default()).await;
}

#[tokio::test]
async fn strangers_make_few_lines_where_the_node_is_strict() {
    flood("terse-strict", Security::strict()).await;
}
