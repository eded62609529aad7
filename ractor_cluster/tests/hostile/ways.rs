//! What a node's own messages look like to the one who gets them: how many frames there are, and
//! what comes before what.

use std::sync::Arc;

use ractor::{pg, Actor, ActorRef};
use ractor_cluster::transport::TransportKind;

use crate::client::Client;
use crate::common::watched;
use crate::message::Sent;
use crate::scene::{Count, Counter, Scene};
use crate::wire::{
    self, ActorPreference, Announcement, ControlBody, Enveloped, Frame, PgJoin, Preferences,
};

/// Has a peer announce actors in a group, and waits until they are there.
pub async fn announce(client: &mut Client, group: &str, pids: &[u64]) -> Vec<ActorRef<Count>> {
    let (group, scope) = (group.to_owned(), pg::DEFAULT_SCOPE.to_owned());
    let actors = pids.iter().map(|pid| wire::Actor { pid: *pid, name: None }).collect();
    let join = ControlBody::PgJoin(PgJoin { group: group.clone(), actors, scope });
    let envelope = client.envelope(join);
    client.send(Frame::Envelope(envelope)).await;
    watched(async {
        loop {
            let members = pg::get_members(&group);
            if members.len() == pids.len() {
                return members.into_iter().map(ActorRef::from).collect();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// One frame, however many actors of the peer are in the group, and from every sender.
#[tokio::test]
async fn a_message_to_many_is_one_frame() {
    let mut scene = Scene::start("many").await;
    let mut client = scene.guest(TransportKind::Tcp).await;
    let pids: Vec<u64> = (700..764).collect();
    let proxies = announce(&mut client, "many", &pids).await;
    let blob = Arc::new(Count::Blob(vec![7; 48 * 1024]));
    let report = pg::broadcast_arc(&"many".to_owned(), blob.clone());
    assert_eq!((report.delivered(), report.failed().len()), (64, 0));
    let first = client.sent().await;
    let Sent { kind: 3, to, bytes, .. } = first else { panic!("{first:?}") };
    assert_eq!(sorted(to), pids);
    assert!(bytes < 50 * 1024, "{bytes} bytes");
    // The next one is that of one actor.
    proxies[0].cast(Count::Add(1)).unwrap();
    let next = client.sent().await;
    assert_eq!((next.kind, next.to.as_slice()), (1, [proxies[0].get_id().pid()].as_slice()));
    scene.end().await;
}

/// A peer that takes all lanes gets urgent messages, others, and large ones by different lanes; one
/// that does not gets all by the same.
#[tokio::test]
async fn messages_that_do_not_wait_for_each_other_have_lanes_of_their_own() {
    let scene = Scene::start("lanes").await;
    for (lanes, expected) in [(true, [16, 8, 56]), (false, [0, 0, 0])] {
        let mut client = scene.client(TransportKind::Tcp).await;
        let announcement = Announcement { lanes, ..client.announcement() };
        client.join_as(&format!("lanes-{lanes}"), announcement).await;
        let actors = vec![ActorPreference { pid: 700, preference: 0, urgent: true }];
        let envelope = client.envelope(Enveloped::Preferences(Preferences { actors }));
        client.send(Frame::Envelope(envelope)).await;
        let group = format!("lanes-{lanes}");
        let mut proxies = announce(&mut client, &group, &[700, 701]).await;
        proxies.sort_by_key(|proxy| proxy.get_id().pid());
        let mut came = Vec::new();
        for (proxy, message) in [
            (&proxies[1], Count::Add(1)),
            (&proxies[0], Count::Add(1)),
            (&proxies[1], Count::Blob(vec![7; 200_000])),
        ] {
            proxy.cast(message).expect("it is taken");
            came.push(client.sent().await.lane);
        }
        assert_eq!(came, expected);
    }
    scene.end().await;
}

/// As one payload comes, one message goes to all of a type.
#[tokio::test]
async fn what_came_for_many_is_one_message() {
    let mut scene = Scene::start("one").await;
    let mut client = scene.guest(TransportKind::Tcp).await;
    let (seen, mut addresses) = tokio::sync::mpsc::unbounded_channel();
    let mut readers = Vec::new();
    for _ in 0..8 {
        let (reader, _) = Actor::spawn(None, Reader, seen.clone()).await.unwrap();
        readers.push(reader);
    }
    let pids: Vec<u64> = readers.iter().map(|reader| reader.get_id().pid()).collect();
    client.many(&pids, "Tick", &[0, 0, 0, 0, 0, 0, 0, 1, 9]).await;
    let mut at = Vec::new();
    for _ in 0..8 {
        at.push(watched(addresses.recv()).await.unwrap());
    }
    assert!(at.iter().all(|address| *address == at[0]), "{at:?}");
    readers.iter().for_each(|reader| reader.stop(None));
    scene.end().await;
}

/// An actor that has joined a group, or was just spawned, is known to the peer before the messages
/// that it then sends.
#[tokio::test]
async fn who_sends_was_announced_before() {
    let mut scene = Scene::start("before").await;
    let mut client = scene.guest(TransportKind::Tcp).await;
    let proxies = announce(&mut client, "after", &[900]).await;
    for round in 0..50 {
        let (actor, _) = Actor::spawn(None, Counter, ()).await.unwrap();
        let group = format!("round-{round}");
        pg::join(group.clone(), vec![actor.get_cell()]);
        proxies[0].cast(Count::Add(round)).unwrap();
        // Whatever comes until the message.
        let (mut joined, pid) = (false, actor.get_id().pid());
        loop {
            match client.next().await {
                Ok(Enveloped::Control(control)) => {
                    if let Some(ControlBody::PgJoin(join)) = control.body {
                        joined |= join.group == group && join.actors[0].pid == pid;
                    }
                }
                Ok(_) => {}
                Err(sent) => {
                    assert_eq!(sent.to, [900]);
                    break;
                }
            }
        }
        assert!(joined, "round {round}: the message came before its sender's group");
        actor.stop(None);
    }
    scene.end().await;
}

fn sorted(mut pids: Vec<u64>) -> Vec<u64> {
    pids.sort_unstable();
    pids
}

/// Tells where what it reads is.
struct Reader;

#[derive(Clone, ractor_cluster::RactorClusterMessage)]
enum Ticks {
    Tick(Vec<u8>),
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Reader {
    type Msg = Ticks;
    type Arguments = tokio::sync::mpsc::UnboundedSender<usize>;
    type State = tokio::sync::mpsc::UnboundedSender<usize>;

    async fn pre_start(
        &self,
        _: ActorRef<Ticks>,
        seen: Self::Arguments,
    ) -> Result<Self::State, ractor::ActorProcessingErr> {
        Ok(seen)
    }

    async fn handle_arc(
        &self,
        _: ActorRef<Ticks>,
        message: ractor::message::Shared<Ticks>,
        seen: &mut Self::State,
    ) -> Result<(), ractor::ActorProcessingErr> {
        let Ticks::Tick(bytes) = &*message;
        assert_eq!(bytes, &[9]);
        seen.send(bytes.as_ptr() as usize)?;
        Ok(())
    }
}
