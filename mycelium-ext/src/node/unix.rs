//! Unix sockets that are dialled by their path.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream};
use tokio::net::UnixStream;

/// An open connection, under a label that no other has in this process.
#[derive(Debug)]
pub(super) struct Stream {
    stream: UnixStream,
    label: String,
}

impl Stream {
    pub(super) fn label(&self) -> &str {
        &self.label
    }
}

pub(super) async fn dial(path: &Path) -> io::Result<Stream> {
    static DIALLED: AtomicU64 = AtomicU64::new(1);

    let stream = UnixStream::connect(path).await?;
    let number = DIALLED.fetch_add(1, Ordering::Relaxed);
    Ok(Stream { stream, label: format!("unix://{} ({number})", path.display()) })
}

impl ClusterBidiStream for Stream {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let (read, write) = self.stream.into_split();
        (Box::new(read), Box::new(write))
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.label.clone())
    }
}
