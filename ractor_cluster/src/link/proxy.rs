//! What the proxy of an actor of a peer sends by.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ractor::errors::UndeliveredReason;
use ractor::remoting::{Outgoing, Outlet, Refused};

use super::codec::What;
use super::traffic::Traffic;

/// Of the actor `pid`.
#[derive(Debug)]
pub(crate) struct Proxy {
    traffic: Arc<Traffic>,
    pid: u64,
}

impl Proxy {
    pub(crate) fn new(traffic: Arc<Traffic>, pid: u64) -> Self {
        Self { traffic, pid }
    }

    fn refuse(&self, message: Outgoing, reason: UndeliveredReason) -> Result<(), Refused> {
        Err(Refused::new(message, reason))
    }
}

impl Outlet for Proxy {
    fn session(&self) -> u64 {
        self.traffic.session()
    }

    fn has_room(&self) -> bool {
        self.traffic.has_room()
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let traffic = self.traffic.clone();
        Box::pin(async move { traffic.room().await })
    }

    fn send(&self, mut message: Outgoing) -> Result<(), Refused> {
        if self.traffic.has_ended() {
            return self.refuse(message, UndeliveredReason::Stopped);
        }
        let Some(port) = message.reply.take() else {
            let method = message.variant.as_ref();
            let what =
                What::Cast { to: self.pid, method, metadata: message.metadata.as_deref() };
            self.traffic.message(self.pid, what, (&message.args.head, message.args.tail.clone()));
            message.args.recycle();
            return Ok(());
        };
        let timeout = port.get_timeout().map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
        let tag = match self.traffic.calls.insert(self.pid, port) {
            Ok(tag) => tag,
            Err(port) => {
                message.reply = Some(port);
                return self.refuse(message, UndeliveredReason::Full);
            }
        };
        let what = What::Call {
            to: self.pid,
            tag,
            timeout,
            method: message.variant.as_ref(),
            metadata: message.metadata.as_deref(),
        };
        self.traffic.message(self.pid, what, (&message.args.head, message.args.tail.clone()));
        message.args.recycle();
        Ok(())
    }

    fn send_to(&self, pids: &[u64], message: Outgoing) -> Result<(), Refused> {
        if self.traffic.has_ended() {
            return self.refuse(message, UndeliveredReason::Stopped);
        }
        let named = (message.variant.as_ref(), message.metadata.as_deref());
        self.traffic.message_to_all(pids, named, (&message.args.head, &message.args.tail));
        message.args.recycle();
        Ok(())
    }

    fn close(&self) {
        self.traffic.calls.fail(self.pid);
    }
}
