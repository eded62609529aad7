use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Places, Source, Visitor, RETURNING, RETURNING_SHARE};

fn source(text: &str) -> Source {
    Source::of(text.parse().unwrap())
}

fn has_to_leave(visitor: &Visitor) -> bool {
    visitor.leave.told.load(Ordering::SeqCst)
}

#[test]
fn an_ipv6_network_and_a_mapped_address_are_one_source() {
    assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
    assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
}

#[test]
fn an_address_displaces_its_own_oldest_and_nobody_else() {
    let places = Places::new(100, 1);
    let other = places.enter(source("192.0.2.1")).0;
    let mut flood: Vec<_> = (0..1000).map(|_| places.enter(source("192.0.2.2")).0).collect();
    assert!(!has_to_leave(&other));
    assert_eq!(flood.iter().filter(|it| !has_to_leave(it)).count(), 50);
    assert!(flood[950..].iter().all(|it| !has_to_leave(it)));
    // Places that were given up are free again.
    flood.clear();
    let (newcomer, displaced) = places.enter(source("192.0.2.2"));
    assert!(!displaced && !has_to_leave(&newcomer) && !has_to_leave(&other));
}

#[test]
fn when_all_places_are_taken_the_oldest_goes() {
    let places = Places::new(100, 1);
    let enter = |number: u8| places.enter(source(&format!("192.0.2.{number}"))).0;
    let mut all: Vec<_> = (0..101).map(enter).collect();
    assert!(has_to_leave(&all[0]));
    assert!(all[1..].iter().all(|it| !has_to_leave(it)));
    // Neither peers that speak, nor local ones, nor returning ones take places of the silent.
    let mut speaker = all.swap_remove(50);
    speaker.speaks();
    let local = places.enter(Source::Local).0;
    let mut returning = all.swap_remove(40);
    returning.returns([7; 32]);
    let more: Vec<_> = (101..=250).map(enter).collect();
    for unharmed in [&speaker, &local, &returning] {
        assert!(!has_to_leave(unharmed));
    }
    assert!(more.iter().filter(|it| !has_to_leave(it)).count() == 100);
}

#[test]
fn a_session_has_a_share_of_the_places_for_returning_links() {
    let places = Places::new(RETURNING, 1);
    let enter = |session: u8| {
        let mut visitor = places.enter(Source::Local).0;
        visitor.returns([session; 32]);
        visitor
    };
    let honest = enter(1);
    let flood: Vec<_> = (0..1000).map(|_| enter(2)).collect();
    assert!(!has_to_leave(&honest));
    assert_eq!(flood.iter().filter(|it| !has_to_leave(it)).count(), RETURNING_SHARE);
}

#[test]
fn the_fewer_places_are_free_the_less_time_there_is() {
    let places = Places::new(100, 1);
    let (most, one) = (Duration::from_secs(10), source("192.0.2.255"));
    assert_eq!(places.patience(one, most), most);
    let enter = |number: u8| places.enter(source(&format!("192.0.2.{number}"))).0;
    let mut all: Vec<_> = (0..50).map(enter).collect();
    assert_eq!(places.patience(one, most), most);
    all.extend((50..75).map(enter));
    assert_eq!(places.patience(one, most), Duration::from_secs(5));
    all.extend((75..100).map(enter));
    assert_eq!(places.patience(one, most), Duration::from_secs(1));
    assert_eq!(places.patience(one, Duration::from_millis(10)), Duration::from_millis(10));
    assert_eq!(places.patience(Source::Local, most), most);
}
