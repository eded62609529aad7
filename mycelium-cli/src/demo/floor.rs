//! What it costs on this machine to wake somebody who sleeps: the least that a latency can be at
//! a pace that lets readers sleep.

use std::env;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::clock;

/// How often each is measured.
const WAKES: usize = 60;

/// How long the other one sleeps before it is woken: as long as readers do at recorded pace, after
/// which caches and cores have turned to other things.
const ASLEEP: Duration = Duration::from_millis(20);

/// From the moment before the call that wakes to the first instruction of the one that is woken;
/// medians, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Floor {
    /// A thread of this process.
    pub(crate) thread_ns: u64,
    /// Another process, by a pipe.
    pub(crate) process_ns: u64,
}

impl Floor {
    /// Measures it, which takes a few seconds. It blocks the calling thread.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(crate) fn measure() -> Result<Self, String> {
        let process_ns =
            process().map_err(|error| format!("measuring what waking a process costs: {error}"))?;
        Ok(Self { thread_ns: thread(), process_ns })
    }

    /// The floor of a place.
    pub(crate) fn of(self, is_apart: bool) -> u64 {
        if is_apart { self.process_ns } else { self.thread_ns }
    }
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}

fn thread() -> u64 {
    let sent = Arc::new(AtomicU64::new(0));
    let sleeper = thread::spawn({
        let sent = sent.clone();
        move || {
            let mut times = Vec::with_capacity(WAKES);
            while times.len() < WAKES {
                thread::park();
                let woken = clock::now_ns();
                // It may also wake by itself.
                match sent.swap(0, Ordering::AcqRel) {
                    0 => {}
                    sent => times.push(woken.saturating_sub(sent)),
                }
            }
            times
        }
    });
    while !sleeper.is_finished() {
        thread::sleep(ASLEEP);
        sent.store(clock::now_ns(), Ordering::Release);
        sleeper.thread().unpark();
    }
    median(sleeper.join().expect("it does not panic"))
}

/// The other process, which ends with its standard input.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn process() -> io::Result<u64> {
    let child = Command::new(env::current_exe()?)
        .arg("demo-sleeper")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut sleeper = Sleeper(child);
    let mut stdin = sleeper.0.stdin.take().expect("a pipe");
    let mut stdout = sleeper.0.stdout.take().expect("a pipe");
    let mut times = Vec::with_capacity(WAKES);
    while times.len() < WAKES {
        thread::sleep(ASLEEP);
        let sent = clock::now_ns();
        stdin.write_all(&sent.to_le_bytes())?;
        let mut woken = [0; 8];
        stdout.read_exact(&mut woken)?;
        times.push(u64::from_le_bytes(woken).saturating_sub(sent));
    }
    Ok(median(times))
}

/// The hidden `mycelium demo-sleeper`: sleeps in a read, and tells when it was woken.
pub(crate) fn sleep() -> ExitCode {
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let mut sent = [0; 8];
    while stdin.read_exact(&mut sent).is_ok() {
        let woken = clock::now_ns().to_le_bytes();
        if stdout.write_all(&woken).and_then(|()| stdout.flush()).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_takes_time() {
        assert!(thread() > 0);
        assert_eq!(median(vec![9, 1, 5]), 5);
    }
}
