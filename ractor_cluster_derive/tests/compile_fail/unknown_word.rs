use ractor_cluster_derive::{RactorMessage, SharedMessage};

#[derive(RactorMessage, SharedMessage)]
enum Order {
    #[shared(sometimes)]
    Buy(u64),
}

#[derive(RactorMessage)]
#[shared(no_copy)]
struct Plan(u64);

fn main() {}
