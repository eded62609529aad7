//! What faults and attacks may cost the members that last, and what they did cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use clap::Args;

use super::health::{Sample, Trend};
use super::record::{Health, Record};

/// Bounds whose excess fails the soak. They hold for each member that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
#[group(skip)]
#[command(next_help_heading = "Budgets of the members that last")]
pub(crate) struct Budgets {
    /// How much the resident memory may grow, in MiB, beside a tenth of what it was [default: 16,
    /// or 128 where outsiders attack].
    ///
    /// Compares the median of the last quarter with the one of the second: the first quarter is a
    /// warm-up, and buffers and pools reach their size with the worst that happens. What grows on
    /// is a leak. Outsiders flood a member less and more by turns, and the heap keeps the size of
    /// the worst flood so far.
    #[arg(long, value_name = "MIB")]
    pub(crate) max_growth: Option<u64>,
    /// How far the resident memory may rise at any moment, in MiB above what it was before the
    /// first fault.
    ///
    /// Each peer may have a node keep a backlog, a replay window and proxies. All of these have
    /// bounds. A list or a length in a frame that multiplies shows here, although it is gone a
    /// moment later.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    pub(crate) max_peak: u64,
    /// How late the runtime's timer may be, in ms of time in which the process ran.
    ///
    /// A peer that makes a thread of the runtime block, in a system call or on a lock, shows here.
    /// It is generous, since a loaded machine delays threads as well.
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    pub(crate) max_stall: u64,
    /// How long the runtime's thread may compute between two turns of the timer, in ms of processor
    /// time.
    ///
    /// A frame that is much work shows here. A loaded machine does not, so that it can be strict.
    /// Several tasks may have their turn in between.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub(crate) max_computing: u64,
    /// How many calls from one to another may fail, in all.
    ///
    /// Links between them are cut, held and closed, but the sessions last: calls wait for the link
    /// to come back. What outsiders do is not the callers' business.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) max_failed_calls: u64,
    /// How many lines each may log a minute, of the level INFO and above; a minute that has begun
    /// counts whole.
    ///
    /// Peers come and go, which is told. What strangers and refused peers can have logged is
    /// limited by cause; without that limit an attacker fills disks, and hides behind its own
    /// noise.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub(crate) max_lines: u64,
}

impl Budgets {
    /// What to say at once of something that a member noted: half of a budget is gone.
    pub(crate) fn alarm(&self, record: &Record) -> Option<String> {
        match record {
            Record::Health(Health { stall, .. }) if stall / 500 > self.max_stall => {
                Some(format!("a stall of {} ms", stall / 1000))
            }
            Record::Health(Health { computing, .. }) if computing / 500 > self.max_computing => {
                Some(format!("{} ms of computing", computing / 1000))
            }
            Record::CallFailed { to, reason } => Some(format!("a call to {to} failed: {reason}")),
            _ => None,
        }
    }
}

/// Tasks that may be under way when all are there.
const TASKS_SLACK: u64 = 32;

/// What a member that lasts has had to bear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// What it held when all were connected, before the first fault.
    pub(crate) before: Option<Sample>,
    /// And what it holds when all faults have ended.
    pub(crate) after: Option<Sample>,
    /// `None` where the system does not tell.
    pub(crate) trend: Option<Trend>,
    /// The most that was resident at a time, in bytes.
    pub(crate) peak: u64,
    pub(crate) health: Health,
    /// Tasks before the first fault.
    tasks_before: u64,
    /// And after the last one.
    tasks_after: u64,
    failed: BTreeMap<String, u64>,
    lines: BTreeMap<String, u64>,
}

impl Cost {
    /// Takes what the member noted of itself.
    pub(crate) fn note(&mut self, record: Record) {
        match record {
            Record::Health(health) => {
                self.health.stall = self.health.stall.max(health.stall);
                self.health.computing = self.health.computing.max(health.computing);
                self.health.calls += health.calls;
                self.health.slowest = self.health.slowest.max(health.slowest);
                self.health.tasks = health.tasks;
            }
            Record::CallFailed { to, reason } => {
                *self.failed.entry(format!("to {to}: {reason}")).or_default() += 1;
            }
            Record::Lines { count, place } => *self.lines.entry(place).or_default() += count,
            _ => {}
        }
    }

    /// Notes what it holds before the first fault.
    pub(crate) fn rests_before(&mut self, sample: Option<Sample>) {
        (self.before, self.tasks_before) = (sample, self.health.tasks);
    }

