//! Frames from one end to the other, one way and there and back, by each transport, and the same
//! bytes by bare sockets.
#![allow(missing_docs, reason = "what the macros of criterion make has none")]

use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mycelium_transport::{
    ArcTransport, FrameSink, FrameStream, TcpTransport, Transport, TransportMessage,
};
#[cfg(unix)]
use mycelium_transport::{UnixSocketListener, UnixSocketTransport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

const SIZES: [usize; 4] = [64, 4 * 1024, 64 * 1024, 1024 * 1024];
/// What a sender queues before it hands over.
const BATCH: usize = 64 * 1024;

type End = (Box<dyn FrameSink>, Box<dyn FrameStream>);

/// Both ends of a connection that carries frames.
async fn framed(name: &str) -> (End, End) {
    let split = |end: Box<dyn Transport>| end.split(u64::MAX);
    let (a, b): (Box<dyn Transport>, Box<dyn Transport>) = match name {
        "arc" => {
            let (a, b) = ArcTransport::pair("a", "b");
            (Box::new(a), Box::new(b))
        }
        "tcp" => {
            let (a, b) = tcp().await;
            (Box::new(TcpTransport::new(a)), Box::new(TcpTransport::new(b)))
        }
        #[cfg(unix)]
        "unix" => {
            let folder = std::env::temp_dir().join(format!("bench-{}", std::process::id()));
            let listener = UnixSocketListener::in_folder(&folder).unwrap();
            let (a, b) =
                tokio::join!(UnixSocketTransport::connect(listener.path()), listener.accept());
            drop(listener);
            std::fs::remove_dir(folder).unwrap();
            (Box::new(a.unwrap()), Box::new(b.unwrap()))
        }
        other => unreachable!("{other}"),
    };
    (split(a), split(b))
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (a, b) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (a, b) = (a.unwrap(), b.unwrap().0);
    a.set_nodelay(true).unwrap();
    b.set_nodelay(true).unwrap();
    (a, b)
}

async fn send(sink: &mut Box<dyn FrameSink>, frame: &Bytes, count: u64) {
    for _ in 0..count {
        sink.queue(TransportMessage::Bytes(frame.clone())).unwrap();
        if sink.queued_bytes() >= BATCH {
            sink.flush().await.unwrap();
        }
    }
    sink.flush().await.unwrap();
}

async fn receive(stream: &mut Box<dyn FrameStream>, count: u64) {
    for _ in 0..count {
        stream.frame().await.unwrap().unwrap();
    }
}

/// Runs both sides as tasks of their own, and tells how long it took.
async fn timed(
    one: impl Future<Output = ()> + Send + 'static,
    other: impl Future<Output = ()> + Send + 'static,
) -> Duration {
    let start = Instant::now();
    let (one, other) = (tokio::spawn(one), tokio::spawn(other));
    one.await.unwrap();
    other.await.unwrap();
    start.elapsed()
}

async fn framed_one_way(name: &str, frame: Bytes, count: u64) -> Duration {
    let ((mut sink, _), (_, mut stream)) = framed(name).await;
    timed(async move { send(&mut sink, &frame, count).await }, async move {
        receive(&mut stream, count).await
    })
    .await
}

async fn framed_round_trips(name: &str, frame: Bytes, count: u64) -> Duration {
    let ((mut sink, mut stream), (mut back, mut there)) = framed(name).await;
    timed(
        async move {
            for _ in 0..count {
                send(&mut sink, &frame, 1).await;
                receive(&mut stream, 1).await;
            }
        },
        async move {
            for _ in 0..count {
                let frame = there.frame().await.unwrap().unwrap();
                back.queue(frame).unwrap();
                back.flush().await.unwrap();
            }
        },
    )
    .await
}

/// The same bytes. The receiver does not look at them.
async fn bare_one_way<S>((mut a, mut b): (S, S), length: usize, count: u64) -> Duration
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let length = length + 8;
    let batch = vec![0; length * (BATCH / length).max(1)];
    let total = length * count as usize;
    timed(
        async move {
            let mut left = total;
            while left > 0 {
                let part = left.min(batch.len());
                a.write_all(&batch[..part]).await.unwrap();
                left -= part;
            }
        },
        async move {
            let mut buffer = vec![0; 256 * 1024];
            let mut left = total;
            while left > 0 {
                left -= b.read(&mut buffer).await.unwrap();
            }
        },
    )
    .await
}

async fn bare_round_trips<S>((mut a, mut b): (S, S), length: usize, count: u64) -> Duration
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut frame, mut echo) = (vec![0; length + 8], vec![0; length + 8]);
    timed(
        async move {
            for _ in 0..count {
                a.write_all(&frame).await.unwrap();
                a.read_exact(&mut frame).await.unwrap();
            }
        },
        async move {
            for _ in 0..count {
                b.read_exact(&mut echo).await.unwrap();
                b.write_all(&echo).await.unwrap();
            }
        },
    )
    .await
}

fn transports(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let names: &[&str] = if cfg!(unix) { &["arc", "unix", "tcp"] } else { &["arc", "tcp"] };
    for size in SIZES {
        let frame = Bytes::from(vec![7; size]);
        let mut group = criterion.benchmark_group("one way");
        group.throughput(Throughput::Bytes(size as u64));
        for name in names {
            group.bench_function(BenchmarkId::new(*name, size), |bencher| {
                bencher.iter_custom(|count| {
                    runtime.block_on(framed_one_way(name, frame.clone(), count))
                });
            });
        }
        group.bench_function(BenchmarkId::new("bare tcp", size), |bencher| {
            bencher.iter_custom(|count| {
                runtime.block_on(async { bare_one_way(tcp().await, size, count).await })
            });
        });
        #[cfg(unix)]
        group.bench_function(BenchmarkId::new("bare unix", size), |bencher| {
            bencher.iter_custom(|count| {
                runtime.block_on(async {
                    bare_one_way(tokio::net::UnixStream::pair().unwrap(), size, count).await
                })
            });
        });
        group.finish();

        let mut group = criterion.benchmark_group("round trip");
        for name in names {
            group.bench_function(BenchmarkId::new(*name, size), |bencher| {
                bencher.iter_custom(|count| {
                    runtime.block_on(framed_round_trips(name, frame.clone(), count))
                });
            });
        }
        group.bench_function(BenchmarkId::new("bare tcp", size), |bencher| {
            bencher.iter_custom(|count| {
                runtime.block_on(async { bare_round_trips(tcp().await, size, count).await })
            });
        });
        #[cfg(unix)]
        group.bench_function(BenchmarkId::new("bare unix", size), |bencher| {
            bencher.iter_custom(|count| {
                runtime.block_on(async {
                    bare_round_trips(tokio::net::UnixStream::pair().unwrap(), size, count).await
                })
            });
        });
        group.finish();
    }
}

criterion_group!(benches, transports);
criterion_main!(benches);
