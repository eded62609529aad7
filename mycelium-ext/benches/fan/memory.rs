//! The limit: shared memory that the feed writes once and readers check in place, and a futex that
//! wakes who sleeps. No runtime, no actors.
//!
//! The memory is that of a file without a name, which readers open by the feed's descriptor in
//! `/proc`.

use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::thread::futex;

use crate::child::{Run, cpu, fail, say};
use crate::flavour::Failure;
use crate::message::{Checks, checked, write};
use crate::words::Words;

/// The most processes, and the most slots.
const MOST: usize = 64;
const SLOTS: usize = 256;
/// Words of the head: the number of messages sent, and how many each process has handled.
const SENT: usize = 0;
const SIZE: usize = 1;
const WINDOW: usize = 2;
const HANDLED: usize = 8;
/// Each process's count stands in a cache line of its own.
const LINE: usize = 8;
const HEAD: usize = HANDLED + (MOST + 1) * LINE;
/// Bytes of all slots.
const BYTES: usize = 64 << 20;
const WORDS: usize = HEAD + BYTES / 8;

/// Looks for a while before it sleeps, as the kernel's futex is entered only then.
const LOOKS: u32 = 200;

fn map(file: &OwnedFd) -> Result<Words, Failure> {
    let words = Words::map(file, WORDS)?;
    words.touch();
    Ok(words)
}

/// A count that the other side writes.
fn low(word: &AtomicU64) -> u64 {
    word.load(Ordering::Acquire)
}

/// Waits until a word is no longer what it was.
fn wait(words: &Words, at: usize, was: u64) {
    for _ in 0..LOOKS {
        if low(words.at(at)) != was {
            return;
        }
        std::hint::spin_loop();
    }
    let bell: &AtomicU32 = words.bell(at);
    // It returns early when the word has changed, and now and then for nothing.
    _ = futex::wait(bell, futex::Flags::empty(), was as u32, None);
}

fn put(words: &Words, at: usize, value: u64) {
    words.at(at).store(value, Ordering::Release);
    _ = futex::wake(words.bell(at), futex::Flags::empty(), i32::MAX as u32);
}

/// The readers of a process, which handle each message after each other.
pub(crate) fn read(number: usize, address: &str, readers: usize) -> Result<(), Failure> {
    let file = OpenOptions::new().read(true).write(true).open(address)?;
    let words = map(&OwnedFd::from(file))?;
    std::thread::spawn(move || {
        let mut checks: Vec<Checks> = (0..readers).map(|_| Checks::default()).collect();
        let mut handled = 0;
        loop {
            let sent = low(words.at(SENT));
            if sent == handled {
                wait(&words, SENT, sent);
                continue;
            }
            let (size, window) = (words.get(SIZE) as usize, words.get(WINDOW));
            let slot = HEAD + (handled % window) as usize * size.div_ceil(8);
            for checks in &mut checks {
                // Read where it lies.
                if let Err(why) = checks.check(size, |word| words.get(slot + word)) {
                    fail(&why);
                }
            }
            handled += 1;
            put(&words, HANDLED + number * LINE, handled);
        }
    });
    say("there");
    for line in std::io::stdin().lines() {
        line?;
        say(&cpu().to_string());
    }
    Ok(())
}

/// What the feed writes of each message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Whole,
    /// The words that readers check.
    Checked,
}

pub(crate) fn feed(processes: usize, written: Written) -> Result<(), Failure> {
    let file = memfd_create("fan", MemfdFlags::CLOEXEC)?;
    ftruncate(&file, (WORDS * 8) as u64)?;
    let words = map(&file)?;
    say(&format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()));
    say("there");
    let mut sent = 0;
    for line in std::io::stdin().lines() {
        let Some(run) = Run::parse(&line?) else {
            say(&cpu().to_string());
            continue;
        };
        let (messages, elapsed) = send(&words, &run, (processes, written), &mut sent);
        say(&format!("{messages} {elapsed}"));
    }
    Ok(())
}

fn send(
    words: &Words,
    run: &Run,
    (processes, written): (usize, Written),
    sent: &mut u64,
) -> (u64, u64) {
    let fitting = (BYTES / run.size.next_multiple_of(8)).min(SLOTS) as u64;
    let window = run.window.min(fitting);
    // All have handled what was before, so that slots of another size hurt nobody.
    words.at(SIZE).store(run.size as u64, Ordering::Release);
    words.at(WINDOW).store(window, Ordering::Release);
    let mut payload = vec![7; run.size];
    let first = *sent;
    let start = Instant::now();
    while *sent == first || start.elapsed() < run.time {
        wait_for(words, processes, (*sent + 1).saturating_sub(window));
        write(&mut payload, *sent - first, 1);
        let slot = HEAD + (*sent % window) as usize * run.size.div_ceil(8);
        match written {
            Written::Whole => words.write(slot, &payload),
            Written::Checked => checked(&payload)
                .for_each(|(word, value)| words.at(slot + word).store(value, Ordering::Relaxed)),
        }
        *sent += 1;
        put(words, SENT, *sent);
    }
    wait_for(words, processes, *sent);
    (*sent - first, start.elapsed().max(Duration::from_nanos(1)).as_nanos() as u64)
}

/// Waits until each process has handled so many.
fn wait_for(words: &Words, processes: usize, least: u64) {
    for process in 0..processes {
        let at = HANDLED + process * LINE;
        loop {
            let handled = low(words.at(at));
            if handled >= least {
                break;
            }
            wait(words, at, handled);
        }
    }
}
