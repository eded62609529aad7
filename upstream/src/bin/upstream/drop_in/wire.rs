//! A stock node and a node of the fork, in two processes.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::work::{CRATES, Work, ensure, succeed, words};
use crate::Failure;

/// What the calling node prints at its end.
const DONE: &str = "drop-in: 21 doubled over the wire is 42";

pub(super) fn prove(work: &Work<'_>) -> Result<(), Failure> {
    let root = &work.repository.root;
    let patch = work.patch(&CRATES, |name| format!("path = {:?}", root.join(name)));
    let stock = build(work, "stock node", "")?;
    let fork = build(work, "forked node", &patch)?;
    for (server, caller) in [(&stock, &fork), (&fork, &stock)] {
        let mut node = Node::start(server)?;
        let port = node.port()?;
        let said = words(&succeed(Command::new(caller).args(["call", &port]))?);
        ensure(said.contains(DONE), format!("{} did not finish:\n{said}", caller.display()))?;
    }
    Ok(())
}

fn build(work: &Work<'_>, name: &str, patch: &str) -> Result<PathBuf, Failure> {
    let app = work.application(name, patch)?;
    succeed(&mut work.sharing(&app, &["build", "--features=cluster"]))?;
    let lock = std::fs::read_to_string(app.join("Cargo.lock"))?;
    let forked = lock.contains("+mycelium");
    ensure(forked != patch.is_empty(), format!("the {name} took the wrong ractor"))?;
    let program = work.path(&format!("{name} program"));
    std::fs::copy(work.built("drop-in-app"), &program)?;
    Ok(program)
}

/// A serving process, which ends with its standard input, and is killed if it does not.
struct Node(Child);

impl Node {
    fn start(program: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    fn port(&mut self) -> Result<String, Failure> {
        let output = self.0.stdout.take().ok_or("its output is not piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure(!line.trim().is_empty(), "the serving node printed no port")?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
