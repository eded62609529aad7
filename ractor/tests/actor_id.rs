//! What equality, order, hash and display of actor ids promise.

use std::collections::HashSet;

use ractor::ActorId;

const LOCAL: ActorId = ActorId::Local(7);
const REMOTE: ActorId = ActorId::Remote { node_id: 2, pid: 7 };
const NEARBY: ActorId = ActorId::LocalMachine { node_id: 2, pid: 7 };

#[test]
fn where_an_actor_runs() {
    assert_eq!([LOCAL, REMOTE, NEARBY].map(|id| id.is_local()), [true, false, false]);
    assert_eq!([LOCAL, REMOTE, NEARBY].map(|id| id.is_same_machine()), [true, false, true]);
    assert_eq!([LOCAL, REMOTE, NEARBY].map(|id| id.node()), [0, 2, 2]);
    assert_eq!([LOCAL, REMOTE, NEARBY].map(|id| id.pid()), [7, 7, 7]);
}

#[test]
fn remote_and_local_machine_name_the_same_actor() {
    assert_eq!(REMOTE, NEARBY);
    assert_eq!(REMOTE.to_string(), "2.7");
    assert_eq!(NEARBY.to_string(), "2.7");
    assert_eq!(HashSet::from([REMOTE, NEARBY]).len(), 1);
    assert_ne!(LOCAL, REMOTE);
    assert_eq!(LOCAL.to_string(), "0.7");
}

#[test]
fn local_ids_come_first_then_nodes_then_pids() {
    let sorted = [
        ActorId::Local(1),
        ActorId::Local(9),
        ActorId::Remote { node_id: 0, pid: 3 },
        ActorId::LocalMachine { node_id: 1, pid: 8 },
        ActorId::Remote { node_id: 1, pid: 9 },
        ActorId::LocalMachine { node_id: 2, pid: 0 },
    ];
    let mut shuffled = [sorted[4], sorted[2], sorted[0], sorted[5], sorted[3], sorted[1]];
    shuffled.sort();
    assert_eq!(shuffled, sorted);
}
