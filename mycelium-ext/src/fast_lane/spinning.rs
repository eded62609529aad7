//! Threads that never sleep: of fast actors, and of nodes.

use std::io;
use std::thread;

use ractor::concurrency::JoinHandle;
use ractor::{ActorCell, ActorName, SpawnErr};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::actor::FastActor;
use super::actor_ref::FastActorRef;
use super::config::LaneConfig;
use super::runtime;

/// What starting an actor gives, or why it did not start.
type Started<A> = Result<
    (FastActorRef<<A as FastActor>::Msg, <A as FastActor>::Control>, JoinHandle<()>),
    SpawnErr,
>;

/// A thread that one fast actor has for itself, and that looks for messages without a pause. With
/// the feature `cluster` a node may have one, too (`NodeBuilder::spinning`), which is described
/// there.
///
/// An ordinary actor sleeps when nothing waits for it, and a sender then pays for waking a thread,
/// and waits until the kernel has done so. This one needs no wake-up. **It burns a whole core**, also
/// while nothing comes: use it for one or two readers that must be early, on cores that nothing else
/// wants. On a machine with too few cores it is slower than an ordinary actor. The bench `spinning`
/// measures both, and what they burn.
///
/// The thread of an actor has a tokio runtime of its own with timers, and **without sockets and files**: a
/// handler that opens a `TcpStream` there panics. Tasks that a handler spawns run on this thread, and
/// end with the actor. The thread ends when the actor does, whatever becomes of the runtime that
/// started it.
///
/// Supervision, order, bounds and references are those of other fast actors.
///
/// ```
/// use mycelium_ext::fast_lane::{Batch, FastActor, FastActorRef, LaneConfig, SpinningThread};
/// use ractor::ActorProcessingErr;
///
/// struct Strategy;
///
/// impl FastActor for Strategy {
///     type Msg = u64;
///     type Control = ();
///     type State = u64;
///     type Arguments = ();
///
///     async fn pre_start(&self, _: FastActorRef<u64>, (): ()) -> Result<u64, ActorProcessingErr> {
///         Ok(0)
///     }
///
///     async fn handle(
///         &self,
///         _: FastActorRef<u64>,
///         batch: Batch<'_, u64>,
///         last: &mut u64,
///     ) -> Result<(), ActorProcessingErr> {
///         *last = batch.last().map_or(*last, |price| *price);
///         Ok(())
///     }
/// }
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let thread = SpinningThread::new(); // with `.on_core(3)` it stays on that core
/// let (strategy, ended) = thread.spawn(Strategy, None, (), LaneConfig::default()).await.unwrap();
/// strategy.cast(101).unwrap();
/// strategy.drain().unwrap();
/// ended.await.unwrap();
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "nothing runs before `spawn`"]
pub struct SpinningThread {
    core: Option<usize>,
}

impl SpinningThread {
    /// A thread that the kernel may move between cores.
    pub const fn new() -> Self {
        Self { core: None }
    }

    /// Keeps the thread on a core, by its number from 0, as `lscpu` counts. Linux only: elsewhere
    /// the actor does not start.
    pub const fn on_core(self, core: usize) -> Self {
        Self { core: Some(core) }
    }

    /// Starts a thread and an actor on it, without a supervisor.
    ///
    /// Not cancel safe: an actor whose spawn was given up is stopped as soon as it has started.
    ///
    /// # Errors
    /// As [`FastActor::spawn`]. [`SpawnErr::StartupFailed`] with an [`io::Error`] also when there is
    /// no such core, or no thread to be had.
    pub async fn spawn<A: FastActor>(
        self,
        actor: A,
        name: Option<ActorName>,
        arguments: A::Arguments,
        lane: LaneConfig,
    ) -> Started<A> {
        self.start(actor, name, arguments, lane, None).await
    }

    /// As [`spawn`](Self::spawn), supervised by `supervisor`, which may be on any thread.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) and [`FastActor::spawn_linked`].
    pub async fn spawn_linked<A: FastActor>(
        self,
        actor: A,
        name: Option<ActorName>,
        arguments: A::Arguments,
        lane: LaneConfig,
        supervisor: ActorCell,
    ) -> Started<A> {
        self.start(actor, name, arguments, lane, Some(supervisor)).await
    }

    async fn start<A: FastActor>(
        self,
        actor: A,
        name: Option<ActorName>,
        arguments: A::Arguments,
        lane: LaneConfig,
        supervisor: Option<ActorCell>,
    ) -> Started<A> {
        let (tell, told) = oneshot::channel();
        let run = move |runtime: io::Result<Runtime>| match runtime {
            Ok(runtime) => runtime.block_on(spin::<A>(
                runtime::spawn(actor, name, arguments, lane, supervisor),
                tell,
            )),
            Err(error) => drop(tell.send(Err(SpawnErr::StartupFailed(error.into())))),
        };
        // Without sockets: a sender that puts a message in then makes no system call, since
        // nothing ever sleeps in one.
        self.run("spinning actor", |builder| builder.enable_time(), run)
            .map_err(|error| SpawnErr::StartupFailed(error.into()))?;
        told.await.unwrap_or_else(|_| {
            Err(SpawnErr::StartupFailed("the thread of a spinning actor ended".into()))
        })
    }

    /// Starts the thread, which has a runtime of its own unless there is none to be had, and does
    /// `work` on it.
    pub(crate) fn run(
        self,
        name: &'static str,
        enable: fn(&mut Builder) -> &mut Builder,
        work: impl FnOnce(io::Result<Runtime>) + Send + 'static,
    ) -> io::Result<()> {
        let run = move || {
            let build = || enable(&mut Builder::new_current_thread()).build();
            work(self.pin().and_then(|()| build()));
        };
        thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
    }

    #[cfg(target_os = "linux")]
    fn pin(self) -> io::Result<()> {
        use rustix::thread::{CpuSet, sched_setaffinity};

        let Some(core) = self.core else { return Ok(()) };
        let there_is_none = |why: io::Error| {
            let text =
                format!("a spinning thread cannot stay on core {core}: {why}; `lscpu` counts");
            io::Error::new(why.kind(), text)
        };
        if core >= CpuSet::MAX_CPU {
            return Err(there_is_none(io::ErrorKind::InvalidInput.into()));
        }
        let mut cores = CpuSet::new();
        cores.set(core);
        sched_setaffinity(None, &cores).map_err(|error| there_is_none(error.into()))
    }

    #[cfg(not(target_os = "linux"))]
    fn pin(self) -> io::Result<()> {
        match self.core {
            None => Ok(()),
            Some(core) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("a spinning thread cannot stay on core {core}: only Linux keeps threads"),
            )),
        }
    }
}

/// Starts an actor, and keeps the thread awake as long as it lives.
async fn spin<A: FastActor>(
    spawn: impl Future<Output = Started<A>>,
    tell: oneshot::Sender<Started<A>>,
) {
    let (actor, handle) = match spawn.await {
        Ok(started) => started,
        Err(error) => return drop(tell.send(Err(error))),
    };
    let end = handle.abort_handle();
    let myself = actor.clone();
    if tell.send(Ok((actor, handle))).is_err() {
        myself.stop(Some("its spawn was given up".to_owned()));
    }
    drop(myself);
    while !end.is_finished() {
        tokio::task::yield_now().await;
    }
}
