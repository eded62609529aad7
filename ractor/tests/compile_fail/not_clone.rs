//! A message that is not `Clone` says itself how it is shared.

use std::sync::Arc;

use ractor::{pg, ActorRef};

struct Order(u64);

fn share(actor: &ActorRef<Order>) {
    let _ = actor.cast_arc(Arc::new(Order(1)));
    let _ = pg::broadcast_arc(&"orders".to_owned(), Arc::new(Order(2)));
}

fn main() {}
