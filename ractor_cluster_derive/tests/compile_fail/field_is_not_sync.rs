use std::cell::Cell;

use ractor_cluster_derive::RactorMessage;

#[derive(RactorMessage)]
#[shared]
struct Counter {
    count: Cell<u64>,
}

fn main() {}
