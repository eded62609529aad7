//! What a hostile member does, who has the cookie: it becomes a peer first.

use rand::RngExt as _;
use tokio::time::{Duration, sleep, timeout};

use super::attack::Attack;
use super::client::{Client, Session};
use super::floods;
use super::wire::{Call, Frame, NodeBody, Settled};

/// An actor that no node has.
pub(super) const NO_ACTOR: u64 = 1 << 40;

/// How long the hostile member waits until a node has closed a connection.
const CLOSING: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misdeed {
    /// Frames that are longer than the node takes.
    Oversized,
    /// Frames that end before their end.
    Truncated,
    /// Frames that are no protobuf.
    Garbage,
    /// Frames of a session, with some of their bytes changed.
    Mutated,
    /// Joins process groups without end.
    PgJoins,
    /// Announces actors without end, and takes them back.
    Spawns,
    /// Names peers that there are not.
    NodeSessions,
    /// The same control traffic as a stock node, which has no backlog of its own.
    StockFlood,
    /// Sends a message to the same actor many times, or to more than a list may have.
    RepeatedTargets,
    /// Asks without end, and reads nothing.
    Frozen,
    /// Says and reads nothing.
    Mute,
    /// Sends a frame byte by byte.
    Drip,
    /// Breaks links, and comes back.
    BrokenLinks,
    /// Asks for links of sessions that have ended, and with invalid proofs.
    StaleAttaches,
    /// Comes several times under one name, as starts of its node that are newer and older.
    Twins,
    /// Says frames of the handshake once more.
    OutOfOrder,
}

impl Misdeed {
    pub(super) const ALL: &[Self] = &[
        Self::Oversized,
        Self::Truncated,
        Self::Garbage,
        Self::Mutated,
        Self::PgJoins,
        Self::Spawns,
        Self::NodeSessions,
        Self::StockFlood,
        Self::RepeatedTargets,
        Self::Frozen,
        Self::Mute,
        Self::Drip,
        Self::BrokenLinks,
        Self::StaleAttaches,
        Self::Twins,
        Self::OutOfOrder,
    ];
}

impl super::Misdeed for Misdeed {
    fn name(self) -> &'static str {
        match self {
            Self::Oversized => "oversized-frames",
            Self::Truncated => "truncated-frames",
            Self::Garbage => "frames-of-garbage",
            Self::Mutated => "mutated-frames",
            Self::PgJoins => "pg-joins",
            Self::Spawns => "spawns",
            Self::NodeSessions => "named-node-sessions",
            Self::StockFlood => "pg-joins-as-stock",
            Self::RepeatedTargets => "repeated-targets",
            Self::Frozen => "calls-of-a-frozen-reader",
            Self::Mute => "mute-members",
            Self::Drip => "bytes-dripped-by-a-member",
            Self::BrokenLinks => "broken-links",
            Self::StaleAttaches => "stale-attaches",
            Self::Twins => "twins",
            Self::OutOfOrder => "frames-out-of-order",
        }
    }

    async fn commit(self, attack: &mut Attack<'_>) {
        // A misdeed ends where the node closes the connection.
        let _ = match self {
            Self::Oversized => oversized(attack).await,
            Self::Truncated => truncated(attack).await,
            Self::Garbage => garbage(attack).await,
            Self::Mutated => mutated(attack).await,
            Self::PgJoins => floods::pg_joins(attack).await,
            Self::Spawns => floods::spawns(attack).await,
            Self::NodeSessions => floods::node_sessions(attack).await,
            Self::StockFlood => floods::pg_joins_as_stock(attack).await,
            Self::RepeatedTargets => floods::repeated_targets(attack).await,
            Self::Frozen => frozen(attack).await,
            Self::Mute => mute(attack).await,
            Self::Drip => drip(attack).await,
            Self::BrokenLinks => broken_links(attack).await,
            Self::StaleAttaches => stale_attaches(attack).await,
            Self::Twins => twins(attack).await,
            Self::OutOfOrder => out_of_order(attack).await,
        };
    }
}

