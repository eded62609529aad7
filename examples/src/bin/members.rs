//! Measures a cluster of many processes on this machine: how long it takes from the start of the
//! first until all know all, how long until each misses one that was killed, and what a node costs
//! at rest.
//!
//!     cargo run --release -p mycelium-examples --features membership --bin members -- 10
//!
//! `MEMBERS_MESH=0` has it measure a cluster without a full mesh, where no member needs a session.
//! `MEMBERS_REST=600s` sets how long it rests; with other work on all cores meanwhile it shows
//! whether members are taken for down that are not. It is for Linux, whose `/proc` it reads.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mycelium_ext::config::ClusterSettings;
use mycelium_ext::membership::{MemberEvent, Membership};
use mycelium_ext::node::{Listen, Node, NodeEvent};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Longer than a measurement takes.
const LONG: Duration = Duration::from_secs(300);

/// A clock tick of `/proc/PID/stat` on Linux.
const TICK: Duration = Duration::from_millis(10);

/// A process with a node, which ends with this one.
struct Member {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Member {
    fn start(number: usize, seed: &str) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["member", &number.to_string(), seed])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().ok_or("no input")?;
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        Ok(Self { process, input, output })
    }

    fn read(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        match line.trim() {
            "" => Err("a member has ended".into()),
            line => Ok(line.to_owned()),
        }
    }

    /// Asks for so many members, and so many sessions.
    fn ask(&mut self, members: usize, sessions: usize) -> Result<(), Box<dyn Error>> {
        writeln!(self.input, "{members} {sessions}")?;
        Ok(self.input.flush()?)
    }

    /// The processor time so far, and the memory in KiB that is its own and that is in use.
    fn cost(&self) -> Result<(Duration, u64, u64), Box<dyn Error>> {
        let folder = format!("/proc/{}", self.process.id());
        let stat = std::fs::read_to_string(format!("{folder}/stat"))?;
        let behind = stat.rsplit_once(") ").ok_or("a name")?.1;
        let fields: Vec<&str> = behind.split(' ').collect();
        let ticks: u32 = fields[11].parse::<u32>()? + fields[12].parse::<u32>()?;
        let status = std::fs::read_to_string(format!("{folder}/status"))?;
        let of = |name: &str| -> Result<u64, Box<dyn Error>> {
            let line = status.lines().find(|line| line.starts_with(name)).ok_or("a line")?;
            Ok(line.split_whitespace().nth(1).ok_or("a number")?.parse()?)
        };
        Ok((ticks * TICK, of("RssAnon:")?, of("VmRSS:")?))
    }
}

/// The members up to which they have sessions with all, if not with all.
fn mesh() -> Result<Option<u64>, Box<dyn Error>> {
    Ok(std::env::var("MEMBERS_MESH").ok().map(|it| it.parse()).transpose()?)
}

/// Waits until each has so many members and sessions. Returns how many dials have failed so far,
/// how many members went down, and how many were suspected.
fn all(members: &mut [Member], count: usize, sessions: usize) -> Result<[u64; 3], Box<dyn Error>> {
    for member in &mut *members {
        member.ask(count, sessions)?;
    }
    let mut sums = [0; 3];
    for member in members {
        let line = member.read()?;
        for (sum, count) in sums.iter_mut().zip(line.split(' ')) {
            *sum += count.parse::<u64>()?;
        }
    }
    Ok(sums)
}

