//! Seeds: where a node looks for others.

use std::collections::{BTreeSet, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use mycelium_link::chance;
use rand::RngExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Addresses of all seeds, at most.
const ADDRESSES: usize = 256;

/// How long the resolution of one name may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often names are resolved again.
const RESOLVED_FOR: Duration = Duration::from_secs(30);

/// The longest pause between two rounds of a node that is alone.
const LONGEST: Duration = Duration::from_secs(5);

/// Between two looks at a seed of a node that is not alone: so parts of a cluster that lost each
/// other meet again.
const WHERE_OTHERS_ARE: Duration = Duration::from_secs(3);

/// Rounds without an answer before it is told.
const ROUNDS: u32 = 4;

/// The addresses behind these seeds. A name has as many as it has; one that cannot be resolved is
/// told of.
async fn resolve(seeds: Vec<String>) -> BTreeSet<SocketAddr> {
    let mut found = BTreeSet::new();
    for seed in &seeds {
        if let Ok(address) = seed.parse() {
            found.insert(address);
            continue;
        }
        match tokio::time::timeout(PATIENCE, tokio::net::lookup_host(seed)).await {
            Ok(Ok(addresses)) => found.extend(addresses),
            Ok(Err(error)) => tracing::warn!(seed, %error, "the name of a seed cannot be resolved"),
            Err(_) => tracing::warn!(seed, "the name of a seed is not resolved in time"),
        }
    }
    found.into_iter().take(ADDRESSES).collect()
}

/// What a round asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// Where to gossip.
    pub(crate) gossip: Vec<SocketAddr>,
    /// No seed has answered for a while; it is told once until one does.
    pub(crate) nobody: bool,
}

/// The seeds of a node, and when it looks at them.
#[derive(Debug)]
pub(crate) struct Seeds {
    names: Vec<String>,
    addresses: BTreeSet<SocketAddr>,
    resolving: Option<JoinHandle<BTreeSet<SocketAddr>>>,
    resolved: Option<Instant>,
    next: Option<Instant>,
    pause: Duration,
    shortest: Duration,
    in_vain: u32,
    is_told: bool,
}

impl Drop for Seeds {
    fn drop(&mut self) {
        if let Some(resolving) = &self.resolving {
            resolving.abort();
        }
    }
}

impl Seeds {
    pub(crate) fn new(names: Vec<String>, interval: Duration) -> Self {
        let shortest = interval / 5;
        Self {
            names,
            addresses: BTreeSet::new(),
            resolving: None,
            resolved: None,
            next: None,
            pause: shortest,
            shortest,
            in_vain: 0,
            is_told: false,
        }
    }

    /// Resolves names in a task of its own; returns whether there are new addresses.
    pub(crate) async fn refresh(&mut self, now: Instant) -> bool {
        if self.names.is_empty() {
            return false;
        }
        if let Some(resolving) = self.resolving.take_if(|it| it.is_finished()) {
            self.resolved = Some(now);
            if let Ok(found) = resolving.await {
                // What was found before may still be right when nothing is found now.
                if !found.is_empty() {
                    self.addresses = found;
                    return true;
                }
            }
        }
        let is_old = self.resolved.is_none_or(|it| {
            let age = now.saturating_duration_since(it);
            age >= RESOLVED_FOR || (self.addresses.is_empty() && age >= self.pause)
        });
        if is_old && self.resolving.is_none() {
            self.resolving = Some(tokio::spawn(resolve(self.names.clone())));
        }
        false
    }

