//! How much of the stack an actor needs whose messages are large by value: no more than with stock.
//!
//! A stack that is too small aborts its process. So each try is this program again, started with
//! the crate, the way, the size of the messages, and the size of the stack.

use std::fmt;
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use libtest_mimic::{Arguments, Failed, Trial};

/// Stands in for the crate's trait of that name, which only a build with the feature `cluster` has:
/// a glob import in a block hides what is outside of it.
#[allow(dead_code)]
trait BytesConvertable {
    fn into_bytes(self) -> Vec<u8>;
    fn from_bytes(bytes: Vec<u8>) -> Self;
}

/// The same actor, written against either crate.
macro_rules! actors {
    ($module:ident, $ractor:ident) => {
        const _: () = {
            #[allow(unused_imports)]
            use $ractor::*;

            impl<const N: usize> BytesConvertable for $module::Large<N> {
                fn into_bytes(self) -> Vec<u8> {
                    unreachable!("it stays in this process")
                }

                fn from_bytes(_: Vec<u8>) -> Self {
                    unreachable!("it stays in this process")
                }
            }
        };

        mod $module {
            use super::Way;
            use $ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

            /// What is sent, and what a call is answered with.
            pub(super) struct Large<const N: usize>(u64, [u8; N], Option<RpcReplyPort<[u8; N]>>);

            struct Sum<const N: usize>;

            impl<const N: usize> Actor for Sum<N> {
                type Msg = Large<N>;
                type State = u64;
                type Arguments = ();

                async fn pre_start(
                    &self,
                    _: ActorRef<Large<N>>,
                    (): (),
                ) -> Result<u64, ActorProcessingErr> {
                    Ok(0)
                }

                async fn handle(
                    &self,
                    _: ActorRef<Large<N>>,
                    message: Large<N>,
                    sum: &mut u64,
                ) -> Result<(), ActorProcessingErr> {
                    *sum += message.0 + u64::from(message.1[N - 1]);
                    match message.2 {
                        Some(reply) => Ok(reply.send([9; N])?),
                        None => Ok(()),
                    }
                }
            }

            /// Starts the actor, sends to it, and lets it handle all.
            pub(super) fn run<const N: usize>(way: Way) {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
                runtime.expect("a runtime").block_on(async {
                    let (actor, ended) = Actor::spawn(None, Sum::<N>, ()).await.expect("it starts");
                    let to = actor.clone();
                    let cast = move || {
                        for number in 0..3 {
                            to.cast(Large(number, [1; N], None)).ok().expect("it is sent");
                        }
                    };
                    match way {
                        Way::Cast => cast(),
                        Way::Take => {
                            let sender = std::thread::Builder::new().stack_size(super::MOST);
                            sender.spawn(cast).expect("a thread").join().expect("it sends");
                        }
                        Way::Call => {
                            for number in 0..3 {
                                let call = |reply| Large(number, [1; N], Some(reply));
                                let called = actor.call(call, None).await;
                                assert!(called.expect("it is sent").unwrap()[N - 1] == 9);
                            }
                        }
                    }
                    actor.drain().expect("it runs");
                    ended.await.expect("it ends");
                });
            }
        }
    };
}

actors!(stock, stock_ractor);
actors!(fork, ractor);

const KIB: usize = 1024;
/// The sizes of messages, in KiB.
const SIZES: [usize; 3] = [4, 64, 256];
/// What is told apart: a page.
const STEP: usize = 4 * KIB;
/// More than any needs.
const MOST: usize = 64 * KIB * KIB;

/// What happens on the thread whose stack is measured: the actor lives there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Messages are sent there, too.
    Cast,
    /// Messages are sent by another thread.
    Take,
    /// The actor is called from there, and answers with as much.
    Call,
}

impl Way {
    const ALL: [Self; 3] = [Self::Cast, Self::Take, Self::Call];

    const fn name(self) -> &'static str {
        match self {
            Self::Cast => "cast",
            Self::Take => "take",
            Self::Call => "call",
        }
    }
}

/// What is tried.
#[derive(Clone, Copy)]
struct Try {
    krate: &'static str,
    way: Way,
    kib: usize,
}

impl Try {
    /// Whether a stack of so many bytes is enough.
    fn runs_with(self, stack: usize) -> bool {
        let program = std::env::current_exe().expect("this program has a path");
        let words = [self.krate, self.way.name(), &self.kib.to_string(), &stack.to_string()];
        let status = Command::new(program).args(words).stderr(Stdio::null()).status();
        status.expect("it starts").success()
    }

    /// The least stack that is enough, in bytes.
    fn least(self) -> Result<usize, Failed> {
        let (mut few, mut enough) = (0, MOST / STEP);
        if !self.runs_with(MOST) {
            return Err(format!("{self}: it does not run with {MOST} bytes").into());
        }
        while few + 1 < enough {
            let middle = (few + enough) / 2;
            if self.runs_with(middle * STEP) {
                enough = middle;
            } else {
                few = middle;
            }
        }
        Ok(enough * STEP)
    }
}

impl fmt::Display for Try {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} of {} KiB", self.krate, self.way.name(), self.kib)
    }
}

/// The other process.
fn child(words: &[String]) -> ExitCode {
    let [krate, way, kib, stack] = words else { unreachable!("there are four") };
    let way = Way::ALL.into_iter().find(|it| it.name() == way).expect("a way");
    let run: fn(Way) = match (krate.as_str(), kib.as_str()) {
        ("stock", "4") => stock::run::<{ 4 * KIB }>,
        ("stock", "64") => stock::run::<{ 64 * KIB }>,
        ("stock", "256") => stock::run::<{ 256 * KIB }>,
        ("fork", "4") => fork::run::<{ 4 * KIB }>,
        ("fork", "64") => fork::run::<{ 64 * KIB }>,
        ("fork", "256") => fork::run::<{ 256 * KIB }>,
        other => unreachable!("{other:?}"),
    };
    let stack = stack.parse().expect("a number");
    let thread = thread::Builder::new().stack_size(stack).spawn(move || run(way));
    thread.expect("a thread").join().expect("it runs");
    ExitCode::SUCCESS
}

fn the_fork_needs_no_more(way: Way, kib: usize) -> Result<(), Failed> {
    let name = way.name();
    let stock = Try { krate: "stock", way, kib }.least()?;
    let fork = Try { krate: "fork", way, kib }.least()?;
    println!("{name} of {kib} KiB: stock {} KiB, fork {} KiB", stock / KIB, fork / KIB);
    if fork > stock {
        let text = format!("{name} of {kib} KiB: stock needs {stock} bytes, the fork {fork}");
        return Err(text.into());
    }
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if matches!(words.first().map(String::as_str), Some("stock" | "fork")) {
        return child(&words);
    }
    let ways = Way::ALL.into_iter().flat_map(|way| SIZES.map(|kib| (way, kib)));
    let trials = ways.map(|(way, kib)| {
        Trial::test(format!("{}_of_{kib}_kib", way.name()), move || {
            the_fork_needs_no_more(way, kib)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
