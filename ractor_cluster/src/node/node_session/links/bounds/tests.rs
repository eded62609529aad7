use std::collections::HashSet;

use super::{Announced, Limit, Limits};
use crate::protocol::control::{Actor, PgJoin, PgLeave};

const LIMITS: Limits = Limits {
    peers: 1,
    actors: 4,
    groups: 2,
    memberships: 5,
    name_bytes: 8,
    first_frame: 1,
    log_lines: 1,
};

fn actors(pids: &[u64]) -> Vec<Actor> {
    pids.iter().map(|pid| Actor { pid: *pid, name: None }).collect()
}

fn join(announced: &mut Announced, group: &str, pids: &[u64]) -> Vec<u64> {
    let mut join =
        PgJoin { group: group.to_owned(), scope: "scope".to_owned(), actors: actors(pids) };
    announced.join(&mut join, &LIMITS);
    join.actors.iter().map(|actor| actor.pid).collect()
}

fn leave(announced: &mut Announced, group: &str, pids: &[u64]) -> Vec<u64> {
    let (group, scope) = (group.to_owned(), "scope".to_owned());
    let mut leave = PgLeave { group, scope, actors: actors(pids) };
    announced.leave(&mut leave, &LIMITS);
    leave.actors.iter().map(|actor| actor.pid).collect()
}

fn admitted(announced: &mut Announced, known: &[u64], pids: &[u64]) -> Vec<u64> {
    let mut actors = actors(pids);
    let known: HashSet<u64> = known.iter().copied().collect();
    announced.admit_actors(&mut actors, &LIMITS, known.len(), |pid| known.contains(&pid));
    actors.iter().map(|actor| actor.pid).collect()
}

#[test]
fn actors_are_counted_once_and_known_ones_always_admitted() {
    let mut announced = Announced::default();
    assert_eq!(admitted(&mut announced, &[], &[1, 1, 2, 3, 4]), [1, 2, 3, 4]);
    assert!(announced.news.is_empty());
    assert_eq!(admitted(&mut announced, &[1, 2], &[1, 3, 1, 4, 5, 2, 3, 6]), [1, 3, 4, 2]);
    assert_eq!(announced.news, [Limit::Actors]);
    // It is told once.
    assert!(admitted(&mut announced, &[1, 2, 3, 4], &[5]).is_empty());
    assert_eq!(announced.news, [Limit::Actors]);
}

#[test]
fn long_names_are_left_out() {
    let mut announced = Announced::default();
    let long = Some("123456789".to_owned());
    let mut actors =
        vec![Actor { pid: 1, name: long }, Actor { pid: 2, name: Some("12345678".to_owned()) }];
    announced.admit_actors(&mut actors, &LIMITS, 0, |_| false);
    assert_eq!(actors.len(), 1);
    assert!(join(&mut announced, "123456789", &[1]).is_empty());
    assert_eq!(announced.news, [Limit::NameBytes]);
    assert!(announced.groups.is_empty() && announced.of_actor.is_empty());
}

#[test]
fn groups_and_memberships_have_room_again_when_they_are_left() {
    let mut announced = Announced::default();
    assert_eq!(join(&mut announced, "a", &[1, 2]), [1, 2]);
    assert_eq!(join(&mut announced, "b", &[1]), [1]);
    assert!(join(&mut announced, "c", &[1]).is_empty());
    assert_eq!(announced.news, [Limit::Groups]);
    // A join that is repeated changes nothing.
    assert!(join(&mut announced, "a", &[1, 2]).is_empty());
    assert_eq!(announced.memberships, 3);
    // Nor does it to leave without being a member.
    assert_eq!(leave(&mut announced, "b", &[1, 2, 1]), [1]);
    assert!(leave(&mut announced, "123456789", &[1]).is_empty());
    assert!(announced.news.contains(&Limit::NameBytes));
    announced.news.retain(|limit| *limit != Limit::NameBytes);
    assert_eq!(join(&mut announced, "c", &[1, 2, 3, 4]), [1, 2, 3]);
    assert_eq!(announced.news, [Limit::Groups, Limit::Memberships]);
    announced.forget(1);
    announced.forget(1);
    assert_eq!(announced.memberships, 3);
    for pid in [2, 3] {
        announced.forget(pid);
    }
    assert!(announced.groups.is_empty() && announced.of_actor.is_empty());
    assert_eq!(announced.memberships, 0);
}

#[test]
fn a_refused_member_leaves_nothing_behind() {
    let mut announced = Announced::default();
    join(&mut announced, "a", &[1, 2, 3, 4, 5]);
    assert!(join(&mut announced, "a", &[6, 7]).is_empty());
    assert_eq!(announced.of_actor.len(), 5);
}
