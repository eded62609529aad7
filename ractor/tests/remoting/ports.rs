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

/// Answers with plain bytes, which have no such form where serde makes the bytes of all types.
#[cfg(not(feature = "blanket_serde"))]
mod pieces {
    use bytes::Bytes;
    use ractor::remoting::EncodedReply;
    use ractor::BytesConvertable;

    use super::*;

    /// Keeps an answer in its pieces.
    struct Pieces(Arc<Mutex<Option<EncodedReply>>>);

    impl ReplySink<Vec<u8>> for Pieces {
        fn send(self: Box<Self>, _: Vec<u8>) -> Result<(), MessagingErr<Vec<u8>>> {
            panic!("the answer is put together");
        }

        fn send_encoded(
            self: Box<Self>,
            answer: EncodedReply,
        ) -> Result<(), MessagingErr<EncodedReply>> {
            *self.0.lock().unwrap() = Some(answer);
            Ok(())
        }

        fn is_closed(&self) -> bool {
            false
        }

        fn timeout(&self) -> Option<Duration> {
            None
        }
    }

    fn large() -> Bytes {
        Bytes::from(vec![9; 5000])
    }

    /// The pieces of an answer on its way to another node.
    fn pieces<T: BytesConvertable + Send + std::fmt::Debug + 'static>(
        answer: T,
    ) -> (Vec<u8>, Bytes) {
        let kept = Arc::default();
        let port = RpcReplyPort::from_sink(Box::new(Pieces(Arc::clone(&kept))));
        RpcReplyPort::from_serialized(port).send(answer).unwrap();
        let EncodedReply { bytes, is_lent, .. } = kept.lock().unwrap().take().unwrap();
        assert!(!is_lent);
        (bytes.head, bytes.tail)
    }

    #[test]
    fn the_large_end_of_an_answer_is_not_copied() {
        let bytes = large();
        let (head, tail) = pieces(bytes.clone());
        assert_eq!((head, tail.as_ptr()), (Vec::new(), bytes.as_ptr()));
        let (head, tail) = pieces(vec![(1_u8, 'a')]);
        assert_eq!(([head.clone(), tail.to_vec()].concat()), vec![(1_u8, 'a')].into_bytes());
        let answer = (7_u64, Some(bytes.clone()));
        let (head, tail) = pieces(answer.clone());
        assert_eq!(tail.as_ptr(), bytes.as_ptr());
        assert_eq!([head, tail.to_vec()].concat(), answer.into_bytes());
    }

    /// As a stock node gets it.
    #[test]
    fn a_sink_of_bytes_gets_an_answer_in_one_piece() {
        let answer = (7_u64, large());
        let (port, log) = sink();
        RpcReplyPort::from_serialized(port).send(answer.clone()).unwrap();
        assert_eq!(log.answer.lock().unwrap().take(), Some(answer.clone().into_bytes()));

        let (port, log) = sink();
        log.closed.store(true, Ordering::SeqCst);
        let failure = port.send_encoded(answer.clone().into_bytes().into()).unwrap_err();
        let MessagingErr::SendErr(back) = failure else { panic!("it is gone") };
        assert_eq!(Vec::from(back), answer.into_bytes());
    }

    /// What comes as `head` and what is lent, to a caller of this process.
    async fn arrived<T: BytesConvertable + Send + 'static>(head: &[u8], lent: &Bytes) -> T {
        let (port, answer) = oneshot();
        let reply = EncodedReply::arrived(head.to_vec().into(), lent.clone());
        RpcReplyPort::<T>::from(port).into_serialized().send_encoded(reply).unwrap();
        answer.await.unwrap()
    }

    #[ractor::concurrency::test]
    async fn the_lent_end_of_an_answer_is_read_where_it_lies() {
        let lent = large();
        assert_eq!(arrived::<Bytes>(&[], &lent).await.as_ptr(), lent.as_ptr());
        let in_option = arrived::<Option<Bytes>>(&[1], &lent).await.unwrap();
        assert_eq!(in_option.as_ptr(), lent.as_ptr());
        let (head, _) = pieces((7_u64, lent.clone()));
        let in_tuple = arrived::<(u64, Bytes)>(&head, &lent).await;
        assert_eq!((in_tuple.0, in_tuple.1.as_ptr()), (7, lent.as_ptr()));
        // What is no plain bytes is made of a copy.
        let text = arrived::<String>(b"text", &Bytes::from_static(b" and more")).await;
        assert_eq!(text, "text and more");
        assert_eq!(arrived::<Vec<u8>>(&[8], &lent).await, [vec![8], lent.to_vec()].concat());
    }

    #[ractor::concurrency::test]
    async fn a_lent_answer_that_nobody_waits_for_is_dropped() {
        let (port, answer) = oneshot::<Bytes>();
        let port = RpcReplyPort::from(port).into_serialized();
        drop(answer);
        let owned = Arc::new(vec![1; 5000]);

        /// Bytes that tell whether they are still held.
        struct Held(Arc<Vec<u8>>);

        impl AsRef<[u8]> for Held {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }

        let lent = Bytes::from_owner(Held(owned.clone()));
        assert!(port.send_encoded(EncodedReply::arrived(Bytes::new(), lent)).is_err());
        assert_eq!(Arc::strong_count(&owned), 1);
    }
}