/// A call to no actor, whose answer is that there is none.
fn call(client: &mut Client, tag: u64, bytes: usize) -> Frame {
    let (what, variant) = (vec![7; bytes], "Sum".to_owned());
    let call = Call { to: NO_ACTOR, what, tag, timeout_ms: None, variant };
    Frame::Envelope(client.envelope(NodeBody::Call(call)))
}

async fn closing(client: &mut Client) {
    let _ = timeout(CLOSING, client.closed()).await;
}

async fn oversized(attack: &mut Attack<'_>) -> Option<()> {
    for _ in 0..attack.times(1, 4) {
        let (mut client, _) = attack.guest().await?;
        let bound = client.announced.as_ref().and_then(|it| it.max_frame).unwrap_or(1 << 30);
        let length = match attack.times(0, 3) {
            0 => bound + 1,
            1 => u64::MAX,
            _ => i64::MAX as u64,
        };
        let noise = attack.noise(5_000);
        client.send_bytes(&length.to_be_bytes()).await.ok()?;
        // The node may have closed the connection by now.
        let _ = client.send_bytes(&noise).await;
        attack.count += 1;
        closing(&mut client).await;
    }
    Some(())
}

async fn truncated(attack: &mut Attack<'_>) -> Option<()> {
    for _ in 0..attack.times(2, 8) {
        let (mut client, _) = attack.guest().await?;
        let bytes = attack.times(0, 60_000);
        let frame = call(&mut client, 1, usize::try_from(bytes).ok()?);
        let frame = Client::encoded(frame);
        let end = attack.random.random_range(1..frame.len());
        client.send_bytes(&frame[..end]).await.ok()?;
        attack.count += 1;
        if attack.times(0, 2) == 0 {
            let _ = client.shut_down().await;
            closing(&mut client).await;
        }
    }
    Some(())
}

async fn garbage(attack: &mut Attack<'_>) -> Option<()> {
    for _ in 0..attack.times(2, 8) {
        let (mut client, _) = attack.guest().await?;
        let bytes = attack.times(1, 20_000);
        let noise = attack.noise(usize::try_from(bytes).ok()?);
        // Groups that begin and do not end, or anything.
        let noise = if attack.times(0, 3) == 0 { vec![0x7b; noise.len()] } else { noise };
        client.send_bytes(&bytes.to_be_bytes()).await.ok()?;
        let _ = client.send_bytes(&noise).await;
        attack.count += 1;
        closing(&mut client).await;
    }
    Some(())
}

async fn mutated(attack: &mut Attack<'_>) -> Option<()> {
    for _ in 0..attack.times(2, 6) {
        let (mut client, _) = attack.guest().await?;
        for _ in 0..attack.times(1, 200) {
            let frame = match attack.times(0, 4) {
                0 => floods::pg_join(&mut client, "hostile mutants", 0..5),
                1 => Frame::Announcement(client.announcement()),
                2 => Frame::Settled(Settled {}),
                _ => call(&mut client, 1, 50),
            };
            let mut frame = Client::encoded(frame);
            for _ in 0..attack.times(1, 4) {
                // The length stays what it is, so that more frames come behind.
                if let at @ 8.. = attack.random.random_range(0..frame.len()) {
                    frame[at] = attack.random.random();
                }
            }
            if client.send_bytes(&frame).await.is_err() {
                break;
            }
            attack.count += 1;
        }
    }
    Some(())
}

