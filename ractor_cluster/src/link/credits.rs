//! Credits of this node at bounded mailboxes of its peer: which proxies have some, and the senders
//! that wait for one. The account is [`mycelium_link::credit`]'s.

use std::collections::HashMap;
use std::fmt;
use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use mycelium_link::credit::{CreditError, Window};
use tokio::sync::Notify;

use super::data_plane::DataPlane;
use super::grants::Grants;
use super::locked::locked;
use super::quiet_log::limited_warn;
use crate::protocol::mycelium::{ActorCredit, ActorMailbox};

/// The version of credits that this release speaks.
pub(crate) const VERSION: u32 = 1;

/// The credits of one session, in both directions.
#[derive(Debug, Default)]
pub(crate) struct Credits {
    /// The peer knows credits.
    is_spoken: AtomicBool,
    /// Of this node, by the peer's actors.
    purses: Mutex<HashMap<u64, Arc<Purse>>>,
    /// Of the peer.
    pub(super) grants: Grants,
}

/// What a peer said of credits that it may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadCredit {
    pid: u64,
    error: CreditError,
}

impl fmt::Display for BadCredit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "credits of actor {}: {}", self.pid, self.error)
    }
}

impl std::error::Error for BadCredit {}

impl Credits {
    /// The peer has announced the version that it knows, if any.
    pub(crate) fn speak(&self, version: Option<u32>) {
        self.is_spoken.store(version.is_some_and(|it| it >= 1), Ordering::Release);
    }

    /// Whether both ends know credits.
    pub(super) fn are_spoken(&self) -> bool {
        self.is_spoken.load(Ordering::Acquire)
    }

    /// Whether a mailbox is known, or may become known, with at most so many.
    pub(crate) fn has_place(&self, pid: u64, most: usize) -> bool {
        let purses = locked(&self.purses);
        purses.len() < most || purses.contains_key(&pid)
    }

    /// The peer has announced a bounded mailbox. Only the first announcement counts.
    ///
    /// # Errors
    /// There is no such mailbox.
    pub(crate) fn announced(&self, mailbox: ActorMailbox) -> Result<(), BadCredit> {
        let ActorMailbox { pid, capacity, granted, drops } = mailbox;
        let window = Window::new(capacity, granted, drops);
        let window = window.map_err(|error| BadCredit { pid, error })?;
        let purse =
            || Arc::new(Purse { window, room: Notify::new(), has_told: AtomicBool::new(false) });
        locked(&self.purses).entry(pid).or_insert_with(purse);
        Ok(())
    }

    /// The peer has told totals. What it tells of an actor that has ended, or that it never
    /// announced, changes nothing.
    ///
    /// # Errors
    /// They break the rules.
    pub(crate) fn granted(&self, credits: &[ActorCredit]) -> Result<(), BadCredit> {
        let purses = locked(&self.purses);
        for ActorCredit { pid, granted, dropped } in credits.iter().copied() {
            let Some(purse) = purses.get(&pid) else {
                limited_warn!("credits for an actor without a bounded mailbox are left out");
                continue;
            };
            purse.grant(granted, dropped).map_err(|error| BadCredit { pid, error })?;
        }
        Ok(())
    }

    /// The credits for a proxy, if its actor has a bounded mailbox.
    pub(super) fn purse(&self, pid: u64) -> Option<Arc<Purse>> {
        locked(&self.purses).get(&pid).cloned()
    }

    /// An actor of the peer has ended.
    pub(crate) fn forget(&self, pid: u64) {
        locked(&self.purses).remove(&pid);
    }

    /// The session has ended. Proxies keep what they have.
    pub(super) fn end(&self) {
        let purses = std::mem::take(&mut *locked(&self.purses));
        drop(purses);
        self.grants.end();
    }
}

/// What the senders of this node share at one actor of the peer.
#[derive(Debug)]
pub(super) struct Purse {
    window: Window,
    /// Notified of credits, once for each sender that waits.
    room: Notify,
    /// Whether the log has told that messages were dropped.
    has_told: AtomicBool,
}

impl Purse {
    fn grant(&self, granted: u64, dropped: u64) -> Result<(), CreditError> {
        let awaited = self.window.grant(granted, dropped)?;
        self.wake(awaited);
        if dropped > 0 && !self.has_told.swap(true, Ordering::Relaxed) {
            limited_warn!(
                "a bounded mailbox of a peer drops messages of this node; they are counted \
                 (ActorCell::lost_messages of the proxy)"
            );
        }
        Ok(())
    }

    fn wake(&self, count: u64) {
        (0..count).for_each(|_| self.room.notify_one());
    }

    /// Takes a credit. A sender that `waits` takes none that there is not, whatever the mailbox
    /// does with messages that find no room.
    pub(super) fn take(&self, waits: bool) -> bool {
        self.window.take(waits)
    }

    /// Gives a credit back.
    pub(super) fn put_back(&self) {
        let awaited = self.window.put_back();
        self.wake(awaited);
    }

    pub(super) fn has_room(&self) -> bool {
        self.window.has_room()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.window.dropped()
    }

    /// When there is a credit and room on the way, or the session has ended, or `closed` was set
    /// and the waiting senders were woken.
    pub(super) async fn room(&self, traffic: &DataPlane, pid: u64, closed: &AtomicBool) {
        let _waiting = Waiting::begin(&self.window);
        loop {
            let (mut credit, mut way) = (pin!(self.room.notified()), pin!(traffic.more_room()));
            // A sender that gets a credit and finds no room on the way is woken with all others
            // later.
            credit.as_mut().enable();
            way.as_mut().enable();
            let is_over = traffic.has_ended() || closed.load(Ordering::Acquire);
            if is_over || (self.has_room() && traffic.has_room(pid)) {
                return;
            }
            poll_fn(|context| {
                let credit = credit.as_mut().poll(context);
                if credit.is_ready() {
                    credit
                } else {
                    way.as_mut().poll(context)
                }
            })
            .await;
        }
    }
}

/// A sender that waits for a credit, until it is dropped.
struct Waiting<'a>(&'a Window);

impl<'a> Waiting<'a> {
    fn begin(window: &'a Window) -> Self {
        window.begin_wait();
        Self(window)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.end_wait();
    }
}
