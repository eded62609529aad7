//! Reply ports that lead elsewhere than to a caller of this process.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ractor::concurrency::{oneshot, OneshotReceiver, OneshotSender};
use ractor::port::ReplySink;
use ractor::remoting::Outgoing;
use ractor::{ActorCell, ActorRef, MessagingErr, RpcReplyPort};

use crate::messages::Pair;

/// Keeps what it gets, and notices when it gets nothing.
struct Sink(Arc<Log>);

#[derive(Default)]
struct Log {
    answer: Mutex<Option<Vec<u8>>>,
    closed: AtomicBool,
    dropped: AtomicBool,
}

impl ReplySink<Vec<u8>> for Sink {
    fn send(self: Box<Self>, answer: Vec<u8>) -> Result<(), MessagingErr<Vec<u8>>> {
        if self.is_closed() {
            return Err(MessagingErr::SendErr(answer));
        }
        *self.0.answer.lock().unwrap() = Some(answer);
        Ok(())
    }

    fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::SeqCst)
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(7))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::SeqCst);
    }
}

fn sink() -> (RpcReplyPort<Vec<u8>>, Arc<Log>) {
    let log = Arc::<Log>::default();
    (RpcReplyPort::from_sink(Box::new(Sink(log.clone()))), log)
}

#[test]
fn an_answer_goes_into_the_sink() {
    let (port, log) = sink();
    assert_eq!(port.get_timeout(), Some(Duration::from_secs(7)));
    assert!(!port.is_closed());

    port.send(vec![1]).unwrap();

    assert_eq!(log.answer.lock().unwrap().take(), Some(vec![1]));
    assert!(log.dropped.load(Ordering::SeqCst));
}

#[test]
fn a_sink_notices_a_port_that_is_dropped() {
    let (port, log) = sink();
    let port = RpcReplyPort::<Pair>::from_serialized(port);
    assert!(!log.dropped.load(Ordering::SeqCst));

    drop(port);

    assert!(log.dropped.load(Ordering::SeqCst));
    assert!(log.answer.lock().unwrap().is_none());
}

#[test]
fn a_typed_answer_is_encoded_where_it_is_sent() {
    let (port, log) = sink();
    let port = RpcReplyPort::<Pair>::from_serialized(port);
    assert_eq!(port.get_timeout(), Some(Duration::from_secs(7)));

    port.send(Pair(1, 2)).unwrap();

    assert_eq!(log.answer.lock().unwrap().take(), Some(vec![1, 2]));
}

#[test]
fn an_answer_that_nobody_waits_for_comes_back() {
    let (port, log) = sink();
    log.closed.store(true, Ordering::SeqCst);
    let port = RpcReplyPort::<Pair>::from_serialized(port);

    assert!(port.is_closed());
    let failure = port.send(Pair(3, 4)).unwrap_err();

    assert!(matches!(failure, MessagingErr::SendErr(Pair(3, 4))));
    assert!(log.answer.lock().unwrap().is_none());
}

fn pair() -> (RpcReplyPort<Vec<u8>>, OneshotReceiver<Pair>) {
    let (port, answer) = oneshot();
    (RpcReplyPort::from((port, Duration::from_secs(3))).into_serialized(), answer)
}

#[ractor::concurrency::test]
async fn an_answer_is_decoded_where_it_comes() {
    let (port, answer) = pair();
    assert_eq!(port.get_timeout(), Some(Duration::from_secs(3)));

    port.send(vec![5, 6]).unwrap();

    assert_eq!(answer.await.unwrap(), Pair(5, 6));
}

#[ractor::concurrency::test]
async fn the_caller_hears_of_an_answer_that_is_none() {
    let (port, answer) = pair();
    port.send(vec![1]).expect("stock takes whatever comes");
    assert!(answer.await.is_err());

    let (port, answer) = pair();
    drop(port);
    assert!(answer.await.is_err());
}

#[test]
fn a_caller_that_is_gone_is_noticed() {
    let (port, answer) = pair();
    assert!(!port.is_closed());

    drop(answer);

    assert!(port.is_closed());
    assert!(matches!(port.send(vec![1, 2]), Err(MessagingErr::SendErr(bytes)) if bytes == [1, 2]));
}

#[test]
fn bridges_can_follow_each_other() {
    let (port, mut answer) = pair();
    let port = RpcReplyPort::<Pair>::from_serialized(port).into_serialized();

    RpcReplyPort::<Pair>::from_serialized(port).send(Pair(7, 8)).unwrap();

    assert_eq!(answer.try_recv().unwrap(), Pair(7, 8));
}

#[test]
fn a_bridge_closes_when_the_time_of_its_call_is_over() {
    let (port, mut answer) = oneshot::<Pair>();
    let port = RpcReplyPort::from((port, Duration::ZERO)).into_serialized();
    assert!(port.is_closed());
    let failure = port.send(vec![1, 2]).unwrap_err();
    assert!(matches!(failure, MessagingErr::SendErr(bytes) if bytes == [1, 2]));
    assert!(answer.try_recv().is_err());

    let (port, mut answer) = oneshot::<Vec<u8>>();
    let port = RpcReplyPort::<Pair>::from_serialized((port, Duration::ZERO).into());
    assert!(port.is_closed());
    assert!(matches!(port.send(Pair(1, 2)), Err(MessagingErr::SendErr(Pair(1, 2)))));
    assert!(answer.try_recv().is_err());
}

#[test]
fn a_bridge_without_a_time_or_with_all_the_time_stays_open() {
    let (port, mut answer) = oneshot::<Pair>();
    let port = RpcReplyPort::from((port, Duration::MAX)).into_serialized();
    assert!(!port.is_closed());
    port.send(vec![1, 2]).unwrap();
    assert_eq!(answer.try_recv().unwrap(), Pair(1, 2));

    let (port, mut answer) = oneshot::<Vec<u8>>();
    let port = RpcReplyPort::<Pair>::from_serialized(port.into());
    assert!(!port.is_closed());
    port.send(Pair(3, 4)).unwrap();
    assert_eq!(answer.try_recv().unwrap(), [3, 4]);
}

/// Panics whatever is done with it.
#[derive(Debug)]
struct Bad;

impl ractor::BytesConvertable for Bad {
    fn into_bytes(self) -> Vec<u8> {
        panic!("it has no bytes")
    }

    fn from_bytes(_: Vec<u8>) -> Self {
        panic!("there are no bytes of it")
    }
}

#[test]
fn an_answer_that_panics_is_dropped_and_nobody_harmed() {
    let (port, log) = sink();

    let failure = RpcReplyPort::<Bad>::from_serialized(port).send(Bad).unwrap_err();

    assert!(matches!(failure, MessagingErr::ChannelClosed));
    assert!(log.dropped.load(Ordering::SeqCst));
}

#[test]
fn ports_are_no_larger_for_it_and_cross_threads_as_before() {
    type Stock = (OneshotSender<u64>, Option<Duration>);
    assert_eq!(size_of::<RpcReplyPort<u64>>(), size_of::<Stock>());
    assert_eq!(size_of::<Option<RpcReplyPort<u64>>>(), size_of::<Stock>());

    fn crosses<T: Send + Sync>() {}
    crosses::<RpcReplyPort<std::cell::Cell<u64>>>();
    crosses::<Outgoing>();
    fn survives<T: UnwindSafe + RefUnwindSafe>() {}
    survives::<ActorCell>();
    survives::<ActorRef<u64>>();
}
