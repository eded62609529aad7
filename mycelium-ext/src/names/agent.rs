//! What runs for the names of a node: an actor that other nodes send to, and a task.

use std::sync::{Arc, Weak};
use std::time::Duration;

use mycelium_membership::Membership;
use ractor::actor::actor_config::{ActorConfig, Mailbox, Overflow};
use ractor::{Actor, ActorProcessingErr, ActorRef, pg};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tracing::Instrument;

use super::Names;
use super::core::{Core, SCOPE, group_of};
use super::directory::Owner;
use super::error::Released;
use super::told::Told;
use crate::node::{Demand, NodeEvent, PeerInfo, Roster, StartError};

/// Messages of other nodes that wait. Further ones come back to their nodes.
const WAITING: usize = 8192;

/// How long a singleton has to stop when its node does.
pub(crate) const STOPPING: Duration = Duration::from_secs(10);

struct Agent(Weak<Core>);

ractor::library_actor! {
    impl Actor for Agent {
        type Msg = Told;
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _: ActorRef<Told>,
            (): (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle(
            &self,
            _: ActorRef<Told>,
            told: Told,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            if let Some(core) = self.0.upgrade() {
                core.receive(&told);
            }
            Ok(())
        }
    }
}

/// The names of a node that runs.
#[derive(Debug)]
pub(crate) struct Running {
    names: Names,
    agent: ActorRef<Told>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(
        membership: Arc<Membership>,
        (roster, demand): (Arc<Roster>, Arc<Demand>),
        interval: Duration,
        span: &tracing::Span,
    ) -> Result<Self, StartError> {
        let members = membership.members();
        let own = members.iter().find(|member| member.is_this_node);
        let own = own.and_then(|own| Some((own.name.clone(), own.incarnation?.to_bytes())));
        let (name, incarnation) =
            own.ok_or_else(|| StartError::Server("it is not in its own list of members".into()))?;
        let own = Owner { name, incarnation };
        let group = group_of(&own);
        let core = Arc::new(Core::new(own, &membership, demand, interval));
        let mailbox = Mailbox::bounded(WAITING, Overflow::Reject);
        let config = ActorConfig::default().with_mailbox(mailbox);
        let agent = Agent(Arc::downgrade(&core));
        let agent = Agent::spawn_with_config(None, agent, (), config).await;
        let (agent, _) = agent.map_err(|error| StartError::Server(error.into()))?;
        pg::join_scoped(SCOPE.to_owned(), group, vec![agent.get_cell()]);
        let task = run(core.clone(), membership, roster).instrument(span.clone());
        Ok(Self { names: Names::new(core), agent, task: tokio::spawn(task) })
    }

    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    /// Singletons have stopped and names are given up when this returns.
    pub(crate) async fn stop(mut self) {
        let core = self.names.core().clone();
        let offered = core.with(|state, _| {
            state.is_stopped = true;
            state.offers.keys().cloned().collect::<Vec<_>>()
        });
        let mut ends = Vec::new();
        for name in offered {
            let (answer, end) = oneshot::channel();
            core.withdraw(&name, Some(answer));
            ends.push(end);
        }
        for end in ends {
            // Its runner may have ended already.
            let _ = end.await;
        }
        self.shut_down();
        // It holds the membership.
        let _ = (&mut self.task).await;
    }

    fn shut_down(&self) {
        let offered = self.names.core().with(|state, now| {
            state.is_stopped = true;
            let names: Vec<_> = state.registered.keys().cloned().collect();
            names.iter().for_each(|name| state.end(name, Released::NodeStopped, now));
            state.offers.keys().cloned().collect::<Vec<_>>()
        });
        offered.iter().for_each(|name| self.names.core().withdraw(name, None));
        self.agent.stop(None);
        self.task.abort();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shut_down();
    }
}

pub(super) fn owner_of(peer: &PeerInfo) -> Option<Owner> {
    let incarnation = peer.incarnation?.to_bytes();
    Some(Owner { name: peer.name.as_str().into(), incarnation })
}

/// Tells the directory of time, members and sessions.
async fn run(core: Arc<Core>, membership: Arc<Membership>, roster: Arc<Roster>) {
    let (mut changes, mut events) = (membership.changes(), roster.events());
    let mut ticks = tokio::time::interval(core.interval());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = ticks.tick() => core.tick(&membership.members()),
            changed = changes.changed() => match changed {
                Ok(()) => core.members(&membership.members()),
                Err(_) => return,
            },
            event = events.recv() => match event {
                Ok(NodeEvent::Connected(peer)) => {
                    owner_of(&peer).iter().for_each(|owner| core.connected(owner));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    let peers = roster.peers();
                    peers.iter().filter_map(owner_of).for_each(|owner| core.connected(&owner));
                }
                Err(RecvError::Closed) => return,
            },
        }
    }
}
