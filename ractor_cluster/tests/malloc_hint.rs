//! Whether a node changes the bounds of glibc's allocator: each case is a process of its own, since
//! the bounds are the process's.

use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let [case, ..] = std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        if let Some(switches) = bounds::case(case) {
            return bounds::run(switches);
        }
    }
    let cases = [("hint", "raised"), ("no-hint", "kept"), ("no-hint-of-one", "kept")];
    let trial = |(case, outcome)| {
        Trial::test(format!("a_process_with_{case}_has_its_bounds_{outcome}"), move || {
            has_outcome(case, outcome)
        })
    };
    let mut trials: Vec<_> = cases.map(trial).into_iter().collect();
    if cfg!(not(all(target_os = "linux", target_env = "gnu"))) {
        eprintln!("skipped: the tests of glibc's allocator need glibc on Linux");
        trials.clear();
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn has_outcome(case: &str, outcome: &str) -> Result<(), Failed> {
    // The caller's settings of the allocator would decide otherwise.
    let mut command = Command::new(std::env::current_exe()?);
    let command = command.arg(case).env_remove("GLIBC_TUNABLES");
    for variable in ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"] {
        command.env_remove(variable);
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    match said.trim_end() == outcome {
        true => Ok(()),
        false => Err(format!("{said}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod bounds {
    use std::future::Future;
    use std::process::ExitCode;
    use std::time::Duration;

    use ractor::{call, pg, Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
    use ractor_cluster::link::options::{Location, Peer, PeerPolicy};
    use ractor_cluster::link::{listening, LinkOptions};
    use ractor_cluster::node::NodeConnectionMode;
    use ractor_cluster::{client_connect, NodeServer, NodeServerMessage, RactorClusterMessage};

    const GROUP: &str = "counting";
    /// Large enough for the hint, and too small for glibc to raise its bounds by itself: a block of
    /// this size comes from the heap.
    const MESSAGE: usize = 64 * 1024;
    /// A block that is on the heap with raised bounds only.
    const BLOCK: usize = 2 * 1024 * 1024;

    /// The switches of the two nodes.
    pub(super) fn case(name: &str) -> Option<[bool; 2]> {
        match name {
            "hint" => Some([true, true]),
            "no-hint" => Some([false, false]),
            "no-hint-of-one" => Some([true, false]),
            _ => None,
        }
    }

    /// Sends a large message from one node to the other, and prints what became of the bounds.
    pub(super) fn run(switches: [bool; 2]) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // On the main thread, whose arena is the process's heap.
        let done = runtime.expect("a runtime").block_on(in_time(exchange(switches)));
        match done {
            Ok(()) => println!("{}", if is_on_the_heap() { "raised" } else { "kept" }),
            Err(error) => println!("failed: {error}"),
        }
        ExitCode::SUCCESS
    }

    type Failure = Box<dyn std::error::Error>;

    async fn in_time(what: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
        tokio::time::timeout(Duration::from_secs(60), what).await?
    }

    /// Whether a new block is in the memory that the kernel calls the heap.
    fn is_on_the_heap() -> bool {
        let block = std::hint::black_box(Vec::<u8>::with_capacity(BLOCK));
        let address = block.as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has it");
        maps.lines().filter(|line| line.ends_with("[heap]")).any(|line| {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let (start, end) = range.expect("a range");
            let number = |text| usize::from_str_radix(text, 16).expect("a number");
            (number(start)..number(end)).contains(&address)
        })
    }

    #[derive(RactorClusterMessage)]
    enum Weigh {
        #[rpc]
        Bytes(Vec<u8>, RpcReplyPort<u64>),
    }

    struct Scales;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Scales {
        type Msg = Weigh;
        type State = ();
        type Arguments = ();

        async fn pre_start(&self, _: ActorRef<Weigh>, (): ()) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle(
            &self,
            _: ActorRef<Weigh>,
            Weigh::Bytes(bytes, reply): Weigh,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(reply.send(bytes.len() as u64)?)
        }
    }

    async fn exchange([near, far]: [bool; 2]) -> Result<(), Failure> {
        let (actor, _) = Actor::spawn(None, Scales, ()).await?;
        pg::join(GROUP.to_owned(), vec![actor.get_cell()]);
        let first = start("first", "second", near).await?;
        let second = start("second", "first", far).await?;
        let address = listening(&first).remove(0).address;
        client_connect(&second, address).await?;
        let proxy = loop {
            let members = pg::get_members(&GROUP.to_owned());
            match members.into_iter().find(|it| !it.get_id().is_local()) {
                Some(proxy) => break ActorRef::<Weigh>::from(proxy),
                None => tokio::task::yield_now().await,
            }
        };
        let weight = call!(proxy, Weigh::Bytes, vec![7; MESSAGE])?;
        assert_eq!(weight, MESSAGE as u64);
        first.stop_and_wait(None, None).await?;
        Ok(second.stop_and_wait(None, None).await?)
    }

    async fn start(
        name: &str,
        other: &str,
        malloc_hint: bool,
    ) -> Result<ActorRef<NodeServerMessage>, Failure> {
        let remote = PeerPolicy::default().with_location(Location::Remote);
        let options = LinkOptions::default()
            .with_peer(Peer::named(other), remote)
            .with_malloc_hint(malloc_hint);
        let (cookie, host) = ("a cookie".to_owned(), "localhost".to_owned());
        let isolated = Some(NodeConnectionMode::Isolated);
        let server = NodeServer::new(0, cookie, name.to_owned(), host, None, isolated)
            .with_listen_addr([127, 0, 0, 1].into())
            .with_links(options);
        Ok(Actor::spawn(None, server, ()).await?.0)
    }
}
