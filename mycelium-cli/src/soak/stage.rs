//! All that runs in a soak: processes, relays, and the book.

mod outsiders;

use std::collections::BTreeMap;
use std::future::pending;
use std::mem;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep_until;

use super::account::Account;
use super::budgets::{Budgets, Cost};
use super::chaos::{Fault, Faults, Pair};
use super::crew::{Order, Outsider, READERS, Role, Seat, Start, Task, crew};
use super::health::{Sample, Samples};
use super::process::{News, Process};
use super::record::Record;
use super::relay::Relay;
use super::report::Outcome;
use crate::demo::signals::Signals;

/// News that wait to be read; a process that has more waits, too.
const NEWS: usize = 4096;

/// Between two looks at what processes hold.
const LOOK: Duration = Duration::from_secs(1);

/// What is said of complaints beyond this is that there are more.
const MOST_COMPLAINTS: usize = 20;

/// A soak that runs.
pub(super) struct Stage {
    seed: u64,
    budgets: Budgets,
    cookie: String,
    folder: PathBuf,
    seats: Vec<Seat>,
    relays: BTreeMap<Pair, Relay>,
    members: BTreeMap<String, Member>,
    incarnations: u64,
    sender: Sender<(u64, News)>,
    news: Receiver<(u64, News)>,
    signals: Option<Signals>,
    pub(super) interrupted: bool,
    /// Whether who ends is not started again.
    closing: bool,
    remedies: Vec<(Instant, Remedy)>,
    begin: Instant,
    next_look: Instant,
    samples: BTreeMap<String, Samples>,
    /// Of the members that last.
    costs: BTreeMap<String, Cost>,
    account: Account,
    faults: Faults,
    /// Until when a feed may have no link to a process.
    excused: BTreeMap<Pair, Instant>,
    /// What outsiders did, by who and what.
    misdeeds: BTreeMap<(Outsider, String), u64>,
    complaints: Vec<String>,
}

/// A process in its present incarnation.
struct Member {
    incarnation: u64,
    process: Process,
    killed: bool,
    finished: bool,
    /// Where it listens, where it said so.
    address: Option<SocketAddr>,
    /// `None`: it is a member of the crew.
    outsider: Option<Outsider>,
}

/// What ends a fault.
enum Remedy {
    Continue(String, u64),
    Release(Pair),
    Admit(Pair),
}

