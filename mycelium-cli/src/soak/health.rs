//! What processes hold, and what is left of them.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// What a process holds at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// In bytes.
    pub(crate) resident: u64,
    /// The most that was resident at any time of the process, in bytes.
    pub(crate) peak: u64,
    pub(crate) open_files: u64,
}

impl Sample {
    /// `None` where the system does not tell, or the process has ended.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let bytes = |name| {
            let kilobytes = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: u64 = kilobytes.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kilobytes * 1024)
        };
        let open_files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64;
        Some(Self { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")?, open_files })
    }
}

impl Sample {
    /// Whether it has no more open files than `before`, but for connections under way.
    pub(crate) fn holds_no_more_files_than(&self, before: &Self) -> bool {
        self.open_files <= before.open_files + FILES_SLACK
    }
}

/// What a process that lasts held over the whole run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<(Duration, Sample)>);

/// Connections that may be under way when all are there.
const FILES_SLACK: u64 = 8;

/// Medians of the quarters of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trend(pub(crate) [Sample; 4]);

impl Trend {
    /// How much memory grew beyond a tenth since all had been started for a while, in bytes.
    pub(crate) fn growth(&self) -> u64 {
        let [_, early, _, late] = &self.0;
        late.resident.saturating_sub(early.resident + early.resident / 10)
    }

    /// Whether open files stayed where they were when all had been started for a while.
    pub(crate) fn files_are_flat(&self) -> bool {
        let [_, early, _, late] = &self.0;
        late.holds_no_more_files_than(early)
    }
}

impl Samples {
    pub(crate) fn push(&mut self, at: Duration, sample: Sample) {
        self.0.push((at, sample));
    }

    /// The last one.
    pub(crate) fn last(&self) -> Option<Sample> {
        self.0.last().map(|it| it.1)
    }

    /// The most that was resident, in bytes.
    pub(crate) fn peak(&self) -> Option<u64> {
        self.0.iter().map(|it| it.1.peak).max()
    }

    /// `None` when there are too few.
    pub(crate) fn trend(&self) -> Option<Trend> {
        let end = self.0.last()?.0;
        let median = |quarter: u32| {
            let (from, to) = (end * quarter / 4, end * (quarter + 1) / 4);
            let within = |it: &&(Duration, Sample)| it.0 >= from && it.0 <= to;
            let samples: Vec<Sample> = self.0.iter().filter(within).map(|it| it.1).collect();
            let middle = |mut numbers: Vec<u64>| {
                numbers.sort_unstable();
                numbers.get(numbers.len() / 2).copied()
            };
            Some(Sample {
                resident: middle(samples.iter().map(|it| it.resident).collect())?,
                peak: samples.iter().map(|it| it.peak).max()?,
                open_files: middle(samples.iter().map(|it| it.open_files).collect())?,
            })
        };
        Some(Trend([median(0)?, median(1)?, median(2)?, median(3)?]))
    }
}

/// What can be left behind outside of processes.
#[derive(Debug)]
pub(crate) struct Surroundings {
    shared_memory: Vec<String>,
}

impl Surroundings {
    /// As they are before anything is started.
    pub(crate) fn now() -> Self {
        Self { shared_memory: names(Path::new("/dev/shm")) }
    }

    /// What is there now and was not: files and sockets in the runtime folder of the processes,
    /// segments of shared memory that are Mycelium's (links by shared memory have none with a
    /// name), processes that have that folder, and children of this process, those that have ended
    /// and were not waited for included.
    pub(crate) fn left(&self, folder: &Path) -> Vec<String> {
        let segments = names(Path::new("/dev/shm")).into_iter().filter(|name| {
            // Those of another node of this machine have another name than ours; new ones in the
            // folder of the whole machine may be anybody's.
            name.contains("mycelium") && !self.shared_memory.contains(name)
        });
        let segments = segments.map(|name| format!("shared memory {name}"));
        let files = files(folder).into_iter().map(|name| format!("file {name}"));
        files.chain(segments).chain(processes(folder)).chain(children()).collect()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path()),
            _ => vec![entry.path().display().to_string()],
        })
        .collect()
}

/// Processes whose environment names the folder.
fn processes(folder: &Path) -> Vec<String> {
    let variable = format!("XDG_RUNTIME_DIR={}", folder.display());
    let ours = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
    };
    let ours = names(Path::new("/proc")).into_iter().filter(ours);
    ours.map(|pid| format!("process {pid}")).collect()
}

/// The children of this process.
fn children() -> Vec<String> {
    let ours = |pid: &String| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        parent.is_some_and(|parent| parent.trim() == std::process::id().to_string())
    };
    let ours = names(Path::new("/proc")).into_iter().filter(ours);
    ours.map(|pid| format!("child process {pid}")).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn samples(resident: impl Fn(u64) -> u64) -> Samples {
        let mut samples = Samples::default();
        for second in 0..100 {
            let (resident, open_files) = (resident(second), 10 + second / 50 * 9);
            let sample = Sample { resident, peak: resident, open_files };
            samples.push(Duration::from_secs(second), sample);
        }
        samples
    }

    #[test]
    fn growth_at_the_beginning_is_none() {
        let mut trend = samples(|second| second.min(20) << 20).trend().expect("there are enough");
        assert_eq!(trend.0.map(|it| it.resident >> 20), [12, 20, 20, 20]);
        assert!(!trend.files_are_flat(), "nine more files are open at the end");
        trend.0[3].open_files -= 1;
        assert!(trend.files_are_flat());
        assert_eq!(trend.growth(), 0);
        let trend = samples(|second| second << 20).trend().expect("there are enough");
        let [early, late] = [trend.0[1].resident, trend.0[3].resident];
        assert_eq!(late - early, 50 << 20, "it grows by 50 MiB");
        assert_eq!(trend.growth(), (50 << 20) - early / 10);
    }

    #[test]
    fn too_few_samples_have_no_trend() {
        assert_eq!(Samples::default().trend(), None);
    }

    #[test]
    fn what_is_left_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = Surroundings::now();
        assert_eq!(before.left(folder.path()), Vec::<String>::new());
        fs::create_dir(folder.path().join("mycelium")).expect("a folder");
        fs::write(folder.path().join("mycelium/socket"), "").expect("a file");
        let left = before.left(folder.path());
        assert!(left.len() == 1 && left[0].ends_with("mycelium/socket"), "{left:?}");
        fs::remove_file(folder.path().join("mycelium/socket")).expect("it is there");
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).spawn().expect("a child is started");
        if cfg!(target_os = "linux") {
            assert_eq!(before.left(folder.path()), [format!("child process {}", child.id())]);
        }
        drop(child.stdin.take());
        child.wait().expect("it ends");
        assert_eq!(before.left(folder.path()), Vec::<String>::new());
        assert!(Sample::of(std::process::id()).is_none_or(|sample| sample.resident > 0));
    }
}