    /// Notes what it holds after the last fault.
    pub(crate) fn rests_after(&mut self, sample: Option<Sample>) {
        (self.after, self.tasks_after) = (sample, self.health.tasks);
    }

    /// Whether it holds, by this sample, no more files and tasks than before the first fault.
    pub(crate) fn is_at_rest(&self, sample: Option<Sample>) -> bool {
        let files = sample.zip(self.before);
        files.is_none_or(|(now, before)| now.holds_no_more_files_than(&before))
            && self.health.tasks <= self.tasks_before + TASKS_SLACK
    }

    /// Sentences about what was not given back when all faults had ended.
    pub(crate) fn kept(&self, name: &str) -> Vec<String> {
        let mut kept = Vec::new();
        if let Some((before, after)) = self.before.zip(self.after)
            && !after.holds_no_more_files_than(&before)
        {
            let (before, after) = (before.open_files, after.open_files);
            kept.push(format!(
                "{name} has {after} open files after all faults, and {before} before"
            ));
        }
        if self.tasks_after > self.tasks_before + TASKS_SLACK {
            let (before, after) = (self.tasks_before, self.tasks_after);
            kept.push(format!("{name} has {after} tasks after all faults, and {before} before"));
        }
        kept
    }

    /// How many of its calls failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.values().sum()
    }

    /// How many lines it logged.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.values().sum()
    }

    /// How far the memory rose, in bytes.
    pub(crate) fn rise(&self) -> Option<u64> {
        Some(self.peak.saturating_sub(self.before?.resident))
    }

    /// Sentences about what exceeds its budget, of a member that was attacked or not.
    pub(crate) fn excesses(
        &self,
        name: &str,
        budgets: &Budgets,
        (attacked, ran): (bool, Duration),
    ) -> Vec<String> {
        let mut excesses = Vec::new();
        let mut exceeds = |what: &str, measured: u64, allowed: u64, unit: &str, option: &str| {
            if measured > allowed {
                excesses.push(format!(
                    "{name} {what}: {measured} {unit}, and its budget is {allowed} ({option})"
                ));
            }
        };
        if let Some(trend) = self.trend {
            let grown = mebibytes_up(trend.growth());
            let what = "holds more and more, beside a tenth";
            let allowed = budgets.max_growth.unwrap_or(if attacked { 128 } else { 16 });
            exceeds(what, grown, allowed, "MiB", "--max-growth");
        }
        if let Some(rise) = self.rise() {
            exceeds("rose in memory", mebibytes_up(rise), budgets.max_peak, "MiB", "--max-peak");
        }
        let late = self.health.stall / 1000;
        exceeds("had a stall", late, budgets.max_stall, "ms", "--max-stall");
        let computing = self.health.computing / 1000;
        exceeds(
            "computed without a turn",
            computing,
            budgets.max_computing,
            "ms",
            "--max-computing",
        );
        let failed = most(&self.failed);
        exceeds(
            &format!("had calls that failed, most {failed}"),
            self.failed(),
            budgets.max_failed_calls,
            "calls",
            "--max-failed-calls",
        );
        let minutes = ran.as_secs().div_ceil(60).max(1);
        exceeds(
            &format!("logged too much in {minutes} min, most at {}", most(&self.lines)),
            self.lines(),
            budgets.max_lines.saturating_mul(minutes),
            "lines",
            "--max-lines",
        );
        excesses
    }
}

/// The most frequent of them, with its count.
fn most(counts: &BTreeMap<String, u64>) -> String {
    let most = counts.iter().max_by_key(|(_, count)| **count);
    most.map_or_else(String::new, |(name, count)| format!("{name} ({count})"))
}

/// In whole MiB, rounded up.
fn mebibytes_up(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Health { stall, computing, calls, slowest, .. } = self.health;
        let rise = self.rise().map_or_else(|| "?".to_owned(), |it| mebibytes_up(it).to_string());
        write!(
            f,
            "+{rise} MiB at most, stall {} ms, computing {} ms, {calls} calls answered (slowest {} ms), \
             {} failed, {} lines",
            stall / 1000,
            computing / 1000,
            slowest / 1000,
            self.failed(),
            self.lines(),
        )
    }
}

#[cfg(test)]
#[path = "budgets/tests.rs"]
pub(crate) mod tests;