impl Stage {
    /// Starts all of it.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(super) async fn open(
        seed: u64,
        budgets: Budgets,
        folder: &Path,
        signals: Signals,
    ) -> Result<Self, String> {
        let (sender, news) = channel(NEWS);
        let seats = crew();
        let names = |feed: bool| {
            let of_role = move |seat: &&Seat| (seat.role == Role::Feed) == feed;
            seats.iter().filter(of_role).map(|seat| seat.name.clone())
        };
        let mut relays = BTreeMap::new();
        for feed in names(true) {
            for reader in names(false) {
                let relay = Relay::open().await.map_err(|error| format!("a relay: {error}"))?;
                relays.insert((feed.clone(), reader), relay);
            }
        }
        let now = Instant::now();
        let mut stage = Self {
            seed,
            budgets,
            cookie: format!("{:032x}", rand::random::<u128>()),
            folder: folder.to_owned(),
            relays,
            members: BTreeMap::new(),
            incarnations: 0,
            sender,
            news,
            signals: Some(signals),
            interrupted: false,
            closing: false,
            remedies: Vec::new(),
            begin: now,
            next_look: now,
            samples: BTreeMap::new(),
            costs: BTreeMap::new(),
            account: Account::default(),
            faults: Faults::new(),
            excused: BTreeMap::new(),
            misdeeds: BTreeMap::new(),
            complaints: Vec::new(),
            seats,
        };
        for seat in stage.seats.clone() {
            stage.start(&seat)?;
        }
        Ok(stage)
    }

    fn start(&mut self, seat: &Seat) -> Result<(), String> {
        let elsewhere = seat.role == Role::Far;
        let task = match seat.role {
            Role::Feed => {
                let names = |which: &dyn Fn(&Seat) -> bool| {
                    let those = self.seats.iter().filter(|seat| which(seat));
                    those.map(|seat| seat.name.clone()).collect::<Vec<_>>()
                };
                let elsewhere = names(&|other| other.role == Role::Far);
                // Both ends of a call last: nothing excuses its failure.
                let calls = names(&|other| seat.lasts && other.lasts && other.role != Role::Feed);
                Task::Send { seed: self.seed, elsewhere, calls }
            }
            Role::Near | Role::Far => {
                let ours = self.relays.iter().filter(|((_, reader), _)| *reader == seat.name);
                let feeds = ours.map(|((feed, _), relay)| (feed.clone(), relay.address)).collect();
                Task::Read { feeds, elsewhere }
            }
        };
        self.start_process(&seat.name, seat.lasts, task, None)
    }

    fn start_process(
        &mut self,
        name: &str,
        lasts: bool,
        task: Task,
        outsider: Option<Outsider>,
    ) -> Result<(), String> {
        self.incarnations += 1;
        let incarnation = self.incarnations;
        let cookie = self.cookie.clone();
        let start = Start { name: name.to_owned(), incarnation, cookie, lasts, task };
        let process = Process::start(&start, &self.folder, self.sender.clone())?;
        let (killed, finished, address) = (false, false, None);
        let member = Member { incarnation, process, killed, finished, address, outsider };
        self.members.insert(name.to_owned(), member);
        Ok(())
    }

    /// Lets it run until `done` says so, and says whether it does; by `deadline` at the latest.
    pub(super) async fn run_until(
        &mut self,
        deadline: Instant,
        done: impl Fn(&Self) -> bool,
    ) -> bool {
        while !done(self) {
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            self.remedy(|at| at <= now);
            if self.next_look <= now {
                self.look(now);
            }
            let remedies = self.remedies.iter().map(|(at, _)| *at);
            let wake = remedies.chain([deadline, self.next_look]).min().unwrap_or(deadline);
            let signals = &mut self.signals;
            tokio::select! {
                Some((incarnation, news)) = self.news.recv() => self.hear(incarnation, news),
                () = sleep_until(wake.into()) => {}
                () = signalled(signals) => {
                    self.interrupted = true;
                    if let Some(signals) = self.signals.take() {
                        signals.end_at_the_next();
                    }
                }
            }
        }
        true
    }

    fn hear(&mut self, incarnation: u64, news: News) {
        let known = self.members.iter_mut().find(|(_, it)| it.incarnation == incarnation);
        let Some((name, member)) = known else { return };
        let name = name.clone();
        match news {
            News::Noted(Record::Misdeed { count, kind, at }) => {
                if let Some(outsider) = member.outsider {
                    self.note_misdeed(outsider, count, kind, &at);
                }
            }
            News::Noted(
                record @ (Record::Health(_) | Record::CallFailed { .. } | Record::Lines { .. }),
            ) => self.note_cost(&name, record),
            News::Noted(record) => {
                if let Record::Ready(Some(address)) = record {
                    member.address = Some(address);
                    self.tell_outsiders(&name);
                    self.relays_of(&name).for_each(|relay| relay.lead_to(Some(address)));
                } else if record == Record::Finished {
                    member.finished = true;
                }
                if let Err(error) = self.account.note(incarnation, record) {
                    self.complain(format!("{name}: {error}"));
                }
            }
            News::Garbled(error) => self.complain(format!("{name}: {error}")),
            News::Ended(status) => self.ended(&name, status),
        }
    }

    /// All relays that lead to a feed.
    fn relays_of(&self, feed: &str) -> impl Iterator<Item = &Relay> {
        self.relays.iter().filter(move |((to, _), _)| to == feed).map(|(_, relay)| relay)
    }

    fn ended(&mut self, name: &str, status: Option<ExitStatus>) {
        let Some(member) = self.members.remove(name) else { return };
        self.relays_of(name).for_each(|relay| relay.lead_to(None));
        self.tell_outsiders(name);
        let how = status.map_or_else(|| "in an unknown way".to_owned(), |it| it.to_string());
        if let Some(outsider) = member.outsider {
            // It was told to, and holds no messages.
            if !member.finished || !status.is_some_and(|status| status.success()) {
                self.complain(format!("the {} ended by itself: {how}", outsider.name()));
            }
            return;
        }
        if member.killed {
            self.account.killed(member.incarnation);
        } else if !self.closing || !status.is_some_and(|status| status.success()) {
            self.complain(format!("{name} ended by itself: {how}"));
            // What it held is explained; that it ended is not.
            self.account.killed(member.incarnation);
        }
        if self.closing {
            return;
        }
        let seat = self.seats.iter().find(|seat| seat.name == name).cloned();
        if let Some(Err(error)) = seat.map(|seat| self.start(&seat)) {
            self.complain(error);
        }
    }

    fn look(&mut self, now: Instant) {
        self.next_look = now + LOOK;
        for seat in self.seats.iter().filter(|seat| seat.lasts) {
            let sample = self.members.get(&seat.name).and_then(|it| Sample::of(it.process.pid));
            if let Some(sample) = sample {
                let samples = self.samples.entry(seat.name.clone()).or_default();
                samples.push(now - self.begin, sample);
            }
        }
    }

    /// Lets something go wrong.
    pub(super) fn commit(&mut self, fault: Fault) {
        eprintln!("{:8.1} s  {fault}", self.begin.elapsed().as_secs_f64());
        *self.faults.entry(fault.kind()).or_default() += 1;
        let now = Instant::now();
        match fault {
            Fault::Kill(name) => self.kill(&name),
            Fault::Stop(name, pause) => {
                if let Some(member) = self.members.get(&name) {
                    member.process.signal(Signal::STOP);
                    let remedy = Remedy::Continue(name, member.incarnation);
                    self.remedies.push((now + pause, remedy));
                }
            }
            Fault::Cut(pair) => {
                let _ = self.relays.get(&pair).map(Relay::cut);
                self.excuse(pair, Duration::ZERO);
            }
            Fault::Hold(pair, pause) => {
                let _ = self.relays.get(&pair).map(|relay| relay.hold(true));
                self.remedies.push((now + pause, Remedy::Release(pair)));
            }
            Fault::Part(pair, pause) => {
                let _ = self.relays.get(&pair).map(|relay| relay.part(true));
                self.excuse(pair.clone(), pause);
                self.remedies.push((now + pause, Remedy::Admit(pair)));
            }
            Fault::CloseLink((feed, peer)) => {
                if let Some(feed) = self.members.get(&feed) {
                    feed.process.order(Order::CloseLink { peer });
                }
            }
        }
    }

    fn kill(&mut self, name: &str) {
        if let Some(member) = self.members.get_mut(name) {
            member.killed = true;
            member.process.signal(Signal::KILL);
        }
    }

    /// Ends faults that are to end now.
    fn remedy(&mut self, due: impl Fn(Instant) -> bool) {
        let (now, later) = mem::take(&mut self.remedies).into_iter().partition(|(at, _)| due(*at));
        self.remedies = later;
        let now: Vec<(Instant, Remedy)> = now;
        for (_, remedy) in now {
            match remedy {
                Remedy::Continue(name, incarnation) => {
                    let member = self.members.get(&name);
                    if let Some(member) = member.filter(|it| it.incarnation == incarnation) {
                        member.process.signal(Signal::CONT);
                    }
                }
                Remedy::Release(pair) => {
                    let _ = self.relays.get(&pair).map(|relay| relay.hold(false));
                }
                Remedy::Admit(pair) => {
                    let _ = self.relays.get(&pair).map(|relay| relay.part(false));
                }
            }
        }
    }

    /// Ends all faults.
    pub(super) fn calm(&mut self) {
        self.remedy(|_| true);
    }

    /// Which feed does not reach which readers, for people. Empty when all is connected.
    pub(super) fn unreached(&self) -> Vec<String> {
        let everybody = self.seats.iter().filter(|seat| seat.role != Role::Feed);
        let feeds = self.seats.iter().filter(|seat| seat.role == Role::Feed);
        let reach = feeds.flat_map(|feed| {
            everybody.clone().chain([feed]).map(move |reader| (&feed.name, &reader.name))
        });
        let missing = reach.filter(|(feed, reader)| {
            let (feed, reader) = (self.members.get(*feed), self.members.get(*reader));
            let (Some(feed), Some(reader)) = (feed, reader) else { return true };
            let readers: Vec<_> = (0..READERS).map(|index| (reader.incarnation, index)).collect();
            !self.account.not_reached(feed.incarnation, &readers).is_empty()
        });
        missing.map(|(feed, reader)| format!("{feed} does not reach {reader}")).collect()
    }

    pub(super) fn order(&self, whom: impl Fn(Role) -> bool, order: &Order) {
        for seat in self.seats.iter().filter(|seat| whom(seat.role)) {
            if let Some(member) = self.members.get(&seat.name) {
                member.process.order(order.clone());
            }
        }
    }

    /// Whether all feeds have finished.
    pub(super) fn finished(&self) -> bool {
        let feeds = self.seats.iter().filter(|seat| seat.role == Role::Feed);
        feeds.into_iter().all(|feed| self.members.get(&feed.name).is_some_and(|it| it.finished))
    }

    /// Lets all processes end.
    pub(super) fn dismiss(&mut self) {
        self.closing = true;
        for member in self.members.values() {
            member.process.dismiss();
        }
    }

    pub(super) fn kill_all(&mut self) {
        for name in self.members.keys().cloned().collect::<Vec<_>>() {
            self.kill(&name);
        }
    }

    /// Whether all processes have ended.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Notes that something is wrong.
    pub(super) fn complain(&mut self, complaint: String) {
        if self.complaints.len() < MOST_COMPLAINTS {
            self.complaints.push(complaint);
        } else if self.complaints.len() == MOST_COMPLAINTS {
            self.complaints.push("and more".to_owned());
        }
    }

    /// What came of it.
    pub(super) fn close(mut self, seconds: u64, left: Vec<String>) -> Outcome {
        for seat in self.seats.iter().filter(|seat| seat.lasts) {
            let cost = self.costs.entry(seat.name.clone()).or_default();
            let samples = self.samples.get(&seat.name);
            cost.trend = samples.and_then(Samples::trend);
            cost.peak = samples.and_then(Samples::peak).unwrap_or_default();
        }
        Outcome {
            budgets: self.budgets,
            ran: self.begin.elapsed(),
            seed: self.seed,
            seconds,
            interrupted: self.interrupted,
            faults: self.faults,
            balance: self.account.balance(),
            costs: self.costs,
            misdeeds: self.misdeeds,
            complaints: self.complaints,
            left,
        }
    }
}

/// Waits for a signal, if there is still one to wait for. Cancel safe.
async fn signalled(signals: &mut Option<Signals>) {
    match signals {
        Some(signals) => signals.wait().await,
        None => pending().await,
    }
}