    /// Whom to gossip with now, beside the members that gossip anyway. `own` are addresses of this
    /// node, `alive` those of members; `down` are members that may come back.
    pub(crate) fn round(
        &mut self,
        own: &HashSet<SocketAddr>,
        alive: &HashSet<SocketAddr>,
        down: &[SocketAddr],
        now: Instant,
    ) -> Round {
        if self.next.is_some_and(|next| now < next) {
            return Round::default();
        }
        let others: Vec<_> =
            self.addresses.iter().filter(|it| !own.contains(it) && !alive.contains(it)).collect();
        if !alive.is_empty() {
            (self.pause, self.in_vain, self.is_told) = (self.shortest, 0, false);
            self.next = Some(now + WHERE_OTHERS_ARE);
            let any = |list: &[&SocketAddr]| {
                (!list.is_empty()).then(|| *list[chance::rng().random_range(0..list.len())])
            };
            let down: Vec<_> = down.iter().collect();
            let gossip: BTreeSet<_> = [any(&others), any(&down)].into_iter().flatten().collect();
            return Round { gossip: gossip.into_iter().collect(), nobody: false };
        }
        let gossip: BTreeSet<_> = others.into_iter().chain(down).copied().collect();
        let gossip: Vec<_> = gossip.into_iter().collect();
        // From the upper half of the step, so that many nodes do not come at once.
        let pause = self.pause.mul_f64(0.5 + chance::random::<f64>() / 2.0);
        self.next = Some(now + pause);
        self.pause = (self.pause * 2).min(LONGEST.max(self.shortest));
        let is_resolved = self.resolved.is_some();
        let is_seed = !self.names.is_empty() && is_resolved && gossip.is_empty() && !own.is_empty();
        if self.names.is_empty() || is_seed || !is_resolved {
            // There is nobody to wait for: it is the seed itself.
            return Round { gossip, nobody: false };
        }
        self.in_vain += 1;
        let nobody = self.in_vain >= ROUNDS && !self.is_told;
        self.is_told |= nobody;
        Round { gossip, nobody }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(500);

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Seeds whose names are resolved.
    async fn seeds(names: &[&str]) -> Seeds {
        let mut seeds = Seeds::new(names.iter().map(|it| (*it).to_owned()).collect(), INTERVAL);
        let now = Instant::now();
        while seeds.resolved.is_none() {
            seeds.refresh(now).await;
            tokio::task::yield_now().await;
        }
        seeds
    }

    #[tokio::test]
    async fn a_name_has_all_its_addresses() {
        let found = resolve(vec!["localhost:7".to_owned(), "127.0.0.1:8".to_owned()]).await;
        let expected: BTreeSet<_> = tokio::net::lookup_host("localhost:7")
            .await
            .expect("this machine")
            .chain([address(8)])
            .collect();
        assert_eq!(found, expected);
        assert!(resolve(vec!["no such host:7".to_owned()]).await.is_empty());
    }

    #[tokio::test]
    async fn it_looks_at_seeds_until_one_answers_and_tells_once() {
        let mut seeds = seeds(&["127.0.0.1:7", "127.0.0.1:8"]).await;
        let (nobody, mut now) = (HashSet::new(), Instant::now());
        let (mut told, mut rounds) = (0, 0);
        for _ in 0..6000 {
            now += Duration::from_millis(10);
            let round = seeds.round(&nobody, &nobody, &[], now);
            told += u32::from(round.nobody);
            rounds += u32::from(!round.gossip.is_empty());
            assert!(round.gossip.is_empty() || round.gossip == [address(7), address(8)]);
        }
        assert_eq!(told, 1);
        // A minute with pauses of up to five seconds.
        assert!((12..40).contains(&rounds), "{rounds}");
        let alive = HashSet::from([address(7)]);
        now += LONGEST;
        assert_eq!(seeds.round(&nobody, &alive, &[], now).gossip, [address(8)]);
        now += WHERE_OTHERS_ARE;
        let alive = HashSet::from([address(7), address(8)]);
        assert_eq!(seeds.round(&nobody, &alive, &[address(9)], now).gossip, [address(9)]);
        let told = (0..100).any(|_| {
            now += LONGEST;
            seeds.round(&nobody, &nobody, &[], now).nobody
        });
        assert!(told, "it is alone again");
    }

    #[tokio::test]
    async fn a_seed_that_is_this_node_is_left_alone() {
        let mut seeds = seeds(&["127.0.0.1:7"]).await;
        let (own, nobody, mut now) = (HashSet::from([address(7)]), HashSet::new(), Instant::now());
        for _ in 0..50 {
            now += LONGEST;
            assert_eq!(seeds.round(&own, &nobody, &[], now), Round::default());
        }
    }
}
