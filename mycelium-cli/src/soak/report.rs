//! What a soak tells at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::account::Balance;
use super::budgets::{Budgets, Cost};
use super::chaos::Faults;
use super::crew::Outsider;
use super::health::Trend;

/// All that came of a soak.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    pub(crate) interrupted: bool,
    pub(crate) faults: Faults,
    pub(crate) balance: Balance,
    /// How often outsiders did what; every outsider of the run did nothing at least once.
    pub(crate) misdeeds: BTreeMap<(Outsider, String), u64>,
    pub(crate) budgets: Budgets,
    /// How long the processes ran, with starting and counting.
    pub(crate) ran: Duration,
    /// Of each process that lasts.
    pub(crate) costs: BTreeMap<String, Cost>,
    /// What went wrong beside messages.
    pub(crate) complaints: Vec<String>,
    /// What is left behind.
    pub(crate) left: Vec<String>,
}

impl Outcome {
    /// All that is not as it should be.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> = Vec::new();
        if self.balance.delivered == 0 {
            wrong.push("no message was delivered".to_owned());
        }
        let faults = self.balance.faults();
        wrong.extend(faults.iter().map(|(name, count)| format!("{count} messages {name}")));
        wrong.extend(self.balance.where_missing.iter().map(|it| format!("missing: {it}")));
        for (name, cost) in &self.costs {
            wrong.extend(cost.excesses(name, &self.budgets, (!self.misdeeds.is_empty(), self.ran)));
            wrong.extend(cost.kept(name));
            // What strangers have open comes and goes; without them there is nothing of the kind.
            let trend = cost.trend.filter(|_| self.misdeeds.is_empty());
            if trend.is_some_and(|trend| !trend.files_are_flat()) {
                wrong.push(format!("{name} has more and more open files"));
            }
        }
        wrong.extend(self.idle_outsiders());
        wrong.extend(self.complaints.iter().cloned());
        wrong.extend(self.left.iter().map(|it| format!("left behind: {it}")));
        wrong
    }

    /// The attackers that did not attack: then the soak shows nothing. One that was interrupted
    /// early shows nothing either way.
    fn idle_outsiders(&self) -> Vec<String> {
        let outsiders: BTreeSet<Outsider> = self.misdeeds.keys().map(|(by, _)| *by).collect();
        let did = |outsider: Outsider| -> u64 {
            self.misdeeds.iter().filter(|((by, _), _)| *by == outsider).map(|it| it.1).sum()
        };
        let idle = outsiders.into_iter().filter(|it| did(*it) == 0 && !self.interrupted);
        idle.map(|outsider| format!("the {} did nothing", outsider.name())).collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let balance = &self.balance;
        let faults: Vec<String> =
            self.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "{} s with seed {}: {}", self.seconds, self.seed, faults.join(", "))?;
        let rejected: u64 = balance.rejected.values().sum();
        let reasons: Vec<String> =
            balance.rejected.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        writeln!(f)?;
        row(f, "sent", balance.sent, "one to ten readers counts ten times")?;
        row(f, "delivered", balance.delivered, "")?;
        row(f, "rejected", rejected, &reasons.join(", "))?;
        row(
            f,
            "dead letters",
            balance.dead_letters.values().sum(),
            "reached no actor of a reader's process",
        )?;
        for (reason, count) in &balance.dead_letters {
            row(f, &format!("  {reason}"), *count, "")?;
        }
        row(
            f,
            "replaced",
            balance.replaced,
            "by later ones of their key, in a mailbox that conflates",
        )?;
        row(f, "unacknowledged", balance.unacknowledged, "reported by a session that ended")?;
        row(f, "killed", balance.killed, "under way from, to or in a process that was killed")?;
        row(f, "missing", balance.missing, "")?;
        writeln!(f)?;
        row(f, "shown readers", balance.shown_readers, "handled as many as noted, by the view")?;
        row(f, "shown sessions", balance.shown_sessions, "miss no frame, by the view")?;
        writeln!(f)?;
        for ((by, kind), count) in self.misdeeds.iter().filter(|((_, kind), _)| !kind.is_empty()) {
            row(f, &format!("{} ", by.name()), *count, kind)?;
        }
        if !self.misdeeds.is_empty() {
            writeln!(f)?;
        }
        for (name, cost) in &self.costs {
            match cost.trend {
                Some(Trend(quarters)) => {
                    write!(f, "{name:8} held")?;
                    quarters
                        .iter()
                        .try_for_each(|it| write!(f, " {:8.1}", mebibytes(it.resident)))?;
                    f.write_str(" MiB, and")?;
                    quarters.iter().try_for_each(|it| write!(f, " {:3}", it.open_files))?;
                    f.write_str(" files, in the quarters from start to end\n")?;
                }
                None => writeln!(f, "{name:8} held an unknown number")?,
            }
        }
        for (name, cost) in &self.costs {
            writeln!(f, "{name:8} {cost}")?;
        }
        let wrong = self.wrong();
        let partial = if self.interrupted { "Interrupted, and partial: " } else { "" };
        if wrong.is_empty() {
            return writeln!(
                f,
                "\n{partial}PASS: every message is accounted for, and nothing is left"
            );
        }
        writeln!(f, "\n{partial}FAIL:")?;
        wrong.iter().try_for_each(|it| writeln!(f, "  {it}"))
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, count: u64, more: &str) -> fmt::Result {
    let line = format!("{name:16}{count:>12}  {more}");
    writeln!(f, "{}", line.trim_end())
}

fn mebibytes(bytes: u64) -> f64 {
    // Whole kibibytes are far below what a float holds exactly.
    (bytes / 1024) as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            seed: 7,
            seconds: 20,
            interrupted: false,
            faults: Faults::from([("killed", 3)]),
            balance: Balance {
                sent: 10,
                delivered: 6,
                rejected: [("no_reason".to_owned(), 1)].into(),
                dead_letters: [("full".to_owned(), 2)].into(),
                killed: 1,
                ..Balance::default()
            },
            misdeeds: BTreeMap::from([((Outsider::Stranger, "drip".to_owned()), 4)]),
            budgets: super::super::budgets::tests::defaults(),
            ran: Duration::from_secs(20),
            costs: BTreeMap::from([("feed-0".to_owned(), Cost::default())]),
            complaints: Vec::new(),
            left: Vec::new(),
        }
    }

    #[test]
    fn it_passes_when_all_adds_up_and_tells_each_part() {
        let text = outcome().to_string();
        assert!(text.contains("PASS") && text.contains("no_reason 1") && text.contains("3 killed"));
        let row = |name: &str, count: &str| {
            let mut words = text.lines().map(str::split_whitespace);
            words.any(|mut words| words.next() == Some(name) && words.next() == Some(count))
        };
        assert!(row("full", "2") && row("killed", "1"), "{text}");
    }

    #[test]
    fn each_kind_of_wrong_fails_it() {
        let wrong: [fn(&mut Outcome); 5] = [
            |it| it.balance.missing = 1,
            |it| it.balance.sent = 11,
            |it| it.balance.delivered = 0,
            |it| it.complaints.push("a process ended".to_owned()),
            |it| it.left.push("file socket".to_owned()),
        ];
        for spoil in wrong {
            let mut outcome = outcome();
            spoil(&mut outcome);
            assert!(outcome.to_string().contains("FAIL"), "{outcome}");
        }
    }
}
