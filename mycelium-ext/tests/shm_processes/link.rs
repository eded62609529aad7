//! A link by itself, one end of which is killed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::process::{ExitCode, Stdio};

use bytes::Bytes;
use libtest_mimic::Failed;
use mycelium_ext::shm::{ShmOptions, ShmTransport};
use ractor_cluster::transport::{FrameSink, FrameStream, Transport, TransportMessage};
use tokio::net::UnixStream;

use crate::process::{Belongings, Process, end_with_parent, run, soon};

const MIB: usize = 1024 * 1024;

type End = (Box<dyn FrameSink>, Box<dyn FrameStream>);

async fn end(socket: StdStream, makes: bool) -> io::Result<End> {
    socket.set_nonblocking(true)?;
    let socket = UnixStream::from_std(socket)?;
    let transport = match makes {
        true => ShmTransport::offer(socket, ShmOptions::default()).await?,
        false => ShmTransport::take(socket, ShmOptions::default()).await?,
    };
    Ok(Box::new(transport).split(u64::MAX))
}

/// The other process, and this end.
async fn linked(makes: bool, what: &str) -> Result<(Process, End), Failed> {
    let (here, there) = StdStream::pair()?;
    let role = if makes { "takes" } else { "makes" };
    let process = Process::start(&["hold", role, what], Stdio::from(OwnedFd::from(there)));
    Ok((process, soon(end(here, makes)).await?))
}

/// The other process. Its standard input is the socket.
pub(crate) fn hold(words: &[String]) -> ExitCode {
    end_with_parent();
    run(async {
        let socket = StdStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
        let (mut sink, mut stream) = end(socket, words[0] == "makes").await.unwrap();
        match words[1].as_str() {
            // Until the other end is gone.
            "echo" => {
                while let Some(frame) = stream.frame().await.unwrap() {
                    sink.queue(frame).unwrap();
                    sink.flush().await.unwrap();
                }
                return ExitCode::SUCCESS;
            }
            "half a frame" => {
                sink.queue(TransportMessage::Bytes("whole".into())).unwrap();
                sink.queue(TransportMessage::Bytes(vec![1; 64 * MIB].into())).unwrap();
            }
            _ => {}
        }
        sink.flush().await.unwrap();
        std::future::pending().await
    })
}

pub(crate) fn a_killed_peer_ends_the_link() -> Result<(), Failed> {
    for makes in [true, false] {
        let before = Belongings::before();
        run(async {
            // This end waits for a frame.
            let (process, (_sink, mut stream)) = linked(makes, "nothing").await?;
            assert!(Belongings::now().has_mapped());
            let reading = tokio::spawn(async move { stream.frame().await });
            tokio::task::yield_now().await;
            process.kill();
            assert!(soon(reading).await??.is_none());

            // It waits for room.
            let (process, (mut sink, _stream)) = linked(makes, "nothing").await?;
            sink.queue(TransportMessage::Bytes(vec![1; 8 * MIB].into())).unwrap();
            let writing = tokio::spawn(async move { (sink.flush().await, sink) });
            tokio::task::yield_now().await;
            process.kill();
            let (flushed, sink) = soon(writing).await?;
            assert_eq!(flushed.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert!(sink.queued_bytes() > 0);

            // The other was killed amid a frame, and a part of it is there.
            let (process, (_sink, mut stream)) = linked(makes, "half a frame").await?;
            // Which comes together with the beginning of the next.
            assert!(soon(stream.frame()).await?.is_some());
            process.kill();
            let error = soon(stream.frame()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
            Ok::<_, Failed>(())
        })?;
        Belongings::are_again(&before);
    }
    Ok(())
}

pub(crate) fn frames_cross_between_processes() -> Result<(), Failed> {
    let before = Belongings::before();
    for makes in [true, false] {
        run(async {
            let (_process, (mut sink, mut stream)) = linked(makes, "echo").await?;
            let frames: Vec<Bytes> = (0..200_usize)
                .map(|number| vec![number as u8; number * number * 50].into())
                .collect();
            let sent = frames.clone();
            let sending = tokio::spawn(async move {
                for frame in sent {
                    sink.queue(TransportMessage::Bytes(frame)).unwrap();
                    sink.flush().await.unwrap();
                }
                sink
            });
            for frame in frames {
                let Some(TransportMessage::Bytes(echo)) = soon(stream.frame()).await? else {
                    return Err("the link has ended".into());
                };
                assert!(echo == frame);
            }
            drop(soon(sending).await?);
            Ok::<_, Failed>(())
        })?;
    }
    Belongings::are_again(&before);
    Ok(())
}
