//! A Unix socket that becomes a link by shared memory, once both ends have proven themselves.

#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::sync::Arc;

use super::attach::AttachError;
use super::split_transport::SplitTransport;
use crate::transport::Transport;
#[cfg(unix)]
use crate::transport::{LocalTransport, TransportKind};

#[cfg(unix)]
pub(crate) use crate::transport::LocalEnd as End;

/// Where there are no Unix sockets.
#[cfg(not(unix))]
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Dialler,
    Listener,
}

/// What the node was given to make such links, on systems that have them.
#[derive(Debug, Clone)]
pub(crate) struct Upgrade {
    #[cfg(unix)]
    by: Arc<dyn LocalTransport>,
    #[cfg(not(unix))]
    never: std::convert::Infallible,
}

#[cfg(unix)]
impl Upgrade {
    pub(crate) fn of(options: &super::LinkOptions) -> Option<Self> {
        options.local_transport.clone().map(|by| Self { by })
    }

    pub(crate) fn version(&self) -> u32 {
        self.by.version()
    }

    /// Makes a link of one whose handshake is done.
    pub(crate) async fn run(
        &self,
        link: SplitTransport,
        end: End,
    ) -> Result<Box<dyn Transport>, AttachError> {
        let socket = link.into_unix().ok_or(AttachError::Unexpected("silence on a Unix socket"))?;
        let made = self.by.upgrade(socket.into_inner(), end).await?;
        if made.kind() != TransportKind::SharedMemory {
            let why = format!("a link by {} was made, and not by shared memory", made.kind());
            return Err(io::Error::other(why).into());
        }
        Ok(made)
    }
}

#[cfg(not(unix))]
impl Upgrade {
    pub(crate) fn of(_: &super::LinkOptions) -> Option<Self> {
        None
    }

    pub(crate) fn version(&self) -> u32 {
        match self.never {}
    }

    pub(crate) async fn run(
        &self,
        _: SplitTransport,
        _: End,
    ) -> Result<Box<dyn Transport>, AttachError> {
        match self.never {}
    }
}
