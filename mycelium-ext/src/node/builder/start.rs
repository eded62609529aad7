//! Starting a node with all that was chosen for it.

use std::sync::Arc;

use ractor_cluster::link::listening;
use tracing::Instrument;

use super::super::Node;
use super::super::dial::Dialer;
use super::super::error::StartError;
use super::super::keep::{Keeping, Patience, Wanted, keep};
#[cfg(feature = "membership")]
use super::super::members::{self, Members};
use super::super::roster::Roster;
#[cfg(all(feature = "spinning", target_os = "linux"))]
use super::super::thread::NodeThread;
use super::{Kept, NodeBuilder, Running, mutual, tls_of, without_membership};
use crate::address::Address;
use crate::config::{ConnectionMode, NodeName};

impl NodeBuilder {
    /// Starts the node. It listens when this returns, and dials its peers from then on.
    ///
    /// It needs a tokio runtime with time and I/O. When this future is dropped, the node does not
    /// start, or stops at once.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(self) -> Result<Node, StartError> {
        let name: NodeName = self.name.parse().map_err(StartError::Name)?;
        let full_name = format!("{name}@{}", self.host);
        let span = tracing::info_span!("node", node = full_name);
        #[cfg(all(feature = "spinning", target_os = "linux"))]
        if let Some(thread) = self.spinning {
            let thread = NodeThread::start(thread).await.map_err(StartError::Thread)?;
            let start = self.start_as(name, full_name, span.clone()).instrument(span);
            let mut node = thread.within(start).await?;
            node.running.own(thread);
            return Ok(node);
        }
        self.start_as(name, full_name, span.clone()).instrument(span).await
    }

    async fn start_as(
        mut self,
        name: NodeName,
        full_name: String,
        span: tracing::Span,
    ) -> Result<Node, StartError> {
        let cookie = self.cookie.take().ok_or(StartError::NoCookie)?;
        if cfg!(not(feature = "membership")) && self.cluster.is_some() {
            return Err(without_membership());
        }
        if self.mode == ConnectionMode::Transitive && !self.security.dial_supplied_addresses {
            return Err(StartError::SuppliedAddresses);
        }
        let listen: Result<Vec<_>, _> = self.listen.drain(..).map(|listen| listen.0).collect();
        let mut listen = listen.map_err(StartError::Address)?;
        mutual::prepare(&mut self, &mut listen)?;
        let roster =
            Arc::new(Roster::new(*self.limits.handshake_timeout, self.links().limits.log_lines));
        let running =
            Running::start(&self, &listen, &name, &cookie, (roster.clone(), span.clone())).await?;
        let addresses = listening(&running.server)
            .iter()
            .filter_map(|listening| Address::of(listening.kind, &listening.address))
            .collect::<Vec<_>>();
        #[cfg(feature = "simulation")]
        let addresses = match &self.network {
            Some(network) => network.addresses(),
            None => addresses,
        };

        let dialer = Dialer {
            server: running.server.clone(),
            roster: roster.clone(),
            connect_timeout: *self.limits.connect_timeout,
            handshake_timeout: *self.limits.handshake_timeout,
            #[cfg(feature = "simulation")]
            network: self.network.clone(),
        };
        let patience = Patience {
            min: *self.limits.backoff_min,
            max: *self.limits.backoff_max,
            reset: *self.limits.backoff_reset,
        };
        #[cfg(feature = "membership")]
        let members = match self.cluster.take() {
            Some(cluster) => {
                let host = members::Host {
                    name: &full_name,
                    cookie: &cookie,
                    addresses: &addresses,
                    authorities: self.authorities.clone(),
                    configured: self.kept.iter().map(|kept| kept.name.clone()).collect(),
                    patience,
                };
                Some(Members::start(cluster, host, dialer.clone(), &span).await?)
            }
            None => None,
        };
        #[cfg(feature = "membership")]
        let names = match &members {
            Some(members) => Some(members.start_names(roster.clone(), &span).await?),
            None => None,
        };
        let mut keeping = Keeping::default();
        for Kept { name, mut target } in self.kept {
            let tls = || tls_of(&target.address, self.authorities.as_ref());
            target.tls = target.tls.take().or_else(tls);
            let wanted = Wanted::configured(name, target);
            keeping.add(keep(dialer.clone(), wanted, patience).instrument(span.clone()));
        }
        for warning in &self.warnings {
            tracing::warn!(%warning, "risky configuration");
        }
        for address in &addresses {
            tracing::info!(%address, "listens");
        }
        #[cfg(all(feature = "view", unix))]
        let view = self.view.then(|| super::super::serve_view(&full_name, &addresses)).flatten();
        #[cfg(all(feature = "view", unix))]
        let remote_view = match self.remote_view {
            true => {
                let addresses = addresses.iter().map(ToString::to_string).collect();
                Some(crate::view::RemoteView::start(&full_name, addresses).await?)
            }
            false => None,
        };
        #[cfg(all(feature = "metrics", unix))]
        let metrics = match self.metrics {
            Some(listen) => Some(super::super::serve_metrics(&full_name, listen).await?),
            None => None,
        };
        Ok(Node {
            name: full_name,
            running,
            roster,
            dialer,
            authorities: self.authorities,
            addresses,
            keeping,
            #[cfg(feature = "membership")]
            names,
            #[cfg(feature = "membership")]
            members,
            #[cfg(all(feature = "view", unix))]
            _view: view,
            #[cfg(all(feature = "view", unix))]
            _remote_view: remote_view,
            #[cfg(all(feature = "metrics", unix))]
            metrics,
        })
    }
}
