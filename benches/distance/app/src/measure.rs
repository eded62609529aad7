//! What is measured, whatever the way to the other process is.

use std::future::Future;
use std::time::Instant;

use hdrhistogram::Histogram;

use crate::work::{cpu, Figures, Kind, Work};
use crate::Failure;

/// The far process, as the near one has it.
pub trait Peer {
    /// Its processor time.
    fn cpu(&mut self) -> impl Future<Output = Result<u64, Failure>>;

    /// A message there and back.
    fn call(&mut self, payload: &[u8]) -> impl Future<Output = Result<(), Failure>>;

    /// From here on each target acknowledges every so many messages.
    fn begin(&mut self, every: u64) -> impl Future<Output = Result<(), Failure>>;

    /// A message to a target.
    fn cast(&mut self, to: usize, payload: &[u8]) -> impl Future<Output = Result<(), Failure>>;

    /// Waits for an acknowledgement of one target.
    fn acknowledged(&mut self) -> impl Future<Output = Result<(), Failure>>;
}

/// Does it, after a fifth of the time without measuring.
pub async fn measure(peer: &mut impl Peer, work: &Work) -> Result<Figures, Failure> {
    let payload = vec![7; work.payload];
    let short = Work { duration: work.duration / 5, ..*work };
    match work.kind {
        Kind::Call => {
            calls(peer, &payload, &short).await?;
            calls(peer, &payload, work).await
        }
        Kind::Cast { targets } => {
            casts(peer, &payload, &short, targets).await?;
            casts(peer, &payload, work, targets).await
        }
    }
}

async fn calls(peer: &mut impl Peer, payload: &[u8], work: &Work) -> Result<Figures, Failure> {
    let mut times = Histogram::<u64>::new(3)?;
    let meter = Meter::start(peer).await?;
    while meter.start.elapsed() < work.duration {
        let start = Instant::now();
        peer.call(payload).await?;
        times.record(start.elapsed().as_nanos() as u64)?;
    }
    let quantiles = [0.5, 0.99, 0.999].map(|quantile| times.value_at_quantile(quantile));
    let figures = meter.stop(peer, times.len()).await?;
    Ok(Figures { quantiles: Some(quantiles), ..figures })
}

async fn casts(
    peer: &mut impl Peer,
    payload: &[u8],
    work: &Work,
    targets: usize,
) -> Result<Figures, Failure> {
    let window = work.window(targets);
    // The window is four steps; each target acknowledges each step.
    let step = (window / 4).max(1);
    peer.begin(step as u64).await?;
    let meter = Meter::start(peer).await?;
    let (mut steps, mut acknowledged) = (0, 0);
    while meter.start.elapsed() < work.duration {
        while (steps + 1) * targets > acknowledged + window / step * targets {
            peer.acknowledged().await?;
            acknowledged += 1;
        }
        for _ in 0..step {
            for to in 0..targets {
                peer.cast(to, payload).await?;
            }
        }
        steps += 1;
    }
    while acknowledged < steps * targets {
        peer.acknowledged().await?;
        acknowledged += 1;
    }
    meter.stop(peer, (steps * step * targets) as u64).await
}

/// Time and processor time since a moment.
struct Meter {
    far_cpu: u64,
    near_cpu: u64,
    start: Instant,
}

impl Meter {
    async fn start(peer: &mut impl Peer) -> Result<Self, Failure> {
        let far_cpu = peer.cpu().await?;
        Ok(Self { far_cpu, near_cpu: cpu(), start: Instant::now() })
    }

    async fn stop(self, peer: &mut impl Peer, messages: u64) -> Result<Figures, Failure> {
        let elapsed = self.start.elapsed().as_nanos() as u64;
        let near_cpu = cpu() - self.near_cpu;
        let far_cpu = peer.cpu().await? - self.far_cpu;
        Ok(Figures { messages, elapsed, near_cpu, far_cpu, quantiles: None })
    }
}
