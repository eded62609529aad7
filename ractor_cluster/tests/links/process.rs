//! A node in a process of its own, which ends with its standard input, and is killed when it does
//! not.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;

/// How a node is started.
#[derive(Clone, Copy)]
pub struct Options {
    location: &'static str,
    unix: bool,
    silence: Option<Duration>,
    grace: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self { location: "auto", unix: true, silence: None, grace: None }
    }
}

impl Options {
    /// Where it expects its peers.
    pub fn location(self, location: &'static str) -> Self {
        Self { location, ..self }
    }

    /// Whether it listens at a Unix socket.
    pub fn unix(self, unix: bool) -> Self {
        Self { unix, ..self }
    }

    /// After which silence it closes its links.
    pub fn silence(self, silence: Duration) -> Self {
        Self { silence: Some(silence), ..self }
    }

    /// How long it waits for a link to come back.
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace: Some(grace), ..self }
    }

    /// For its command line; `-` is what a node has by itself.
    fn words(self) -> [String; 2] {
        let millis = |time: Option<Duration>| time.map(|time| time.as_millis().to_string());
        [millis(self.silence), millis(self.grace)]
            .map(|word| word.unwrap_or_else(|| "-".to_owned()))
    }
}

/// A running node.
pub struct Node {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Where it listens.
    pub address: String,
}

impl Node {
    pub fn start(name: &'static str, options: Options) -> Result<Self, Failed> {
        Self::start_by(Command::new(std::env::current_exe()?), name, options, "127.0.0.1")
    }

    /// By a command that leads to this program, listening at an address.
    pub fn start_by(
        mut command: Command,
        name: &'static str,
        options: Options,
        address: &str,
    ) -> Result<Self, Failed> {
        let unix = if options.unix { "unix" } else { "no-unix" };
        let mut child = command
            .args(["node", name, options.location, unix, address])
            .args(options.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut node = Self { name, child, input, output, address: String::new() };
        node.address = node.answer("start")?;
        Ok(node)
    }

    /// Has it do something, and waits for what it says of it.
    pub fn ask(&mut self, command: &str) -> Result<String, Failed> {
        let input = self.input.as_mut().expect("it is taken when the node is dropped");
        writeln!(input, "{command}")?;
        self.answer(command)
    }

    /// Has it end in order.
    pub fn leave(&mut self) -> Result<(), Failed> {
        drop(self.input.take());
        self.child.wait()?;
        Ok(())
    }

    /// Kills it, as a machine does that runs out of memory.
    pub fn kill(&mut self) -> Result<(), Failed> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Suspends it, or lets it go on.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) -> Result<(), Failed> {
        let pid = i32::try_from(self.child.id())?;
        let pid = rustix::process::Pid::from_raw(pid).ok_or("it has no process id")?;
        Ok(rustix::process::kill_process(pid, signal)?)
    }

    fn answer(&mut self, command: &str) -> Result<String, Failed> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match line.trim_end().split_once(' ').unwrap_or((line.trim_end(), "")) {
            ("ok", answer) => Ok(answer.to_owned()),
            _ => Err(format!("{}: `{command}` was answered by {line:?}", self.name).into()),
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.input.take());
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
