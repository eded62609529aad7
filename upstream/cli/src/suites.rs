//! `cargo upstream test`: our tests, and upstream's own on the patched sources, for every
//! feature set that matters.

mod alone;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::repository::Repository;
use crate::{Failure, export};
use alone::{Failures, TIMES};

/// Where lines for a person go: standard output, or standard error where that carries JSON.
pub(crate) type Say = fn(&str);

/// One run of `cargo test`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Suite {
    name: &'static str,
    place: Place,
    arguments: &'static [&'static str],
    /// What it runs beyond that where our own tests are: in this workspace.
    ours: &'static [&'static str],
}

/// Where a suite runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In this workspace.
    Workspace,
    /// In the exported sources: upstream's compile-fail cases compare file names and line
    /// numbers, which only upstream's own layout has.
    Export,
}

/// The sets that upstream's own CI tests on its main branch, each but for `ractor` with
/// `tokio_runtime,message_span_propogation`, which are its defaults; then sets that it does not
/// test and users have (`actor-macros`, the cluster with `blanket_serde`); and then our own crates.
///
/// Where a set differs from another one in few lines, only the tests that those can reach run: the
/// crate's own, and for the cluster those of two processes. Upstream's sets run their doctests
/// once, with the default features.
const SUITES: [Suite; 22] = [
    Suite::here("ractor", &["-p", "ractor"]),
    Suite::here("ractor cluster,monitors", &["-p", "ractor", "--features", "cluster,monitors"]),
    Suite::here("ractor cluster", &["-p", "ractor", "--features", "cluster", "--lib"]),
    Suite::here("ractor monitors", &["-p", "ractor", "--features", "monitors", "--lib"]),
    Suite::here("ractor async-trait", &["-p", "ractor", "--features", "async-trait"]),
    Suite::here("ractor output-port-v2", &["-p", "ractor", "--features", "output-port-v2"]),
    Suite::here("ractor blanket_serde", &["-p", "ractor", "--features", "blanket_serde"]),
    Suite {
        name: "ractor actor-macros",
        place: Place::Export,
        arguments: &["-p", "ractor", "--features", "actor-macros"],
        ours: &[],
    },
    Suite::here(
        "ractor tokio_runtime",
        &["-p", "ractor", "--no-default-features", "--features", "tokio_runtime", "--lib"],
    ),
    Suite::here(
        "ractor async-std, with spans",
        &[
            "-p",
            "ractor",
            "--no-default-features",
            "--features",
            "async-std,message_span_propogation",
        ],
    ),
    Suite::here(
        "ractor async-std",
        &["-p", "ractor", "--no-default-features", "--features", "async-std", "--lib"],
    ),
    Suite::here(
        "ractor async-std,async-trait",
        &["-p", "ractor", "--no-default-features", "--features", "async-std,async-trait", "--lib"],
    ),
    Suite::here("ractor_cluster", &["-p", "ractor_cluster"]),
    Suite::here(
        "ractor_cluster async-trait,monitors",
        &["-p", "ractor_cluster", "--features", "async-trait,monitors"],
    ),
    Suite::here(
        "ractor_cluster async-trait",
        &["-p", "ractor_cluster", "--features", "async-trait", "--lib"],
    )
    .and(&["--test", "links"]),
    Suite::here(
        "ractor_cluster without spans",
        &["-p", "ractor_cluster", "--no-default-features", "--lib"],
    )
    .and(&["--test", "links"]),
    Suite::here(
        "ractor_cluster blanket_serde",
        &["-p", "ractor_cluster", "--features", "ractor/blanket_serde", "--lib"],
    )
    .and(&["--test", "links"]),
    Suite::here(
        "ractor_cluster blanket_serde,async-trait",
        &["-p", "ractor_cluster", "--features", "ractor/blanket_serde,async-trait", "--lib"],
    )
    .and(&["--test", "links"]),
    Suite::here("ractor_cluster_derive", &["-p", "ractor_cluster_derive"]),
    Suite::here(
        "mycelium",
        &[
            "--workspace",
            "--exclude=ractor",
            "--exclude=ractor_cluster",
            "--exclude=ractor_cluster_derive",
            // They would have all others built for simulation.
            "--exclude=mycelium-simulation",
            "--exclude=mycelium-guide",
            // No other package switches these on.
            "--features=mycelium-examples/membership,mycelium-examples/metrics,mycelium-examples/otel,mycelium-examples/spinning,mycelium-examples/tls,mycelium-examples/view",
        ],
    ),
    // Without the cluster feature, which the rest of the workspace switches on. After the set that
    // waits longest, in which time this one is built.
    Suite::here("mycelium-ext", &["-p", "mycelium-ext"]),
    Suite::here("mycelium-simulation", &["-p", "mycelium-simulation", "-p", "mycelium-guide"]),
];

