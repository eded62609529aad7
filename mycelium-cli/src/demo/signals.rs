//! What ends the demo early.

use std::io;
use std::process::exit;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, and a request to terminate.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on they no longer end the process.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for either. Cancel safe.
    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Ends the process at once when another one comes: who asks twice does not want to wait for
    /// reports. The children see the end of their input.
    pub(crate) fn end_at_the_next(mut self) {
        tokio::spawn(async move {
            self.wait().await;
            exit(INTERRUPTED.into());
        });
    }
}

/// The exit status of a run that was ended early, as shells have it for Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;
