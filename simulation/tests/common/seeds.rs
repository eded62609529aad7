//! Runs a scene for many seeds, on all cores, and one seed again.
//!
//! A process simulates one seed at a time, so a test runs its own binary once for each core.
#![allow(unreachable_pub, reason = "each test is a crate")]

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

use mycelium_simulation::{Digest, Event};

/// Which part of the seeds a child runs: `from,step,count`.
const PART: &str = "MYCELIUM_SIMULATION_PART";

/// What a child prints in front of a digest.
const DIGEST: &str = "digest";

/// What a run has come to.
pub struct Outcome {
    pub digest: Digest,
    pub events: Vec<Event>,
    pub trace: String,
    /// What does not hold.
    pub violations: Vec<String>,
}

/// A scene, and how many seeds of it are run.
pub struct Suite {
    /// The name of the test binary.
    pub name: &'static str,
    pub run: fn(u64) -> Outcome,
    /// How many seeds are run by default: a test of the workspace is to take seconds.
    pub seeds: u64,
    /// One of so many seeds of `MYCELIUM_SEEDS` is run.
    pub one_of: u64,
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// A process that does not outlive the test.
struct Worker(Child);

impl Worker {
    fn has_succeeded(mut self) -> bool {
        self.0.wait().expect("it was started").success()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// This binary, which runs the ignored test of this name alone.
fn child(test: &str, part: &str) -> Command {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args([test, "--exact", "--ignored", "--nocapture"]).env(PART, part);
    child
}

fn part() -> [u64; 3] {
    let part = env::var(PART).expect("it is run by the other test");
    let numbers: Vec<u64> = part.split(',').map(|it| it.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

impl Suite {
    fn check(&self, seed: u64) {
        let Outcome { violations, .. } = (self.run)(seed);
        let name = self.name;
        assert!(
            violations.is_empty(),
            "seed {seed}: {}\nrepeat it with its trace:\n    \
             MYCELIUM_SEED={seed} cargo test -p mycelium-simulation --test {name} -- --nocapture\n",
            violations.join("\n    ")
        );
    }

    /// All seeds, by children that run the ignored test `some`; or the one of `MYCELIUM_SEED`.
    pub fn all(&self, some: &str) {
        if let Some(seed) = number("MYCELIUM_SEED") {
            let Outcome { trace, digest, .. } = (self.run)(seed);
            println!("{trace}{DIGEST} {digest}");
            return self.check(seed);
        }
        let seeds = number("MYCELIUM_SEEDS").map(|all| all.div_ceil(self.one_of));
        let seeds = seeds.unwrap_or(self.seeds);
        let workers = available_parallelism().map_or(1, |cores| cores.get() as u64).min(seeds);
        let start = |worker| {
            let part = format!("{worker},{workers},{seeds}");
            Worker(child(some, &part).spawn().expect("it is this binary"))
        };
        let workers: Vec<_> = (0..workers).map(start).collect();
        let failed = workers.into_iter().map(Worker::has_succeeded).filter(|has| !has).count();
        assert_eq!(failed, 0, "a seed has failed: see above");
    }

    /// A part of the seeds.
    pub fn some(&self) {
        let [from, step, count] = part();
        (from..count).step_by(step as usize).for_each(|seed| self.check(seed));
    }

    pub fn print_digest(&self) {
        let [seed, ..] = part();
        println!("\n{DIGEST} {}", (self.run)(seed).digest);
    }

    /// Each of these seeds has the same events and the same digest again, and in another process,
    /// which runs the ignored test `printing`. Another seed has others.
    pub fn repeat(&self, printing: &str, seeds: &[u64]) {
        for seed in seeds.iter().copied() {
            let (first, second) = ((self.run)(seed), (self.run)(seed));
            for (one, other) in first.events.iter().zip(&second.events) {
                assert_eq!(one, other, "of seed {seed}");
            }
            assert_eq!(first.digest, second.digest);
            assert_eq!(first.digest.to_string(), digest_elsewhere(printing, seed));
            assert_ne!(first.digest, (self.run)(seed + 2).digest);
        }
    }
}

/// The digest of a seed, as another process has it.
fn digest_elsewhere(printing: &str, seed: u64) -> String {
    let child = child(printing, &format!("{seed},1,1")).stderr(Stdio::inherit()).output();
    let output = String::from_utf8(child.unwrap().stdout).unwrap();
    // The line of a test that runs for long has the word too.
    let digest = output.lines().find_map(|line| line.strip_prefix(DIGEST)?.strip_prefix(' '));
    digest.unwrap_or_else(|| panic!("{output}")).trim().to_owned()
}
