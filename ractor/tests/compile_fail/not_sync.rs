//! A message that is `Send` but not `Sync` cannot be held by two threads at once.

use std::cell::Cell;
use std::sync::Arc;

use ractor::ActorRef;

fn share(actor: &ActorRef<Cell<u64>>) {
    let _ = actor.cast_arc(Arc::new(Cell::new(1)));
}

fn main() {}
