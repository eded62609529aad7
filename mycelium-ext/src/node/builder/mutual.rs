//! Gives all that speaks TLS what it shows and what it demands.

use super::NodeBuilder;
use crate::config::StreamListen;
use crate::node::StartError;

/// Every listener for TLS demands a certificate if there is somebody to vouch for it, and a peer
/// that is dialled is shown this node's own, if it has one.
pub(super) fn prepare(
    builder: &mut NodeBuilder,
    listen: &mut [StreamListen],
) -> Result<(), StartError> {
    if let Some(clients) = &builder.client_authorities {
        for listen in listen {
            if let StreamListen::Tls { identity, .. } = listen {
                *identity = identity.demanding(clients).map_err(StartError::Tls)?;
            }
        }
    }
    if let Some(own) = &builder.identity {
        let targets = builder.kept.iter_mut().filter_map(|kept| kept.target.tls.as_mut());
        let dialled = targets.map(|tls| &mut tls.authorities).chain(builder.authorities.as_mut());
        for authorities in dialled {
            *authorities = authorities.presenting(own).map_err(StartError::Tls)?;
        }
    }
    Ok(())
}
