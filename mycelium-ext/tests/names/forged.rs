//! Messages about names that a node with the cookie makes by itself.

use ractor::{ActorRef, pg};
use ractor_cluster::RactorClusterMessage;

/// The scope of the agents.
const SCOPE: &str = "mycelium.names";

/// As agents are sent it.
#[derive(RactorClusterMessage)]
enum Forged {
    Tell(Vec<u8>),
}

/// A claim of a name, held by `from`, as bytes for the agent of another node.
fn claim(from: &(String, [u8; 16]), to: &(String, [u8; 16]), sequence: u64, name: &str) -> Vec<u8> {
    fn text(bytes: &mut Vec<u8>, text: &str) {
        bytes.extend(u16::try_from(text.len()).expect("it is short").to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    let mut bytes = vec![1];
    for (node, incarnation) in [from, to] {
        text(&mut bytes, node);
        bytes.extend(incarnation);
    }
    bytes.extend(sequence.to_be_bytes());
    // The term.
    bytes.extend(1_u64.to_be_bytes());
    bytes.push(1);
    text(&mut bytes, name);
    let number = [1_u64.to_be_bytes(), 1_u64.to_be_bytes()].concat();
    bytes.extend(&number);
    bytes.extend(&number);
    // It is held.
    bytes.push(1);
    text(&mut bytes, "a type");
    // No reference.
    bytes.extend([0, 0]);
    bytes
}

/// The agent of a node, and which start of the node it is.
fn agent(node: &str) -> (String, [u8; 16]) {
    let groups = pg::which_scoped_groups(&SCOPE.to_owned());
    let its = |group: &String| {
        let (name, start) = group.split_once('#')?;
        let start = u128::from_str_radix(start, 16).ok()?;
        (name == node).then_some(start.to_be_bytes())
    };
    (node.to_owned(), groups.iter().find_map(its).expect("it is known"))
}

/// Tells `to` that `from` holds a name: with its own words, or as another start of it.
pub(crate) fn tell(to: &str, from: &str, other_start: bool, sequence: u64, name: &str) {
    let (to, mut from) = (agent(to), agent(from));
    if other_start {
        from.1[15] ^= 1;
    }
    let group = format!("{}#{:032x}", to.0, u128::from_be_bytes(to.1));
    let agents = pg::get_scoped_members(&SCOPE.to_owned(), &group);
    let agent: ActorRef<Forged> = agents.into_iter().next().expect("it is known").into();
    agent.cast(Forged::Tell(claim(&from, &to, sequence, name))).expect("there is room");
}
