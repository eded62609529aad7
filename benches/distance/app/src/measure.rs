//! What is measured, whatever the way to the other process is.

use std::future::Future;
use std::time::Instant;

use bytes::Bytes;
use hdrhistogram::Histogram;

use crate::work::{cpu, Extent, Figures, Kind, Work};
use crate::Failure;

/// The far process, as the near one has it.
pub trait Peer {
    /// Its processor time.
    fn cpu(&mut self) -> impl Future<Output = Result<u64, Failure>> + Send;

    /// A message there and back.
    fn call(&mut self, payload: &[u8]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// A payload of so many bytes there, and one of as many back: both are made anew, where the
    /// other process can read them without a copy. All bytes of both are this one.
    fn call_raw(
        &mut self,
        length: usize,
        byte: u8,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// From here on each of the first `targets` actors acknowledges every so many messages.
    fn begin(
        &mut self,
        every: u64,
        targets: usize,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// A message to the first actor.
    fn cast(&mut self, payload: &[u8]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The same, with a payload that need not be copied.
    fn cast_raw(&mut self, payload: &Bytes) -> impl Future<Output = Result<(), Failure>> + Send;

    /// One message to the first `targets` actors.
    fn fan_out(
        &mut self,
        targets: usize,
        payload: &[u8],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Waits for an acknowledgement of one actor.
    fn acknowledged(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Does it.
pub async fn measure(peer: &mut (impl Peer + Send), work: &Work) -> Result<Figures, Failure> {
    if let Extent::Time(duration) = work.extent {
        let short = Work { extent: Extent::Time(duration / 5), ..*work };
        once(peer, &short).await?;
    }
    once(peer, work).await
}

async fn once(peer: &mut (impl Peer + Send), work: &Work) -> Result<Figures, Failure> {
    match work.kind {
        Kind::Call | Kind::RawCall => calls(peer, work).await,
        Kind::Cast | Kind::Raw => casts(peer, work, 1).await,
        Kind::FanOut { targets } => casts(peer, work, targets).await,
        Kind::Idle => idle(peer, work).await,
    }
}

async fn calls(peer: &mut (impl Peer + Send), work: &Work) -> Result<Figures, Failure> {
    let payload = vec![7; work.payload];
    let mut times = Histogram::<u64>::new(3)?;
    let meter = Meter::start(peer).await?;
    while meter.goes_on(work, times.len() as usize) {
        let start = Instant::now();
        match work.kind {
            Kind::RawCall => peer.call_raw(work.payload, times.len() as u8).await?,
            _ => peer.call(&payload).await?,
        }
        times.record(start.elapsed().as_nanos() as u64)?;
    }
    let quantiles = [0.5, 0.99, 0.999].map(|quantile| times.value_at_quantile(quantile));
    let figures = meter.stop(peer, times.len()).await?;
    Ok(Figures { quantiles: Some(quantiles), ..figures })
}

async fn casts(
    peer: &mut (impl Peer + Send),
    work: &Work,
    targets: usize,
) -> Result<Figures, Failure> {
    let payload = Bytes::from(vec![7; work.payload]);
    let window = work.window(targets);
    // The window is four steps; each target acknowledges each step.
    let step = (window / 4).max(1);
    peer.begin(step as u64, targets).await?;
    let meter = Meter::start(peer).await?;
    let (mut steps, mut acknowledged) = (0, 0);
    while meter.goes_on(work, steps * step) {
        while (steps + 1) * targets > acknowledged + window / step * targets {
            peer.acknowledged().await?;
            acknowledged += 1;
        }
        for _ in 0..step {
            match work.kind {
                Kind::FanOut { .. } => peer.fan_out(targets, &payload).await?,
                Kind::Raw => peer.cast_raw(&payload).await?,
                _ => peer.cast(&payload).await?,
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

/// What both processes cost when nothing is to be done, over all the time.
async fn idle(peer: &mut (impl Peer + Send), work: &Work) -> Result<Figures, Failure> {
    let Extent::Time(duration) = work.extent else { return Err("idle takes a time".into()) };
    let meter = Meter::start(peer).await?;
    tokio::time::sleep(duration).await;
    meter.stop(peer, 1).await
}

/// Time and processor time since a moment.
struct Meter {
    far_cpu: u64,
    near_cpu: u64,
    start: Instant,
}

impl Meter {
    async fn start(peer: &mut (impl Peer + Send)) -> Result<Self, Failure> {
        let far_cpu = peer.cpu().await?;
        Ok(Self { far_cpu, near_cpu: cpu(), start: Instant::now() })
    }

    /// Whether there is more to be done after so many messages to each.
    fn goes_on(&self, work: &Work, done: usize) -> bool {
        match work.extent {
            Extent::Time(duration) => self.start.elapsed() < duration,
            Extent::Count(count) => done < count,
        }
    }

    async fn stop(self, peer: &mut (impl Peer + Send), messages: u64) -> Result<Figures, Failure> {
        let elapsed = self.start.elapsed().as_nanos() as u64;
        let near_cpu = cpu() - self.near_cpu;
        let far_cpu = peer.cpu().await? - self.far_cpu;
        Ok(Figures { messages, elapsed, near_cpu, far_cpu, quantiles: None })
    }
}
