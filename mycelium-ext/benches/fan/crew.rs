//! A feed and its readers' processes. They end with the bench: their standard input does.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::report::Sample;

/// Above what any answer takes; only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(150);

/// A process of the crew. Dropped, it is killed.
struct Member {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.stdin.take());
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A running crew. The feed is the first.
pub(crate) struct Crew {
    members: Vec<Member>,
    /// Lines of the members, with their numbers; `None` when one has ended.
    lines: Receiver<(usize, Option<String>)>,
    sender: Sender<(usize, Option<String>)>,
    readers: usize,
}

impl Crew {
    /// Starts a feed, and so many processes with so many readers each, and waits until they have
    /// found each other.
    ///
    /// # Errors
    /// A process does not start, ends, or hangs.
    pub(crate) fn start(
        program: &Path,
        way: &str,
        processes: usize,
        readers: usize,
    ) -> Result<Self, String> {
        let (sender, lines) = channel();
        let mut crew = Self { members: Vec::new(), lines, sender, readers };
        crew.add(program, &["feed", way, &processes.to_string(), &readers.to_string()])?;
        let address = crew.answer_of(0)?;
        for number in 0..processes {
            let arguments = ["readers", way, &number.to_string(), &address, &readers.to_string()];
            crew.add(program, &arguments)?;
        }
        for member in 0..=processes {
            match crew.answer_of(member)?.as_str() {
                "there" => {}
                other => return Err(format!("{way}: a process said {other:?}")),
            }
        }
        Ok(crew)
    }

    fn add(&mut self, program: &Path, arguments: &[&str]) -> Result<(), String> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("starting {}: {error}", program.display()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("no pipe")?;
        let (number, sender) = (self.members.len(), self.sender.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                _ = sender.send((number, Some(line)));
            }
            _ = sender.send((number, None));
        });
        self.members.push(Member { child, stdin });
        Ok(())
    }

    fn tell(&mut self, member: usize, order: &str) -> Result<(), String> {
        let stdin = self.members[member].stdin.as_mut().ok_or("it has no input")?;
        writeln!(stdin, "{order}").map_err(|error| format!("process {member}: {error}"))
    }

    /// What a member says next. Of the others nothing is expected meanwhile.
    fn answer_of(&mut self, member: usize) -> Result<String, String> {
        let mut answers = self.answers(member..member + 1)?;
        answers.pop().ok_or_else(|| "no answer".to_owned())
    }

    /// A line of each of these members.
    fn answers(&mut self, of: std::ops::Range<usize>) -> Result<Vec<String>, String> {
        let mut answers = vec![None; of.len()];
        while answers.iter().any(Option::is_none) {
            match self.lines.recv_timeout(PATIENCE) {
                Ok((number, Some(line))) => match line.strip_prefix("failed: ") {
                    Some(why) => return Err(format!("process {number}: {why}")),
                    None if of.contains(&number) => answers[number - of.start] = Some(line),
                    // It was faster than the others to be there.
                    None => _ = self.sender.send((number, Some(line))),
                },
                Ok((number, None)) => return Err(format!("process {number} ended")),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err("a process hangs".to_owned());
                }
            }
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// The processor time of all, in nanoseconds.
    fn cpu(&mut self) -> Result<u64, String> {
        let all = 0..self.members.len();
        for member in all.clone() {
            self.tell(member, "cpu")?;
        }
        let times = self.answers(all)?;
        times.iter().map(|time| time.parse::<u64>().map_err(|_| format!("{time:?}"))).sum()
    }

    /// Has the feed send messages of a size for so long.
    ///
    /// # Errors
    /// A reader saw something else than what was sent, or a process ended or hangs.
    pub(crate) fn run(
        &mut self,
        size: usize,
        window: u64,
        milliseconds: u64,
    ) -> Result<Sample, String> {
        let before = self.cpu()?;
        self.tell(0, &format!("run {size} {window} {milliseconds}"))?;
        let said = self.answer_of(0)?;
        let cpu = self.cpu()? - before;
        let numbers = said.split_once(' ');
        let numbers = numbers.and_then(|(messages, elapsed)| {
            Some((messages.parse::<f64>().ok()?, elapsed.parse::<f64>().ok()?))
        });
        let (messages, elapsed) = numbers.ok_or_else(|| format!("the feed said {said:?}"))?;
        let deliveries = messages * ((self.members.len() - 1) * self.readers) as f64;
        Ok(Sample { time: elapsed / deliveries, cpu: cpu as f64 / deliveries })
    }
}
