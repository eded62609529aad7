//! A session that keeps what it is given, and proxies that lead to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ractor::actor::actor_config::TransportPreference;
use ractor::concurrency::JoinHandle;
use ractor::errors::UndeliveredReason;
use ractor::message::SerializedMessage;
use ractor::remoting::{Outgoing, Outlet, Refused};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, ActorRuntime, Message};
use tokio::sync::{mpsc, Notify};

/// A session.
pub struct Session {
    number: u64,
    pub sent: Mutex<Vec<(Vec<u64>, Outgoing)>>,
    has_room: AtomicBool,
    pub refuses: Mutex<Option<UndeliveredReason>>,
    pin: Mutex<TransportPreference>,
    pub closes: AtomicUsize,
    /// The room that was reserved, and neither used nor released.
    reserved: AtomicUsize,
    /// How often it was asked for room to wait for.
    pub waiting: AtomicUsize,
    more: Arc<Notify>,
}

impl Session {
    pub fn new() -> Arc<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            sent: Mutex::default(),
            has_room: AtomicBool::new(true),
            refuses: Mutex::default(),
            pin: Mutex::default(),
            closes: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            more: Arc::default(),
        })
    }

    pub fn set_room(&self, has_room: bool) {
        self.has_room.store(has_room, Ordering::SeqCst);
        self.more.notify_waiters();
    }

    /// From now on every message comes back.
    pub fn refuse(&self, reason: UndeliveredReason) {
        *self.refuses.lock().unwrap() = Some(reason);
    }

    /// Its actors pin this transport from now on.
    pub fn pin(&self, transport: TransportPreference) {
        *self.pin.lock().unwrap() = transport;
    }

    pub fn accept(&self) {
        *self.refuses.lock().unwrap() = None;
    }

    /// What was sent until now. Whatever was not sent has released its room.
    pub fn take(&self) -> Vec<(Vec<u64>, Outgoing)> {
        assert_eq!(self.reserved.load(Ordering::SeqCst), 0, "room is lost");
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// The only message that was sent until now, to a single actor.
    pub fn take_one(&self) -> Outgoing {
        let mut sent = self.take();
        assert_eq!(sent.len(), 1);
        sent.remove(0).1
    }
}

/// The way of one actor.
struct Way {
    session: Arc<Session>,
    pid: u64,
    closed: AtomicBool,
}

impl Outlet for Way {
    fn session(&self) -> u64 {
        self.session.number
    }

    fn transport(&self) -> TransportPreference {
        *self.session.pin.lock().unwrap()
    }

    fn has_room(&self) -> bool {
        self.closed.load(Ordering::SeqCst) || self.session.has_room.load(Ordering::SeqCst)
    }

    fn reserve(&self, _waits: bool) -> Result<(), UndeliveredReason> {
        if !self.has_room() {
            return Err(UndeliveredReason::Full);
        }
        self.session.reserved.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn release(&self) {
        self.session.reserved.fetch_sub(1, Ordering::SeqCst);
    }

    fn room(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let more = self.session.more.clone().notified_owned();
        self.session.waiting.fetch_add(1, Ordering::SeqCst);
        Box::pin(more)
    }

    fn send(&self, message: Outgoing) -> Result<(), Refused> {
        self.send_to(&[self.pid], message)
    }

    fn send_to(&self, pids: &[u64], message: Outgoing) -> Result<(), Refused> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Refused::new(message, UndeliveredReason::Stopped));
        }
        if let Some(reason) = *self.session.refuses.lock().unwrap() {
            return Err(Refused::new(message, reason));
        }
        self.session.reserved.fetch_sub(pids.len(), Ordering::SeqCst);
        self.session.sent.lock().unwrap().push((pids.to_vec(), message));
        Ok(())
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.session.closes.fetch_add(1, Ordering::SeqCst);
        self.session.more.notify_waiters();
    }
}

pub fn way(session: &Arc<Session>, pid: u64) -> Arc<dyn Outlet> {
    Arc::new(Way { session: session.clone(), pid, closed: AtomicBool::new(false) })
}

/// Gives a proxy its way.
pub fn lead(remote: &Remote, session: &Arc<Session>) {
    remote.cell.set_outlet(way(session, remote.pid()));
}

/// What a proxy handles itself: nothing.
pub struct Nothing;

impl Message for Nothing {}

/// The actor behind a proxy, which tells what goes through its mailbox.
struct Proxy(mpsc::UnboundedSender<SerializedMessage>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Proxy {
    type Msg = Nothing;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Nothing>, _: ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_serialized(
        &self,
        _: ActorRef<Nothing>,
        message: SerializedMessage,
        _: &mut (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(self.0.send(message)?)
    }
}

/// Supervises a proxy.
struct Root;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Root {
    type Msg = Nothing;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Nothing>, _: ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// A proxy, what went through its mailbox, and its task.
pub struct Remote {
    pub cell: ActorCell,
    pub mailbox: mpsc::UnboundedReceiver<SerializedMessage>,
    pub handle: JoinHandle<()>,
    /// Its supervisor's task, which ends with it.
    root: JoinHandle<()>,
}

impl Remote {
    /// A proxy with no way out but its mailbox.
    pub async fn bare() -> Self {
        Self::bare_at(|pid| ActorId::Remote { node_id: 7, pid }).await
    }

    /// As [`bare`](Self::bare), of another process of this machine.
    pub async fn bare_nearby() -> Self {
        Self::bare_at(|pid| ActorId::LocalMachine { node_id: 7, pid }).await
    }

    async fn bare_at(id: impl FnOnce(u64) -> ActorId) -> Self {
        static PID: AtomicU64 = AtomicU64::new(1);
        let (tell, mailbox) = mpsc::unbounded_channel();
        let (root, task) = Actor::spawn(None, Root, ()).await.unwrap();
        let id = id(PID.fetch_add(1, Ordering::Relaxed));
        let supervisor = root.get_cell();
        let (proxy, handle) =
            ActorRuntime::spawn_linked_remote(None, Proxy(tell), id, (), supervisor).await.unwrap();
        Self { cell: proxy.get_cell(), mailbox, handle, root: task }
    }

    /// A proxy that leads to the session.
    pub async fn of(session: &Arc<Session>) -> Self {
        let remote = Self::bare().await;
        lead(&remote, session);
        remote
    }

    pub fn pid(&self) -> u64 {
        self.cell.get_id().pid()
    }

    pub fn to<M: Message>(&self) -> ActorRef<M> {
        self.cell.clone().into()
    }

    pub async fn stop(self) {
        self.cell.stop(None);
        self.handle.await.unwrap();
        self.root.await.unwrap();
    }
}
