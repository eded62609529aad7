//! The rules, as a table of cases.

use std::collections::BTreeSet;

use super::*;
use crate::link::refusal::refusals;

const OURS: u32 = 1;

const fn standing(phase: Phase, end: Role) -> Standing {
    Standing { phase: Some(phase), end, is_greeted: true }
}

const ARRIVING: Standing = Standing::ARRIVING;
const GREETED: Standing = standing(Phase::Greeting, Role::Listener);
const DIALLED: Standing = standing(Phase::Greeting, Role::Dialler);
const MUTE: Standing = Standing { is_greeted: false, ..GREETED };
const STOCK: Standing = Standing { is_greeted: false, ..standing(Phase::Stock, Role::Listener) };
const HOLDING: Standing = standing(Phase::Holding, Role::Listener);
const SETTLED: Standing = standing(Phase::Settled, Role::Dialler);

/// A peer of the fork whom nothing is wrong with.
const FORK: Naming<'static> = Naming {
    name: "b",
    version: OURS,
    own_version: OURS,
    is_own: false,
    has_wrong_certificate: false,
    channels: Some(TCP),
    was_fork: true,
    strict: false,
    refuse_downgrade: true,
};
const TCP: Channels<'static> =
    Channels { here: "tcp", there: "tcp", is_tls: false, is_bound: false };
const BOUND: Channels<'static> =
    Channels { here: "tls", there: "tls", is_tls: true, is_bound: true };
const UNBOUND: Channels<'static> = Channels { is_bound: false, ..BOUND };
const OTHER: Channels<'static> = Channels { there: "unix", ..TCP };
const STOCK_PEER: Naming<'static> = Naming { channels: None, was_fork: false, ..FORK };
const ENDS: Ending =
    Ending { found: None, is_authenticated: false, has_answered: false, is_closing: false };

/// What is expected: what becomes of it, and whether the peer is told.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    GoesOn,
    Contested(Vec<usize>),
    Told(Refusal),
    Untold(Refusal),
    Superseded(Refusal, Incarnation),
    ByPeer(Refusal),
    Ends,
}

use Outcome::{ByPeer, Contested, Ends, GoesOn, Superseded, Told, Untold};

fn outcome(finding: &Finding<'_>, at: Standing) -> Outcome {
    match settle(finding, at) {
        Verdict::GoesOn => GoesOn,
        Verdict::Contested(rivals) => Contested(rivals),
        Verdict::Refused(Refused { cause, reason, notice }) => {
            assert!(!reason.is_empty(), "{finding:?} is refused without a reason");
            match notice {
                Notice::Nothing => Untold(cause),
                Notice::Cause => Told(cause),
                Notice::Superseded(by) => Superseded(cause, by),
            }
        }
        Verdict::RefusedByPeer(cause) => ByPeer(cause),
        Verdict::Ends => Ends,
    }
}

