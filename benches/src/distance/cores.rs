//! Which processors the processes may use.

use std::process::{Command, Stdio};

use super::Failure;

/// A way to start a process.
#[derive(Debug, Clone)]
pub(super) struct Cores {
    pub(super) label: &'static str,
    /// As `taskset` takes it; `None` leaves the choice to the system.
    list: Option<String>,
}

impl Cores {
    /// One core, and two, as far as there are so many and `taskset` to pin to them; and why not.
    pub(super) fn all() -> (Vec<Self>, Option<String>) {
        let cores = match allowed() {
            Ok(cores) => cores,
            Err(error) => {
                let anywhere = Self { label: "any", list: None };
                let why =
                    format!("nothing is pinned to cores, since taskset does not run: {error}");
                return (vec![anywhere], Some(why));
            }
        };
        let pinned = |label, count: usize| {
            let list: Vec<_> = cores.get(..count)?.iter().map(usize::to_string).collect();
            Some(Self { label, list: Some(list.join(",")) })
        };
        let all: Vec<_> =
            [pinned("1 core", 1), pinned("2 cores", 2)].into_iter().flatten().collect();
        let why = (all.len() < 2).then(|| "there are no two cores to pin to".to_owned());
        (all, why)
    }

    /// Whether there are two to pin to.
    pub(super) fn are_two(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.contains(','))
    }

    /// A command that runs `program` there.
    pub(super) fn command(&self, program: &std::path::Path) -> Command {
        match &self.list {
            None => Command::new(program),
            Some(list) => {
                let mut command = Command::new("taskset");
                command.args(["-c", list]).arg(program);
                command
            }
        }
    }
}

/// The cores that this process may use.
fn allowed() -> Result<Vec<usize>, Failure> {
    let own = std::process::id().to_string();
    let output =
        Command::new("taskset").args(["-c", "-p", &own]).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8(output.stdout)?;
    let list = said.rsplit(':').next().filter(|_| output.status.success());
    parse(list.unwrap_or_default()).ok_or_else(|| format!("it said {said:?}").into())
}

/// `0,2-4` as numbers.
fn parse(list: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cores.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(cores)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_list_of_cores_has_ranges() {
        assert_eq!(parse(" 0,2-4\n"), Some(vec![0, 2, 3, 4]));
        assert_eq!(parse("7"), Some(vec![7]));
        assert_eq!(parse(""), None);
    }
}
