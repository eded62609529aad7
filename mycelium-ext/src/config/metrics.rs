//! `[metrics]`: the figures of the node for Prometheus.

use super::reader::{Reader, Section};
use super::setting::Setting;
use super::values::Bind;
use crate::address::Endpoint;

/// The figures of the node for Prometheus. They need the feature `metrics`.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct MetricsSettings {
    /// Where `GET /metrics` is answered, by HTTP; `None`: nowhere. Port 0 is a free one.
    pub listen: Option<Setting<Endpoint>>,
}

/// Reads `[metrics]`.
pub(super) fn read(reader: &mut Reader<'_>, root: &mut Section<'_, '_>) -> MetricsSettings {
    let mut section = root.section(reader, "metrics");
    let listen: Option<Setting<Bind>> = section.setting(reader, "listen");
    section.finish(reader);
    MetricsSettings { listen: listen.map(|bind| bind.map(|bind| bind.0)) }
}
