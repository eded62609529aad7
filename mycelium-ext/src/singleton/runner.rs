//! The task of a singleton on a node that offers it: it starts and stops the actor.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ractor::{ActorCell, SpawnErr};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::names::{Command, Core, FencingNumber, STOPPING};

/// Starts the actor.
pub(super) type Spawn = Box<
    dyn Fn(FencingNumber) -> Pin<Box<dyn Future<Output = Result<ActorCell, SpawnErr>> + Send>>
        + Send,
>;

/// Why the actor is stopped.
const MOVED: &str = "singleton_moved";

/// The longest rest is so many times the first one.
const MOST: u32 = 64;

pub(super) struct Runner {
    pub(super) core: Arc<Core>,
    pub(super) name: Arc<str>,
    pub(super) spawn: Spawn,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) rest: Rest,
}

/// How long this node does not offer a singleton whose actor has ended: longer each time, unless it
/// ran for longer than the longest rest.
pub(super) struct Rest {
    first: Duration,
    times: u32,
}

impl Rest {
    pub(super) const fn new(first: Duration) -> Self {
        Self { first, times: 1 }
    }

    fn next(&mut self, ran: Duration) -> Duration {
        if ran > self.first * MOST {
            self.times = 1;
        }
        let rest = self.first * self.times;
        self.times = (self.times * 2).min(MOST);
        rest
    }
}

/// Tells the caller that waits for the end of the runner.
type Answer = Option<oneshot::Sender<()>>;

impl Runner {
    pub(super) async fn run(mut self) {
        let mut answer = None;
        while let Some(command) = self.commands.recv().await {
            match command {
                Command::Start(number) => {
                    if let Some(end) = self.hold(number).await {
                        answer = end;
                        break;
                    }
                }
                // It has ended by itself.
                Command::Stop(_) => {}
                Command::Withdraw(end) => {
                    answer = end;
                    break;
                }
            }
        }
        self.core.withdrawn(&self.name);
        // The caller may have gone.
        let _ = answer.map(|answer| answer.send(()));
    }

    /// Runs the actor until it ends, or this node does not have it any more. `Some`, when this node
    /// does not offer it any more.
    async fn hold(&mut self, number: FencingNumber) -> Option<Answer> {
        let began = Instant::now();
        // In a task of its own, so that a panic does not end this one.
        let actor = match tokio::spawn((self.spawn)(number)).await {
            Ok(Ok(actor)) => actor,
            Ok(Err(error)) => {
                self.failed(number, &error);
                return None;
            }
            Err(error) => {
                self.failed(number, &error);
                return None;
            }
        };
        if !self.core.started(&self.name, number, actor.clone()) {
            stop(&actor).await;
            return None;
        }
        tracing::info!(singleton = &*self.name, %number, actor = %actor.get_id(), "runs here");
        loop {
            tokio::select! {
                biased;
                _ = actor.wait(None) => {
                    let rest = self.rest.next(began.elapsed());
                    tracing::warn!(singleton = &*self.name, %number, ?rest, "its actor has ended");
                    self.core.ended(&self.name, number, rest);
                    return None;
                }
                command = self.commands.recv() => match command {
                    Some(Command::Stop(of)) if of == number => {
                        stop(&actor).await;
                        return None;
                    }
                    Some(Command::Start(_) | Command::Stop(_)) => {}
                    Some(Command::Withdraw(answer)) => {
                        stop(&actor).await;
                        return Some(answer);
                    }
                    None => {
                        stop(&actor).await;
                        return Some(None);
                    }
                },
            }
        }
    }

    fn failed(&mut self, number: FencingNumber, error: &dyn std::fmt::Display) {
        let rest = self.rest.next(Duration::ZERO);
        tracing::error!(singleton = &*self.name, %number, %error, ?rest, "did not start");
        self.core.ended(&self.name, number, rest);
    }
}

/// The actor has stopped when this returns. Its handler has some seconds to end.
async fn stop(actor: &ActorCell) {
    let stopped = actor.stop_and_wait(Some(MOVED.to_owned()), Some(STOPPING)).await;
    if stopped.is_err() && actor.wait(Some(Duration::ZERO)).await.is_err() {
        let _ = actor.kill_and_wait(Some(STOPPING)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_up_to_a_bound_and_begin_anew_after_a_long_run() {
        let second = Duration::from_secs(1);
        let mut rest = Rest::new(second);
        let rests: Vec<_> = (0..9).map(|_| rest.next(second).as_secs()).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
        assert_eq!(rest.next(65 * second), second);
    }
}
