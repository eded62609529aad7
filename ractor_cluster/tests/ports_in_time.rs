//! The ports that go into and come out of `Message::serialize` and `Message::deserialize` end with
//! the time of their call, and an answer that cannot be decoded ends them too.

use std::future::Future;
use std::time::Duration;

use ractor::concurrency::{oneshot, OneshotReceiver};
use ractor::message::SerializedMessage;
use ractor::{Message, MessagingErr, RpcReplyPort};
use ractor_cluster::RactorClusterMessage;

/// How long a test waits for something that happens within milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// So short that a test may wait for its end.
const SHORT: Duration = Duration::from_millis(1);
/// So long that it never ends in a test.
const LONG: Duration = Duration::from_secs(3600);

#[derive(RactorClusterMessage)]
enum Question {
    #[rpc]
    Price(String, RpcReplyPort<u64>),
}

/// The typed end of a call that was serialised, with the port for its bytes.
fn serialized(limit: Option<Duration>) -> (OneshotReceiver<u64>, RpcReplyPort<Vec<u8>>) {
    let (port, answer) = oneshot();
    let port = match limit {
        Some(limit) => (port, limit).into(),
        None => port.into(),
    };
    match Question::Price("A".to_owned(), port).serialize() {
        Ok(SerializedMessage::Call { reply, .. }) => (answer, reply),
        other => panic!("no call: {other:?}"),
    }
}

/// The end for the bytes of a call that was deserialised, with its typed port.
fn deserialized(limit: Option<Duration>) -> (OneshotReceiver<Vec<u8>>, RpcReplyPort<u64>) {
    let (port, answer) = oneshot();
    let reply = match limit {
        Some(limit) => (port, limit).into(),
        None => port.into(),
    };
    let (argument, _unheard) = oneshot();
    let call = Question::Price("A".to_owned(), argument.into()).serialize();
    let Ok(SerializedMessage::Call { variant, args, metadata, .. }) = call else {
        panic!("no call")
    };
    let call = SerializedMessage::Call { variant, args, reply, metadata };
    let Ok(Question::Price(of, port)) = Question::deserialize(call) else { panic!("no question") };
    assert_eq!(of, "A");
    (answer, port)
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    ractor::concurrency::timeout(PATIENCE, what).await.expect("nothing happened")
}

#[ractor::concurrency::test]
async fn a_caller_hears_that_the_time_of_its_serialized_call_is_over() {
    let (answer, port) = serialized(Some(SHORT));
    assert_eq!(port.get_timeout(), Some(SHORT));

    // The port lives on, unanswered.
    assert!(in_time(answer).await.is_err());

    assert!(port.is_closed());
    assert!(matches!(port.send(vec![0; 8]), Err(MessagingErr::SendErr(bytes)) if bytes == [0; 8]));
}

#[ractor::concurrency::test]
async fn who_waits_for_bytes_hears_that_the_time_of_the_deserialized_call_is_over() {
    let (answer, port) = deserialized(Some(SHORT));
    assert_eq!(port.get_timeout(), Some(SHORT));

    assert!(in_time(answer).await.is_err());

    assert!(port.is_closed());
    assert!(matches!(port.send(7), Err(MessagingErr::SendErr(7))));
}

#[ractor::concurrency::test]
async fn ports_with_time_left_and_without_a_limit_pass_answers_on() {
    for limit in [None, Some(LONG)] {
        let (answer, port) = serialized(limit);
        assert!(!port.is_closed());
        port.send(7u64.to_be_bytes().to_vec()).unwrap();
        assert_eq!(in_time(answer).await.unwrap(), 7);

        let (answer, port) = deserialized(limit);
        assert!(!port.is_closed());
        port.send(7).unwrap();
        assert_eq!(in_time(answer).await.unwrap(), 7u64.to_be_bytes());
    }
}

#[ractor::concurrency::test]
async fn a_port_that_is_dropped_in_time_is_heard_of_at_once() {
    let (answer, port) = serialized(Some(LONG));
    drop(port);
    assert!(in_time(answer).await.is_err());

    let (answer, port) = deserialized(Some(LONG));
    drop(port);
    assert!(in_time(answer).await.is_err());
}

#[ractor::concurrency::test]
async fn an_answer_that_is_none_is_taken_and_ends_the_call() {
    for limit in [None, Some(LONG)] {
        let (answer, port) = serialized(limit);
        port.send(vec![1]).unwrap();
        assert!(in_time(answer).await.is_err());
    }
}

#[test]
fn without_a_runtime_a_port_closes_with_its_time_all_the_same() {
    let (mut answer, port) = serialized(Some(Duration::ZERO));
    assert!(port.is_closed());
    assert!(port.send(vec![0; 8]).is_err());
    assert!(answer.try_recv().is_err());
}
