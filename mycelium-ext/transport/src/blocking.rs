//! Threads for system calls that a peer can make block.
//!
//! A peer of this machine can pass descriptors over a Unix socket, and then decides how long it
//! takes to close them: a TCP socket with `SO_LINGER` and unsent data, a file of a FUSE file
//! system, or a file that it keeps registered with an epoll instance that it keeps busy. The paths
//! that it names can lie in a FUSE file system too. Such calls are made on a few threads of their
//! own, and never on a thread of the runtime.
//!
//! Bounds: there are at most 16 threads, which end when they are idle. While 256
//! calls wait, since all threads are blocked, [`call`] refuses further ones, so that no more links
//! are made whose descriptors would have to be closed. The descriptors of links that were made are
//! always taken over.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::log_limit::limited_warn;

/// How many threads there are at most. A peer that blocks one of them leaves the others to the
/// rest.
const THREADS: usize = 16;
/// How many calls may wait before further ones are refused.
const WAITING: usize = 256;
/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// A job with a waiting caller, or a value to be dropped.
enum Work {
    Call(Job),
    Drop(Job),
}

static POOL: Pool = Pool { state: Mutex::new(State::new()), news: Condvar::new() };

struct Pool {
    state: Mutex<State>,
    news: Condvar,
}

struct State {
    jobs: VecDeque<Work>,
    /// How many of the jobs are calls.
    calls: usize,
    threads: usize,
    idle: usize,
    /// Whether the log says that calls are refused, and no job has begun since.
    told: bool,
}

impl State {
    const fn new() -> Self {
        Self { jobs: VecDeque::new(), calls: 0, threads: 0, idle: 0, told: false }
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a call, unless too many wait.
    fn add_call(&'static self, call: Job) -> io::Result<()> {
        let mut state = self.lock();
        if state.calls < WAITING {
            state.calls += 1;
            self.add(state, Work::Call(call));
            return Ok(());
        }
        if !std::mem::replace(&mut state.told, true) {
            limited_warn!(
                threads = THREADS,
                waiting = state.jobs.len(),
                "peers of this machine block all threads that take and close descriptors: \
                 no further ones are taken before one of the threads is free"
            );
        }
        let why = "peers of this machine block all threads that take descriptors; try again later";
        Err(io::Error::new(io::ErrorKind::ResourceBusy, why))
    }

    /// Adds work, and a thread where none is idle.
    fn add(&'static self, mut state: MutexGuard<'_, State>, work: Work) {
        state.jobs.push_back(work);
        if state.idle >= state.jobs.len() {
            self.news.notify_one();
            return;
        }
        if state.threads >= THREADS {
            return;
        }
        state.threads += 1;
        drop(state);
        let thread = std::thread::Builder::new().name("mycelium-blocking".to_owned());
        if let Err(error) = thread.spawn(|| self.work()) {
            self.lock().threads -= 1;
            // The work waits for a thread that exists, or for one that the next job makes.
            limited_warn!(%error, "no thread could be made for calls that may block");
        }
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // A thread that ended here would be counted for ever.
            _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            match state.jobs.pop_front() {
                Some(Work::Call(job)) => {
                    state.calls -= 1;
                    state.told = false;
                    return Some(job);
                }
                Some(Work::Drop(job)) => return Some(job),
                None => {}
            }
            state.idle += 1;
            let (woken, waited) =
                self.news.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}

/// Makes a call that may block, on a thread of its own.
///
/// What the call returns must not block either where it is dropped: see [`Deferred`].
///
/// # Cancel safety
/// The call is made, or finished, also when this future is dropped.
///
/// # Errors
/// [`ResourceBusy`](io::ErrorKind::ResourceBusy) when all threads are blocked, and the error that
/// the call returns.
pub async fn call<T, F>(make: F) -> io::Result<T>
where
    T: Send + 'static,
    F: FnOnce() -> io::Result<T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    POOL.add_call(Box::new(move || _ = sender.send(make())))?;
    receiver.await.unwrap_or_else(|_| Err(io::Error::other("the call panicked")))
}

/// Holds something that a peer can make block when it is dropped, such as a descriptor that a peer
/// passed or shares. Dropping this value drops it on a thread of its own, some time later.
pub struct Deferred<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Deferred<T> {
    /// Takes it over.
    pub const fn new(it: T) -> Self {
        Self(Some(it))
    }

    /// Gives it back. From here on it is dropped where its owner drops it.
    ///
    /// # Panics
    /// Never: it is there until this value is dropped.
    pub fn into_inner(mut self) -> T {
        self.0.take().expect("it is there until this value is dropped")
    }

    /// Gives it back, unless that was done before. There is nothing to dereference from here on.
    pub fn take(&mut self) -> Option<T> {
        self.0.take()
    }

    /// What it holds, unless that was taken.
    pub fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T: Send + 'static> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is there until this value is dropped")
    }
}

impl<T: Send + 'static> DerefMut for Deferred<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it is there until this value is dropped")
    }
}

impl<T: Send + 'static> Drop for Deferred<T> {
    fn drop(&mut self) {
        if let Some(it) = self.0.take() {
            POOL.add(POOL.lock(), Work::Drop(Box::new(move || drop(it))));
        }
    }
}

impl<T: Send + AsFd + 'static> AsFd for Deferred<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        (**self).as_fd()
    }
}

impl<T: Send + AsRawFd + 'static> AsRawFd for Deferred<T> {
    fn as_raw_fd(&self) -> RawFd {
        (**self).as_raw_fd()
    }
}

impl<T: Send + fmt::Debug + 'static> fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Says on which thread it is dropped, after it has waited.
    struct Slow {
        wait: Option<mpsc::Receiver<()>>,
        dropped: mpsc::Sender<std::thread::ThreadId>,
    }

    impl Drop for Slow {
        fn drop(&mut self) {
            if let Some(wait) = &self.wait {
                _ = wait.recv();
            }
            _ = self.dropped.send(std::thread::current().id());
        }
    }

    #[tokio::test]
    async fn a_drop_that_blocks_keeps_neither_its_owner_nor_others() {
        let (dropped, ends) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        drop(Deferred::new(Slow { wait: Some(wait), dropped: dropped.clone() }));
        drop(Deferred::new(Slow { wait: None, dropped }));
        let patience = Duration::from_secs(60);
        assert_ne!(ends.recv_timeout(patience).unwrap(), std::thread::current().id());
        assert!(ends.try_recv().is_err(), "the first one blocks still");
        assert_eq!(call(|| Ok(5)).await.unwrap(), 5);
        go.send(()).unwrap();
        assert_ne!(ends.recv_timeout(patience).unwrap(), std::thread::current().id());
    }

    #[tokio::test]
    async fn a_call_that_panics_is_an_error() {
        let error = call(|| -> io::Result<()> { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other);
    }
}
