//! Misdeeds of a hostile member that are many: much of what each frame is, is allowed.

use std::ops::Range;

use ractor::pg::DEFAULT_SCOPE;
use tokio::time::{Duration, Instant, timeout};

use super::attack::Attack;
use super::client::Client;
use super::hostile::NO_ACTOR;
use super::wire::{Actor, ControlBody, Frame, Name, NodeSessions, PgJoin, Spawn, Terminate};

/// How long a flood lasts at most; a node may pause reading.
const FLOOD: Duration = Duration::from_secs(2);

fn actors(pids: Range<u64>) -> Vec<Actor> {
    pids.map(|pid| Actor { pid, name: Some(format!("hostile actor {pid}")) }).collect()
}

fn join(group: &str, pids: Range<u64>) -> ControlBody {
    let scope = DEFAULT_SCOPE.to_owned();
    ControlBody::PgJoin(PgJoin { group: group.to_owned(), actors: actors(pids), scope })
}

/// A frame that lets actors of this end join a group.
pub(super) fn pg_join(client: &mut Client, group: &str, pids: Range<u64>) -> Frame {
    Frame::Envelope(client.envelope(join(group, pids)))
}

/// Sends frames until there are so many, the time is over, or the node takes none.
async fn flood(
    attack: &mut Attack<'_>,
    client: &mut Client,
    mut frame: impl FnMut(&mut Client, u64) -> Vec<u8>,
    frames: u64,
) -> Option<()> {
    let end = Instant::now() + FLOOD;
    for numbers in (0..frames).collect::<Vec<_>>().chunks(50) {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| frame(client, *number)).collect();
        let left = end.saturating_duration_since(Instant::now());
        timeout(left, client.send_bytes(&bytes)).await.ok()?.ok()?;
        attack.count += numbers.len() as u64;
    }
    Some(())
}

pub(super) async fn pg_joins(attack: &mut Attack<'_>) -> Option<()> {
    let (mut client, _) = attack.guest().await?;
    let (frames, each) = (attack.times(200, 20_000), attack.times(1, 40));
    let one_group = attack.times(0, 2) == 0;
    let frame = |client: &mut Client, number| {
        let group = if one_group { 0 } else { number };
        let pids = number * each..(number + 1) * each;
        Client::encoded(pg_join(client, &format!("hostile group {group}"), pids))
    };
    flood(attack, &mut client, frame, frames).await
}

pub(super) async fn pg_joins_as_stock(attack: &mut Attack<'_>) -> Option<()> {
    let name = format!("stock-{}", attack.name());
    let mut client = attack.tcp_client().await?;
    let joined = timeout(FLOOD, client.try_join_as_stock(&name)).await.ok().flatten();
    attack.refused += u64::from(joined.is_none());
    joined?;
    let (frames, each) = (attack.times(200, 5_000), attack.times(1, 40));
    let frame = |_: &mut Client, number| {
        let pids = number * each..(number + 1) * each;
        Client::encoded(join(&format!("hostile stock group {}", number % 100), pids))
    };
    flood(attack, &mut client, frame, frames).await
}

pub(super) async fn spawns(attack: &mut Attack<'_>) -> Option<()> {
    let (mut client, _) = attack.guest().await?;
    let (frames, each) = (attack.times(200, 5_000), attack.times(1, 100));
    let frame = |client: &mut Client, number| {
        let pids = number / 2 * each..(number / 2 + 1) * each;
        let body = match number % 2 {
            0 => ControlBody::Spawn(Spawn { actors: actors(pids) }),
            _ => ControlBody::Terminate(Terminate { ids: pids.collect() }),
        };
        Client::encoded(Frame::Envelope(client.envelope(body)))
    };
    flood(attack, &mut client, frame, frames).await
}

pub(super) async fn node_sessions(attack: &mut Attack<'_>) -> Option<()> {
    let (mut client, _) = attack.guest().await?;
    let (frames, each) = (attack.times(50, 2_000), attack.times(1, 200));
    let frame = |client: &mut Client, number| {
        let name = |it| Name {
            name: format!("hostile-{number}-{it}@elsewhere"),
            connection_string: "localhost:1".to_owned(),
            ..Name::default()
        };
        let body = match number % 2 {
            0 => {
                ControlBody::NodeSessions(NodeSessions { sessions: (0..each).map(name).collect() })
            }
            _ => ControlBody::EnumerateNodeSessions(name(0)),
        };
        Client::encoded(Frame::Envelope(client.envelope(body)))
    };
    flood(attack, &mut client, frame, frames).await
}

pub(super) async fn repeated_targets(attack: &mut Attack<'_>) -> Option<()> {
    for _ in 0..attack.times(2, 10) {
        let (mut client, _) = attack.guest().await?;
        let (length, bytes) = (attack.times(2, 30_000), attack.times(1, 60_000));
        let list: Vec<u64> = match attack.times(0, 3) {
            0 => vec![NO_ACTOR; usize::try_from(length).ok()?],
            1 => (NO_ACTOR..NO_ACTOR + length).collect(),
            // As long as it may be, and one behind the other.
            _ => (NO_ACTOR..NO_ACTOR + 512).collect(),
        };
        let what = attack.noise(usize::try_from(bytes).ok()?);
        for _ in 0..attack.times(1, 50) {
            let sent = timeout(FLOOD, client.try_many(&list, "Add", &what)).await;
            if !sent.is_ok_and(|sent| sent.is_ok()) {
                break;
            }
            attack.count += list.len() as u64;
        }
    }
    Some(())
}
