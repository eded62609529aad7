//! Finds the nodes of this user that can be watched.

use std::path::Path;
use std::thread;

use mycelium_ext::view::{self, NodeView, Request, Target};

/// A node that answers.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) target: Target,
    pub(super) node: NodeView,
}

/// All nodes that answer, by name. Each is asked on a thread of its own: one that is suspended
/// keeps no other one waiting.
pub(super) fn all() -> Result<Vec<Found>, String> {
    let folder = view::folder();
    let targets = view::list(&folder)
        .map_err(|error| format!("looking for nodes in {}: {error}", folder.display()))?;
    let asked: Vec<_> = targets
        .into_iter()
        .map(|target| {
            thread::spawn(move || {
                let node = target.ask(&Request::hello()).ok()?.node;
                Some(Found { target, node })
            })
        })
        .collect();
    let mut found: Vec<_> = asked.into_iter().filter_map(|it| it.join().ok().flatten()).collect();
    found.sort_by(|a, b| (&a.node.name, a.node.pid).cmp(&(&b.node.name, b.node.pid)));
    Ok(found)
}

/// The node that is meant: by `wanted`, or the only one.
pub(super) fn one(wanted: Option<&str>) -> Result<Target, String> {
    if let Some(path) = wanted.filter(|it| it.contains('/')) {
        return Ok(Target::at(Path::new(path)));
    }
    let all = all()?;
    let names = || {
        let names = all.iter().map(|it| format!("{} (process {})", it.node.name, it.node.pid));
        names.collect::<Vec<_>>().join(", ")
    };
    let fits: Vec<_> =
        all.iter().filter(|it| wanted.is_none_or(|wanted| is_called(&it.node, wanted))).collect();
    match (&fits[..], wanted) {
        ([one], _) => Ok(one.target.clone()),
        ([], _) if all.is_empty() => Err(format!(
            "no node of this user can be watched; nodes with [view] socket = \"on\" have their \
             sockets in {}",
            view::folder().display()
        )),
        ([], wanted) => {
            Err(format!("no node is called {}; there are {}", wanted.unwrap_or(""), names()))
        }
        _ => Err(format!("say which node: {}", names())),
    }
}

fn is_called(node: &NodeView, wanted: &str) -> bool {
    node.name == wanted
        || node.name.split('@').next() == Some(wanted)
        || node.pid.to_string() == wanted
}
