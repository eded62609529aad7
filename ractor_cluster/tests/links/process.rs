//! A node in a process of its own, which ends with its standard input, and is killed when it does not.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use libtest_mimic::Failed;

/// How a node is started.
#[derive(Clone, Copy)]
pub struct Options {
    location: &'static str,
    unix: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { location: "auto", unix: true }
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
