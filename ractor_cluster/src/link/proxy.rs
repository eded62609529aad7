//! What the proxy of an actor of a peer sends by.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use ractor::actor::actor_config::TransportPreference;
use ractor::errors::UndeliveredReason;
use ractor::remoting::{Outgoing, Outlet, Refused};

use super::credits::Purse;
use super::data_plane::{DataPlane, Named};
use mycelium_link::codec::What;

/// Of the actor `pid`.
#[derive(Debug)]
pub(crate) struct Proxy {
    traffic: Arc<DataPlane>,
    pid: u64,
    /// The credits of this node, where the actor has a bounded mailbox.
    purse: Option<Arc<Purse>>,
    closed: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn new(traffic: Arc<DataPlane>, pid: u64) -> Self {
        let purse = traffic.credits.purse(pid);
        Self { traffic, pid, purse, closed: Arc::default() }
    }

    fn is_over(&self) -> bool {
        self.traffic.has_ended() || self.closed.load(Ordering::Acquire)
    }

    #[cold]
    fn refuse(&self, message: Outgoing, reason: UndeliveredReason) -> Result<(), Refused> {
        Err(Refused::new(message, reason))
    }
}

impl Outlet for Proxy {
    fn session(&self) -> u64 {
        self.traffic.session()
    }

    fn transport(&self) -> TransportPreference {
        self.traffic.preference_of(self.pid)
    }

    fn has_room(&self) -> bool {
        let has_credit = self.purse.as_ref().is_none_or(|it| it.has_room());
        (has_credit && self.traffic.has_room(self.pid)) || self.is_over()
    }

    fn reserve(&self, waits: bool) -> Result<(), UndeliveredReason> {
        if self.closed.load(Ordering::Acquire) {
            return Err(UndeliveredReason::Stopped);
        }
        if !self.traffic.has_room(self.pid) {
            return Err(UndeliveredReason::Full);
        }
        match &self.purse {
            // What it has after the session's end is of no use.
            Some(purse) if !purse.take(waits) => Err(match self.is_over() {
                true => UndeliveredReason::Stopped,
                false => UndeliveredReason::Full,
            }),
            _ => Ok(()),
        }
    }

    fn release(&self) {
        if let Some(purse) = &self.purse {
            purse.put_back();
        }
    }

    fn dropped(&self) -> u64 {
        self.purse.as_ref().map_or(0, |it| it.dropped())
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (traffic, pid, closed) = (self.traffic.clone(), self.pid, self.closed.clone());
        match self.purse.clone() {
            None => Box::pin(async move { traffic.room(pid, &closed).await }),
            Some(purse) => Box::pin(async move { purse.room(&traffic, pid, &closed).await }),
        }
    }

    fn send(&self, mut message: Outgoing) -> Result<(), Refused> {
        if self.is_over() {
            return self.refuse(message, UndeliveredReason::Stopped);
        }
        let trace = self.traffic.traces.outgoing();
        let trace = trace.as_ref();
        let (method, metadata) = (message.variant.as_ref(), message.metadata.as_deref());
        let what = What::Cast { to: self.pid, method, metadata, trace };
        // A call's takes as much.
        if let Some(reason) = self.traffic.too_large(what.room() + message.args.len()) {
            return self.refuse(message, reason);
        }
        let Some(port) = message.reply.take() else {
            let args = (message.args.head.as_slice(), &message.args.tail);
            self.traffic.message(self.pid, &what, args).on();
            message.args.recycle();
            return Ok(());
        };
        let timeout =
            port.get_timeout().map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
        let (tag, is_alone) = match self.traffic.calls.insert(self.pid, port) {
            Ok(inserted) => inserted,
            Err(port) => {
                message.reply = Some(port);
                return self.refuse(message, UndeliveredReason::TooManyCalls);
            }
        };
        if self.is_over() {
            // The calls may have been failed before this one came.
            if let Some(port) = self.traffic.calls.take(self.pid, tag) {
                message.reply = Some(port);
                return self.refuse(message, UndeliveredReason::Stopped);
            }
        }
        let what = What::Call {
            to: self.pid,
            tag,
            timeout,
            method: message.variant.as_ref(),
            metadata: message.metadata.as_deref(),
            trace,
        };
        let args = (message.args.head.as_slice(), &message.args.tail);
        let push = self.traffic.message(self.pid, &what, args);
        // A caller that waits for the only answer sends nothing more with the call.
        if is_alone {
            push.at_once();
        } else {
            push.on();
        }
        message.args.recycle();
        Ok(())
    }

    fn send_to(&self, pids: &[u64], message: Outgoing) -> Result<(), Refused> {
        if self.traffic.has_ended() {
            return self.refuse(message, UndeliveredReason::Stopped);
        }
        let trace = self.traffic.traces.outgoing();
        let named = Named {
            method: message.variant.as_ref(),
            metadata: message.metadata.as_deref(),
            trace: trace.as_ref(),
        };
        let size = named.to(&[]).room() + message.args.len();
        if let Some(reason) = self.traffic.too_large_for_all(size, pids.len()) {
            return self.refuse(message, reason);
        }
        self.traffic.message_to_all(pids, named, (&message.args.head, &message.args.tail));
        message.args.recycle();
        Ok(())
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.traffic.calls.fail(self.pid);
        self.traffic.wake_waiting();
    }
}
