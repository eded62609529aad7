//! Stock and fork: the same actors, written against either crate.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Block, Casts, Life, Ring, Round, System, Token};

/// Stands in for the crate's trait of that name, which only a build with the feature `cluster` has,
/// as that of the whole workspace is. There a type is a message when it converts to bytes.
///
/// Nothing here tells this crate which build it is in; but a glob import in a block hides what is
/// outside of it, so that `BytesConvertable` is the crate's trait if there is one.
#[allow(dead_code)]
trait BytesConvertable {
    fn into_bytes(self) -> Vec<u8>;
    fn from_bytes(bytes: Vec<u8>) -> Self;
}

/// Makes a type a message of that crate, in either build.
macro_rules! message {
    ($ractor:ident, $message:ident) => {
        const _: () = {
            #[allow(unused_imports)]
            use $ractor::*;

            impl<const N: usize> BytesConvertable for $message<N> {
                fn into_bytes(self) -> Vec<u8> {
                    unreachable!("it stays in this process")
                }

                fn from_bytes(_: Vec<u8>) -> Self {
                    unreachable!("it stays in this process")
                }
            }
        };
    };
}

// Stock's package is built without the feature in any case.
message!(ractor, Block);

const _: () = {
    #[allow(unused_imports)]
    use ractor::*;

    impl BytesConvertable for Token {
        fn into_bytes(self) -> Vec<u8> {
            unreachable!("it stays in this process")
        }

        fn from_bytes(_: Vec<u8>) -> Self {
            unreachable!("it stays in this process")
        }
    }
};

/// The same actors, written against either crate.
macro_rules! system {
    ($module:ident, $ractor:ident, $name:ident) => {
        mod $module {
            use super::*;
            use $ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort};

            /// The crate.
            pub(crate) struct $name;

            struct Counter<const N: usize>;

            impl<const N: usize> Actor for Counter<N> {
                type Msg = Block<N>;
                type State = Round;
                type Arguments = Round;

                async fn pre_start(
                    &self,
                    _: ActorRef<Block<N>>,
                    round: Round,
                ) -> Result<Round, ActorProcessingErr> {
                    Ok(round)
                }

                async fn handle(
                    &self,
                    _: ActorRef<Block<N>>,
                    block: Block<N>,
                    round: &mut Round,
                ) -> Result<(), ActorProcessingErr> {
                    round.count(&block);
                    Ok(())
                }
            }

            struct Echo<const N: usize>;

            pub(crate) struct Ask<const N: usize>(Block<N>, RpcReplyPort<Block<N>>);

            message!($ractor, Ask);

            impl<const N: usize> Actor for Echo<N> {
                type Msg = Ask<N>;
                type State = ();
                type Arguments = ();

                async fn pre_start(
                    &self,
                    _: ActorRef<Ask<N>>,
                    nothing: (),
                ) -> Result<(), ActorProcessingErr> {
                    Ok(nothing)
                }

                async fn handle(
                    &self,
                    _: ActorRef<Ask<N>>,
                    Ask(block, asker): Ask<N>,
                    _: &mut (),
                ) -> Result<(), ActorProcessingErr> {
                    block.read();
                    asker.send(block)?;
                    Ok(())
                }
            }

            impl<const N: usize> Casts<N> for $name {
                type Counter = ActorRef<Block<N>>;

                async fn counter(round: Round) -> Self::Counter {
                    Actor::spawn(None, Counter::<N>, round).await.expect("it starts").0
                }

                fn cast(counter: &Self::Counter, block: Block<N>) {
                    counter.cast(block).expect("it runs");
                }
            }

            impl<const N: usize> System<N> for $name {
                type Echo = ActorRef<Ask<N>>;

                async fn echo() -> Self::Echo {
                    Actor::spawn(None, Echo::<N>, ()).await.expect("it starts").0
                }

                async fn call(
                    echo: &Self::Echo,
                    block: Block<N>,
                    timeout: Option<Duration>,
                ) -> Block<N> {
                    let answer = echo.call(|asker| Ask(block, asker), timeout);
                    answer.await.expect("it runs").expect("it answers")
                }
            }

            struct Node;

            type Place = (Arc<OnceLock<Vec<ActorRef<Token>>>>, usize);

            impl Actor for Node {
                type Msg = Token;
                type State = Place;
                type Arguments = Place;

                async fn pre_start(
                    &self,
                    _: ActorRef<Token>,
                    place: Place,
                ) -> Result<Place, ActorProcessingErr> {
                    Ok(place)
                }

                async fn handle(
                    &self,
                    _: ActorRef<Token>,
                    token: Token,
                    (ring, next): &mut Place,
                ) -> Result<(), ActorProcessingErr> {
                    if let Some(token) = token.hop() {
                        ring.get().ok_or("the ring is closed")?[*next].cast(token)?;
                    }
                    Ok(())
                }
            }

            impl Ring for $name {
                type Node = ActorRef<Token>;

                async fn node(ring: Arc<OnceLock<Vec<Self::Node>>>, next: usize) -> Self::Node {
                    Actor::spawn(None, Node, (ring, next)).await.expect("it starts").0
                }

                fn pass(node: &Self::Node, token: Token) {
                    node.cast(token).expect("it runs");
                }
            }

            impl Life for $name {
                type Idle = (ActorCell, $ractor::concurrency::JoinHandle<()>);

                async fn spawn() -> Self::Idle {
                    let (actor, task) = Actor::spawn(None, Echo::<8>, ()).await.expect("it starts");
                    (actor.get_cell(), task)
                }

                async fn stop((actor, task): Self::Idle) {
                    actor.stop(None);
                    task.await.expect("it stops");
                }
            }
        }
        pub(crate) use $module::$name;
    };
}

system!(stock, stock_ractor, Stock);
system!(fork, ractor, Fork);
