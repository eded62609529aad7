//! What a run has measured.

use std::time::Duration;

use super::Plan;
use crate::process::Belongings;

/// What the feed has of the system.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    mappings: usize,
    descriptors: usize,
    resident: usize,
}

/// The resident memory of this process, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).expect("it is a number of KiB")
}

impl Sample {
    fn now() -> Self {
        let now = Belongings::now();
        Self { mappings: now.mapped(), descriptors: now.descriptors(), resident: resident() }
    }
}

/// The middle of what is not empty.
fn median<T: Ord + Copy>(all: impl IntoIterator<Item = T>) -> T {
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_unstable();
    all[all.len() / 2]
}

/// A run so far.
#[derive(Debug, Default)]
pub(super) struct Figures {
    samples: Vec<Sample>,
    /// How long it took until a killed reader held nothing, from the signal on.
    pub(super) back: Vec<Duration>,
    /// What they held, in bytes.
    pub(super) leased: Vec<usize>,
    /// Readers that were killed before they held anything.
    pub(super) early: usize,
    pub(super) broadcasts: u64,
    /// Turns without a broadcast, since the arena had no room.
    pub(super) full: u64,
}

impl Figures {
    pub(super) fn sample(&mut self, after: Duration) {
        let now = Sample::now();
        let Sample { mappings, descriptors, resident } = now;
        println!(
            "{:>4.0} s: {} kills, {} broadcasts; {mappings} mappings, {descriptors} descriptors, \
             {} MiB resident",
            after.as_secs_f64(),
            self.leased.len() + self.early,
            self.broadcasts,
            resident / 1024
        );
        self.samples.push(now);
    }

    /// Prints them, and holds that nothing has grown.
    pub(super) fn hold(&self, plan: Plan) {
        let Self { back, leased, early, broadcasts, full, .. } = self;
        let worst = back.iter().max().expect("readers were killed");
        println!(
            "seed {}: {} readers were killed that held payloads ({} KiB, the median), and {early} \
             before; {broadcasts} broadcasts, and {full} turns without room for one\n\
             what a killed reader held is back after {:.1?} (median), {worst:.1?} (worst)",
            plan.seed,
            leased.len(),
            median(leased.iter().copied()) / 1024,
            median(back.iter().copied()),
        );
        if !plan.is_long {
            return;
        }
        // A long run is asked for on a machine that can do it. A short one asserts no time.
        assert!(*worst < Duration::from_secs(1), "it took {worst:?} until the payloads were back");
        // The first tenth is the warm-up.
        let samples = &self.samples[self.samples.len() / 10..];
        let third = samples.len() / 3;
        assert!(third > 0, "{} samples are too few", samples.len());
        let (first, last) = (&samples[..third], &samples[samples.len() - third..]);
        let flat = |what: &str, of: fn(&Sample) -> usize, more: usize| {
            let [first, last] = [first, last].map(|it| median(it.iter().map(of)));
            println!("{what}: {first} in the first third, {last} in the last");
            assert!(last <= first + more, "{what} grew from {first} to {last}");
        };
        // At each moment some links are being made or ended. What a kill leaves behind counts a
        // thousand times in five minutes: one mapping, one descriptor, or 16 KiB for each.
        flat("mappings", |it| it.mappings, plan.readers);
        flat("descriptors", |it| it.descriptors, 2 * plan.readers);
        flat("resident KiB", |it| it.resident, 16 * 1024);
    }
}