impl Suite {
    const fn here(name: &'static str, arguments: &'static [&'static str]) -> Self {
        Self { name, place: Place::Workspace, arguments, ours: &[] }
    }

    const fn and(self, ours: &'static [&'static str]) -> Self {
        Self { ours, ..self }
    }
}

/// Builds once and for all: neither debug information nor incremental state, which take most of
/// the room of a target folder.
pub(crate) fn sparing(cargo: &mut Command) {
    cargo.envs([("CARGO_INCREMENTAL", "0"), ("CARGO_PROFILE_DEV_DEBUG", "0")]);
}

/// How many tests of one binary run at a time, at least. Upstream's spend nearly all of their time
/// in sleep, and would do so one after the other where processors are few; those that must not
/// meet say so themselves (`serial_test`).
const THREADS: usize = 8;

/// Tells a test binary how many tests it may run at once, unless the user did.
fn side_by_side(cargo: &mut Command) {
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        cargo.env("RUST_TEST_THREADS", processors.max(THREADS).to_string());
    }
}

/// What came of a suite.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    ignored: usize,
    /// Tests of upstream that failed beside others, and passed by themselves.
    alone: usize,
    /// Whether cargo was content; a suite that does not compile fails without a failed test.
    pub(crate) succeeded: bool,
    took: Duration,
}

pub(crate) fn run(
    repository: &Repository,
    only: Option<&str>,
    list: bool,
) -> Result<bool, Failure> {
    let chosen: Vec<Suite> = SUITES
        .into_iter()
        .filter(|suite| only.is_none_or(|only| suite.name.contains(only)))
        .collect();
    if chosen.is_empty() {
        return Err("no set has that in its name; `cargo upstream test --list` names them".into());
    }
    if list {
        for suite in chosen {
            println!(
                "{}: cargo test {}",
                suite.name,
                [suite.arguments, suite.ours].concat().join(" ")
            );
        }
        return Ok(true);
    }
    let exported = repository.scratch("export");
    if chosen.iter().any(|suite| suite.place == Place::Export) {
        export::refresh(repository, &exported)?;
    }
    let placed = chosen.into_iter().map(|suite| match suite.place {
        Place::Workspace => (suite, repository.root.as_path()),
        Place::Export => (suite, exported.as_path()),
    });
    let outcomes = run_all(repository, &placed.collect::<Vec<_>>(), |line| println!("{line}"))?;
    Ok(outcomes.iter().all(|outcome| outcome.succeeded))
}

/// Runs upstream's sets, and not our own crates', in exported sources.
pub(crate) fn run_exported(
    repository: &Repository,
    exported: &Path,
    say: Say,
) -> Result<Vec<Outcome>, Failure> {
    let upstreams = SUITES.into_iter().filter(|suite| !suite.name.starts_with("mycelium"));
    run_all(repository, &upstreams.map(|suite| (suite, exported)).collect::<Vec<_>>(), say)
}

/// Runs these in turn, each in its folder.
fn run_all(
    repository: &Repository,
    suites: &[(Suite, &Path)],
    say: Say,
) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    let mut ahead = None;
    for (index, (suite, folder)) in suites.iter().enumerate() {
        let next = suites.get(index + 1).map(|(suite, folder)| suite.ahead(repository, folder));
        outcomes.push(suite.run(repository, folder, &mut ahead, next, say)?);
    }
    print(&outcomes, say);
    Ok(outcomes)
}

