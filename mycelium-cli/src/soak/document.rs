//! The outcome of a soak, for programs. The guide's page `json.md` has each field.

use std::collections::BTreeMap;

use serde::Serialize;

use super::budgets::Cost;
use super::health::Trend;
use super::report::Outcome;

/// All of an outcome.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    passed: bool,
    interrupted: bool,
    /// More digits than a number of JSON has in many programs.
    seed: String,
    seconds: u64,
    faults: &'a BTreeMap<&'static str, u64>,
    balance: BalanceRow<'a>,
    shown: ShownRow,
    misdeeds: Vec<Misdeed<'a>>,
    members: Vec<MemberRow<'a>>,
    wrong: Vec<String>,
}

/// What became of the messages: all but `sent` are together as many as `sent`.
#[derive(Debug, Serialize)]
struct BalanceRow<'a> {
    sent: u64,
    delivered: u64,
    rejected: &'a BTreeMap<String, u64>,
    dead_letters: &'a BTreeMap<String, u64>,
    replaced: u64,
    unacknowledged: u64,
    killed: u64,
    missing: u64,
}

/// What the views of processes showed at their ends, and the book was compared with.
#[derive(Debug, Serialize)]
struct ShownRow {
    readers: u64,
    sessions: u64,
    otherwise: u64,
    missing_frames: u64,
}

#[derive(Debug, Serialize)]
struct Misdeed<'a> {
    by: &'static str,
    what: &'a str,
    count: u64,
}

/// What a process that lasts had to bear.
#[derive(Debug, Serialize)]
struct MemberRow<'a> {
    name: &'a str,
    rise_bytes: Option<u64>,
    resident_bytes: Option<[u64; 4]>,
    open_files: Option<[u64; 4]>,
    stall_us: u64,
    computing_us: u64,
    calls: u64,
    slowest_call_us: u64,
    failed_calls: u64,
    log_lines: u64,
}

impl<'a> From<&'a Outcome> for Document<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let balance = &outcome.balance;
        let wrong = outcome.wrong();
        let did = outcome.misdeeds.iter().filter(|((_, what), _)| !what.is_empty());
        Self {
            passed: wrong.is_empty() && !outcome.interrupted,
            interrupted: outcome.interrupted,
            seed: outcome.seed.to_string(),
            seconds: outcome.seconds,
            faults: &outcome.faults,
            balance: BalanceRow {
                sent: balance.sent,
                delivered: balance.delivered,
                rejected: &balance.rejected,
                dead_letters: &balance.dead_letters,
                replaced: balance.replaced,
                unacknowledged: balance.unacknowledged,
                killed: balance.killed,
                missing: balance.missing,
            },
            shown: ShownRow {
                readers: balance.shown_readers,
                sessions: balance.shown_sessions,
                otherwise: balance.shown_otherwise,
                missing_frames: balance.shown_missing,
            },
            misdeeds: did
                .map(|((by, what), count)| Misdeed { by: by.name(), what, count: *count })
                .collect(),
            members: outcome.costs.iter().map(|(name, cost)| member(name, cost)).collect(),
            wrong,
        }
    }
}

fn member<'a>(name: &'a str, cost: &Cost) -> MemberRow<'a> {
    let quarters = cost.trend.map(|Trend(quarters)| quarters);
    MemberRow {
        name,
        rise_bytes: cost.rise(),
        resident_bytes: quarters.map(|it| it.map(|quarter| quarter.resident)),
        open_files: quarters.map(|it| it.map(|quarter| quarter.open_files)),
        stall_us: cost.health.stall,
        computing_us: cost.health.computing,
        calls: cost.health.calls,
        slowest_call_us: cost.health.slowest,
        failed_calls: cost.failed(),
        log_lines: cost.lines(),
    }
}
