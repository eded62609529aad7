//! Three nodes, traffic between all of them, and faults that a seed draws: what must hold whatever
//! the faults were.
//!
//! | variable | effect |
//! |---|---|
//! | `MYCELIUM_SEEDS` | how many seeds are run; 40 without it |
//! | `MYCELIUM_SEED` | this seed alone is run, and its trace printed |
//!
//! A process simulates one seed at a time, so the test runs its own binary once for each core.

mod account;
mod faults;
mod scene;

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

use scene::Outcome;

/// How many seeds are run by default: a test of the workspace is to take seconds.
const SEEDS: u64 = 40;

/// Which part of the seeds a child runs: `from,step,count`.
const PART: &str = "MYCELIUM_SIMULATION_PART";

/// What a child prints in front of a digest.
const DIGEST: &str = "digest";

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

fn part() -> Option<[u64; 3]> {
    let part = env::var(PART).ok()?;
    let numbers: Vec<u64> = part.split(',').map(|it| it.parse().unwrap()).collect();
    Some(numbers.try_into().unwrap())
}

fn check(seed: u64) {
    let Outcome { violations, .. } = scene::run(seed);
    assert!(
        violations.is_empty(),
        "seed {seed}: {}\nrepeat it with its trace:\n    \
         MYCELIUM_SEED={seed} cargo test -p mycelium-simulation --test seeds -- --nocapture\n",
        violations.join("\n    ")
    );
}

#[test]
fn what_must_hold_holds_for_all_seeds() {
    if let Some(seed) = number("MYCELIUM_SEED") {
        let Outcome { trace, digest, .. } = scene::run(seed);
        println!("{trace}{DIGEST} {digest}");
        return check(seed);
    }
    let seeds = number("MYCELIUM_SEEDS").unwrap_or(SEEDS);
    let workers = available_parallelism().map_or(1, |cores| cores.get() as u64).min(seeds);
    let start = |worker| {
        let part = format!("{worker},{workers},{seeds}");
        Worker(child("some_seeds", &part).spawn().expect("it is this binary"))
    };
    let workers: Vec<_> = (0..workers).map(start).collect();
    let failed = workers.into_iter().map(Worker::has_succeeded).filter(|has| !has).count();
    assert_eq!(failed, 0, "a seed has failed: see above");
}

#[test]
#[ignore = "it is a part of `what_must_hold_holds_for_all_seeds`"]
fn some_seeds() {
    let [from, step, count] = part().expect("it is run by the other test");
    (from..count).step_by(step as usize).for_each(check);
}

/// The digest of a seed, as another process has it.
fn digest_elsewhere(seed: u64) -> String {
    let child = child("a_digest", &format!("{seed},1,1")).stderr(Stdio::inherit()).output();
    let output = String::from_utf8(child.unwrap().stdout).unwrap();
    let digest = output.lines().find_map(|line| line.split_once(DIGEST));
    digest.unwrap_or_else(|| panic!("{output}")).1.trim().to_owned()
}

#[test]
#[ignore = "it is a part of `a_seed_repeats_bit_for_bit`"]
fn a_digest() {
    let [seed, ..] = part().expect("it is run by the other test");
    println!("\n{DIGEST} {}", scene::run(seed).digest);
}

#[test]
fn a_seed_repeats_bit_for_bit() {
    for seed in [3, 4, 5, 9] {
        let (first, second) = (scene::run(seed), scene::run(seed));
        for (one, other) in first.events.iter().zip(&second.events) {
            assert_eq!(one, other, "of seed {seed}");
        }
        assert_eq!(first.digest, second.digest);
        assert_eq!(first.digest.to_string(), digest_elsewhere(seed));
        assert_ne!(first.digest, scene::run(seed + 2).digest);
    }
}
