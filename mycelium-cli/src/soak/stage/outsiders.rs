//! What a stage has to do with outsiders, and what it knows of the cost.

use std::time::{Duration, Instant};

use ractor::errors::UndeliveredCause;

use super::super::chaos::Pair;
use super::super::crew::{Order, Outsider, Task};
use super::super::health::Samples;
use super::super::record::Record;
use super::Stage;

/// How long a link may take to be made again.
const COMING_BACK: Duration = Duration::from_secs(2);

/// The reason of a call that came back unsent.
const NO_LINK: &str = UndeliveredCause::NoReason.name();

const OUTSIDERS: [Outsider; 2] = [Outsider::Hostile, Outsider::Stranger];

impl Stage {
    /// Lets an outsider attack from here on.
    ///
    /// # Errors
    /// A sentence that names what does not work.
    pub(in super::super) fn let_in(&mut self, by: Outsider, only: &[String]) -> Result<(), String> {
        let task = Task::Attack { seed: self.seed, by, only: only.to_owned() };
        self.start_process(by.name(), false, task, Some(by))?;
        self.misdeeds.entry((by, String::new())).or_default();
        let names: Vec<String> = self.seats.iter().map(|seat| seat.name.clone()).collect();
        names.iter().for_each(|name| self.tell_outsiders(name));
        Ok(())
    }

    /// Lets the attacks end.
    pub(in super::super) fn turn_out(&mut self) {
        for outsider in OUTSIDERS {
            if let Some(member) = self.members.get_mut(outsider.name()) {
                member.finished = true;
                member.process.dismiss();
            }
        }
    }

    /// Tells outsiders where a feed listens now, if it does.
    pub(super) fn tell_outsiders(&self, name: &str) {
        let member = self.members.get(name);
        let Some((address, pid)) = member
            .map_or(Some((None, 0)), |member| Some((Some(member.address?), member.process.pid)))
        else {
            return;
        };
        for outsider in OUTSIDERS {
            if let Some(outsider) = self.members.get(outsider.name()) {
                let name = name.to_owned();
                outsider.process.order(Order::Target { name, address, pid });
            }
        }
    }

    /// Notes what an outsider did.
    pub(super) fn note_misdeed(&mut self, by: Outsider, count: u64, kind: String, at: &str) {
        let seconds = self.begin.elapsed().as_secs_f64();
        eprintln!("{seconds:8.1} s  {}: {count} {kind} at {at}", by.name());
        *self.misdeeds.entry((by, kind)).or_default() += count;
    }

    /// Notes what a member noticed of itself, if it lasts.
    pub(super) fn note_cost(&mut self, name: &str, record: Record) {
        if !self.seats.iter().any(|seat| seat.lasts && seat.name == name) {
            return;
        }
        let no_link = |to: &String, reason: &str| {
            let pair = (name.to_owned(), to.clone());
            let until = self.excused.get(&pair).is_some_and(|until| *until > Instant::now());
            until && reason == NO_LINK
        };
        if let Record::CallFailed { to, reason } = &record
            && no_link(to, reason)
        {
            return;
        }
        if let Some(alarm) = self.budgets.alarm(&record) {
            // Beside what outsiders did at that moment.
            eprintln!("{:8.1} s  {name}: {alarm}", self.begin.elapsed().as_secs_f64());
        }
        self.costs.entry(name.to_owned()).or_default().note(record);
    }

    /// Expects no link for so long, and until it is made again: a call by a pinned transport comes
    /// back meanwhile.
    pub(super) fn excuse(&mut self, pair: Pair, pause: Duration) {
        self.excused.insert(pair, Instant::now() + pause + COMING_BACK);
    }

    /// Notes what all hold before the first fault.
    pub(in super::super) fn note_rest_before(&mut self) {
        for (name, samples) in &self.samples {
            self.costs.entry(name.clone()).or_default().rests_before(samples.last());
        }
    }

    /// Notes what all hold after the last fault.
    pub(in super::super) fn note_rest_after(&mut self) {
        for (name, samples) in &self.samples {
            self.costs.entry(name.clone()).or_default().rests_after(samples.last());
        }
    }

    /// Whether no member that lasts holds more files and tasks than before the first fault.
    pub(in super::super) fn is_at_rest(&self) -> bool {
        let now = |name| self.samples.get(name).and_then(Samples::last);
        self.costs.iter().all(|(name, cost)| cost.is_at_rest(now(name)))
    }
}
