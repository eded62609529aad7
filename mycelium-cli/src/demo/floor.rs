//! What it costs on this machine to wake those who sleep, without actors.
//!
//! One sleeper alone is the least that a latency can be at a pace that lets readers sleep. A tick
//! goes to more than one reader, when it was recorded. So as many threads as a place has readers
//! are woken at the instants of a replay, too. Readers are tasks, which share the threads of a
//! runtime: a tick may wake fewer threads, and be faster. The threads do nothing but to note when
//! they were woken. A tick needs more memory than that, which was not used since the tick before:
//! what touching a page of it costs is measured as well.

use std::env;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clock;
use super::trades::Trade;

/// How often one sleeper is woken.
const WAKES: usize = 60;

/// How long it sleeps before: caches and cores have turned to other things after that.
const ASLEEP: Duration = Duration::from_millis(20);

/// The longest that sleepers are woken at recorded instants, and how often.
const LONGEST: Duration = Duration::from_secs(3);
const MOST_TICKS: usize = 1000;

/// Pages of memory that are touched in one go, how far they are apart, and how often.
const PAGES: usize = 128;
const APART: usize = 64 << 10;
const TOUCHES: usize = 16;

/// From the moment before the first call that wakes to the first instruction of each that is woken;
/// medians, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wake {
    /// Threads of this process, by a queue for each.
    pub(crate) thread_ns: u64,
    /// Another process, by a pipe; if there are several sleepers, the thread that reads the pipe
    /// wakes them by a queue for each.
    pub(crate) process_ns: u64,
}

impl Wake {
    /// The cost at a place.
    pub(crate) fn of(self, is_apart: bool) -> u64 {
        if is_apart { self.process_ns } else { self.thread_ns }
    }
}

/// What the machine itself takes; medians, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Floor {
    /// One sleeper that slept for 20 ms.
    pub(crate) one: Wake,
    /// As many sleepers as a place has readers, at the instants of a replay.
    pub(crate) many: Wake,
    /// Touching one page of memory that was not touched since the tick before.
    pub(crate) page_ns: u64,
}

impl Floor {
    /// Measures it with so many sleepers, woken after `pauses`, which takes some seconds more than
    /// these. It blocks the calling thread, and ends early when the sender of `wanted` is dropped.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(crate) fn measure(
        sleepers: usize,
        pauses: &[Duration],
        wanted: Receiver<()>,
    ) -> Result<Self, String> {
        let bed = Bed(wanted);
        let wrong = |error| format!("measuring what waking costs: {error}");
        let wake = |sleepers, pauses: &[Duration]| {
            let thread_ns = threads(sleepers, pauses, &bed)?;
            Ok(Wake { thread_ns, process_ns: process(sleepers, pauses, &bed)? })
        };
        let one = wake(1, &[ASLEEP; WAKES]).map_err(wrong)?;
        let many = wake(sleepers, pauses).map_err(wrong)?;
        Ok(Self { one, many, page_ns: page(pauses, &bed).map_err(wrong)? })
    }
}

/// How long the feed of a replay of these trades sleeps before each tick, for some seconds of it.
pub(crate) fn pauses(trades: &[Trade]) -> Vec<Duration> {
    let passed = |trade: &Trade| {
        let since = trade.time_ms - trades[0].time_ms;
        Duration::from_millis(since.unsigned_abs())
    };
    let within = trades.iter().map(passed).take_while(|it| *it <= LONGEST).take(MOST_TICKS);
    let mut before = Duration::ZERO;
    let pauses = within.enumerate().map(|(index, passed)| {
        let pause = passed.saturating_sub(before);
        before = passed;
        // Before the first all fall asleep.
        if index == 0 { ASLEEP } else { pause }
    });
    pauses.collect()
}

/// Where the thread that wakes the others sleeps itself.
struct Bed(Receiver<()>);

