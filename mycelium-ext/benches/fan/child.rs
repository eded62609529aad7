//! The two kinds of processes: the feed and the readers'. Each is told on standard input what to
//! do, and answers on standard output. It ends when its standard input does, which the kernel sees
//! to however the bench ends. Compiled against stock and against the fork.

use std::io::{BufRead, Write};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::message::LEAST;

/// The lines of standard input, on a channel that ends with it.
pub(crate) fn orders() -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
        drop(sender);
        // What is under way shall not outlive the bench for long.
        std::thread::sleep(Duration::from_secs(1));
        std::process::exit(1);
    });
    receiver
}

/// Answers with a line, at once.
pub(crate) fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    // Where the bench is gone, standard input says so, too.
    _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Ends the process because a message is not what was sent: the bench fails with it.
pub(crate) fn fail(why: &str) -> ! {
    say(&format!("failed: {why}"));
    std::process::exit(1)
}

/// The time that this process spent on processors, in nanoseconds.
pub(crate) fn cpu() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}

/// What the feed is asked for: `run SIZE WINDOW MILLISECONDS`.
pub(crate) struct Run {
    pub(crate) size: usize,
    /// Messages under way to each reader.
    pub(crate) window: u64,
    pub(crate) time: Duration,
}

impl Run {
    pub(crate) fn parse(order: &str) -> Option<Self> {
        let mut words = order.strip_prefix("run ")?.split(' ').map(str::parse::<u64>);
        let mut number = || words.next()?.ok();
        let (size, window, milliseconds) = (number()?, number()?, number()?);
        let time = Duration::from_millis(milliseconds);
        let size = usize::try_from(size).ok().filter(|size| *size >= LEAST)?;
        Some(Self { size, window: window.max(1), time })
    }

    /// Readers acknowledge so many messages at once.
    pub(crate) fn step(&self) -> u64 {
        (self.window / 2).max(1)
    }
}