impl Suite {
    /// Runs once the build `ahead`, which is this suite's, is done; and begins the build `next` as
    /// soon as its own is, leaving it in `ahead`.
    fn run(
        self,
        repository: &Repository,
        folder: &Path,
        ahead: &mut Option<Child>,
        mut next: Option<Command>,
        say: Say,
    ) -> Result<Outcome, Failure> {
        say(&format!("\n== {}", self.name));
        let started = Instant::now();
        if let Some(mut build) = ahead.take() {
            // If it failed, so does the run, which says why.
            build.wait()?;
        }
        let mut command = self.command(cargo(), repository, folder);
        command.args(["--", "--quiet"]).stdout(Stdio::piped());
        side_by_side(&mut command);
        let mut child =
            command.spawn().map_err(|error| format!("cargo does not start: {error}"))?;
        let mut outcome = Outcome {
            name: self.name,
            passed: 0,
            failed: 0,
            ignored: 0,
            alone: 0,
            succeeded: false,
            took: Duration::ZERO,
        };
        let mut failures = Failures::default();
        let output = child.stdout.take().ok_or("cargo's output is not piped")?;
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            // Tests speak here, and cargo elsewhere: what it builds is built.
            if let Some(mut build) = next.take() {
                // Where it does not start, the next suite builds for itself.
                *ahead = build.spawn().ok();
            }
            outcome.count(&line);
            failures.read(&line);
            say(&line);
        }
        outcome.succeeded = child.wait()?.success();
        if let Some(names) = failures.of_upstream(repository, outcome.failed)? {
            if self.pass_alone(repository, folder, names, say)? {
                outcome.alone = std::mem::take(&mut outcome.failed);
                outcome.passed += outcome.alone;
                outcome.succeeded = true;
            }
        }
        outcome.took = started.elapsed();
        Ok(outcome)
    }

    /// Whether each of these unit tests passes by itself, several times in a row.
    fn pass_alone<'a>(
        self,
        repository: &Repository,
        folder: &Path,
        names: impl IntoIterator<Item = &'a String>,
        say: Say,
    ) -> Result<bool, Failure> {
        for name in names {
            say(&format!("\n== {}: {name} by itself, {TIMES} times", self.name));
            for _ in 0..TIMES {
                let mut command = self.command(cargo(), repository, folder);
                if !self.arguments.contains(&"--lib") {
                    command.arg("--lib");
                }
                let output = command.args(["--", "--exact", name]).output()?;
                let text = String::from_utf8_lossy(&output.stdout);
                if !output.status.success() || !text.contains("test result: ok. 1 passed") {
                    say(&text);
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Builds the suite and runs nothing. Most tests wait most of the time; the build gets what
    /// they leave of the processors, so that those that measure time are not kept from it.
    fn ahead(self, repository: &Repository, folder: &Path) -> Command {
        let mut nice = Command::new("nice");
        nice.args(["-n", "19"]).arg(cargo().get_program());
        let mut command = self.command(nice, repository, folder);
        command.arg("--no-run").stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// `cargo test` for this suite by `cargo`, without the arguments after `--`.
    fn command(self, mut cargo: Command, repository: &Repository, folder: &Path) -> Command {
        cargo.current_dir(folder).arg("test").args(self.arguments).arg("--no-fail-fast");
        if self.place == Place::Export || folder != repository.root {
            cargo.env("CARGO_TARGET_DIR", target_for(folder, repository));
            sparing(&mut cargo);
        } else {
            cargo.args(self.ours);
        }
        cargo
    }
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The target folder for the exported sources in `folder`: the user's, in which the workspace's
/// suites have compiled most of it already, or else one beside the sources. Never one around
/// them: the compile-fail cases would take their own paths for the target folder's.
fn target_for(folder: &Path, repository: &Repository) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map(PathBuf::from)
        .filter(|target| target.is_absolute() && !folder.starts_with(target))
        .unwrap_or_else(|| repository.scratch("export-target"))
}

impl Outcome {
    /// Adds up a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn count(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in counts.split(['.', ';']) {
            if let Some((number, kind)) = part.trim().split_once(' ') {
                let number = number.parse().unwrap_or(0);
                match kind {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.ignored += number,
                    _ => {}
                }
            }
        }
    }
}

fn print(outcomes: &[Outcome], say: Say) {
    say(&format!("\n{:<38} {:>7} {:>7} {:>8} {:>7}", "set", "passed", "failed", "ignored", "time"));
    for outcome in outcomes {
        say(&format!(
            "{:<38} {:>7} {:>7} {:>8} {:>5} s{}{}",
            outcome.name,
            outcome.passed,
            outcome.failed,
            outcome.ignored,
            outcome.took.as_secs(),
            if outcome.succeeded { "" } else { "  FAILED" },
            match outcome.alone {
                0 => String::new(),
                count => format!("  {count} of upstream's passed only by itself"),
            },
        ));
    }
    let passed: usize = outcomes.iter().map(|outcome| outcome.passed).sum();
    let failed: usize = outcomes.iter().map(|outcome| outcome.failed).sum();
    // A set that does not compile counts as one failure at least.
    let broken = outcomes.iter().filter(|o| !o.succeeded && o.failed == 0).count();
    say(&format!("\n{passed} passed, {} failed", failed + broken));
}
