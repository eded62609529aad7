//! A near process and a far one.

use std::time::Duration;

use tempfile::TempDir;

use super::Failure;
use super::apps::Apps;
use super::case::Contender;
use super::cores::Cores;
use super::relay::Relay;
use crate::process::Process;

/// How long a process may take to say something, beside what it was told to take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both processes. They end when it is dropped, and are killed if they do not.
#[derive(Debug)]
pub(super) struct Pair {
    near: Process,
    _far: Process,
    /// What the near one is connected by, in a pass that counts bytes.
    relay: Option<Relay>,
    /// Where the socket is; the far process removes it, unless it does not come to that.
    _folder: TempDir,
}

impl Pair {
    /// Starts both, and waits until they are connected.
    pub(super) fn start(
        apps: &Apps,
        contender: &Contender,
        cores: &Cores,
    ) -> Result<Self, Failure> {
        Self::start_by(apps, contender, cores, false)
    }

    /// The same, with a relay in between that counts bytes.
    pub(super) fn start_relayed(
        apps: &Apps,
        contender: &Contender,
        cores: &Cores,
    ) -> Result<Self, Failure> {
        Self::start_by(apps, contender, cores, true)
    }

    fn start_by(
        apps: &Apps,
        contender: &Contender,
        cores: &Cores,
        relayed: bool,
    ) -> Result<Self, Failure> {
        // Not below cargo's folder: the path of a socket has to be short.
        let folder = tempfile::Builder::new().prefix("distance-").tempdir()?;
        let place = folder.path().to_str().ok_or("the folder has a strange name")?.to_owned();
        let program = apps.program(contender.build);
        let start = |role, place: &str| {
            let mut command = cores.command(program);
            command.args([role, contender.way, place]);
            Process::start(command)
        };
        let mut far = start("far", &place)?;
        let mut address = far.line(PATIENCE)?;
        let relay = match relayed {
            true => {
                // Behind the address stands what else is to be known.
                let (at, more) = address.split_once(' ').unwrap_or((&address, ""));
                let relay = Relay::open(at.parse()?)?;
                address = format!("{} {more}", relay.address).trim_end().to_owned();
                Some(relay)
            }
            false => None,
        };
        let mut near = start("near", &address)?;
        let said = near.line(PATIENCE)?;
        if said != "connected" {
            return Err(format!("the near process said {said:?}").into());
        }
        Ok(Self { near, _far: far, relay, _folder: folder })
    }

    /// The bytes that went through the relay so far.
    pub(super) fn relayed(&self) -> u64 {
        self.relay.as_ref().map_or(0, Relay::bytes)
    }

    /// Has the near process do something for a time, and returns its answer.
    pub(super) fn order(&mut self, order: &str, time: Duration) -> Result<String, Failure> {
        self.near.order(order, PATIENCE + time)
    }
}
