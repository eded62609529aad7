use ractor_cluster_derive::{RactorMessage, SharedMessage};

struct Handle;

#[derive(RactorMessage, SharedMessage)]
enum Order {
    Buy(u64, Handle),
}

fn main() {}