async fn frozen(attack: &mut Attack<'_>) -> Option<()> {
    let (mut client, _) = attack.guest().await?;
    let calls = attack.times(2_000, 40_000);
    let mut asked = 0;
    let asking = async {
        for tags in (0..calls).collect::<Vec<_>>().chunks(100) {
            let mut frames = Vec::new();
            for tag in tags {
                let frame = call(&mut client, *tag, 20);
                frames.extend(Client::encoded(frame));
            }
            if client.send_bytes(&frames).await.is_err() {
                return;
            }
            asked += tags.len() as u64;
        }
    };
    // The node reads no more than it can answer.
    let _ = timeout(CLOSING, asking).await;
    attack.count += asked;
    let most = attack.milliseconds(1_000, 20_000);
    attack.keep(most, async move {
        sleep(most).await;
        drop(client);
    });
    Some(())
}

async fn mute(attack: &mut Attack<'_>) -> Option<()> {
    let (client, _) = attack.guest().await?;
    attack.count += 1;
    // Beyond the silence that a node bears, at times.
    let most = attack.milliseconds(1_000, 25_000);
    attack.keep(most, async move {
        sleep(most).await;
        drop(client);
    });
    Some(())
}

async fn drip(attack: &mut Attack<'_>) -> Option<()> {
    let (mut client, _) = attack.guest().await?;
    let frame = call(&mut client, 1, 30);
    let frame = Client::encoded(frame);
    let pause = attack.milliseconds(5, 20);
    for byte in &frame[..frame.len().min(60)] {
        client.send_bytes(&[*byte]).await.ok()?;
        attack.count += 1;
        sleep(pause).await;
    }
    Some(())
}

async fn attach(attack: &mut Attack<'_>, session: &Session) -> Option<Client> {
    let mut client = attack.client().await?;
    let attached = timeout(CLOSING, client.try_attach(session)).await;
    attached.is_ok_and(|attached| attached).then_some(client)
}

async fn broken_links(attack: &mut Attack<'_>) -> Option<()> {
    let (client, session) = attack.guest().await?;
    let mut links = vec![client];
    for _ in 0..attack.times(3, 20) {
        if attack.times(0, 3) > 0 {
            // All but the newest, or all of them.
            links.clear();
            attack.count += 1;
            sleep(attack.milliseconds(0, 30)).await;
        }
        match attach(attack, &session).await {
            Some(link) => links.push(link),
            // The session has ended, or has as many links as it may.
            None => attack.refused += 1,
        }
        if let Some(link) = links.last_mut() {
            let frame = call(link, 1, 10);
            let _ = link.try_send(frame).await;
        }
    }
    Some(())
}

async fn stale_attaches(attack: &mut Attack<'_>) -> Option<()> {
    let (mut client, session) = attack.guest().await?;
    let (name, key) = (attack.random.random(), attack.random.random());
    for (name, key) in [(session.name, key), (name, session.key), (name, key)] {
        let attached = attach(attack, &Session { name, key }).await;
        assert!(attached.is_none(), "a node takes a false proof for a true one");
        attack.count += 1;
    }
    // Ended with garbage, so that the node does not wait for it.
    let _ = client.send_bytes(&u64::MAX.to_be_bytes()).await;
    closing(&mut client).await;
    drop(client);
    for _ in 0..attack.times(1, 5) {
        let _ = attach(attack, &session).await;
        attack.count += 1;
    }
    Some(())
}

async fn twins(attack: &mut Attack<'_>) -> Option<()> {
    let name = attack.name();
    let mut twins = Vec::new();
    for _ in 0..attack.times(2, 6) {
        let incarnation = attack.random.random();
        let client = attack.tcp_client().await?.with_incarnation(incarnation);
        attack.count += 1;
        twins.extend(attack.join(client, &name).await);
    }
    Some(())
}

async fn out_of_order(attack: &mut Attack<'_>) -> Option<()> {
    for _ in 0..attack.times(1, 5) {
        let (mut client, _) = attack.guest().await?;
        let frame = match attack.times(0, 4) {
            0 => client.hello(),
            1 => Client::false_proof(),
            2 => Frame::Announcement(client.announcement()),
            _ => Frame::Settled(Settled {}),
        };
        client.try_send(frame).await.ok()?;
        attack.count += 1;
        closing(&mut client).await;
    }
    Some(())
}
