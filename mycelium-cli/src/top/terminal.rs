//! The terminal: taken over, and given back however it ends.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mycelium_ext::view::{Request, Snapshot};
use ratatui::crossterm::event::{self, Event};
use rustix::event::{PollFd, PollFlags, Timespec};
use tokio::signal::unix::{SignalKind, signal};

use super::Watched;
use super::draw::{Colours, draw};
use super::find::{self, Found};
use super::state::{State, Tab};

/// How long it looks for keys before it looks at what else there is.
const LOOK: Duration = Duration::from_millis(50);
/// How long it may take to end once it shall.
const PARTING: Duration = Duration::from_secs(1);
/// The pause between two looks for nodes.
const NODES: Duration = Duration::from_secs(1);

/// Shows `state` until it ends, with a new snapshot after each `interval`.
///
/// # Errors
/// The terminal cannot be used.
pub(super) fn run(state: &mut State, interval: Duration) -> Result<(), String> {
    let failed = |error: io::Error| format!("the terminal: {error}");
    let ends = ends_on_signal().map_err(failed)?;
    // It restores the terminal on a panic, too.
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let shown = show(state, &mut terminal, &ends, interval);
    let restored = ratatui::try_restore();
    shown.and(restored).map_err(failed)
}

/// What is set by a request to terminate, or by the end of the terminal.
fn ends_on_signal() -> io::Result<Arc<AtomicBool>> {
    let ends = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut terminate, mut hangup, mut interrupt) = {
        let _entered = runtime.enter();
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::interrupt())?,
        )
    };
    let set = ends.clone();
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
                _ = interrupt.recv() => {}
                () = hung_up() => {}
            }
        });
        set.store(true, Ordering::Relaxed);
        // On a terminal that is gone, the look for keys reads its end again and again, and does
        // not return.
        thread::sleep(PARTING);
        let _ = ratatui::try_restore();
        std::process::exit(0);
    });
    Ok(ends)
}

/// Resolves when the terminal is gone: who starts a program may have it ignore the signal for that.
async fn hung_up() {
    loop {
        tokio::time::sleep(NODES).await;
        let stdin = io::stdin();
        let mut polled = [PollFd::new(&stdin, PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let looked = rustix::event::poll(&mut polled, Some(&now));
        if looked.is_ok() && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR) {
            return;
        }
    }
}

/// Asks nodes on a thread of its own: keys count also while a node does not answer.
struct Asking {
    wanted: Sender<(Watched, Request)>,
    answers: Receiver<(Watched, Result<Snapshot, String>)>,
    is_under_way: bool,
}

impl Asking {
    fn start() -> Self {
        let (wanted, requests) = channel::<(Watched, Request)>();
        let (answered, answers) = channel();
        thread::spawn(move || {
            for (watched, request) in requests {
                let answer = watched.ask(&request);
                if answered.send((watched, answer)).is_err() {
                    return;
                }
            }
        });
        Self { wanted, answers, is_under_way: false }
    }

    fn ask(&mut self, state: &State) {
        let Some(watched) = state.watched.clone().filter(|_| !self.is_under_way) else { return };
        self.is_under_way = self.wanted.send((watched, state.request())).is_ok();
    }

    /// Takes an answer, if there is one. Returns whether there was.
    fn take(&mut self, state: &mut State) -> bool {
        let Ok((watched, answer)) = self.answers.try_recv() else { return false };
        self.is_under_way = false;
        // Another one may be watched by now.
        if Some(&watched) == state.watched.as_ref() {
            state.take(answer, Instant::now());
        }
        true
    }
}

/// Looks for nodes on a thread of its own, while they are wanted.
#[derive(Clone, Default)]
struct Looking {
    is_wanted: Arc<AtomicBool>,
    found: Arc<Mutex<Option<Vec<Found>>>>,
}

impl Looking {
    fn start() -> Self {
        let looking = Self::default();
        let it = looking.clone();
        thread::spawn(move || {
            loop {
                if it.is_wanted.load(Ordering::Relaxed) {
                    if let (Ok(nodes), Ok(mut found)) = (find::all(), it.found.lock()) {
                        *found = Some(nodes);
                    }
                }
                thread::sleep(NODES);
            }
        });
        looking
    }

    /// What was found since it was asked last.
    fn take(&self, is_wanted: bool) -> Option<Vec<Found>> {
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
        self.found.lock().ok()?.take()
    }
}

fn show(
    state: &mut State,
    terminal: &mut ratatui::DefaultTerminal,
    ends: &AtomicBool,
    interval: Duration,
) -> io::Result<()> {
    let colours = Colours::of_environment();
    let mut asking = Asking::start();
    let looking = Looking::start();
    let (mut due, mut has_changed) = (Instant::now(), true);
    while !state.ends && !ends.load(Ordering::Relaxed) {
        if Instant::now() >= due {
            asking.ask(state);
            due = Instant::now() + interval;
        }
        has_changed |= asking.take(state);
        if let Some(found) = looking.take(state.tab == Tab::Nodes) {
            state.nodes = found;
            has_changed = true;
        }
        if std::mem::take(&mut has_changed) {
            terminal.draw(|frame| draw(frame, state, colours))?;
        }
        if event::poll(LOOK)? {
            has_changed = true;
            if let Event::Key(key) = event::read()? {
                if state.press(key) {
                    due = Instant::now();
                }
            }
        }
    }
    Ok(())
}
