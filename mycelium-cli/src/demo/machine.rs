//! What a report says of the run: machine, versions, command.

use std::env;
use std::fs;
use std::thread;

use super::figures;

/// Where and how a run was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    /// What the system tells of its processor; not all do.
    pub(crate) processor: Option<String>,
    pub(crate) system: String,
    /// Runnable processes in the minute before the run, where the system tells.
    pub(crate) load: Option<String>,
    pub(crate) command: String,
}

impl Machine {
    /// This one, at this moment.
    pub(crate) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).ok();
        let processor = read("/proc/cpuinfo").and_then(|text| processor(&text));
        let kernel = read("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = read("/proc/loadavg");
        Self {
            cores: thread::available_parallelism().map_or(1, usize::from),
            processor,
            system: format!("{} {} {}", env::consts::OS, kernel.trim(), env::consts::ARCH),
            load: load.and_then(|text| Some(text.split_whitespace().next()?.to_owned())),
            command: command(env::args()),
        }
    }

    /// In a sentence.
    pub(crate) fn words(&self) -> String {
        let processor = self.processor.as_deref().unwrap_or("processor unknown");
        let load = self
            .load
            .as_ref()
            .map_or(String::new(), |load| format!("; load before the run {load}"));
        format!(
            "mycelium {}, ractor {}, {} build; {} cores, {processor}, {}{load}",
            env!("CARGO_PKG_VERSION"),
            ractor_version(patches::PINS).unwrap_or("of unknown version"),
            if cfg!(debug_assertions) { "debug" } else { "release" },
            figures::count(self.cores as u64),
            self.system,
        )
    }
}

/// The release of ractor that the fork is made from.
fn ractor_version(pins: &str) -> Option<&str> {
    let (_, pin) = pins.split_once("[crates.ractor]\n")?;
    let line = pin.lines().find(|line| line.trim_start().starts_with("version"))?;
    Some(line.split_once('=')?.1.trim().trim_matches('"'))
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The command as it was given, without the folder of the program.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = arguments.collect();
    if let Some(program) = words.first_mut() {
        *program = program.rsplit('/').next().unwrap_or_default().to_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_no_folder_of_this_machine() {
        let words = ["/home/me/target/mycelium", "demo", "--payload", "1M"];
        assert_eq!(command(words.map(str::to_owned).into_iter()), "mycelium demo --payload 1M");
    }

    #[test]
    fn processor_and_version_are_found_where_they_stand() {
        let cpuinfo = "processor\t: 0\nmodel name\t: A processor @ 3 GHz\n";
        assert_eq!(processor(cpuinfo).as_deref(), Some("A processor @ 3 GHz"));
        assert_eq!(processor("cpu: 0\n"), None);
        let version = ractor_version(patches::PINS).expect("it is pinned");
        assert!(version.starts_with(|it: char| it.is_ascii_digit()), "{version}");
    }
}