#[test]
fn each_finding_has_its_outcome() {
    let newer = Incarnation::begin();
    let io = |kind, text: &str| io::Error::new(kind, text.to_owned());
    let eof = io(io::ErrorKind::UnexpectedEof, "eof");
    let reset = io(io::ErrorKind::ConnectionReset, "reset");
    let large = io(io::ErrorKind::InvalidData, "a frame of 9 bytes exceeds configured limit 8");
    let alert = io(io::ErrorKind::InvalidData, "received fatal alert: CertificateRequired");
    let (long, garbage) = (Undecodable::TooLong { most: 0 }, Undecodable::TooDeep);
    let list = io::Error::from(long.clone());
    let undecodable = |error, with_hello| Finding::Undecodable { error, with_hello };
    let after = Some(Duration::from_secs(10));
    let hello = |is_due, is_named| Finding::Hello { is_due, is_named };
    let proof = |is_due, is_right| Finding::Proof { is_due, is_right };
    let last = |is_proven| Finding::LastWord { is_proven };
    let announced = |too_long, has_share| Finding::Announced { too_long, has_share };
    let located = |must_be, is| Finding::Located { must_be, is, unproven: None };
    let strict = |naming| Naming { strict: true, ..naming };
    let over = |channels| Naming { channels: Some(channels), ..FORK };
    let name = Finding::Name;
    let link = |it| Finding::Link(it);
    let (broken, no_session) = (AttachError::Io(eof), AttachError::NoSession);
    let eof = io::Error::from(io::ErrorKind::UnexpectedEof);

    let cases = vec![
        // A listener has the connection.
        (Finding::Tls(&eof), ARRIVING, Ends),
        (Finding::Tls(&reset), ARRIVING, Told(Refusal::Tls)),
        (Finding::NoFrame, ARRIVING, Ends),
        (Finding::Unread(&large), ARRIVING, Told(Refusal::FrameTooLarge)),
        (Finding::Unread(&list), ARRIVING, Told(Refusal::ListTooLong)),
        (Finding::Unread(&reset), ARRIVING, Told(Refusal::Unauthenticated)),
        (Finding::Unread(&alert), ARRIVING, Told(Refusal::Tls)),
        (undecodable(&garbage, false), ARRIVING, Told(Refusal::Malformed)),
        (undecodable(&long, false), ARRIVING, Told(Refusal::ListTooLong)),
        (link(&no_session), ARRIVING, Told(Refusal::NoSession)),
        (link(&AttachError::Proof), ARRIVING, Told(Refusal::NoSession)),
        (link(&AttachError::Closed), ARRIVING, Told(Refusal::OutOfTurn)),
        (link(&AttachError::Unexpected("")), ARRIVING, Told(Refusal::OutOfTurn)),
        (link(&broken), ARRIVING, Told(Refusal::Unauthenticated)),
        (Finding::NoServer, ARRIVING, Told(Refusal::Unauthenticated)),
        (Finding::Overdue(after), ARRIVING, Told(Refusal::TooSlow)),
        (Finding::Displaced, ARRIVING, Told(Refusal::Displaced)),
        // It is a session, whose peer is not authenticated.
        (undecodable(&long, false), GREETED, Told(Refusal::ListTooLong)),
        (undecodable(&long, false), DIALLED, Told(Refusal::ListTooLong)),
        (undecodable(&long, false), MUTE, Untold(Refusal::ListTooLong)),
        // Its `Hello` waited, and came before the list.
        (undecodable(&long, true), MUTE, Told(Refusal::ListTooLong)),
        (Finding::Unreadable("exceeds configured limit"), MUTE, Untold(Refusal::FrameTooLarge)),
        (Finding::Unreadable("no message"), GREETED, Told(Refusal::Malformed)),
        (Finding::Unreadable("received fatal alert"), DIALLED, ByPeer(Refusal::Tls)),
        (Finding::Overdue(None), GREETED, Told(Refusal::TooSlow)),
        (Finding::Displaced, MUTE, Untold(Refusal::Displaced)),
        (hello(true, false), GREETED, GoesOn),
        (hello(false, false), MUTE, Untold(Refusal::OutOfTurn)),
        (hello(true, true), GREETED, Told(Refusal::OutOfTurn)),
        (proof(true, true), GREETED, GoesOn),
        (proof(true, false), GREETED, Told(Refusal::WrongCookie)),
        (proof(false, false), GREETED, Told(Refusal::OutOfTurn)),
        (last(true), GREETED, GoesOn),
        (last(false), GREETED, Told(Refusal::OutOfTurn)),
        (Finding::NotOk, DIALLED, ByPeer(Refusal::NameTaken)),
        (Finding::NotDue, MUTE, Untold(Refusal::OutOfTurn)),
        (Finding::Told(Refusal::StockNode), DIALLED, ByPeer(Refusal::StockNode)),
        // How it names itself.
        (name(FORK), GREETED, GoesOn),
        (name(STOCK_PEER), MUTE, GoesOn),
        (name(Naming { version: OURS + 1, ..FORK }), GREETED, Told(Refusal::Version)),
        (name(Naming { version: 0, ..STOCK_PEER }), MUTE, Untold(Refusal::Version)),
        (name(Naming { is_own: true, ..FORK }), GREETED, Told(Refusal::OwnName)),
        (name(Naming { has_wrong_certificate: true, ..FORK }), GREETED, Told(Refusal::Certificate)),
        (name(strict(STOCK_PEER)), MUTE, Untold(Refusal::StockNode)),
        (name(Naming { was_fork: true, ..STOCK_PEER }), MUTE, Untold(Refusal::Downgrade)),
        (name(Naming { was_fork: true, refuse_downgrade: false, ..STOCK_PEER }), MUTE, GoesOn),
        (name(over(OTHER)), GREETED, GoesOn),
        (name(strict(over(OTHER))), GREETED, Told(Refusal::Channel)),
        (name(strict(over(TCP))), GREETED, GoesOn),
        (name(strict(over(BOUND))), GREETED, GoesOn),
        (name(strict(over(UNBOUND))), GREETED, Told(Refusal::Channel)),
        (name(over(UNBOUND)), GREETED, GoesOn),
        // It is authenticated.
        (Finding::Authenticated { has_place: true }, GREETED, GoesOn),
        (Finding::Authenticated { has_place: false }, GREETED, Told(Refusal::TooManyPeers)),
        (Finding::Authenticated { has_place: false }, MUTE, Untold(Refusal::TooManyPeers)),
        (announced(None, true), HOLDING, GoesOn),
        (announced(Some("too long"), true), HOLDING, Told(Refusal::OutOfTurn)),
        (announced(None, false), HOLDING, Told(Refusal::OutOfTurn)),
        (located(Location::Local, Locality::Remote), HOLDING, Told(Refusal::NotLocal)),
        (located(Location::Local, Locality::SameMachine), HOLDING, GoesOn),
        (located(Location::Remote, Locality::Remote), HOLDING, GoesOn),
        (Finding::NotDue, SETTLED, Told(Refusal::OutOfTurn)),
        (undecodable(&long, false), SETTLED, Told(Refusal::ListTooLong)),
        (undecodable(&long, false), STOCK, Untold(Refusal::ListTooLong)),
        (Finding::Overdue(None), HOLDING, Told(Refusal::TooSlow)),
        (Finding::Overdue(None), SETTLED, GoesOn),
        (Finding::Overdue(None), STOCK, GoesOn),
        (Finding::Displaced, HOLDING, GoesOn),
        (Finding::Unreadable("no message"), STOCK, Ends),
        // The session ends before the peer is let in.
        (Finding::Ended(ENDS), GREETED, Told(Refusal::Unauthenticated)),
        (Finding::Ended(ENDS), DIALLED, Ends),
        (Finding::Ended(Ending { is_closing: true, ..ENDS }), GREETED, Ends),
        (
            Finding::Ended(Ending { has_answered: true, is_closing: true, ..ENDS }),
            DIALLED,
            Told(Refusal::WrongCookie),
        ),
        (
            Finding::Ended(Ending { is_authenticated: true, has_answered: true, ..ENDS }),
            GREETED,
            Told(Refusal::NameTaken),
        ),
        (
            Finding::Ended(Ending { found: Some(Refusal::OwnName), has_answered: true, ..ENDS }),
            MUTE,
            Untold(Refusal::OwnName),
        ),
        (Finding::Ended(ENDS), SETTLED, Ends),
        // An older process than the one that has the name is told by a goodbye.
        (Finding::Answered(newer), GREETED, Superseded(Refusal::OlderIncarnation, newer)),
    ];
    let mut refused = BTreeSet::new();
    for (finding, at, expected) in cases {
        let found = outcome(&finding, at);
        assert_eq!(found, expected, "{finding:?} of {at:?}");
        if let Told(cause) | Untold(cause) | Superseded(cause, _) = found {
            refused.insert(cause);
        }
    }
    for (cause, _) in refusals() {
        assert!(refused.contains(&cause), "{} has no case here: add one", cause.name());
    }
}

