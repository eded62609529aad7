//! Subscribers of other nodes with a queue at the port.

use std::sync::atomic::Ordering;
use std::sync::Arc;

use ractor::errors::UndeliveredReason;
use ractor::port::output::{PortLosses, PortOptions, PortOverflow, SubscribeOptions};
use ractor::remoting::Outgoing;
use ractor::OutputPort;

use crate::messages::{New, Pair};
use crate::outlet::{Remote, Session};

fn bytes(sent: Vec<(Vec<u64>, Outgoing)>) -> Vec<Vec<u8>> {
    sent.into_iter().map(|(_, it)| it.args.into_vec()).collect()
}

async fn sent(session: &Session, count: usize) {
    while session.sent.lock().unwrap().len() < count {
        tokio::task::yield_now().await;
    }
}

#[ractor::concurrency::test]
async fn a_subscriber_of_another_node_hears_what_it_missed() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let port = OutputPort::with_options(PortOptions::new(2, PortOverflow::DropOldest).unwrap());
    let options = SubscribeOptions::default().on_lag(|count| Some(Pair(9, count as u8)));
    port.subscribe_with(remote.to::<Pair>(), options, |number: Arc<u32>| {
        Some(Pair(0, *number as u8))
    });
    session.set_room(false);

    (1..=5).for_each(|number| port.send(number));
    while session.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(session.take().is_empty());
    session.set_room(true);
    sent(&session, 3).await;
    assert_eq!(bytes(session.take()), [[9, 3], [0, 4], [0, 5]]);

    // One that is refused is missed too, and told with the next.
    session.refuse(UndeliveredReason::TooLarge { size: 2, bound: 1 });
    port.send(6);
    while port.losses().refused == 0 {
        tokio::task::yield_now().await;
    }
    session.accept();
    port.send(7);
    sent(&session, 2).await;
    assert_eq!(bytes(session.take()), [[9, 1], [0, 7]]);
    let mut expected = PortLosses::default();
    (expected.lagged, expected.refused) = (3, 1);
    assert_eq!(port.losses(), expected);
    assert_eq!(remote.cell.lost_messages(), 0);
    drop(port);
    remote.stop().await;
}

#[ractor::concurrency::test]
async fn a_shared_message_waits_for_room_on_the_way() {
    let session = Session::new();
    let remote = Remote::of(&session).await;
    let port = OutputPort::with_options(PortOptions::new(8, PortOverflow::DropOldest).unwrap());
    port.subscribe_arc(remote.to::<New>(), Some);
    session.set_room(false);

    for name in ["a", "b", "c"] {
        port.send(New { name: name.to_owned(), copies: Arc::default() });
    }
    while session.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    session.set_room(true);
    sent(&session, 3).await;

    let names: Vec<_> = bytes(session.take()).into_iter().map(|it| it[8]).collect();
    assert_eq!(names, b"abc");
    assert_eq!(port.losses(), PortLosses::default());
    remote.stop().await;
}
