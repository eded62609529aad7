//! What the hosts of a run have done, and what must hold of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use mycelium_ext::membership::{Incarnation, MemberState};
use mycelium_ext::names::FencingNumber;
use mycelium_ext::singleton::Fence;

use crate::scene::HOSTS;

/// Which start of a host.
pub(crate) type Life = usize;

/// What a number was given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An actor with the name.
    Name,
    /// The actor of the singleton.
    Singleton,
}

/// What a host sees of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    /// Which start of the host.
    pub(crate) life: Life,
    /// The members, by the names of their hosts.
    pub(crate) members: BTreeMap<String, (MemberState, Option<Incarnation>)>,
    /// The hosts with which there are sessions.
    pub(crate) peers: Vec<String>,
    /// Who has the name, and with which number; the same of the singleton.
    pub(crate) holders: BTreeMap<Kind, (String, FencingNumber)>,
}

#[derive(Default)]
struct Inner {
    /// The starts of each host.
    incarnations: BTreeMap<&'static str, Vec<Incarnation>>,
    views: BTreeMap<&'static str, View>,
    /// The hosts whose actors have the name, or run the singleton, just now.
    held: BTreeMap<(Kind, &'static str), FencingNumber>,
    /// All numbers that were given.
    given: BTreeMap<(Kind, FencingNumber), (&'static str, Life)>,
    /// How often something was given.
    times: usize,
    fence: Fence,
    violations: Vec<String>,
}

/// What the hosts of a run have done.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Inner>>);

impl Book {
    fn locked(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(crate) fn violation(&self, what: impl fmt::Display) {
        self.locked().violations.push(what.to_string());
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.locked().violations.clone()
    }

    /// A host has started.
    pub(crate) fn starts(&self, host: &'static str, incarnation: Incarnation) -> Life {
        let mut inner = self.locked();
        let starts = inner.incarnations.entry(host).or_default();
        let is_later = starts.last().is_none_or(|last| *last < incarnation);
        starts.push(incarnation);
        let life = starts.len();
        if !is_later {
            inner.violations.push(format!("{host} came back as {incarnation}, which is no later"));
        }
        life
    }

    pub(crate) fn sees(&self, host: &'static str, view: View) {
        self.locked().views.insert(host, view);
    }

    /// An actor of a host has got the name, or was started as the singleton.
    pub(crate) fn gets(&self, kind: Kind, host: &'static str, life: Life, number: FencingNumber) {
        let mut inner = self.locked();
        inner.times += 1;
        if let Some(before) = inner.given.insert((kind, number), (host, life)) {
            let what = format!("{kind:?} {number} was given to {before:?} and to {host}, {life}");
            inner.violations.push(what);
        }
        if let Some(before) = inner.held.insert((kind, host), number) {
            let what = format!("{host} has {kind:?} twice: {before} and {number}");
            inner.violations.push(what);
        }
    }

    /// An actor of a host has the name no longer, or the actor of the singleton has ended.
    pub(crate) fn loses(&self, kind: Kind, host: &'static str, number: FencingNumber) {
        let mut inner = self.locked();
        if inner.held.get(&(kind, host)) == Some(&number) {
            inner.held.remove(&(kind, host));
        }
    }

    /// Whether the resource that the singleton uses admits it.
    pub(crate) fn admits(&self, number: FencingNumber) -> bool {
        self.locked().fence.admit(number).is_ok()
    }

    /// All that runs on a host is gone.
    pub(crate) fn crashes(&self, host: &'static str) {
        let mut inner = self.locked();
        inner.held.retain(|(_, of), _| *of != host);
        inner.views.remove(host);
    }

    pub(crate) fn times(&self) -> usize {
        self.locked().times
    }

    /// The last start of a host.
    fn incarnation(inner: &Inner, host: &str) -> Option<Incarnation> {
        inner.incarnations.get(host)?.last().copied()
    }

    /// What keeps the hosts that run from being one cluster: nothing, when it is empty.
    pub(crate) fn doubts(&self, running: &[&'static str]) -> Vec<String> {
        let inner = self.locked();
        let mut doubts = Vec::new();
        let running = |host: &str| running.contains(&host);
        for host in HOSTS.into_iter().filter(|host| running(host)) {
            let starts = inner.incarnations.get(host).map_or(0, Vec::len);
            let Some(view) = inner.views.get(host).filter(|view| view.life == starts) else {
                doubts.push(format!("{host} does not run"));
                continue;
            };
            for other in HOSTS {
                let (state, incarnation) = match view.members.get(other) {
                    Some((state, incarnation)) => (Some(*state), *incarnation),
                    None => (None, None),
                };
                let is_down = matches!(state, None | Some(MemberState::Down));
                let is_alive = state == Some(MemberState::Alive)
                    && incarnation == Self::incarnation(&inner, other);
                if if running(other) { !is_alive } else { !is_down } {
                    doubts.push(format!("{other} is {state:?} {incarnation:?} for {host}"));
                }
                if other != host && running(other) != view.peers.iter().any(|it| it == other) {
                    doubts.push(format!("{host} has sessions with {:?}", view.peers));
                }
            }
            for kind in [Kind::Name, Kind::Singleton] {
                let holders = inner.held.iter().filter(|((of, _), _)| *of == kind);
                let holders: Vec<_> =
                    holders.map(|((_, by), number)| ((*by).to_owned(), *number)).collect();
                let seen: Vec<_> = view.holders.get(&kind).cloned().into_iter().collect();
                if holders.len() != 1 || holders != seen {
                    doubts.push(format!("{kind:?} is at {holders:?}, and {host} sees {seen:?}"));
                }
            }
        }
        doubts
    }

    /// What holds at each time while all hosts that run see each other: one at most has the name,
    /// and one at most runs the singleton; and one does, when nothing has happened for a while.
    pub(crate) fn is_once(&self, least: usize) {
        let mut inner = self.locked();
        for kind in [Kind::Name, Kind::Singleton] {
            let count = inner.held.keys().filter(|(of, _)| *of == kind).count();
            if !(least..=1).contains(&count) {
                let what = format!("{kind:?} is at {count} hosts: {:?}", inner.held);
                inner.violations.push(what);
            }
        }
    }

    /// The one that has been there since the sides saw each other is not fenced out.
    pub(crate) fn is_admitted(&self) {
        let inner = self.locked();
        let number = inner.held.iter().find(|((of, _), _)| *of == Kind::Singleton);
        let refused = number.and_then(|(_, number)| inner.fence.admit(*number).err());
        drop(inner);
        if let Some(refused) = refused {
            self.violation(format_args!("the singleton is fenced out: {refused}"));
        }
    }
}
