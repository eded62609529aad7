//! Messages that are not `Clone`, derived as shared ones.

use ractor::message::SharedMessage as _;
use ractor::{Message, RpcReplyPort};
use ractor_cluster_derive::{RactorClusterMessage, RactorMessage, SharedMessage};

fn port() -> RpcReplyPort<u64> {
    ractor::concurrency::oneshot().0.into()
}

/// Of all kinds of variants.
#[derive(RactorClusterMessage, Debug)]
#[shared]
enum Book {
    Halt,
    Tick(u64, String),
    Level {
        price: u64,
        size: u64,
    },
    #[rpc]
    Best(u64, RpcReplyPort<u64>),
    #[shared(no_copy)]
    Snapshot(Vec<u64>),
}

#[test]
fn variants_are_copied_one_by_one() {
    assert!(matches!(Book::Halt.clone_shared(), Some(Book::Halt)));
    let tick = Book::Tick(1, "one".to_owned()).clone_shared();
    assert!(matches!(tick, Some(Book::Tick(1, name)) if name == "one"));
    let level = Book::Level { price: 2, size: 3 }.clone_shared();
    assert!(matches!(level, Some(Book::Level { price: 2, size: 3 })));
    assert!(Book::Best(4, port()).clone_shared().is_none());
    assert!(Book::Snapshot(vec![5]).clone_shared().is_none());
}

#[test]
fn those_with_a_port_are_not_shared() {
    assert!(Book::arc_shareable());
    assert!(Book::Halt.is_shareable());
    assert!(Book::Snapshot(vec![1]).is_shareable());
    assert!(!Book::Best(1, port()).is_shareable());
    // It is the message that it was.
    assert!(Book::serializable());
}

/// Of this process only.
#[derive(RactorMessage, SharedMessage)]
struct Order(u64, &'static str);

#[derive(RactorMessage, SharedMessage)]
struct Unit;

#[derive(RactorMessage, SharedMessage)]
enum Empty {}

/// Holds anything.
#[derive(RactorMessage)]
#[shared]
enum Holder<T: Send + 'static> {
    One(T),
    Ask { port: RpcReplyPort<T> },
}

#[test]
fn structs_and_generics_are_shared_too() {
    let order = Order(1, "buy").clone_shared().unwrap();
    assert_eq!((order.0, order.1), (1, "buy"));
    assert!(Unit.clone_shared().is_some());
    assert!(matches!(Holder::One("it").clone_shared(), Some(Holder::One("it"))));
    let question = Holder::Ask { port: port() };
    assert!(!question.is_shareable());
    assert!(matches!(question, Holder::Ask { port } if port.get_timeout().is_none()));
    let nobody: Option<Empty> = None;
    assert!(nobody.and_then(|it| it.clone_shared()).is_none());
}

#[derive(RactorMessage)]
#[shared(never)]
#[allow(dead_code)]
struct Secret(u64);

#[derive(RactorClusterMessage, Clone)]
#[shared(never)]
enum Plan {
    Buy(u64),
}

#[derive(RactorMessage, SharedMessage)]
#[shared(never)]
struct Kept;

#[test]
fn a_type_can_refuse() {
    assert!(!Secret::arc_shareable());
    assert!(!Plan::arc_shareable());
    assert!(!Kept.is_shareable());
    // And is else what it was.
    let plan = Plan::deserialize(Plan::Buy(7).serialize().unwrap());
    assert!(matches!(plan, Ok(Plan::Buy(7))));
}

#[test]
fn what_cannot_be_shared_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
