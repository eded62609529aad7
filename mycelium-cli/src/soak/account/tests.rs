use super::*;

const FEED: u64 = 1;
const READER: u64 = 2;

/// A feed that found one reader, and sent it so many messages by slot 7 of session 3.
fn sent(count: u64) -> Account {
    let mut account = Account::default();
    note(&mut account, FEED, "found 7 3 near-0 0 #2");
    for number in 0..count {
        note(&mut account, FEED, &format!("sending {number}"));
        note(&mut account, FEED, &format!("sent {number}"));
    }
    account
}

fn note(account: &mut Account, incarnation: u64, line: &str) {
    account.note(incarnation, line.parse().expect("a record")).expect("it goes with the others");
}

fn handle(account: &mut Account, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        note(account, READER, &format!("handled 0 {FEED} {number}"));
    }
}

fn faults(account: &Account) -> Vec<(&'static str, u64)> {
    account.balance().faults()
}

#[test]
fn all_is_well_when_all_was_handled_in_whatever_order_the_journals_are_read() {
    let mut account = Account::default();
    handle(&mut account, 0..5);
    assert_eq!(faults(&account), [("handled and never sent", 5)]);
    note(&mut account, FEED, "found 7 3 near-0 0 #2");
    for number in 0..5 {
        note(&mut account, FEED, &format!("sending {number}"));
    }
    let balance = account.balance();
    assert_eq!((balance.sent, balance.delivered, balance.explained()), (5, 5, 5));
    assert_eq!(balance.faults(), []);
}

#[test]
fn what_nobody_tells_of_is_missing() {
    let mut account = sent(5);
    handle(&mut account, [0, 1, 3]);
    assert_eq!(faults(&account), [("missing without a word", 2)]);
    assert!(account.balance().where_missing[0].starts_with("2 of feed #1 for near-0 0 #2"));
}

#[test]
fn what_the_view_shows_is_what_was_noted() {
    let mut account = sent(5);
    handle(&mut account, 0..5);
    note(&mut account, READER, "shown 0 5");
    note(&mut account, READER, "shown 1 0");
    note(&mut account, READER, "sessions 2 0");
    let balance = account.balance();
    assert_eq!((balance.shown_readers, balance.shown_sessions), (2, 2));
    assert_eq!(balance.faults(), []);
    note(&mut account, READER, "shown 0 3");
    note(&mut account, FEED, "sessions 1 4");
    let expected =
        [("other than the views show", 2), ("missing in sessions, as the views show", 4)];
    assert_eq!(faults(&account), expected);
}

#[test]
fn a_killed_process_explains_what_it_held() {
    for killed in [FEED, READER] {
        let mut account = sent(5);
        handle(&mut account, 0..3);
        account.killed(killed);
        let balance = account.balance();
        assert_eq!((balance.killed, balance.delivered, balance.faults()), (2, 3, vec![]));
    }
    // One that has nothing to do with it does not.
    let mut account = sent(5);
    account.killed(9);
    assert_eq!(faults(&account), [("missing without a word", 5)]);
}

#[test]
fn a_session_explains_as_many_as_it_reported_and_no_more() {
    let mut account = sent(5);
    handle(&mut account, 0..2);
    note(&mut account, FEED, "gone 4 9");
    assert_eq!(faults(&account), [("missing without a word", 3)], "that was another session");
    note(&mut account, FEED, "gone 3 2");
    assert_eq!(faults(&account), [("missing without a word", 1)]);
    // What was reported and came all the same is delivered.
    handle(&mut account, 2..4);
    let balance = account.balance();
    assert_eq!((balance.unacknowledged, balance.delivered, balance.faults()), (1, 4, vec![]));
}

#[test]
fn dead_letters_explain_as_many_as_there_were_by_reason() {
    let mut account = sent(9);
    handle(&mut account, 0..2);
    note(&mut account, FEED, "dead-letters 9 full");
    assert_eq!(faults(&account), [("missing without a word", 7)], "they came to another process");
    note(&mut account, READER, "dead-letters 2 full");
    note(&mut account, READER, "dead-letters 1 stopped");
    assert_eq!(faults(&account), [("missing without a word", 4)]);
    // What a session reported is not also a dead letter.
    note(&mut account, FEED, "gone 3 3");
    assert_eq!(faults(&account), [("missing without a word", 1)]);
    note(&mut account, READER, "dead-letters 5 stopped");
    let balance = account.balance();
    let told = [("full".to_owned(), 2), ("stopped".to_owned(), 2)];
    assert_eq!((balance.dead_letters.clone(), balance.unacknowledged), (told.into(), 3));
    assert_eq!((balance.explained(), balance.faults()), (9, vec![]));
    // Two feeds do not get more of them than there are.
    note(&mut account, 5, "found 1 6 near-0 0 #2");
    (0..5).for_each(|number| note(&mut account, 5, &format!("sending {number}")));
    assert_eq!(faults(&account), [("missing without a word", 1)]);
}

