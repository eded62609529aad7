//! A node in a process of its own, which does what it is told by lines.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Failure;
use crate::drop_in::work::ensure;

/// The application, built with one of the two.
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
}

/// A node, which ends with its standard input, and is killed if it does not.
pub(super) struct Node {
    pub(super) name: &'static str,
    /// Where it listens.
    pub(super) port: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Node {
    pub(super) fn start(program: &Program, name: &'static str) -> Result<Self, Failure> {
        let mut command = Command::new(&program.path);
        command.args(["node", name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("its input is not piped")?;
        let output = BufReader::new(child.stdout.take().ok_or("its output is not piped")?);
        let mut node = Self { name, port: String::new(), child, input, output };
        node.port = node.hear("start")?;
        Ok(node)
    }

    /// Has it do something.
    pub(super) fn tell(&mut self, command: &str) -> Result<(), Failure> {
        Ok(writeln!(self.input, "{command}")?)
    }

    /// What it says to that.
    pub(super) fn hear(&mut self, command: &str) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match line.trim_end().split_once(' ').unwrap_or((line.trim_end(), "")) {
            ("ok", answer) => Ok(answer.to_owned()),
            _ => Err(format!("{}: `{command}` was answered by {line:?}", self.name).into()),
        }
    }

    /// Both, and what it says is this.
    pub(super) fn expect(&mut self, command: &str, answer: &str) -> Result<(), Failure> {
        self.tell(command)?;
        let heard = self.hear(command)?;
        ensure(heard == answer, format!("{}: `{command}` gave {heard:?}", self.name))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
