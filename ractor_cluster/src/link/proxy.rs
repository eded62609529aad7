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

    fn send_in_lane(&self, lane: u32, to: &[u64], message: &Outgoing) {
        let method = message.variant.as_ref();
        let metadata = message.metadata.as_deref();
        let what = match to {
            [to] => What::Cast { to: *to, method, metadata },
            _ => What::Many { to, method, metadata },
        };
        let args = (message.args.head.as_slice(), message.args.tail.clone());
        self.traffic.message(lane, what, args);
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
        let lane = self.traffic.lane_of(self.pid);
        let Some(port) = message.reply.take() else {
            self.send_in_lane(lane, &[self.pid], &message);
            return Ok(());
        };
        let timeout =
            port.get_timeout().map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
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
        self.traffic.message(lane, what, (message.args.head.as_slice(), message.args.tail));
        Ok(())
    }

    fn send_to(&self, pids: &[u64], message: Outgoing) -> Result<(), Refused> {
        if self.traffic.has_ended() {
            return self.refuse(message, UndeliveredReason::Stopped);
        }
        let mut left = pids.to_vec();
        // One frame for each lane, and nearly always there is one lane.
        while let Some(first) = left.first() {
            let lane = self.traffic.lane_of(*first);
            let (now, later) =
                left.iter().partition::<Vec<u64>, _>(|pid| self.traffic.lane_of(**pid) == lane);
            self.send_in_lane(lane, &now, &message);
            left = later;
        }
        Ok(())
    }

    fn close(&self) {
        self.traffic.calls.fail(self.pid);
    }
}