/// The reader whose mailbox conflates.
#[test]
fn later_messages_of_their_key_explain_as_many_as_the_mailbox_replaced() {
    let mut account = Account::default();
    note(&mut account, FEED, "found 7 3 near-0 2 #2");
    (0..20).for_each(|number| note(&mut account, FEED, &format!("sending {number}")));
    // Keys are numbers modulo 8.
    for number in [12, 13, 14, 15, 16, 17, 18] {
        note(&mut account, READER, &format!("handled 2 {FEED} {number}"));
    }
    assert_eq!(faults(&account), [("missing without a word", 13)]);
    note(&mut account, READER, "replaced 0 20");
    assert_eq!(faults(&account), [("missing without a word", 13)], "that is another reader");
    note(&mut account, READER, "replaced 2 9");
    assert_eq!(faults(&account), [("missing without a word", 4)]);
    // No later one of the key of 3, 11 and 19 was handled: of these none was replaced.
    note(&mut account, READER, "replaced 2 3");
    assert_eq!(faults(&account), [("missing without a word", 3)]);
    note(&mut account, READER, &format!("handled 2 {FEED} 19"));
    let balance = account.balance();
    assert_eq!((balance.replaced, balance.explained(), balance.faults()), (12, 20, vec![]));
    // Within a key there is an order.
    note(&mut account, READER, &format!("handled 2 {FEED} 4"));
    assert_eq!(account.balance().faults(), [("overtaken by later ones of their session", 1)]);
}

#[test]
fn two_readers_share_what_their_session_reported() {
    let mut account = sent(0);
    note(&mut account, FEED, "found 8 3 near-0 1 #2");
    note(&mut account, FEED, "sending 0");
    note(&mut account, FEED, "gone 3 1");
    assert_eq!(faults(&account), [("missing without a word", 1)]);
}

#[test]
fn rejections_are_told_by_reason_and_hold() {
    let mut account = sent(1);
    note(&mut account, FEED, "sending 1");
    note(&mut account, FEED, "sent 1 7=full");
    note(&mut account, FEED, "sending 2");
    note(&mut account, FEED, "sent 2 7");
    handle(&mut account, [0]);
    let balance = account.balance();
    let told = [("full".to_owned(), 1), ("left_meanwhile".to_owned(), 1)];
    assert_eq!((balance.rejected.clone(), balance.faults()), (told.into(), vec![]));
    // Who was sent to while it left may have got it.
    handle(&mut account, [2]);
    let balance = account.balance();
    assert_eq!((balance.rejected.len(), balance.delivered, balance.faults()), (1, 2, vec![]));
    handle(&mut account, [1]);
    assert!(faults(&account).contains(&("rejected and delivered all the same", 1)));
}

#[test]
fn what_comes_twice_late_or_changed_is_told() {
    let mut account = sent(4);
    handle(&mut account, [0, 2, 1, 1]);
    note(&mut account, READER, &format!("spoilt 0 {FEED} 3"));
    assert_eq!(
        faults(&account),
        [
            ("handled twice", 1),
            ("overtaken by later ones of their session", 1),
            ("changed on the way", 1)
        ]
    );
}

#[test]
fn sessions_may_overtake_each_other() {
    let mut account = sent(2);
    note(&mut account, FEED, "left 7");
    note(&mut account, FEED, "sending 2");
    note(&mut account, FEED, "found 8 4 near-0 0 #2");
    note(&mut account, FEED, "sending 3");
    assert!(account.not_reached(FEED, &[(READER, 0), (READER, 1)]) == [(READER, 1)]);
    handle(&mut account, [0, 3, 1]);
    let balance = account.balance();
    assert_eq!((balance.sent, balance.delivered, balance.faults()), (3, 3, vec![]));
}

#[test]
fn a_journal_that_contradicts_itself_is_refused() {
    let mut account = sent(1);
    for line in ["left 9", "sent 1 9=full", "found 1 1 somebody"] {
        assert!(account.note(FEED, line.parse().expect("a record")).is_err(), "{line}");
    }
}
