//! The nodes that are attacked.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use ractor_cluster::transport::unix::runtime_folder;

/// Where a node listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) pid: u32,
}

impl Target {
    /// Its Unix socket, if it has one.
    pub(super) fn socket(&self) -> Option<PathBuf> {
        let first = format!("{}-", self.pid);
        sockets().into_iter().find(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            name.is_some_and(|name| name.starts_with(&first))
        })
    }
}

/// The nodes that listen at present, by name. One that is killed keeps its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Targets(BTreeMap<String, Option<Target>>);

impl Targets {
    pub(super) fn set(&mut self, name: String, target: Option<Target>) {
        self.0.insert(name, target);
    }

    /// The one that a number chooses, with its name, if it listens now.
    pub(super) fn choose(&self, number: usize) -> (String, Option<Target>) {
        let chosen = self.0.iter().nth(number % self.0.len().max(1));
        chosen.map_or_else(|| ("nobody".to_owned(), None), |(name, it)| (name.clone(), *it))
    }
}

/// The Unix sockets of all nodes of the soak, which have a folder of their own.
pub(super) fn sockets() -> Vec<PathBuf> {
    let entries = fs::read_dir(runtime_folder()).into_iter().flatten().map_while(Result::ok);
    let mut sockets: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    sockets.retain(|path| path.extension().is_some_and(|it| it == "sock"));
    sockets.sort();
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_gone_keeps_its_place() {
        let mut targets = Targets::default();
        assert_eq!(targets.choose(3).1, None);
        let target = |pid| Some(Target { address: ([127, 0, 0, 1], 1).into(), pid });
        targets.set("feed-0".to_owned(), target(1));
        targets.set("feed-1".to_owned(), target(2));
        assert_eq!((targets.choose(2).1, targets.choose(3).1), (target(1), target(2)));
        targets.set("feed-0".to_owned(), None);
        assert_eq!(targets.choose(2), ("feed-0".to_owned(), None));
        assert_eq!(targets.choose(3).1, target(2));
    }
}
