//! The names that upstream's tests use for the reading and writing of frames. What they do is done
//! by [`FrameReader`] and [`FrameWriter`], as in a session.

use std::io;
use std::sync::Arc;

use prost::Message as _;
use ractor::ActorRef;
use tokio::io::AsyncReadExt as _;

use super::SessionMessage;
use crate::link::receiver::{decode, LinkReader, Receiver};
use crate::protocol::NetworkMessage;
use crate::transport::frames::{FrameReader, FrameWriter, LARGEST_READ};
use crate::transport::{FrameSink, FrameStream, TransportMessage};
use crate::BoxRead;

/// What a read of ours asks for at most.
pub(crate) const FRAME_READ_CHUNK_SIZE: usize = LARGEST_READ;

pub(crate) enum ActorReadHalf {
    External(BoxRead),
}

impl ActorReadHalf {
    fn into_frames(self, max_frame: u64) -> Box<dyn FrameStream> {
        let Self::External(reader) = self;
        Box::new(FrameReader::new(reader, max_frame))
    }

    pub(crate) fn into_intake(
        self,
        max_frame: u64,
        connection: ActorRef<SessionMessage>,
    ) -> Arc<LinkReader> {
        Arc::new(LinkReader::new(self.into_frames(max_frame), Receiver::Connection(connection)))
    }

    fn take(&mut self) -> Self {
        let Self::External(reader) = self;
        Self::External(std::mem::replace(reader, Box::new(tokio::io::empty())))
    }
}

async fn read_frame(mut frames: Box<dyn FrameStream>) -> io::Result<bytes::Bytes> {
    match frames.frame().await? {
        Some(TransportMessage::Bytes(frame)) => Ok(frame),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A frame's payload of `len` bytes, whose length stands in front of it.
pub(crate) async fn read_n_bytes(half: &mut ActorReadHalf, len: usize) -> io::Result<Vec<u8>> {
    let ActorReadHalf::External(payload) = half.take();
    let header = io::Cursor::new((len as u64).to_be_bytes().to_vec());
    let frames = ActorReadHalf::External(Box::new(header.chain(payload))).into_frames(len as u64);
    read_frame(frames).await.map(|frame| frame.to_vec())
}

pub(crate) async fn read_network_message(
    half: &mut ActorReadHalf,
    max_frame: u64,
) -> io::Result<NetworkMessage> {
    decode(read_frame(half.take().into_frames(max_frame)).await?)
}

pub(crate) fn encode_network_message(message: &NetworkMessage, buffer: &mut Vec<u8>) {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let mut writer: Box<dyn FrameSink> = Box::new(FrameWriter::new(near));
    writer.queue(TransportMessage::Bytes(message.encode_to_vec().into())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        writer.flush().await.unwrap();
        drop(writer);
        far.read_to_end(buffer).await.unwrap();
    });
}