fn measure(count: usize) -> Result<(), Box<dyn Error>> {
    let rest = std::env::var("MEMBERS_REST").unwrap_or_else(|_| "20".to_owned());
    let rest = Duration::from_secs(rest.trim_end_matches('s').parse()?);
    let began = Instant::now();
    let mut first = Member::start(0, "-")?;
    let seed = first.read()?;
    let mut members = vec![first];
    for number in 1..count {
        members.push(Member::start(number, &seed)?);
    }
    for member in &mut members[1..] {
        member.read()?;
    }
    let started = began.elapsed();
    all(&mut members, count, 0)?;
    println!("{count} processes, all started after {:.2} s", started.as_secs_f64());
    println!("all know all after {:.2} s", began.elapsed().as_secs_f64());
    if mesh()?.is_none() {
        let [failures, ..] = all(&mut members, count, count - 1)?;
        println!(
            "all have sessions with all after {:.2} s, {failures} dials failed",
            began.elapsed().as_secs_f64()
        );
    }

    std::thread::sleep(Duration::from_secs(2));
    let costs =
        |members: &[Member]| members.iter().map(Member::cost).collect::<Result<Vec<_>, _>>();
    let (before, since) = (costs(&members)?, Instant::now());
    std::thread::sleep(rest);
    let (after, elapsed) = (costs(&members)?, since.elapsed());
    let spent: Duration = after.iter().zip(&before).map(|(after, before)| after.0 - before.0).sum();
    let mean = |of: fn(&(Duration, u64, u64)) -> u64| {
        after.iter().map(of).sum::<u64>() as f64 / count as f64 / 1024.0
    };
    println!(
        "at rest for {} s: {:.2} % of a core, {:.1} MiB of memory of its own, {:.1} MiB resident, \
         for each node",
        rest.as_secs(),
        100.0 * spent.as_secs_f64() / elapsed.as_secs_f64() / count as f64,
        mean(|cost| cost.1),
        mean(|cost| cost.2)
    );

    let [_, downs, suspected] = all(&mut members, count, 0)?;
    println!("since the start: {downs} times down, {suspected} times suspected, of all by all");

    let killed = Instant::now();
    drop(members.pop());
    all(&mut members, count - 1, 0)?;
    println!("one killed: all miss it after {:.2} s", killed.elapsed().as_secs_f64());
    Ok(())
}

/// What has happened to a member so far.
#[derive(Default)]
struct Counts {
    /// Dials that failed.
    failures: AtomicU64,
    /// Members that went down.
    downs: AtomicU64,
    /// Members that their sessions alone kept alive.
    suspected: AtomicU64,
}

async fn count(
    mut of_node: Receiver<NodeEvent>,
    mut of_members: Receiver<MemberEvent>,
    counts: std::sync::Arc<Counts>,
) {
    loop {
        let counted = tokio::select! {
            event = of_node.recv() => match event {
                Ok(NodeEvent::DialFailed { .. }) => &counts.failures,
                Err(RecvError::Closed) => return,
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
            },
            event = of_members.recv() => match event {
                Ok(MemberEvent::Down(_)) => &counts.downs,
                Ok(MemberEvent::Suspected(_)) => &counts.suspected,
                Err(RecvError::Closed) => return,
                Ok(_) | Err(RecvError::Lagged(_)) => continue,
            },
        };
        counted.fetch_add(1, Relaxed);
    }
}

async fn alive(membership: &Membership, count: usize) {
    membership
        .wait_for(|members| members.iter().filter(|it| it.state.is_alive()).count() == count)
        .await;
}

async fn member(number: &str, seed: &str) -> Result<(), Box<dyn Error>> {
    let mut cluster = ClusterSettings::default();
    if seed != "-" {
        cluster = cluster.with_seed(seed)?;
    }
    if let Some(members) = mesh()? {
        cluster = cluster.with_full_mesh_up_to(members);
    }
    let node = Node::builder(format!("member-{number}"))
        .cookie("a cookie for a measurement")
        .listen(Listen::tcp("127.0.0.1:0"))
        .cluster(cluster)
        .start()
        .await?;
    let membership = node.membership().ok_or("it has a cluster")?;
    let counts: std::sync::Arc<Counts> = Default::default();
    tokio::spawn(count(node.events(), membership.events(), counts.clone()));
    println!("{}", membership.address());
    let (asks, mut asked) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if asks.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = asked.recv().await {
        let (members, sessions) = line.split_once(' ').ok_or("two numbers")?;
        let (members, sessions): (usize, usize) = (members.parse()?, sessions.parse()?);
        tokio::time::timeout(LONG, async {
            alive(membership, members).await;
            while node.peers().len() < sessions {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await?;
        let counts = [&counts.failures, &counts.downs, &counts.suspected];
        let [failures, downs, suspected] = counts.map(|count| count.load(Relaxed));
        println!("{failures} {downs} {suspected}");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [word, number, seed] if word == "member" => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()?;
            runtime.block_on(member(number, seed))
        }
        [count] => measure(count.parse()?),
        _ => Err("give the number of processes".into()),
    }
}
