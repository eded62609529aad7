//! A transport of an application: frames between two tasks, by the adapters for simple ones.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use mycelium_transport::simple::{Simple, SimpleSink, SimpleStream};
use mycelium_transport::{Channel, Connector, FrameSink, FrameStream, Transport, TransportKind};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;

use crate::ends::{Ends, once, watched};

/// The frames that may be on their way.
const FRAMES: usize = 2;

/// One end.
pub struct Own {
    sender: mpsc::Sender<Bytes>,
    receiver: mpsc::Receiver<Bytes>,
}

type Room = Result<mpsc::OwnedPermit<Bytes>, SendError<()>>;

/// Hands over with a flush, and not before.
struct Sender {
    queued: VecDeque<Bytes>,
    sender: mpsc::Sender<Bytes>,
    room: Option<Pin<Box<dyn Future<Output = Room> + Send>>>,
}

struct Receiver(mpsc::Receiver<Bytes>);

impl SimpleSink for Sender {
    fn queue(&mut self, frame: Bytes) {
        self.queued.push_back(frame);
    }

    fn queued_bytes(&self) -> usize {
        self.queued.iter().map(Bytes::len).sum()
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.queued.is_empty() {
            let sender = &self.sender;
            let room = self.room.get_or_insert_with(|| Box::pin(sender.clone().reserve_owned()));
            let room = ready!(room.as_mut().poll(context));
            self.room = None;
            let room = room.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
            room.send(self.queued.pop_front().expect("it is not empty"));
        }
        Poll::Ready(Ok(()))
    }
}

impl SimpleStream for Receiver {
    fn poll_frame(&mut self, context: &mut Context<'_>, _: u64) -> Poll<io::Result<Option<Bytes>>> {
        Poll::Ready(Ok(ready!(self.0.poll_recv(context))))
    }
}

impl Transport for Own {
    fn kind(&self) -> TransportKind {
        TransportKind::External
    }

    fn peer(&self) -> String {
        "the peer".to_owned()
    }

    fn local(&self) -> String {
        "this end".to_owned()
    }

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    fn channel(&self) -> Channel {
        Channel::default()
    }

    fn split(self: Box<Self>, max_frame: u64) -> (Box<dyn FrameSink>, Box<dyn FrameStream>) {
        let sink =
            Simple::sink(Sender { queued: VecDeque::new(), sender: self.sender, room: None });
        (Box::new(sink), Box::new(Simple::stream(Receiver(self.receiver), max_frame)))
    }
}

pub fn ends() -> Ends {
    let (to_b, at_b) = mpsc::channel(FRAMES);
    let (to_a, at_a) = mpsc::channel(FRAMES);
    let a = Own { sender: to_b, receiver: at_a };
    Ends::new(a, Own { sender: to_a, receiver: at_b })
}

/// A session writes frames with their lengths. The last may be in two pieces. And a peer
/// may send larger ones from its authentication on.
#[tokio::test]
async fn it_takes_what_a_session_asks_for() {
    watched(async {
        let (mut a, mut b, _keep) = ends().split(4);
        let framed = b"\0\0\0\0\0\0\0\x03one\0\0\0\0\0\0\0\x03t";
        a.sink.queue_framed(Bytes::from_static(framed), Bytes::from_static(b"wo"));
        a.sink.queue_parts(Bytes::from_static(b"th"), Bytes::from_static(b"ree")).unwrap();
        assert_eq!(a.sink.queued_bytes(), 11);
        assert!(once(a.sink.flush()).await.is_none(), "so many do not fit");
        assert_eq!(b.frame().await, Some(Bytes::from("one")));
        a.sink.flush().await.unwrap();
        assert_eq!(b.frame().await, Some(Bytes::from("two")));
        assert_eq!(b.try_frame().await.unwrap_err().kind(), io::ErrorKind::InvalidData);

        b.stream.set_max_frame(5);
        assert_eq!(b.frame().await, Some(Bytes::from("three")));
    })
    .await;
}