/// Each rival, by whether it is newer, was silent and is there, and whether it is asked first.
#[test]
fn the_greatest_that_is_there_has_the_name() {
    let (older, own, newer) = (Incarnation::begin(), Incarnation::begin(), Incarnation::begin());
    let claim = |own_was_silent, rivals: &[(Incarnation, bool, bool)]| {
        let rivals: Vec<_> = rivals
            .iter()
            .map(|&(incarnation, was_silent, is_there)| Contestant {
                incarnation,
                was_silent,
                is_there,
            })
            .collect();
        let own = Contestant { incarnation: own, was_silent: own_was_silent, is_there: true };
        outcome(&Finding::Claim { own, rivals: &rivals }, GREETED)
    };
    assert_eq!(claim(false, &[]), GoesOn);
    assert_eq!(claim(false, &[(older, false, true)]), GoesOn);
    assert_eq!(claim(false, &[(newer, false, true)]), Contested(vec![0]));
    assert_eq!(claim(false, &[(newer, false, false)]), GoesOn);
    assert_eq!(claim(false, &[(newer, true, true)]), GoesOn);
    assert_eq!(claim(true, &[(older, false, true)]), Contested(vec![0]));
    assert_eq!(claim(true, &[(older, true, true)]), GoesOn);
    assert_eq!(claim(true, &[(newer, true, true)]), Contested(vec![0]));
    let several = [(older, false, true), (newer, false, true), (newer, false, false)];
    assert_eq!(claim(false, &several), Contested(vec![1]));
}
