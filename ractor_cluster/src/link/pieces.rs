//! What a node announces, in frames that the peer takes: neither too large nor of too long a list.

use prost::Message as _;

use super::decode::MOST_SENT;
use crate::protocol::control::control_message::Msg;
use crate::protocol::control::{ControlMessage, NodeSessions, PgJoin, PgLeave, Spawn, Terminate};
use crate::protocol::mycelium::envelope::Body;
use crate::protocol::mycelium::{Credits, Ends, Mailboxes, Preferences};

/// What a frame takes at most around its body.
const AROUND: u64 = 80;

/// Hands `body` to `send`: as it is, when a frame of `max_frame` bytes takes it and its list is no
/// longer than a list may be, or else in pieces.
/// Returns how many pieces fit into no frame, and were left out.
pub(super) fn of(body: Body, max_frame: u64, mut send: impl FnMut(Body)) -> usize {
    let most = usize::try_from(max_frame.saturating_sub(AROUND)).unwrap_or(usize::MAX);
    let fits = |body: &Body| elements(body) <= MOST_SENT && size(body) <= most;
    if fits(&body) {
        send(body);
        return 0;
    }
    let (mut left_out, mut rest) = (0, vec![body]);
    while let Some(body) = rest.pop() {
        if fits(&body) {
            send(body);
        } else if let Some((first, second)) = halves(body, most) {
            // The first half is taken first.
            rest.extend([second, first]);
        } else {
            left_out += 1;
        }
    }
    left_out
}

fn size(body: &Body) -> usize {
    match body {
        Body::Control(message) => message.encoded_len(),
        Body::Preferences(preferences) => preferences.encoded_len(),
        Body::Fence(fence) => fence.encoded_len(),
        Body::Mailboxes(mailboxes) => mailboxes.encoded_len(),
        Body::Credits(credits) => credits.encoded_len(),
        Body::Ends(ends) => ends.encoded_len(),
    }
}

/// The elements of its list.
fn elements(body: &Body) -> usize {
    let Body::Control(ControlMessage { msg: Some(msg) }) = body else {
        return match body {
            Body::Preferences(preferences) => preferences.actors.len(),
            Body::Mailboxes(mailboxes) => mailboxes.actors.len(),
            Body::Credits(credits) => credits.actors.len(),
            Body::Ends(ends) => ends.actors.len(),
            _ => 0,
        };
    };
    match msg {
        Msg::Spawn(it) => it.actors.len(),
        Msg::Terminate(it) => it.ids.len(),
        Msg::PgJoin(it) => it.actors.len(),
        Msg::PgLeave(it) => it.actors.len(),
        Msg::NodeSessions(it) => it.sessions.len(),
        _ => 0,
    }
}

/// Two that say together what one says; `None` where it cannot be halved.
fn halves(body: Body, most: usize) -> Option<(Body, Body)> {
    let msg = match body {
        Body::Control(ControlMessage { msg }) => msg?,
        Body::Preferences(mut it) => {
            let actors = second_half(&mut it.actors)?;
            return Some((Body::Preferences(it), Body::Preferences(Preferences { actors })));
        }
        Body::Mailboxes(mut it) => {
            let actors = second_half(&mut it.actors)?;
            return Some((Body::Mailboxes(it), Body::Mailboxes(Mailboxes { actors })));
        }
        Body::Credits(mut it) => {
            let actors = second_half(&mut it.actors)?;
            return Some((Body::Credits(it), Body::Credits(Credits { actors })));
        }
        Body::Ends(mut it) => {
            let actors = second_half(&mut it.actors)?;
            return Some((Body::Ends(it), Body::Ends(Ends { actors })));
        }
        Body::Fence(_) => return None,
    };
    // With a longer name many pieces would repeat much.
    let is_short = |scope: &str, group: &str| scope.len() + group.len() <= most / 2;
    let (first, second) = match msg {
        Msg::Spawn(mut it) => {
            let actors = second_half(&mut it.actors)?;
            (Msg::Spawn(it), Msg::Spawn(Spawn { actors }))
        }
        Msg::Terminate(mut it) => {
            let ids = second_half(&mut it.ids)?;
            (Msg::Terminate(it), Msg::Terminate(Terminate { ids }))
        }
        Msg::PgJoin(mut it) if is_short(&it.scope, &it.group) => {
            let actors = second_half(&mut it.actors)?;
            let (scope, group) = (it.scope.clone(), it.group.clone());
            (Msg::PgJoin(it), Msg::PgJoin(PgJoin { scope, group, actors }))
        }
        Msg::PgLeave(mut it) if is_short(&it.scope, &it.group) => {
            let actors = second_half(&mut it.actors)?;
            let (scope, group) = (it.scope.clone(), it.group.clone());
            (Msg::PgLeave(it), Msg::PgLeave(PgLeave { scope, group, actors }))
        }
        Msg::NodeSessions(mut it) => {
            let sessions = second_half(&mut it.sessions)?;
            (Msg::NodeSessions(it), Msg::NodeSessions(NodeSessions { sessions }))
        }
        _ => return None,
    };
    let body = |msg| Body::Control(ControlMessage { msg: Some(msg) });
    Some((body(first), body(second)))
}

/// Takes the second half out of a list of at least two.
fn second_half<T>(list: &mut Vec<T>) -> Option<Vec<T>> {
    (list.len() > 1).then(|| list.split_off(list.len() / 2))
}

#[cfg(test)]
#[path = "pieces/tests.rs"]
mod tests;