impl Bed {
    /// # Errors
    /// The measurement is no longer wanted.
    fn sleep(&self, pause: Duration) -> io::Result<()> {
        match self.0.recv_timeout(pause) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Threads that sleep until they are told when they were woken.
struct Sleepers(Vec<(Sender<u64>, JoinHandle<Vec<u64>>)>);

impl Sleepers {
    fn start(count: usize) -> Self {
        let sleeper = |_| {
            let (sender, woken) = channel::<u64>();
            let noted = move || {
                let times = woken.iter().map(|sent| clock::now_ns().saturating_sub(sent));
                times.collect()
            };
            (sender, thread::spawn(noted))
        };
        Self((0..count).map(sleeper).collect())
    }

    fn wake(&self, sent: u64) {
        for (sleeper, _) in &self.0 {
            // It sleeps until its queue ends.
            _ = sleeper.send(sent);
        }
    }

    /// How long each took to wake, each time.
    fn end(self) -> Vec<u64> {
        let ends = self.0.into_iter().map(|(sleeper, thread)| {
            drop(sleeper);
            thread.join().expect("it does not panic")
        });
        ends.flatten().collect()
    }
}

fn threads(sleepers: usize, pauses: &[Duration], bed: &Bed) -> io::Result<u64> {
    let sleepers = Sleepers::start(sleepers);
    for pause in pauses {
        bed.sleep(*pause)?;
        sleepers.wake(clock::now_ns());
    }
    Ok(median(sleepers.end()))
}

/// The other process, which ends with its standard input.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn process(sleepers: usize, pauses: &[Duration], bed: &Bed) -> io::Result<u64> {
    let child = Command::new(env::current_exe()?)
        .arg("demo-sleeper")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut sleeper = Sleeper(child);
    let mut stdin = sleeper.0.stdin.take().expect("a pipe");
    let mut stdout = sleeper.0.stdout.take().expect("a pipe");
    stdin.write_all(&(sleepers as u64).to_le_bytes())?;
    for pause in pauses {
        bed.sleep(*pause)?;
        stdin.write_all(&clock::now_ns().to_le_bytes())?;
    }
    drop(stdin);
    let mut times = Vec::new();
    stdout.read_to_end(&mut times)?;
    let times = times.chunks_exact(8);
    let times = times.map(|time| u64::from_le_bytes(time.try_into().expect("eight of eight")));
    Ok(median(times.collect()))
}

/// The hidden `mycelium demo-sleeper`: sleeps in a read, alone or with threads that sleep as well,
/// and tells at its end how long each took to wake.
pub(crate) fn sleep() -> ExitCode {
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let mut read = || {
        let mut number = [0; 8];
        stdin.read_exact(&mut number).ok().map(|()| u64::from_le_bytes(number))
    };
    let many = read().and_then(|it| usize::try_from(it).ok()).filter(|it| *it > 1);
    let sleepers = many.map(Sleepers::start);
    let mut times = Vec::new();
    while let Some(sent) = read() {
        match &sleepers {
            Some(sleepers) => sleepers.wake(sent),
            None => times.push(clock::now_ns().saturating_sub(sent)),
        }
    }
    times.extend(sleepers.into_iter().flat_map(Sleepers::end));
    let bytes: Vec<u8> = times.into_iter().flat_map(u64::to_le_bytes).collect();
    match stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What touching a page costs after each pause.
fn page(pauses: &[Duration], bed: &Bed) -> io::Result<u64> {
    // Pages next to each other would share what leads to them. Each is touched at another place,
    // as places that are multiples of a page apart share few lines of a cache.
    let places = || (0..PAGES).map(|page| page * APART + page * 64 % 4096);
    let memory = vec![1_u8; PAGES * APART];
    // Of ticks that come together only the first finds pages that were not used.
    let pauses = pauses.iter().filter(|pause| !pause.is_zero()).take(TOUCHES);
    let mut times = Vec::new();
    for pause in pauses {
        bed.sleep(*pause)?;
        let start = clock::now_ns();
        black_box(places().map(|place| u64::from(black_box(&memory)[place])).sum::<u64>());
        times.push((clock::now_ns() - start) / PAGES as u64);
    }
    Ok(median(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sleeper_is_woken_each_time() {
        let sleepers = Sleepers::start(3);
        // All of one moment count, whether or not a sleeper sleeps again meanwhile.
        for _ in 0..4 {
            sleepers.wake(clock::now_ns());
        }
        let times = sleepers.end();
        assert_eq!(times.len(), 12);
        assert!(times.iter().all(|time| *time > 0), "{times:?}");
        assert_eq!((median(vec![9, 1, 5]), median(Vec::new())), (5, 0));
    }

    #[test]
    fn a_measurement_that_is_not_wanted_ends() {
        let (wanted, end) = channel();
        let long = [Duration::from_secs(3600)];
        drop(wanted);
        let bed = Bed(end);
        assert!(threads(2, &long, &bed).is_err());
        assert!(page(&long, &bed).is_err());
        assert!(Floor::measure(2, &long, bed.0).is_err());
    }

    #[test]
    fn pauses_are_those_of_the_recording_and_end() {
        let trade = |time_ms| Trade { time_ms, price: 1, size: 1 };
        let ms = Duration::from_millis;
        let of = |times: &[i64]| pauses(&times.iter().copied().map(trade).collect::<Vec<_>>());
        assert_eq!(of(&[7, 7, 60, 61, 3007, 3008]), [ASLEEP, ms(0), ms(53), ms(1), ms(2946)]);
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[5; 2 * MOST_TICKS]).len(), MOST_TICKS);
    }
}
